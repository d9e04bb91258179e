//! Writes values as block-style YAML.

use serde_json::Value;

use super::Found;

/// Characters of the widest mapping that is written in one line.
const MAX_INLINE_CHARS: usize = 60;

/// Lines of one binding; the first carries the dash.
pub(super) fn binding(found: &Found, step: usize) -> Vec<String> {
    let mut lines = Vec::new();
    member("resource", &found.resource, 0, step, &mut lines);
    lines.push(format!("target: {}", string(&found.target)));
    if found.disable {
        lines.push("disable: true".to_owned());
    }
    dashed(lines)
}

/// Lines of one collection, its name first.
pub(super) fn collection(found: &Found, step: usize) -> Vec<String> {
    let mut lines = vec![format!("{}:", string(&found.target))];
    member("schema", &found.schema, step, step, &mut lines);
    let key = Value::Array(found.key.iter().cloned().map(Value::String).collect());
    member("key", &key, step, step, &mut lines);
    lines
}

fn dashed(lines: Vec<String>) -> Vec<String> {
    lines
        .into_iter()
        .enumerate()
        .map(|(index, line)| format!("{}{line}", if index == 0 { "- " } else { "  " }))
        .collect()
}

fn member(name: &str, value: &Value, indent: usize, step: usize, lines: &mut Vec<String>) {
    let head = format!("{:indent$}{}:", "", string(name));
    match in_line(value) {
        Some(text) => lines.push(format!("{head} {text}")),
        None => {
            lines.push(head);
            block(value, indent + step, step, lines);
        }
    }
}

fn block(value: &Value, indent: usize, step: usize, lines: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                member(name, value, indent, step, lines);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut inner = Vec::new();
                match in_line(item) {
                    Some(text) => inner.push(text),
                    None => block(item, 0, step, &mut inner),
                }
                lines.extend(
                    dashed(inner)
                        .into_iter()
                        .map(|line| format!("{:indent$}{line}", "")),
                );
            }
        }
        scalar => lines.push(format!("{:indent$}{}", "", plain(scalar))),
    }
}

/// A scalar, or a small list or mapping of scalars, as one line.
fn in_line(value: &Value) -> Option<String> {
    let scalar = |value: &Value| !value.is_object() && !value.is_array();
    let text = match value {
        Value::Object(members) if members.is_empty() => return Some("{}".to_owned()),
        Value::Array(items) if items.is_empty() => return Some("[]".to_owned()),
        Value::Object(members) if members.values().all(scalar) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", string(name), plain(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(items) if items.iter().all(scalar) => {
            format!(
                "[{}]",
                items.iter().map(plain).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Object(_) | Value::Array(_) => return None,
        scalar => return Some(plain(scalar)),
    };
    (text.chars().count() <= MAX_INLINE_CHARS).then_some(text)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        // Numbers, booleans and null are written in YAML as in JSON.
        other => other.to_string(),
    }
}

/// A string: bare where every reader of YAML agrees that it is one, else in double quotes.
fn string(text: &str) -> String {
    let first =
        text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/' || first == '_');
    let rest = text
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || "_-./$".contains(character));
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    if first && rest && !WORDS.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // What YAML does not let stand in a text, or reads as the end of a line.
            hidden
                if hidden.is_control()
                    || matches!(hidden, '\u{2028}' | '\u{2029}' | '\u{feff}') =>
            {
                quoted.push_str(&format!("\\u{:04x}", u32::from(hidden)));
            }
            odd if matches!(u32::from(odd) & 0xffff, 0xfffe | 0xffff) => {
                quoted.push_str(&format!("\\U{:08x}", u32::from(odd)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::catalog::node;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            prop::num::f64::NORMAL.prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            "[a-z0-9:#, \n\t'\"\\-\\[\\]{}&*!|>%@`~.]{0,12}".prop_map(Value::from),
            prop::sample::select(vec![
                "yes",
                "null",
                "~",
                "1",
                "0x1",
                "1e3",
                ".inf",
                "2024-01-01",
                "- a",
                "a: b",
                "",
                " a",
                "a ",
                "<<",
                "=",
                "---",
                "..."
            ])
            .prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z<:~ #-]{0,6}|.{0,4}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same_value(value in value(), step in 1_usize..5) {
            let mut lines = Vec::new();
            member("x", &value, 2, step, &mut lines);
            let text = format!("root:\n{}\n", lines.join("\n"));
            let read = node::parse(&text).map_err(|fault| TestCaseError::fail(format!("{fault:?}\n{text}")))?;
            prop_assert_eq!(read.to_value(), json!({"root": {"x": value}}), "{}", text);
        }
    }
}
