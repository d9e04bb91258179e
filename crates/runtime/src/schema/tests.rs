use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn compile(schema: &Value) -> Validator {
    Validator::compile(schema).unwrap_or_else(|error| panic!("{error}: {schema}"))
}

fn passes(validator: &Validator, document: &[u8]) -> bool {
    pass::accepts(validator.plan.as_ref().expect("a plan"), document)
}

#[test]
fn a_violation_says_where_and_what_and_never_the_value() {
    let validator = compile(&json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"type": "integer"},
            "owner": {"type": "object", "properties": {"e-mail/1": {"type": "string", "maxLength": 3}}},
            "at": {"type": "string", "format": "date-time"},
            "op": {"enum": ["c", "u"]}
        },
        "additionalProperties": false
    }));
    assert!(validator.is_streaming());
    for (document, pointer, keyword, schema_pointer) in [
        (r#"{"id":"s3cret"}"#, "/id", "type", "/properties/id/type"),
        (
            r#"{"at":"2026-01-01T00:00:00Z"}"#,
            "",
            "required",
            "/required",
        ),
        (
            r#"{"id":1,"owner":{"e-mail/1":"s3cret"}}"#,
            "/owner/e-mail~11",
            "maxLength",
            "/properties/owner/properties/e-mail~11/maxLength",
        ),
        (
            r#"{"id":1,"at":"s3cret"}"#,
            "/at",
            "format",
            "/properties/at/format",
        ),
        (
            r#"{"id":1,"op":"s3cret"}"#,
            "/op",
            "enum",
            "/properties/op/enum",
        ),
        (
            r#"{"id":1,"other":"s3cret"}"#,
            "",
            "additionalProperties",
            "/additionalProperties",
        ),
    ] {
        let violation = validator.validate(document.as_bytes()).unwrap_err();
        assert!(!violation.to_string().contains("s3cret"), "{violation}");
        let Violation::Schema {
            pointer: p,
            keyword: k,
            schema_pointer: s,
            ..
        } = violation
        else {
            panic!("{violation}")
        };
        assert_eq!(
            (p.as_str(), k.as_str(), s.as_str()),
            (pointer, keyword, schema_pointer),
            "{document}"
        );
    }
    validator
        .validate(br#"{"id":1.0,"at":"2026-02-28T23:59:59.5+05:30","op":"c","owner":{}}"#)
        .unwrap();
}

#[test]
fn messages_of_every_keyword_keep_the_value_to_themselves() {
    for (schema, document) in [
        (
            json!({"propertyNames": {"maxLength": 2}}),
            r#"{"s3cret":1}"#,
        ),
        (
            json!({"patternProperties": {"^a": {"pattern": "^x"}}}),
            r#"{"a":"s3cret"}"#,
        ),
        (
            json!({"properties": {"a": {"not": {"type": "string"}}}}),
            r#"{"a":"s3cret"}"#,
        ),
        (
            json!({"properties": {"a": {"anyOf": [{"type": "null"}, {"type": "integer"}]}}}),
            r#"{"a":"s3cret"}"#,
        ),
        (
            json!({"properties": {"a": {"oneOf": [true, true]}}}),
            r#"{"a":"s3cret"}"#,
        ),
        (
            json!({"properties": {"a": {"contains": {"type": "integer"}}}}),
            r#"{"a":["s3cret"]}"#,
        ),
        (
            json!({"properties": {"a": {"uniqueItems": true}}}),
            r#"{"a":["s3cret","s3cret"]}"#,
        ),
        (
            json!({"properties": {"a": {"prefixItems": [true], "unevaluatedItems": false}}}),
            r#"{"a":[1,"s3cret"]}"#,
        ),
        (json!({"properties": {"a": false}}), r#"{"a":"s3cret"}"#),
        (
            json!({"properties": {"a": {"const": 7}}}),
            r#"{"a":"s3cret"}"#,
        ),
    ] {
        let violation = compile(&schema).validate(document.as_bytes()).unwrap_err();
        assert_eq!(violation.code(), "document.schema", "{schema}");
        assert!(!violation.to_string().contains("s3cret"), "{violation}");
    }
}

#[test]
fn a_document_is_one_json_object_and_nothing_else() {
    for schema in [
        json!(true),
        json!({"type": ["object", "array", "string", "null"]}),
        json!({"not": false}),
    ] {
        let validator = compile(&schema);
        for (document, code) in [
            (&b"{}"[..], None),
            (b" {\"a\":[1,{}]}\r\n", None),
            (b"[]", Some("document.not_an_object")),
            (b"null", Some("document.not_an_object")),
            (b"\"{}\"", Some("document.not_an_object")),
            (b"", Some("document.not_json")),
            (b"{", Some("document.not_json")),
            (b"{} {}", Some("document.not_json")),
            (b"{\"a\":1,}", Some("document.not_json")),
            (b"{\"a\":01}", Some("document.not_json")),
            (b"{\"a\":1e999}", Some("document.not_json")),
            (b"{\"a\":\"\\ud800\"}", Some("document.not_json")),
            (b"{\"\\udc00\":1}", Some("document.not_json")),
            (b"{\"a\":\"\xff\"}", Some("document.not_json")),
            (b"{\"\xff\":1}", Some("document.not_json")),
            (b"{\"a\":\"\x01\"}", Some("document.not_json")),
            (b"\xef\xbb\xbf{}", Some("document.not_json")),
            (b"\x0c{}", Some("document.not_json")),
        ] {
            let found = validator
                .validate(document)
                .err()
                .map(|violation| violation.code());
            assert_eq!(
                found,
                code,
                "{} for {schema}",
                String::from_utf8_lossy(document)
            );
        }
    }
}

#[test]
fn nesting_is_refused_at_its_limit_without_a_stack_overflow() {
    for schema in [
        json!(true),
        json!({"not": false}),
        json!({"properties": {"a": {"items": true}}}),
    ] {
        let validator = compile(&schema);
        let nested = |levels: usize| {
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(levels - 1),
                "]".repeat(levels - 1)
            )
        };
        validator
            .validate(nested(DEPTH_LIMIT - 1).as_bytes())
            .unwrap();
        assert_eq!(
            validator.validate(nested(DEPTH_LIMIT).as_bytes()),
            Err(Violation::TooDeep)
        );
        assert_eq!(
            validator.validate(nested(1_000_000).as_bytes()),
            Err(Violation::TooDeep)
        );
        assert_eq!(
            validator.validate("{\"a\":".repeat(1_000_000).as_bytes()),
            Err(Violation::TooDeep)
        );
    }
}

#[test]
fn of_a_member_that_occurs_twice_the_last_one_counts() {
    let validator = compile(&json!({"properties": {"a": {"type": "integer"}}, "required": ["a"]}));
    assert!(validator.is_streaming());
    for (document, allowed) in [
        (r#"{"a":"x","a":1}"#, true),
        (r#"{"a":1,"a":"x"}"#, false),
        (r#"{"a":1,"a":2}"#, true),
        (r#"{"\u0061":1}"#, true),
    ] {
        assert_eq!(
            validator.validate(document.as_bytes()).is_ok(),
            allowed,
            "{document}"
        );
    }
}

#[test]
fn a_name_that_the_parser_keeps_for_itself_is_judged_by_the_full_validator() {
    let validator = compile(&json!({"properties": {"a": {"type": "object"}}}));
    let document = br#"{"a":{"$serde_json::private::RawValue":"7"}}"#;
    assert!(!passes(&validator, document));
    assert_eq!(validator.validate(document), validator.judge(document));
    assert!(
        !compile(&json!({"properties": {"$serde_json::private::RawValue": true}})).is_streaming()
    );
}

#[test]
fn what_discovered_collections_have_is_checked_in_one_pass() {
    let validator = compile(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"Meta": {"type": "object", "properties": {"op": {"enum": ["c", "u", "d"], "default": "u"}}}},
        "type": "object", "additionalProperties": true, "required": ["id"], "x-infer-schema": true,
        "properties": {
            "_meta": {"$ref": "#/$defs/Meta", "description": "d"},
            "id": {"type": "integer", "format": "uint64"},
            "owner": {"anyOf": [{"$ref": "#/$defs/Meta"}, {"type": "null"}]}
        },
        "if": {"required": ["_meta"], "properties": {"_meta": {"required": ["op"], "properties": {"op": {"const": "d"}}}}},
        "then": {"reduce": {"strategy": "merge", "delete": true}}
    }));
    assert!(validator.is_streaming());
    for (document, allowed) in [
        (r#"{"id":1,"_meta":{"op":"d"},"owner":null}"#, true),
        (r#"{"id":1,"_meta":{"op":"x"}}"#, false),
        (r#"{"id":1,"owner":{"op":"c"}}"#, true),
        (r#"{"id":1,"owner":{"op":7}}"#, false),
        (r#"{"id":1,"owner":7}"#, false),
        (r#"{"_meta":{}}"#, false),
    ] {
        assert_eq!(
            passes(&validator, document.as_bytes()),
            allowed,
            "{document}"
        );
        assert_eq!(
            validator.validate(document.as_bytes()).is_ok(),
            allowed,
            "{document}"
        );
    }
}

#[test]
fn any_other_keyword_leaves_the_schema_to_the_full_validator() {
    for schema in [
        json!({"pattern": "a"}),
        json!({"allOf": [true]}),
        json!({"anyOf": [{"type": "string"}, {"type": "null"}, true]}),
        json!({"oneOf": [true]}),
        json!({"items": {"minItems": 1}}),
        json!({"prefixItems": [true]}),
        json!({"patternProperties": {}}),
        json!({"const": [1]}),
        json!({"enum": [{}]}),
        json!({"enum": [1], "const": 1}),
        json!({"format": "email"}),
        json!({"if": true, "then": {"type": "string"}}),
        json!({"$ref": "#/$defs/a", "type": "object", "$defs": {"a": true}}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"a": {"$ref": "#/$defs/a"}}}}}),
        json!({"$id": "https://example.com/a"}),
        json!({"$schema": "http://json-schema.org/draft-04/schema#"}),
        json!({"$defs": {"a": {"pattern": "a"}}, "properties": {"a": {"$ref": "#/$defs/a"}}}),
    ] {
        assert!(!compile(&schema).is_streaming(), "{schema}");
    }
    let unreached = json!({"$defs": {"a": {"pattern": "a"}}});
    assert!(compile(&unreached).is_streaming());
}

#[test]
fn a_schema_that_is_none_is_refused() {
    for schema in [
        json!(7),
        json!({"type": "text"}),
        json!({"$ref": "#/$defs/a"}),
        json!({"$ref": "https://example.com/a"}),
    ] {
        assert_eq!(
            Validator::compile(&schema).unwrap_err().code(),
            "schema.invalid",
            "{schema}"
        );
    }
}

#[test]
fn numbers_at_the_edges_are_judged_as_the_full_validator_judges_them() {
    let texts = [
        "0",
        "-0",
        "-0.0",
        "1",
        "1.0",
        "1.5",
        "10e-1",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.0",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1e19",
        "1e300",
        "-1e300",
        "5e-324",
        "0.1",
        "0.30000000000000004",
    ];
    for keyword in [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "const",
    ] {
        for limit in texts {
            let limit: Value = serde_json::from_str(limit).unwrap();
            let validator =
                compile(&json!({"properties": {"a": {keyword: limit}, "b": {"type": "integer"}}}));
            for text in texts {
                for document in [format!("{{\"a\":{text}}}"), format!("{{\"b\":{text}}}")] {
                    let full = validator.judge(document.as_bytes()).is_ok();
                    assert!(
                        full || !passes(&validator, document.as_bytes()),
                        "{keyword} {limit}: {document}"
                    );
                }
            }
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "ab", "é", ""]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-4_i64..4).prop_map(Value::from),
        prop::sample::select(vec![0.0, 1.0, -1.0, 1.5, 1e15]).prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "a",
            "é🦀",
            "abc",
            "2026-11-22",
            "2026-02-28T10:20:30Z",
            "2026-02-30T10:20:30Z",
            "2026-04-31",
            "2026-11-22T10:20:30.123+01:00",
            "2026-11-22T24:00:00Z",
            "0c6b1a0e-9df4-4a3e-8a4c-2f5f4f0f7b11",
            "x\"\\\n",
        ])
        .prop_map(Value::from),
    ]
}

fn document() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(name(), inner, 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    });
    btree_map(name(), value, 0..5).prop_map(|members| members.into_iter().collect())
}

/// A member of a schema, or nothing.
fn keyword(
    name: &'static str,
    value: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Option<(String, Value)>> {
    prop::option::weighted(0.3, value)
        .prop_map(move |value| Some((name.to_owned(), value?)))
        .boxed()
}

fn types() -> impl Strategy<Value = Value> {
    let one = prop::sample::select(vec![
        "null", "boolean", "string", "integer", "number", "array", "object",
    ]);
    prop_oneof![
        one.clone().prop_map(Value::from),
        prop::collection::btree_set(one, 1..4).prop_map(|names| names.into_iter().collect()),
    ]
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        3 => any::<bool>().prop_map(Value::from),
        7 => types().prop_map(|types| json!({"type": types, "title": "t"})),
    ];
    let inner = leaf.prop_recursive(4, 48, 5, |inner| {
        let choices = prop_oneof![
            keyword(
                "enum",
                prop::collection::hash_set(scalar().prop_map(|value| value.to_string()), 1..4)
                    .prop_map(|values| {
                        values
                            .iter()
                            .map(|text| serde_json::from_str::<Value>(text).unwrap())
                            .collect()
                    })
            ),
            keyword("const", scalar()),
        ];
        let limit = || {
            prop_oneof![
                (-2_i64..3).prop_map(Value::from),
                Just(json!(0.5)),
                Just(json!(1.0))
            ]
        };
        let texts = (
            keyword("minLength", (0_u64..3).prop_map(Value::from)),
            keyword("maxLength", (0_u64..4).prop_map(Value::from)),
            keyword(
                "format",
                prop::sample::select(vec!["date", "date-time", "uuid", "int64"])
                    .prop_map(Value::from),
            ),
        );
        let numbers = (
            keyword("minimum", limit()),
            keyword("maximum", limit()),
            keyword("exclusiveMinimum", limit()),
            keyword("exclusiveMaximum", limit()),
        );
        let members = (
            keyword(
                "properties",
                btree_map(name(), inner.clone(), 0..4).prop_map(|all| all.into_iter().collect()),
            ),
            keyword(
                "required",
                prop::collection::btree_set(name(), 0..3).prop_map(|all| all.into_iter().collect()),
            ),
            keyword("additionalProperties", inner.clone()),
            keyword("items", inner.clone()),
        );
        let plain = (keyword("type", types()), choices, texts, numbers, members).prop_map(
            |(t, c, s, n, m)| {
                [t, c, s.0, s.1, s.2, n.0, n.1, n.2, n.3, m.0, m.1, m.2, m.3]
                    .into_iter()
                    .flatten()
                    .collect::<Value>()
            },
        );
        prop_oneof![
            6 => plain,
            1 => inner.prop_map(|inner| json!({"anyOf": [inner, {"type": "null"}]})),
        ]
    });
    // At the root something about members, so that documents are not refused wholesale.
    (
        btree_map(name(), inner.clone(), 1..4),
        prop::option::of(inner),
    )
        .prop_map(|(properties, others)| {
            let mut schema = json!({"type": "object", "properties": properties});
            if let Some(others) = others {
                schema["additionalProperties"] = others;
            }
            schema
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_pass_and_the_full_validator_agree(schema in schema(), documents in vec(document(), 1..6)) {
        let validator = compile(&schema);
        prop_assert!(validator.is_streaming());
        for document in documents {
            let text = document.to_string();
            prop_assert_eq!(passes(&validator, text.as_bytes()), validator.judge(text.as_bytes()).is_ok(), "{} {}", schema, text);
        }
    }

    #[test]
    fn one_pass_never_allows_what_the_full_validator_refuses(
        schema in schema(),
        document in document(),
        edits in vec((any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(b"{}[]\",:\\0123456789.eE-+tfnua \x01\xff\xc3\xa9".to_vec())), 1..4),
    ) {
        let validator = compile(&schema);
        let mut bytes = document.to_string().into_bytes();
        for (at, what, byte) in edits {
            let at = at.index(bytes.len().max(1));
            match what {
                0 if at < bytes.len() => bytes[at] = byte,
                1 if at < bytes.len() => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        if passes(&validator, &bytes) {
            prop_assert_eq!(validator.judge(&bytes), Ok(()), "{} {}", schema, String::from_utf8_lossy(&bytes));
        }
    }
}
