//! The schema, held against the facts of the reference.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

use std::collections::BTreeMap;

use apollo_compiler::collections::IndexMap;
use apollo_compiler::schema::{Component, ExtendedType, FieldDefinition};
use apollo_compiler::{Name, Schema as Compiled};
use serde_json::{Value, json};
use shopify_simulator::Schema;

/// The facts, or none where the project stands alone.
fn facts() -> Option<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/reference/golden/shopify-admin-2026-01-subset.json"
    );
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

/// The fields of a type, as the facts have them.
fn fields(fields: &IndexMap<Name, Component<FieldDefinition>>) -> Value {
    let fact = |(name, field): (&Name, &Component<FieldDefinition>)| {
        let mut fact = json!({ "type": field.ty.to_string() });
        if !field.arguments.is_empty() {
            let arguments = field.arguments.iter();
            let arguments = arguments
                .map(|argument| (argument.name.to_string(), argument.ty.to_string().into()));
            fact["args"] = Value::Object(arguments.collect());
        }
        if field.directives.has("deprecated") {
            fact["deprecated"] = true.into();
        }
        (name.to_string(), fact)
    };
    Value::Object(fields.iter().map(fact).collect())
}

/// Names, in no order of their own.
fn names(names: impl IntoIterator<Item = impl ToString>) -> Value {
    let names = names.into_iter().map(|name| name.to_string());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    json!(names)
}

#[test]
fn the_schema_has_every_type_field_argument_and_value_of_the_facts_and_no_other() {
    let Some(facts) = facts() else { return };
    let schema = include_str!("../src/schema.graphql");
    let schema = Compiled::parse_and_validate(schema, "schema.graphql").unwrap();
    let mut found = BTreeMap::<&str, BTreeMap<String, Value>>::new();
    for (name, kind) in schema.types.iter().filter(|(_, kind)| !kind.is_built_in()) {
        let (group, fact) = match kind {
            ExtendedType::Scalar(_) => ("scalars", Value::Null),
            ExtendedType::Enum(of) => ("enums", names(of.values.keys())),
            ExtendedType::Union(of) => (
                "types",
                json!({ "kind": "union", "of": names(&of.members) }),
            ),
            ExtendedType::Object(of) => (
                "types",
                json!({ "kind": "object", "of": names(&of.implements_interfaces), "fields": fields(&of.fields) }),
            ),
            ExtendedType::Interface(of) => (
                "types",
                json!({ "kind": "interface", "of": names(&of.implements_interfaces), "fields": fields(&of.fields) }),
            ),
            ExtendedType::InputObject(_) => panic!("there are no input objects"),
        };
        found
            .entry(group)
            .or_default()
            .insert(name.to_string(), fact);
    }
    let sorted = |list: &Value| {
        let list = list.as_array().into_iter().flatten();
        names(list.map(|name| name.as_str().unwrap()))
    };
    let builtin = ["Boolean", "Float", "ID", "Int", "String"];
    let scalars = facts["scalars"].as_array().unwrap().iter();
    let scalars = scalars.map(|name| name.as_str().unwrap());
    let scalars = scalars.filter(|name| !builtin.contains(name));
    let scalars = scalars.map(|name| (name.to_owned(), Value::Null)).collect();
    let enums = facts["enums"].as_object().unwrap().iter();
    let enums = enums.map(|(name, values)| (name.clone(), sorted(values)));
    let types = facts["types"].as_object().unwrap().iter();
    let types = types.map(|(name, fact)| {
        let fact = match fact["kind"].as_str().unwrap() {
            "union" => json!({ "kind": "union", "of": sorted(&fact["possibleTypes"]) }),
            kind => {
                json!({ "kind": kind, "of": sorted(&fact["implements"]), "fields": fact["fields"] })
            }
        };
        (name.clone(), fact)
    });
    let expected = BTreeMap::from([
        ("scalars", scalars),
        ("enums", enums.collect()),
        ("types", types.collect()),
    ]);
    for group in ["scalars", "enums", "types"] {
        let (found, expected): (&BTreeMap<_, _>, &BTreeMap<_, _>) =
            (&found[group], &expected[group]);
        for (name, fact) in expected {
            assert_eq!(found.get(name), Some(fact), "{name}");
        }
        assert_eq!(found.len(), expected.len(), "{group}");
    }
}

#[test]
fn a_query_that_the_api_does_not_understand_is_told_with_what_it_does_not_know() {
    let schema = Schema::admin();
    for (query, problem) in [
        (
            "{ orders(first: 1) { edges { node { colour } } } }",
            "colour",
        ),
        ("{ orders(frist: 1) { edges { node { id } } } }", "frist"),
        ("{ orders(first: \"1\") { edges { node { id } } } }", "Int"),
        ("{ orders(first: 1) { edges { node } } }", "node"),
        ("{ orders(first: 1) { edges { node { id } }", "}"),
        ("{ node(id: \"x\") { ... on Colour { id } } }", "Colour"),
    ] {
        let problems = schema.problems(query).join("\n");
        assert!(problems.contains(problem), "{query}: {problems}");
    }
    for query in [
        "{ orders(first: 1, sortKey: UPDATED_AT) { edges { node { id } } pageInfo { hasNextPage } } }",
        "mutation { bulkOperationRunQuery(query: \"\"\"{ shop { id } }\"\"\", groupObjects: true) { userErrors { code } } }",
    ] {
        assert_eq!(schema.problems(query), Vec::<String>::new(), "{query}");
    }
}

#[test]
fn a_query_that_breaks_a_rule_of_bulk_jobs_is_told_which() {
    let schema = Schema::admin();
    let orders = |of: &str| format!("{{ orders {{ edges {{ node {{ {of} }} }} }} }}");
    let lines = "lineItems { edges { node { id } } }";
    for (query, problem) in [
        ("{ shop { id } }".to_owned(), "no connection"),
        ("{ node(id: \"x\") { id } }".to_owned(), "`node` stands at the root"),
        ("{ orders { nodes { id } } }".to_owned(), "`nodes` of `orders`"),
        (orders(lines), "has no `id`"),
        (orders("id fulfillments { id fulfillmentLineItems { edges { node { id } } } }"), "inside of a list"),
        (orders(&format!("id a: {lines} b: {lines} c: {lines} d: {lines} e: {lines}")), "6 connections"),
        (
            "{ collections { edges { node { id products { edges { node { id variants { edges { node { id metafields { edges { node { id } } } } } } } } } } } } }"
                .to_owned(),
            "`metafields` lies too deep",
        ),
        ("mutation { bulkOperationCancel(id: \"x\") { userErrors { message } } }".to_owned(), "not one query"),
        (format!("{} #{}", orders("id"), "x".repeat(65_535)), "more than 65535 bytes"),
        (orders("colour"), "colour"),
    ] {
        let problems = schema.bulk_problems(&query).join("\n");
        assert!(problems.contains(problem), "{query}: {problems}");
    }
    for query in [
        format!(
            "{} fragment More on Order {{ id {lines} }}",
            orders("...More")
        ),
        orders("id paymentTerms { id paymentSchedules { edges { node { id } } } }"),
        "{ orders(first: 5) { edges { node { id } } pageInfo { hasNextPage } } }".to_owned(),
    ] {
        assert_eq!(
            schema.bulk_problems(&query),
            Vec::<String>::new(),
            "{query}"
        );
    }
}
