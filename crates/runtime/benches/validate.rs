//! Documents per second through schema validation: the pass over the bytes, the full validator, and the bare parser.
#![forbid(unsafe_code)]
#![allow(missing_docs)]

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use serde_json::{Value, json};
use staunch_runtime::schema::Validator;

fn main() {
    divan::main();
}

/// A small document of about 250 bytes; a large one of about 2.5 kB.
const SIZES: [&str; 2] = ["250 B", "2.5 kB"];

/// As a discovered collection has it: definitions, a reduction for deletions, formats, a nullable object.
fn schema() -> Value {
    json!({
        "$defs": {
            "Meta": {"type": "object", "properties": {
                "op": {"type": "string", "enum": ["c", "u", "d"]}, "row_id": {"type": "integer", "default": -1}}},
            "Owner": {"type": "object", "properties": {"id": {"type": "integer"}, "email": {"type": "string"}}},
            "Line": {"type": "object", "required": ["sku"], "properties": {
                "sku": {"type": "string", "maxLength": 64}, "quantity": {"type": "integer", "minimum": 0},
                "price": {"type": "number"}, "note": {"type": ["string", "null"]}}}
        },
        "type": "object",
        "additionalProperties": true,
        "required": ["id", "updatedAt"],
        "properties": {
            "_meta": {"$ref": "#/$defs/Meta"},
            "id": {"type": "integer"},
            "name": {"type": "string", "minLength": 1},
            "updatedAt": {"type": "string", "format": "date-time"},
            "active": {"type": "boolean"},
            "score": {"type": ["number", "null"]},
            "owner": {"anyOf": [{"$ref": "#/$defs/Owner"}, {"type": "null"}]},
            "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}}
        },
        "if": {"properties": {"_meta": {"properties": {"op": {"const": "d"}}}}},
        "then": {"reduce": {"strategy": "merge", "delete": true}}
    })
}

fn document(size: &str) -> Vec<u8> {
    let lines: Vec<String> = (0..if size == "250 B" { 0 } else { 26 })
        .map(|n| {
            format!(r#"{{"sku":"sku-{n:05}","quantity":{n},"price":{}.75,"note":"beside the others on the shelf"}}"#, n * 3)
        })
        .collect();
    format!(
        concat!(
            r#"{{"_meta":{{"op":"u","row_id":-1}},"id":123456,"name":"Ada Lovelace of the engine","#,
            r#""updatedAt":"2026-11-22T13:04:05.123Z","active":true,"score":17.25,"#,
            r#""owner":{{"id":42,"email":"someone@example.com"}},"city":"Winnipeg","stage":"negotiation","lines":[{}]}}"#
        ),
        lines.join(",")
    )
    .into_bytes()
}

#[divan::bench(args = SIZES)]
fn pass_over_the_bytes(bencher: Bencher<'_, '_>, size: &str) {
    let document = document(size);
    let validator = Validator::compile(&schema()).expect("a valid schema");
    assert!(validator.is_streaming());
    bencher
        .counter(ItemsCount::new(1_usize))
        .counter(BytesCount::of_slice(&document))
        .bench_local(|| {
            validator
                .validate(divan::black_box(&document))
                .expect("a valid document")
        });
}

#[divan::bench(args = SIZES)]
fn tree_and_full_validator(bencher: Bencher<'_, '_>, size: &str) {
    let document = document(size);
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema())
        .expect("a valid schema");
    bencher
        .counter(ItemsCount::new(1_usize))
        .counter(BytesCount::of_slice(&document))
        .bench_local(|| {
            let value: Value =
                serde_json::from_slice(divan::black_box(&document)).expect("valid JSON");
            assert!(validator.is_valid(&value));
        });
}

#[divan::bench(args = SIZES)]
fn parser_alone(bencher: Bencher<'_, '_>, size: &str) {
    let document = document(size);
    bencher
        .counter(ItemsCount::new(1_usize))
        .counter(BytesCount::of_slice(&document))
        .bench_local(|| {
            serde_json::from_slice::<serde::de::IgnoredAny>(divan::black_box(&document))
                .expect("valid JSON")
        });
}
