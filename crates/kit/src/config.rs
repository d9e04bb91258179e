//! The endpoint config: read without telling what is in it.

mod explain;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::connector::Connector;

/// The config does not fit the connector.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint config does not fit: {}; compare it with the connector's `spec`", problems.join("; "))]
pub(crate) struct ConfigError {
    /// All that is wrong, and where, without any value of the config.
    problems: Vec<String>,
}

/// Reads the endpoint config of this connector.
pub(crate) fn read<C: Connector>(connector: &C, json: &str) -> Result<C::Config, ConfigError> {
    decode(json, || connector.config_schema())
}

/// Reads a config. What does not fit is held against its schema, which tells more than the first thing that is wrong.
fn decode<C: DeserializeOwned>(
    json: &str,
    schema: impl FnOnce() -> Value,
) -> Result<C, ConfigError> {
    serde_json::from_str(json).map_err(|error| {
        let mut problems = match serde_json::from_str(json) {
            Ok(config) => explain::problems(&schema(), &config),
            Err(_) => Vec::new(),
        };
        if problems.is_empty() {
            problems.push(without_values(&error));
        }
        ConfigError { problems }
    })
}

/// What `serde_json` says of an error, but for the value that it met: any value of a config, or of an answer, may be a secret.
pub(crate) fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    for (start, kind) in [
        ("invalid type: ", "wrong type"),
        ("invalid value: ", "wrong value"),
        ("invalid length ", "wrong length"),
    ] {
        if text.starts_with(start) {
            let expected = text
                .rsplit_once(", expected ")
                .map_or("something else", |(_, expected)| expected);
            return format!("{kind}, expected {expected}");
        }
    }
    // A missing or unknown member is named by the schema's words; an unknown variant's name is the value itself.
    if let Some((_, expected)) = text
        .split_once("unknown variant")
        .and_then(|(_, rest)| rest.split_once(", expected "))
    {
        return format!("unknown variant, expected {expected}");
    }
    if text.starts_with("missing field")
        || text.starts_with("unknown field")
        || text.starts_with("duplicate field")
    {
        return text;
    }
    format!(
        "it cannot be read at line {} column {}",
        error.line(),
        error.column()
    )
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;

    use super::*;

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it decodes is looked at")]
    struct Config {
        port: u16,
        mode: Mode,
        #[serde(default)]
        start: Option<Start>,
        #[serde(default)]
        credentials: Option<Credentials>,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Fast,
        /// Takes its time.
        Slow,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only whether it decodes is looked at")]
    struct Start {
        year: i16,
    }

    #[derive(Debug, serde::Deserialize, JsonSchema)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "only whether it decodes is looked at")]
    enum Credentials {
        Token { token: String },
        Password { user: String, password: String },
    }

    fn problem(json: &str, schema: Value) -> String {
        decode::<Config>(json, || schema).unwrap_err().to_string()
    }

    #[test]
    fn no_value_of_a_config_is_in_an_error_about_it() {
        for (json, of_decoder, of_schema) in [
            (
                r#"{"port":"hunter2, expected u9","mode":"fast"}"#,
                "wrong type, expected u16",
                "`/port` is a string, expected integer",
            ),
            (
                r#"{"port":-31337,"mode":"fast"}"#,
                "wrong value, expected u16",
                "`/port` is less than 0",
            ),
            (
                r#"{"port":1,"mode":"hunter2"}"#,
                "unknown variant, expected `fast` or `slow`",
                "`/mode` is none of `fast`, `slow`",
            ),
            (
                r#"{"mode":"fast"}"#,
                "missing field `port`",
                "`/port` is missing",
            ),
            (
                r#"{"port":1,"mode":"fast","start":{"year":"hunter2"}}"#,
                "wrong type, expected i16",
                "`/start/year` is a string, expected integer",
            ),
            (
                r#"{"port":1,"mode":"fast","credentials":{"kind":"hunter2"}}"#,
                "unknown variant, expected `Token` or `Password`",
                "`/credentials/kind` is none of `Token`, `Password`",
            ),
            (r#"{"port":1,"#, "cannot be read", "cannot be read"),
            ("[]", "wrong", "it is an array, expected object"),
        ] {
            for (schema, expected) in [
                (Value::Bool(true), of_decoder),
                (crate::schema::of::<Config>(), of_schema),
            ] {
                let error = problem(json, schema);
                assert!(error.contains(expected), "{json}: {error}");
                assert!(
                    !error.contains("hunter2") && !error.contains("31337"),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_config_is_said_at_once() {
        let json = r#"{"port":70000,"modus":"fast","start":{"year":null},"credentials":{"kind":"Password","user":7}}"#;
        let error = problem(json, crate::schema::of::<Config>());
        for expected in [
            "`/port` is greater than 65535",
            "`/mode` is missing",
            "`/modus` is unknown",
            "`/start/year` is null, expected integer",
            "`/credentials/password` is missing",
            "`/credentials/user` is a number, expected string",
        ] {
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
