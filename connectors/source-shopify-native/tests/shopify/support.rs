//! What is recorded, and streams by their names.

use serde_json::Value;
use source_shopify_native::streams::{STREAMS, Stream};

/// A recorded file, or none where the project stands alone.
pub(crate) fn recorded(name: &str) -> Option<Value> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/reference/golden"
    );
    let Ok(text) = std::fs::read_to_string(format!("{folder}/{name}")) else {
        eprintln!("skipped: `{name}` is not in this checkout");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

pub(crate) fn stream(name: &str) -> Stream {
    *STREAMS.iter().find(|stream| stream.name == name).unwrap()
}
