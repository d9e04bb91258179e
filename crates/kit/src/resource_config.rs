//! The configuration of a binding: which resource, and how often.

mod interval;

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::schedule::{Schedule, ScheduleError};

/// A binding's configuration, as the kit reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceConfig {
    pub(crate) name: String,
    /// None where the resource's own is to be used.
    pub(crate) interval: Option<Duration>,
    /// When it is read anew. None for never.
    pub(crate) schedule: Option<Schedule>,
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
        let interval = match members.get("interval") {
            None | Some(Value::Null) => None,
            Some(value) => Some(
                interval::decode(value)
                    .map_err(|problem| wrong(&format!(" has an `interval` that {problem}")))?,
            ),
        };
        let schedule = match members.get("schedule") {
            None | Some(Value::Null) => None,
            Some(Value::String(expression)) if expression.trim().is_empty() => None,
            Some(Value::String(expression)) => {
                Some(expression.parse().map_err(|problem: ScheduleError| {
                    wrong(&format!(" has a `schedule` that {problem}"))
                })?)
            }
            Some(_) => {
                return Err(wrong(
                    " has a `schedule` that is no string; write a cron expression, or an empty string for none",
                ));
            }
        };
        Ok(Self {
            name: name.clone(),
            interval,
            schedule,
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
    fn a_schedule_is_a_cron_expression_and_an_empty_one_is_none() {
        let schedule = |json: &str| ResourceConfig::decode(0, json).map(|config| config.schedule);
        for json in [
            r#"{"name":"a"}"#,
            r#"{"name":"a","schedule":null}"#,
            r#"{"name":"a","schedule":""}"#,
            r#"{"name":"a","schedule":" "}"#,
        ] {
            assert_eq!(schedule(json), Ok(None), "{json}");
        }
        assert_eq!(
            schedule(r#"{"name":"a","schedule":"0 4 *  * 1"}"#),
            Ok(Some("0 4 * * 1".parse().unwrap()))
        );
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
            (
                r#"{"name":"a","interval":"soon"}"#,
                "`interval` that is no duration; write",
            ),
            (
                r#"{"name":"a","interval":"-PT5M"}"#,
                "`interval` that is negative",
            ),
            (
                r#"{"name":"a","interval":true}"#,
                "`interval` that is no duration",
            ),
            (
                r#"{"name":"a","schedule":"* * * *"}"#,
                "`schedule` that has 4 fields; write five",
            ),
            (
                r#"{"name":"a","schedule":"* 24 * * *"}"#,
                "`schedule` that has a value that it cannot have in its hour; write",
            ),
            (
                r#"{"name":"a","schedule":5}"#,
                "`schedule` that is no string",
            ),
        ] {
            let error = ResourceConfig::decode(3, json).unwrap_err();
            assert!(
                error.contains("binding 3") && error.contains(expected),
                "{json}: {error}"
            );
        }
    }
}
