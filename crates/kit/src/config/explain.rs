//! All that is wrong with a config at once, by its schema.
//!
//! A decoder stops at the first thing that it cannot read, so a form with five mistakes would take five attempts. This looks only at
//! what a decoder has refused already: it may miss something (then the decoder's own words stand), and never refuses by itself.

use serde_json::{Map, Value};

use crate::duration;

/// How many problems are told. Beyond that the schema is another one, not the config.
const MANY: usize = 20;

/// What is wrong, each with the JSON pointer of where. Names members, types and what the schema lists, and no value of the config.
pub(super) fn problems(schema: &Value, config: &Value) -> Vec<String> {
    let mut problems = Problems(Vec::new());
    problems.look(schema, config, "");
    problems.0.truncate(MANY);
    problems.0
}

struct Problems(Vec<String>);

impl Problems {
    fn say(&mut self, pointer: &str, what: impl std::fmt::Display) {
        let place = match pointer {
            "" => "it".to_owned(),
            pointer => format!("`{pointer}`"),
        };
        self.0.push(format!("{place} {what}"));
    }

    fn look(&mut self, schema: &Value, value: &Value, pointer: &str) {
        let Value::Object(schema) = schema else {
            return;
        };
        if self.0.len() >= MANY {
            return;
        }
        if let Some(types) = schema.get("type").filter(|types| !is_one_of(value, types)) {
            let (found, expected) = (name(value), expected(types));
            return self.say(pointer, format_args!("is {found}, expected {expected}"));
        }
        let listed = match (schema.get("enum"), schema.get("const")) {
            (Some(Value::Array(listed)), _) => Some(&listed[..]),
            (_, constant) => constant.map(std::slice::from_ref),
        };
        if let Some(listed) = listed.filter(|listed| !listed.contains(value)) {
            return self.say(pointer, format_args!("is none of {}", list(listed)));
        }
        self.bounds(schema, value, pointer);
        self.members(schema, value, pointer);
        if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
            for (index, value) in values.iter().enumerate() {
                self.look(items, value, &format!("{pointer}/{index}"));
            }
        }
        for all in schema
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            self.look(all, value, pointer);
        }
        for keyword in ["oneOf", "anyOf"] {
            if let Some(Value::Array(forms)) = schema.get(keyword) {
                self.forms(schema, forms, value, pointer);
            }
        }
    }

    fn bounds(&mut self, schema: &Map<String, Value>, value: &Value, pointer: &str) {
        let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
        if let Some(number) = value.as_f64() {
            if let Some(least) = limit("minimum").filter(|least| number < *least) {
                self.say(pointer, format_args!("is less than {least}"));
            }
            if let Some(most) = limit("maximum").filter(|most| number > *most) {
                self.say(pointer, format_args!("is greater than {most}"));
            }
        }
        if let Some(text) = value.as_str() {
            match schema.get("format").and_then(Value::as_str) {
                Some("date-time") if text.parse::<jiff::Timestamp>().is_err() => {
                    self.say(
                        pointer,
                        "is no time with a zone; write it like `2026-01-31T12:00:00Z`",
                    );
                }
                Some("duration") => {
                    if let Err(problem) = duration::decode(value) {
                        self.say(pointer, problem);
                    }
                }
                _ => {}
            }
            let characters = text.chars().count() as f64;
            if let Some(least) = limit("minLength").filter(|least| characters < *least) {
                self.say(pointer, format_args!("is shorter than {least} characters"));
            }
            if let Some(most) = limit("maxLength").filter(|most| characters > *most) {
                self.say(pointer, format_args!("is longer than {most} characters"));
            }
        }
    }

    fn members(&mut self, schema: &Map<String, Value>, value: &Value, pointer: &str) {
        let Value::Object(members) = value else {
            return;
        };
        let required = schema.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.say(&format!("{pointer}/{}", escaped(name)), "is missing");
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, value) in members {
            let pointer = format!("{pointer}/{}", escaped(name));
            match properties.and_then(|properties| properties.get(name)) {
                Some(schema) => self.look(schema, value, &pointer),
                None => match schema.get("additionalProperties") {
                    Some(Value::Bool(false)) => self.say(&pointer, "is unknown; remove it"),
                    Some(others) => self.look(others, value, &pointer),
                    None => {}
                },
            }
        }
    }

    /// One of several forms, told apart by a member that each has with another value, and by type if there is none.
    fn forms(
        &mut self,
        schema: &Map<String, Value>,
        forms: &[Value],
        value: &Value,
        pointer: &str,
    ) {
        let attempts: Vec<Vec<String>> = forms
            .iter()
            .map(|form| {
                let mut attempt = Problems(Vec::new());
                attempt.look(form, value, pointer);
                attempt.0
            })
            .collect();
        if attempts.iter().any(Vec::is_empty) {
            return;
        }
        if let Some(listed) = forms.iter().map(listed).collect::<Option<Vec<_>>>() {
            return self.say(
                pointer,
                format_args!("is none of {}", list(&listed.concat())),
            );
        }
        if let (Some(member), Value::Object(members)) = (told_apart_by(schema, forms), value) {
            let tags: Vec<Value> = forms.iter().filter_map(|form| tag(form, member)).collect();
            let place = format!("{pointer}/{}", escaped(member));
            let Some(given) = members.get(member) else {
                let tags = list(&tags);
                return self.say(&place, format_args!("is missing; give it one of {tags}"));
            };
            let mut meant = forms.iter().zip(attempts);
            return match meant.find(|(form, _)| tag(form, member).as_ref() == Some(given)) {
                Some((_, attempt)) => self.0.extend(attempt),
                None => self.say(&place, format_args!("is none of {}", list(&tags))),
            };
        }
        // Nullable, mostly: what is meant is the form of the type that is there.
        let of_type = |form: &Value| form.get("type").is_none_or(|types| is_one_of(value, types));
        let mut meant = forms.iter().zip(attempts).filter(|(form, _)| of_type(form));
        match (meant.next(), meant.next()) {
            (Some((_, attempt)), None) => self.0.extend(attempt),
            _ => self.say(pointer, "has none of the forms that it may have"),
        }
    }
}

/// The values that a schema lists, if it does.
fn listed(schema: &Value) -> Option<Vec<Value>> {
    match (schema.get("enum"), schema.get("const")) {
        (Some(Value::Array(listed)), _) => Some(listed.clone()),
        (_, Some(constant)) => Some(vec![constant.clone()]),
        _ => None,
    }
}

/// The value that this member has in a form.
fn tag(form: &Value, member: &str) -> Option<Value> {
    form.get("properties")?.get(member)?.get("const").cloned()
}

/// The member by which forms are told apart: the one that the schema says, or else one that is a constant in each.
fn told_apart_by<'a>(schema: &'a Map<String, Value>, forms: &'a [Value]) -> Option<&'a str> {
    let said = schema
        .get("discriminator")
        .and_then(|discriminator| discriminator.get("propertyName"));
    if let Some(Value::String(member)) = said {
        return Some(member);
    }
    let members = forms.first()?.get("properties")?.as_object()?;
    let mut members = members.keys().map(String::as_str);
    members.find(|member| forms.iter().all(|form| tag(form, member).is_some()))
}

fn is_one_of(value: &Value, types: &Value) -> bool {
    match types {
        Value::Array(types) => types.iter().any(|of| is_one_of(value, of)),
        Value::String(of) => match of.as_str() {
            "integer" => {
                value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
            }
            "number" => value.is_number(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => true,
        },
        _ => true,
    }
}

fn name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn expected(types: &Value) -> String {
    match types {
        Value::Array(types) => {
            let types: Vec<&str> = types.iter().filter_map(Value::as_str).collect();
            types.join(" or ")
        }
        other => other.as_str().unwrap_or("something else").to_owned(),
    }
}

fn list(values: &[Value]) -> String {
    let show = |value: &Value| match value {
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    values.iter().map(show).collect::<Vec<_>>().join(", ")
}

/// As a part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
