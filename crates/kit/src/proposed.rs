//! What a capture is to be, and what it was.

use serde_json::Value;
use staunch_protocol::{RawValue, request};

use crate::resource_config::ResourceConfig;

/// A capture that is validated: its bindings, and what it was before.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Proposed {
    /// The bindings that are enabled.
    pub bindings: Vec<Bound>,
    /// The capture as it was applied last, if it ever was.
    pub previous: Option<Previous>,
}

/// A resource that is bound to a collection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Bound {
    /// The resource's name.
    pub resource: String,
    /// The key of the collection: JSON pointers.
    pub key: Vec<String>,
    /// How often the binding was asked to start over.
    pub backfill: u32,
}

/// A capture as it was.
#[derive(Clone)]
#[non_exhaustive]
pub struct Previous {
    /// Its endpoint config, as it is stored: secrets are sealed, so that it may not decode.
    pub config: Value,
    /// Its bindings, those that were enabled.
    pub bindings: Vec<Bound>,
}

/// Without the config, in which a secret may be.
impl std::fmt::Debug for Previous {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Previous")
            .field("bindings", &self.bindings)
            .finish_non_exhaustive()
    }
}

impl Proposed {
    pub(crate) fn of(request: &request::Validate) -> Self {
        let bindings = request.bindings.iter().filter_map(|binding| {
            let key = &binding.collection.key;
            bound(&binding.resource_config, key, binding.backfill)
        });
        let previous = request.last_capture.as_ref().map(|last| {
            let bindings = last.bindings.iter().filter_map(|binding| {
                let key = &binding.collection.key;
                bound(&binding.resource_config, key, binding.backfill)
            });
            Previous {
                config: unwrapped(&last.config),
                bindings: bindings.collect(),
            }
        });
        Self {
            bindings: bindings.collect(),
            previous,
        }
    }
}

fn bound(config: &RawValue, key: &[String], backfill: u32) -> Option<Bound> {
    Some(Bound {
        resource: ResourceConfig::name_in(config.get())?,
        key: key.to_vec(),
        backfill,
    })
}

/// The endpoint config inside of what a catalog has: `{image, config}`, or `{command, config}`.
fn unwrapped(stored: &RawValue) -> Value {
    let mut stored: Value = serde_json::from_str(stored.get()).unwrap_or_default();
    let is_wrapper = ["image", "command"]
        .iter()
        .any(|member| stored.get(member).is_some());
    match stored.get_mut("config") {
        Some(config) if is_wrapper => config.take(),
        _ => stored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_of_what_was_is_found_in_its_wrapper() {
        let unwrapped = |text: &str| {
            let raw = RawValue::from_string(text.to_owned()).expect("it is JSON");
            unwrapped(&raw).to_string()
        };
        assert_eq!(unwrapped(r#"{"image":"a","config":{"b":1}}"#), r#"{"b":1}"#);
        assert_eq!(
            unwrapped(r#"{"command":["a"],"config":{"b":1}}"#),
            r#"{"b":1}"#
        );
        assert_eq!(unwrapped(r#"{"config":"mine"}"#), r#"{"config":"mine"}"#);
    }
}
