//! The configuration of a binding: which resource, and how often.

use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::duration;
use crate::schedule::Schedule;

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
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn decode(index: usize, json: &str) -> Result<Self, Vec<String>> {
        let of = |what: String| format!("the resource config of binding {index}{what}");
        let Ok(Value::Object(members)) = serde_json::from_str(json) else {
            return Err(vec![of(" is not an object; give it a `name`".into())]);
        };
        let name = match members.get("name") {
            Some(Value::String(name)) if !name.is_empty() => Some(name.clone()),
            _ => None,
        };
        let mut problems = Vec::new();
        let mut wrong = |what: String| match &name {
            Some(name) => problems.push(of(format!(" (`{name}`) {what}"))),
            None => problems.push(of(format!(" {what}"))),
        };
        if name.is_none() {
            wrong("has no `name`; give it that of a resource".into());
        }
        for member in members.keys() {
            if !matches!(member.as_str(), "name" | "interval" | "schedule" | "_meta") {
                wrong(format!("has an unknown member `{member}`; remove it"));
            }
        }
        let interval = match members.get("interval") {
            None | Some(Value::Null) => None,
            Some(value) => duration::decode(value)
                .map_err(|problem| wrong(format!("has an `interval` that {problem}")))
                .ok(),
        };
        let schedule = match members.get("schedule") {
            None | Some(Value::Null) => None,
            Some(Value::String(expression)) => Schedule::of(expression).unwrap_or_else(|problem| {
                wrong(format!("has a `schedule` that {problem}"));
                None
            }),
            Some(_) => {
                wrong(
                    "has a `schedule` that is no string; write a cron expression, or an empty string for none".into(),
                );
                None
            }
        };
        match name {
            Some(name) if problems.is_empty() => Ok(Self {
                name,
                interval,
                schedule,
            }),
            _ => Err(problems),
        }
    }

    /// The resource that a configuration is of, whatever else is wrong with it.
    pub(crate) fn name_in(json: &str) -> Option<String> {
        match serde_json::from_str::<Value>(json).ok()?.get("name")? {
            Value::String(name) if !name.is_empty() => Some(name.clone()),
            _ => None,
        }
    }

    /// The configuration that discovery proposes.
    pub(crate) fn discovered(name: &str, interval: Duration, schedule: Option<&str>) -> Value {
        let interval = SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX);
        let mut config = json!({ "name": name, "interval": interval.to_string() });
        if let Some(schedule) = schedule {
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
const SCHEDULE_PATTERN: &str = r"^\s*([0-9A-Za-z*,/-]+(\s+[0-9A-Za-z*,/-]+){4})?\s*$";

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
            let problems = ResourceConfig::decode(3, json).unwrap_err();
            let [error] = &problems[..] else {
                panic!("{json}: {problems:?}");
            };
            assert!(
                error.contains("binding 3") && error.contains(expected),
                "{json}: {error}"
            );
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_resource_config_is_said_at_once() {
        let json = r#"{"name":"users","interval":"soon","schedule":"never","colour":"red"}"#;
        let problems = ResourceConfig::decode(3, json).unwrap_err().join("\n");
        for expected in ["`interval`", "`schedule`", "`colour`"] {
            assert!(problems.contains(expected), "{problems}");
        }
        assert_eq!(
            problems.matches("binding 3 (`users`)").count(),
            3,
            "{problems}"
        );
    }

    #[test]
    fn the_schema_has_a_schedule_only_if_the_connector_has() {
        for has_schedules in [true, false] {
            let schema = ResourceConfig::schema(has_schedules);
            assert_eq!(
                schema["properties"].get("schedule").is_some(),
                has_schedules
            );
            assert_eq!(schema["additionalProperties"], json!(false));
        }
    }
}
