//! The configuration of a binding: which resource, and how often.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde_json::{Value, json};

/// A binding's configuration, as the kit reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceConfig {
    pub(crate) name: String,
    /// None where the resource's own is to be used.
    pub(crate) interval: Option<Duration>,
}

impl ResourceConfig {
    /// Reads the configuration of the binding at `index`. Members that the runtime adds (`_meta`) are passed over.
    pub(crate) fn decode(index: usize, json: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("the resource config of binding {index}{what}");
        let Ok(Value::Object(members)) = serde_json::from_str(json) else {
            return Err(wrong(" is not an object; give it a `name`"));
        };
        for member in members.keys() {
            if !matches!(member.as_str(), "name" | "interval" | "schedule" | "_meta") {
                return Err(wrong(&format!(
                    " has an unknown member `{member}`; remove it"
                )));
            }
        }
        let Some(Value::String(name)) = members.get("name") else {
            return Err(wrong(" has no `name`; give it that of a resource"));
        };
        match members.get("schedule") {
            None | Some(Value::Null) => {}
            Some(Value::String(schedule)) if schedule.is_empty() => {}
            Some(_) => {
                return Err(wrong(
                    " has a `schedule`, which this version does not support; use `interval`",
                ));
            }
        }
        let interval = match members.get("interval") {
            None | Some(Value::Null) => None,
            Some(value) => Some(decode_interval(value).ok_or_else(|| wrong(INTERVAL_PROBLEM))?),
        };
        Ok(Self {
            name: name.clone(),
            interval,
        })
    }

    /// The configuration that discovery proposes.
    pub(crate) fn discovered(name: &str, interval: Duration, schedule: &str) -> Value {
        let interval = SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX);
        let mut config = json!({ "name": name, "interval": interval.to_string() });
        if !schedule.is_empty() {
            config["schedule"] = schedule.into();
        }
        config
    }

    /// Its schema, with or without a schedule.
    pub(crate) fn schema(has_schedules: bool) -> Value {
        let mut schema = json!({
            "type": "object",
            "title": "Resource configuration",
            "required": ["name"],
            "properties": {
                "name": {
                    "type": "string",
                    "title": "Name",
                    "description": "Name of the resource that this binding captures.",
                },
                "interval": {
                    "type": "string",
                    "format": "duration",
                    "title": "Interval",
                    "description": "How long to wait between looks at a resource that has nothing new, as an ISO 8601 duration.",
                    "default": "PT0S",
                    "nonsensitive": true,
                },
                "schedule": {
                    "type": "string",
                    "title": "Schedule",
                    "description": "When to read the resource anew, as a cron expression. Empty for never.",
                    "default": "",
                    "pattern": SCHEDULE_PATTERN,
                    "nonsensitive": true,
                },
                "_meta": {
                    "type": "object",
                    "title": "Meta",
                    "description": "Written by the runtime.",
                },
            },
            "additionalProperties": false,
        });
        if !has_schedules && let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.remove("schedule");
        }
        schema
    }
}

/// For forms, which then tell of most mistakes at once: nothing, or five fields. The kit knows more when it validates.
const SCHEDULE_PATTERN: &str = r"^([0-9A-Za-z*,/-]+(\s+[0-9A-Za-z*,/-]+){4})?$";

const INTERVAL_PROBLEM: &str =
    " has an `interval` that is no duration of zero or more; write it like `PT5M` or `PT30S`";

/// An ISO 8601 duration, or a number of seconds.
fn decode_interval(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(seconds) => Duration::try_from_secs_f64(seconds.as_f64()?).ok(),
        Value::String(text) => {
            let span: Span = text.parse().ok()?;
            // Days are 24 hours here: an interval has no place in any calendar.
            let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
            Duration::try_from(duration).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_iso_durations_or_seconds() {
        let seconds = |json: &str| {
            ResourceConfig::decode(0, json).map(|config| config.interval.map(|d| d.as_secs_f64()))
        };
        assert_eq!(seconds(r#"{"name":"a"}"#), Ok(None));
        assert_eq!(
            seconds(r#"{"name":"a","interval":"PT5M","schedule":"","_meta":{"path":["a"]}}"#),
            Ok(Some(300.0))
        );
        assert_eq!(
            seconds(r#"{"name":"a","interval":"P1DT1S"}"#),
            Ok(Some(86_401.0))
        );
        assert_eq!(seconds(r#"{"name":"a","interval":0.5}"#), Ok(Some(0.5)));
    }

    #[test]
    fn what_is_wrong_with_a_resource_config_is_said() {
        for (json, expected) in [
            ("[]", "is not an object"),
            ("{}", "no `name`"),
            (
                r#"{"name":"a","intervall":"PT5M"}"#,
                "unknown member `intervall`",
            ),
            (r#"{"name":"a","interval":"soon"}"#, "write it like `PT5M`"),
            (r#"{"name":"a","interval":"-PT5M"}"#, "write it like `PT5M`"),
            (r#"{"name":"a","interval":-1}"#, "write it like `PT5M`"),
            (r#"{"name":"a","schedule":"* * * * *"}"#, "does not support"),
        ] {
            let error = ResourceConfig::decode(3, json).unwrap_err();
            assert!(
                error.contains("binding 3") && error.contains(expected),
                "{json}: {error}"
            );
        }
    }
}
