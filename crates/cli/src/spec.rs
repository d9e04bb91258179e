//! `staunch spec`: what a connector is, and what it needs to be told.

use serde::Serialize;
use serde_json::{Value, json};
use staunch_protocol::RawValue;
use staunch_runtime::inspect;

use crate::args::{SpecArgs, SpecFormat};
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::output::{self, BOLD, Glyphs, Report, columns, styled};

/// Levels of nested configs that the table shows.
const DEPTH: usize = 4;

#[derive(Serialize)]
struct SpecReport {
    capture: String,
    connector: String,
    protocol: u32,
    documentation_url: String,
    config_schema: Box<RawValue>,
    resource_config_schema: Box<RawValue>,
    resource_path_pointers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oauth2: Option<Box<RawValue>>,
}

/// One member of a config, as a row.
#[derive(Debug, PartialEq)]
struct Member {
    name: String,
    kind: String,
    remarks: String,
    text: String,
}

pub(crate) fn run(context: &Context, args: &SpecArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, args.capture.name(), Asked::Other)?;
    let failed = context::failed(capture, Asked::Other);
    let spec = inspect::spec(&project, capture, context.log()).map_err(&failed)?;
    let report = SpecReport {
        capture: capture.name.clone(),
        connector: project
            .command(capture)
            .map_err(&failed)?
            .program()
            .to_owned(),
        protocol: spec.protocol,
        documentation_url: spec.documentation_url,
        config_schema: spec.config_schema,
        resource_config_schema: spec.resource_config_schema,
        resource_path_pointers: spec.resource_path_pointers,
        oauth2: spec.oauth2,
    };
    let value = match args.format {
        Some(format) if !context.output.json => report.value(format),
        _ => return context.output.answer(&report),
    };
    output::print_line(&serde_json::to_string_pretty(&value).expect("a value is JSON"))?;
    Ok(Exit::Success)
}

impl SpecReport {
    fn value(&self, format: SpecFormat) -> Value {
        match format {
            SpecFormat::Json => serde_json::to_value(self).expect("a report has string keys"),
            SpecFormat::Schema => {
                json!({ "endpoint": parse(&self.config_schema), "resource": parse(&self.resource_config_schema) })
            }
        }
    }
}

fn parse(raw: &RawValue) -> Value {
    serde_json::from_str(raw.get()).unwrap_or(Value::Null) // Deep beyond what a config can be: not shown.
}

impl Report for SpecReport {
    const COMMAND: &'static str = "spec";

    fn summary(&self) -> String {
        let members = |raw: &RawValue| members(&parse(raw)).len();
        let (config, resource) = (
            members(&self.config_schema),
            members(&self.resource_config_schema),
        );
        format!(
            "`{}` takes {config} config members and {resource} per resource",
            self.connector
        )
    }

    fn text(&self, _: &Glyphs) -> String {
        let mut text = format!("{}\n", styled(BOLD, &self.connector));
        if !self.documentation_url.is_empty() {
            text.push_str(&format!(
                "  documented at {}\n",
                output::clean(&self.documentation_url)
            ));
        }
        text.push_str(&table("Endpoint config", &self.config_schema));
        text.push_str(&table("Resource config", &self.resource_config_schema));
        if !self.resource_path_pointers.is_empty() {
            text.push_str(&format!(
                "\n  A resource is known by {}\n",
                self.resource_path_pointers.join(", ")
            ));
        }
        if self.oauth2.is_some() {
            text.push_str("\n  Takes OAuth credentials\n");
        }
        text
    }
}

fn table(title: &str, schema: &RawValue) -> String {
    let members = members(&parse(schema));
    let title = format!("\n{}\n", styled(BOLD, title));
    if members.is_empty() {
        return format!("{title}  takes nothing\n");
    }
    let rows = members.into_iter().map(|member| {
        [member.name, member.kind, member.remarks, member.text].map(|cell| output::clean(&cell))
    });
    format!("{title}{}", columns(&[], rows))
}

/// The members that a schema asks for, nested ones by their dotted names.
fn members(schema: &Value) -> Vec<Member> {
    let mut found = Vec::new();
    collect(schema, schema, "", DEPTH, &mut found);
    found
}

fn collect(root: &Value, schema: &Value, prefix: &str, depth: usize, found: &mut Vec<Member>) {
    let schema = resolve(root, schema);
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut properties: Vec<(&String, &Value)> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .collect();
    // Stable, so members without an order stay as they were written.
    properties.sort_by_key(|(_, property)| property["order"].as_i64().unwrap_or(i64::MAX));
    for (name, property) in properties {
        let name = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        let target = resolve(root, property);
        found.push(member(
            name.clone(),
            property,
            target,
            required.contains(&name.rsplit('.').next().unwrap_or(&name)),
        ));
        if depth > 0 {
            collect(root, target, &name, depth - 1, found);
        }
    }
    for variant in ["oneOf", "anyOf"]
        .iter()
        .flat_map(|key| schema[key].as_array().into_iter().flatten())
    {
        if depth > 0 {
            collect(root, variant, prefix, depth - 1, found);
        }
    }
}

fn member(name: String, property: &Value, target: &Value, is_required: bool) -> Member {
    // What stands beside a reference is about this member; what it refers to is about the type.
    let get = |key: &str| property.get(key).or_else(|| target.get(key));
    let is = |key: &str| get(key).and_then(Value::as_bool).unwrap_or(false);
    let text = |key: &str| {
        get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim()
            .replace('\n', " ")
    };
    let mut remarks = vec![if is_required { "required" } else { "optional" }];
    if is("secret") || is("airbyte_secret") {
        remarks.push("secret");
    }
    if is("advanced") {
        remarks.push("advanced");
    }
    let (title, description) = (text("title"), text("description"));
    let mut about = match (title.is_empty(), description.is_empty()) {
        (false, false) => format!("{title}: {description}"),
        _ => title + &description,
    };
    // A default of a secret is none of a screen's business.
    if let Some(default) = get("default")
        .filter(|default| !default.is_null() && !is("secret") && !is("airbyte_secret"))
    {
        about.push_str(&format!(" (default {default})"));
    }
    Member {
        name,
        kind: kind(target),
        remarks: remarks.join(", "),
        text: about,
    }
}

/// The type, in a word.
fn kind(schema: &Value) -> String {
    let word = |value: &Value| value.as_str().map(str::to_owned);
    let base = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(word)
            .filter(|kind| kind != "null")
            .collect::<Vec<_>>()
            .join("|"),
        _ if schema["oneOf"].is_array() || schema["anyOf"].is_array() => "one of".to_owned(),
        _ if schema["enum"].is_array() => "choice".to_owned(),
        _ => "any".to_owned(),
    };
    match schema["format"].as_str() {
        Some(format) => format!("{base} ({format})"),
        None => base,
    }
}

/// Follows references within the schema, a few at most.
fn resolve<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..8 {
        let target = schema["$ref"]
            .as_str()
            .and_then(|target| target.strip_prefix('#'))
            .and_then(|pointer| root.pointer(pointer));
        match target {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_becomes_rows_with_nested_members_and_references() {
        let schema = json!({
            "required": ["url", "auth"],
            "properties": {
                "auth": { "$ref": "#/$defs/Auth", "title": "Credentials", "order": 2 },
                "url": { "type": "string", "format": "uri", "description": "Where\nit is.", "order": 1 },
                "page": { "type": ["integer", "null"], "default": 100 },
            },
            "$defs": { "Auth": { "type": "object", "required": ["token"], "properties": {
                "token": { "type": "string", "secret": true, "default": "hush" },
                "again": { "$ref": "#/$defs/Auth" },
            } } },
        });
        let rows = members(&schema);
        let shown: Vec<_> = rows
            .iter()
            .take(3)
            .map(|row| {
                (
                    row.name.as_str(),
                    row.kind.as_str(),
                    row.remarks.as_str(),
                    row.text.as_str(),
                )
            })
            .collect();
        assert_eq!(
            shown[0],
            ("url", "string (uri)", "required", "Where it is.")
        );
        assert_eq!(shown[1], ("auth", "object", "required", "Credentials"));
        assert!(rows.iter().any(|row| row.name == "auth.token"
            && row.remarks == "required, secret"
            && row.text.is_empty()));
        assert!(rows.iter().any(|row| row.name == "page"
            && row.kind == "integer"
            && row.text == " (default 100)"));
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({ "properties": { "a": { "$ref": "#" } } });
        assert_eq!(members(&schema).len(), DEPTH + 1);
        assert_eq!(
            resolve(&json!({ "$ref": "#" }), &json!({ "$ref": "#" })),
            &json!({ "$ref": "#" })
        );
    }
}
