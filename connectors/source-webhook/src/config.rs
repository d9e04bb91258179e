//! What the connector needs to be told.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::Proof;

/// The endpoint config.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Webhooks")]
pub struct Config {
    /// What can be posted, and where. Of several endpoints that take a request, it is the most specific one that captures it.
    #[schemars(title = "Endpoints", length(min = 1), extend("order" = 0))]
    pub endpoints: Vec<Endpoint>,
    /// What seldom needs to be changed.
    #[serde(default)]
    #[schemars(title = "Advanced", extend("order" = 1, "advanced" = true))]
    pub advanced: Advanced,
}

/// What can be posted, and where.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// What its documents are captured as.
    #[schemars(title = "Name", length(min = 1), extend("order" = 0))]
    pub name: String,
    /// The path of its requests. Parameters are segments in braces: /shops/{shop}/orders, or /files/{name...} for all that is left.
    /// Without one, it takes requests of any path.
    #[schemars(title = "Path", extend("order" = 1))]
    pub path: Option<String>,
    /// The method of its requests.
    #[serde(default)]
    #[schemars(title = "Method", extend("order" = 2))]
    pub method: Method,
    /// Headers that its requests must have.
    #[serde(default)]
    #[schemars(title = "Headers", extend("order" = 3))]
    pub headers: Vec<Header>,
    /// Members that its documents must have.
    #[serde(default)]
    #[schemars(title = "Members", extend("order" = 4))]
    pub members: Vec<Member>,
    /// How its senders prove themselves. Without one, anybody may post.
    #[schemars(title = "Signature", extend("order" = 5))]
    pub signature: Option<Proof>,
    /// The key of its documents, as JSON pointers. Documents without these members are not taken. By default it is the id of each.
    #[serde(default)]
    #[schemars(title = "Key", extend("order" = 6))]
    pub key: Vec<String>,
    /// Where its requests have an id of their own, so that one which is sent again is known to be the same.
    #[schemars(title = "ID", extend("order" = 7))]
    pub id: Option<Id>,
    /// Headers and parameters of the query that are not captured, besides those that usually hold secrets.
    #[serde(default)]
    #[schemars(title = "Hidden", extend("order" = 8))]
    pub hide: Vec<String>,
}

/// The method of a request.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// As nearly all webhooks have it.
    #[default]
    Post,
    /// For senders that put.
    Put,
    /// For senders that patch.
    Patch,
}

impl Method {
    /// As it stands in a request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
        }
    }
}

/// A header that a request must have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its name, in any case.
    #[schemars(title = "Name", extend("order" = 0))]
    pub name: String,
    /// Its value. Without one, any will do.
    #[schemars(title = "Value", extend("order" = 1))]
    pub value: Option<String>,
}

/// A member that a document must have.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Where it is, as a JSON pointer: /order/type.
    #[schemars(title = "Pointer", extend("order" = 0))]
    pub pointer: String,
    /// Its value: a string, a number, true, false or null. Without one, any will do.
    #[serde(default, deserialize_with = "given")]
    #[schemars(
        title = "Value",
        schema_with = "scalar",
        extend("order" = 1)
    )]
    pub value: Option<Value>,
}

/// A value that is given, be it null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn scalar(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": ["string", "number", "boolean", "null"] })
}

/// Where a request has an id of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Id {
    /// In this header.
    #[schemars(title = "Header")]
    Header(String),
    /// In this parameter of the path.
    #[schemars(title = "Path Parameter")]
    Parameter(String),
}

/// What seldom needs to be changed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Advanced {
    /// Bytes that the body of a request may have, before and after decompression.
    #[schemars(title = "Largest Body", range(min = 1, max = 134_217_728))]
    pub max_body_bytes: u64,
    /// Requests that may be waiting at once. Others are asked to come again.
    #[schemars(title = "Waiting Requests", range(min = 1))]
    pub max_requests: usize,
}

impl Default for Advanced {
    fn default() -> Self {
        Self {
            max_body_bytes: 64 << 20,
            max_requests: 4_096,
        }
    }
}
