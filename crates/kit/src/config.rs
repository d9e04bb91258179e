//! The endpoint config: read without telling what is in it.

use serde::de::DeserializeOwned;

/// The config does not fit the connector.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint config does not fit: {problem}; compare it with the connector's `spec`")]
pub(crate) struct ConfigError {
    /// What is wrong, and where, without any value of the config.
    problem: String,
}

/// Reads the endpoint config.
pub(crate) fn decode<C: DeserializeOwned>(json: &str) -> Result<C, ConfigError> {
    serde_json::from_str(json).map_err(|error| ConfigError {
        problem: without_values(&error),
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
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it decodes is looked at")]
    struct Config {
        port: u16,
        mode: Mode,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Fast,
    }

    #[test]
    fn no_value_of_a_config_is_in_an_error_about_it() {
        for (json, expected) in [
            (
                r#"{"port":"hunter2, expected u9","mode":"fast"}"#,
                "wrong type, expected u16",
            ),
            (
                r#"{"port":-31337,"mode":"fast"}"#,
                "wrong value, expected u16",
            ),
            (
                r#"{"port":1,"mode":"hunter2"}"#,
                "unknown variant, expected `fast`",
            ),
            (r#"{"mode":"fast"}"#, "missing field `port`"),
            (r#"{"port":1,"#, "cannot be read"),
        ] {
            let error = decode::<Config>(json).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(
                !error.contains("hunter2") && !error.contains("31337"),
                "{error}"
            );
        }
    }
}
