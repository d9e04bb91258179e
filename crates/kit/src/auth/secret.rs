//! A text that is not shown.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A text that is not shown, and whose memory is wiped when it is dropped. In a schema it is a string that is marked as a secret.
///
/// ```
/// use staunch::auth::Secret;
///
/// #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
/// struct Config {
///     /// The key of the API.
///     api_key: Secret,
/// }
///
/// let config: Config = serde_json::from_str(r#"{"api_key":"hunter2"}"#).unwrap();
/// assert_eq!(config.api_key.expose(), "hunter2");
/// assert_eq!(format!("{config:?}"), "Config { api_key: [secret] }");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// The text itself, to put where it belongs and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SecretString::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "secret": true })
    }
}
