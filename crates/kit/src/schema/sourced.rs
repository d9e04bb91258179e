//! What a sourced schema leaves unsaid.
//!
//! A runtime joins every sourced schema into what it knows of a collection, and can only ever widen that: a bound that is missing
//! on one side is gone for good. So whatever an author leaves out is filled in as narrowly as can be, and documents widen it.
//! Objects with members are closed, since runtimes refuse a sourced schema in which one is open.
//!
//! ```text
//! {"properties":{"id":{"type":"integer"}}}
//! ─► {"type":"object","additionalProperties":false,"required":["id","_meta"],
//!     "properties":{"id":{"type":"integer","minimum":1,"maximum":1},"_meta":{…op, row_id, uuid…}}}
//! ```

use serde_json::{Map, Value, json};

type Members = Map<String, Value>;

/// Keywords whose members are schemas.
const BY_NAME: [&str; 5] = [
    "properties",
    "patternProperties",
    "dependentSchemas",
    "$defs",
    "definitions",
];

/// Keywords whose value is a schema, or a list of schemas. Not `not` and `if`: what they ask for must not be narrowed.
const NESTED: [&str; 11] = [
    "items",
    "prefixItems",
    "additionalItems",
    "contains",
    "additionalProperties",
    "unevaluatedProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "then",
    "else",
];

/// The schema with every default that it does not give itself. What it gives is kept, but for what a captured document cannot be
/// otherwise: the root is an object, and an object that names its members has no others.
///
/// Completing what is complete changes nothing.
///
/// # Source
/// Capture protocol, `SourcedSchema` (5.8): defaults of the Python kit, and the check that every object is closed.
pub(crate) fn with_sourced_defaults(schema: &Value) -> Value {
    let mut root = schema.as_object().cloned().unwrap_or_default();
    root.insert("type".into(), "object".into());
    let declared = object(&mut root, "properties");
    complete_meta(declared);
    complete(&mut root);
    Value::Object(root)
}

/// Adds `_meta`, or what a declared one lacks. A runtime adds `uuid` to every document, whatever the connector declares.
fn complete_meta(properties: &mut Members) {
    let standard = json!({
        "op": { "type": "string", "enum": ["c", "u", "d"] },
        "row_id": { "type": "integer" },
        "uuid": { "type": "string", "minLength": 36, "maxLength": 36 },
    });
    let Value::Object(standard) = standard else {
        unreachable!("it is written as an object");
    };
    let meta = object(properties, "_meta");
    meta.insert("type".into(), "object".into());
    let declared = object(meta, "properties");
    for (name, schema) in standard {
        declared.entry(name).or_insert(schema);
    }
}

/// The object that is this member: an empty one if it is anything else.
fn object<'a>(members: &'a mut Members, name: &str) -> &'a mut Members {
    let member = members.entry(name).or_insert(Value::Null);
    if !member.is_object() {
        *member = Value::Object(Members::new());
    }
    member
        .as_object_mut()
        .expect("it was made an object if it was none")
}

fn complete(schema: &mut Members) {
    let has_members = ["properties", "patternProperties"]
        .iter()
        .any(|keyword| schema.get(*keyword).is_some_and(Value::is_object));
    if has_members {
        schema
            .entry("type")
            .or_insert_with(|| Value::from("object"));
        if is_type(schema, "object") {
            schema.insert("additionalProperties".into(), false.into());
            require_all(schema);
        }
    }
    if is_type(schema, "string") {
        bound(schema, ["minLength", "maxLength"]);
    }
    if is_type(schema, "integer") || is_type(schema, "number") {
        bound(schema, ["minimum", "maximum"]);
    }
    for keyword in BY_NAME {
        if let Some(Value::Object(schemas)) = schema.get_mut(keyword) {
            schemas.values_mut().for_each(complete_value);
        }
    }
    for keyword in NESTED {
        match schema.get_mut(keyword) {
            Some(Value::Array(schemas)) => schemas.iter_mut().for_each(complete_value),
            Some(schema) => complete_value(schema),
            None => {}
        }
    }
}

fn complete_value(schema: &mut Value) {
    if let Value::Object(schema) = schema {
        complete(schema);
    }
}

fn bound(schema: &mut Members, keywords: [&str; 2]) {
    for keyword in keywords {
        schema.entry(keyword).or_insert_with(|| 1.into());
    }
}

fn is_type(schema: &Members, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(several)) => several.iter().any(|one| one == name),
        _ => false,
    }
}

/// Adds every member to `required`, behind those that are there.
fn require_all(schema: &mut Members) {
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return;
    };
    let mut required = match schema.get("required") {
        Some(Value::Array(required)) => required.clone(),
        _ => Vec::new(),
    };
    for name in properties.keys() {
        if !required.iter().any(|known| known == name) {
            required.push(name.as_str().into());
        }
    }
    schema.insert("required".into(), required.into());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn meta() -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["op", "row_id", "uuid"],
            "properties": {
                "op": { "type": "string", "enum": ["c", "u", "d"], "minLength": 1, "maxLength": 1 },
                "row_id": { "type": "integer", "minimum": 1, "maximum": 1 },
                "uuid": { "type": "string", "minLength": 36, "maxLength": 36 },
            },
        })
    }

    #[test]
    fn what_a_schema_leaves_out_is_as_narrow_as_can_be() {
        let text = json!({ "type": "string", "minLength": 1, "maxLength": 1 });
        let number = json!({ "type": "number", "minimum": 1, "maximum": 1 });
        for (what, member, expected) in [
            ("text", json!({ "type": "string" }), text.clone()),
            ("number", json!({ "type": "number" }), number.clone()),
            (
                "flag",
                json!({ "type": "boolean" }),
                json!({ "type": "boolean" }),
            ),
            ("anything", json!(true), json!(true)),
            (
                "either",
                json!({ "type": ["string", "integer", "null"] }),
                json!({ "type": ["string", "integer", "null"], "minLength": 1, "maxLength": 1, "minimum": 1, "maximum": 1 }),
            ),
            (
                "half",
                json!({ "type": "integer", "minimum": -5 }),
                json!({ "type": "integer", "minimum": -5, "maximum": 1 }),
            ),
            (
                "list",
                json!({ "type": "array", "items": { "type": "string" } }),
                json!({ "type": "array", "items": text }),
            ),
            (
                "choice",
                json!({ "oneOf": [{ "type": "string" }, { "type": "number" }] }),
                json!({ "oneOf": [text, number] }),
            ),
            (
                "object",
                json!({ "properties": { "b": { "type": "string" }, "a": {} }, "required": ["b"] }),
                json!({
                    "type": "object", "additionalProperties": false, "required": ["b", "a"],
                    "properties": { "b": text, "a": {} },
                }),
            ),
            (
                "open",
                json!({ "type": ["object", "null"], "properties": {}, "additionalProperties": { "type": "string" } }),
                json!({ "type": ["object", "null"], "properties": {}, "additionalProperties": false, "required": [] }),
            ),
            (
                "names",
                json!({ "type": "object", "patternProperties": { "^x": { "type": "string" } } }),
                json!({ "type": "object", "additionalProperties": false, "patternProperties": { "^x": text } }),
            ),
            (
                "map",
                json!({ "type": "object", "additionalProperties": { "type": "string" } }),
                json!({ "type": "object", "additionalProperties": text }),
            ),
        ] {
            let schema = json!({ "properties": { "m": member } });
            let completed = with_sourced_defaults(&schema);
            assert_eq!(completed["properties"]["m"], expected, "{what}");
        }
    }

    #[test]
    fn the_root_is_a_closed_object_whose_meta_is_declared() {
        for schema in [
            json!({}),
            json!(true),
            json!({ "type": ["object", "null"], "properties": { "_meta": true } }),
        ] {
            let expected = json!({
                "type": "object", "additionalProperties": false, "required": ["_meta"], "properties": { "_meta": meta() },
            });
            assert_eq!(with_sourced_defaults(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn a_declared_meta_keeps_its_members_beside_the_standard_ones() {
        let schema = json!({ "properties": { "_meta": {
            "properties": { "file": { "type": "string" }, "row_id": { "type": "integer", "maximum": 9 } },
            "required": ["file"],
        } } });
        let completed = with_sourced_defaults(&schema);
        let mut expected = meta();
        expected["properties"]["file"] =
            json!({ "type": "string", "minLength": 1, "maxLength": 1 });
        expected["properties"]["row_id"]["maximum"] = 9.into();
        expected["required"] = json!(["file", "op", "row_id", "uuid"]);
        assert_eq!(completed["properties"]["_meta"], expected);
    }

    /// The runtimes' check, told apart from what it checks: each location whose type has objects, and which names members.
    fn open_location(schema: &Value, pointer: &str) -> Option<String> {
        let Value::Object(members) = schema else {
            return match schema {
                Value::Array(schemas) => schemas
                    .iter()
                    .enumerate()
                    .find_map(|(i, schema)| open_location(schema, &format!("{pointer}/{i}"))),
                _ => None,
            };
        };
        let names = members.contains_key("properties") || members.contains_key("patternProperties");
        let types = members.get("type").map(Value::to_string);
        let has_objects = types.is_none_or(|types| types.contains("\"object\""));
        let is_schema =
            !pointer.ends_with("/properties") && !pointer.ends_with("/patternProperties");
        if is_schema
            && names
            && has_objects
            && members.get("additionalProperties") != Some(&json!(false))
        {
            return Some(pointer.to_owned());
        }
        members
            .iter()
            .find_map(|(name, schema)| open_location(schema, &format!("{pointer}/{name}")))
    }

    fn schemas() -> impl Strategy<Value = Value> {
        let types = proptest::sample::select(vec![
            json!("string"),
            json!("integer"),
            json!(["number", "null"]),
            json!(["object", "null"]),
            json!("object"),
            json!("array"),
        ]);
        let leaf = prop_oneof![
            Just(json!({})),
            Just(json!(true)),
            types.clone().prop_map(|of| json!({ "type": of })),
            (types, -9..9_i32)
                .prop_map(|(of, n)| json!({ "type": of, "maximum": n, "minLength": 3 })),
        ];
        leaf.prop_recursive(5, 40, 4, |inner| {
            let members = proptest::collection::btree_map("[a-c_]|_meta", inner.clone(), 0..4);
            let list = proptest::collection::vec(inner.clone(), 0..3);
            prop_oneof![
                members.clone().prop_map(|members| json!({ "properties": members })),
                (members.clone(), inner.clone()).prop_map(|(members, others)| {
                    json!({ "type": "object", "properties": members, "additionalProperties": others, "required": ["a"] })
                }),
                members.prop_map(|members| json!({ "type": ["object", "string"], "patternProperties": members })),
                inner.clone().prop_map(|items| json!({ "type": "array", "items": items })),
                inner.prop_map(|others| json!({ "type": "object", "additionalProperties": others })),
                (list, proptest::sample::select(vec!["anyOf", "oneOf", "allOf"]))
                    .prop_map(|(schemas, of)| json!({ of: schemas })),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_completed_schema_is_closed_wherever_an_object_names_its_members(schema in schemas()) {
            prop_assert_eq!(open_location(&with_sourced_defaults(&schema), ""), None);
        }

        #[test]
        fn completing_what_is_complete_changes_nothing(schema in schemas()) {
            let completed = with_sourced_defaults(&schema);
            prop_assert_eq!(&with_sourced_defaults(&completed), &completed);
        }
    }
}
