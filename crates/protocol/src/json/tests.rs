use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;
use crate::flow::ConnectorType;
use crate::{Request, RequestKind, Response, ResponseKind, samples};

fn request(text: &str) -> Request {
    decode_request(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn response(text: &str) -> Response<'_> {
    decode_response(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn written(request: &Request) -> String {
    let mut line = Vec::new();
    encode_request(request, &mut line);
    String::from_utf8(line).unwrap()
}

fn said(response: &Response<'_>) -> String {
    let mut line = Vec::new();
    encode_response(response, &mut line);
    String::from_utf8(line).unwrap()
}

/// A capture of one binding, as a runtime writes it.
fn capture() -> Value {
    json!({
        "name": "acme/shop", "connectorType": "LOCAL", "config": {"shop": "x"}, "intervalSeconds": 300,
        "bindings": [{
            "resourceConfig": {"name": "orders", "_meta": {"path": ["orders"]}},
            "resourcePath": ["orders"],
            "collection": {
                "name": "acme/orders", "writeSchema": {"type": "object"}, "readSchema": {"a": 1},
                "key": ["/id"], "uuidPtr": "/_meta/uuid", "partitionFields": ["region"],
                "projections": [{
                    "ptr": "/id", "field": "id", "explicit": true, "isPartitionKey": true,
                    "isPrimaryKey": true, "inference": {"types": ["integer"]}
                }],
                "ackTemplate": {"_meta": {"ack": true}}, "partitionTemplate": {"name": "p"}
            },
            "backfill": 2, "stateKey": "orders.v2"
        }],
        "shardTemplate": {"id": "s"}, "recoveryLogTemplate": {"name": "r"},
        "networkPorts": [{"number": 8080, "protocol": "h2", "public": true}],
        "redactSalt": "aGk="
    })
}

#[test]
fn requests_of_the_reference_mean_what_it_says() {
    let Request::Spec(spec) = request(r#"{"spec":{"connectorType":"IMAGE","config":{}}}"#) else {
        panic!("not a spec");
    };
    assert_eq!(
        (spec.connector_type, spec.config.get()),
        (ConnectorType::Image, "{}")
    );

    let Request::Acknowledge(acknowledge) = request(r#"{"acknowledge":{"checkpoints":2}}"#) else {
        panic!("not an acknowledge");
    };
    assert_eq!(acknowledge.checkpoints, 2);

    let open = r#"{"open":{"version":"v1","range":{"keyEnd":4294967295,"rClockEnd":4294967295},"state":{}}}"#;
    let Request::Open(open) = request(open) else {
        panic!("not an open")
    };
    assert_eq!((&*open.version, open.state.get()), ("v1", "{}"));
    assert_eq!(open.range, crate::flow::RangeSpec::full());
    assert!(open.capture.bindings.is_empty());
}

#[test]
fn responses_of_the_reference_mean_what_it_says_and_are_written_like_it() {
    // The second is what we write: with `captured.binding` always, or else the same.
    for (text, kind, line) in [
        (
            r#"{"validated":{"bindings":[{"resourcePath":["a","b"]}]}}"#,
            ResponseKind::Validated,
            None,
        ),
        (
            r#"{"applied":{"actionDescription":"ok"}}"#,
            ResponseKind::Applied,
            None,
        ),
        (r#"{"opened":{}}"#, ResponseKind::Opened, None),
        (
            r#"{"opened":{"explicitAcknowledgements":true}}"#,
            ResponseKind::Opened,
            None,
        ),
        (
            r#"{"captured":{"doc":{"a":1}}}"#,
            ResponseKind::Captured,
            Some(r#"{"captured":{"binding":0,"doc":{"a":1}}}"#),
        ),
        (
            r#"{"captured":{"binding":3,"doc":{"a":1}}}"#,
            ResponseKind::Captured,
            None,
        ),
        (r#"{"checkpoint":{}}"#, ResponseKind::Checkpoint, None),
        (
            r#"{"checkpoint":{"state":{"updated":{"c":1},"mergePatch":true}}}"#,
            ResponseKind::Checkpoint,
            None,
        ),
        (
            r#"{"checkpoint":{"state":{"updated":{"c":1}}}}"#,
            ResponseKind::Checkpoint,
            None,
        ),
        (
            r#"{"sourcedSchema":{"documentSchema":{"type":"object"}}}"#,
            ResponseKind::SourcedSchema,
            None,
        ),
        (
            r#"{"backfillBegin":{"binding":1}}"#,
            ResponseKind::BackfillBegin,
            None,
        ),
        (
            r#"{"backfillComplete":{"binding":1}}"#,
            ResponseKind::BackfillComplete,
            None,
        ),
        (
            r#"{"spec":{"protocol":3032023,"configSchema":{},"resourceConfigSchema":{},"documentationUrl":"u"}}"#,
            ResponseKind::Spec,
            None,
        ),
    ] {
        let decoded = response(text);
        assert_eq!(decoded.kind(), kind);
        assert_eq!(said(&decoded), format!("{}\n", line.unwrap_or(text)));
    }
}

#[test]
fn what_a_peer_demands_is_written_even_if_it_is_a_default() {
    let open = written(&request(r#"{"open":{}}"#));
    assert_eq!(
        open,
        "{\"open\":{\"capture\":{\"name\":\"\",\"connectorType\":\"IMAGE\",\"config\":{},\"intervalSeconds\":0},\
         \"version\":\"\",\"range\":{\"keyEnd\":4294967295,\"rClockEnd\":4294967295},\"state\":{}}}\n"
    );
    assert_eq!(
        written(&request(r#"{"spec":{}}"#)),
        "{\"spec\":{\"connectorType\":\"IMAGE\",\"config\":{}}}\n"
    );
    assert_eq!(
        written(&request(r#"{"acknowledge":{}}"#)),
        "{\"acknowledge\":{\"checkpoints\":0}}\n"
    );
}

#[test]
fn every_member_of_a_full_request_survives() {
    for text in [
        json!({"open": {"capture": capture(), "version": "b", "range": {"keyBegin": 1, "keyEnd": 0, "rClockBegin": 2, "rClockEnd": 9}, "state": {"x": 1}}}),
        json!({"apply": {"capture": capture(), "version": "b", "lastCapture": capture(), "lastVersion": "a", "state": {"x": 1}}}),
        json!({"discover": {"connectorType": "LOCAL", "config": {"a": 1}, "name": "acme/shop"}}),
        json!({"validate": {"name": "n", "connectorType": "IMAGE", "config": [1], "lastCapture": capture(), "lastVersion": "a",
            "bindings": [{"resourceConfig": {}, "collection": capture()["bindings"][0]["collection"], "backfill": 7}]}}),
    ] {
        let line = written(&request(&text.to_string()));
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), text);
    }
}

/// Renames members to snake case, and writes integers as strings.
fn as_another_peer(value: &Value) -> Value {
    const RAW: [&str; 9] = [
        "config",
        "resourceConfig",
        "writeSchema",
        "readSchema",
        "ackTemplate",
        "inference",
        "state",
        "partitionTemplate",
        "networkPorts",
    ];
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let value = if RAW.contains(&name.as_str()) {
                    value.clone()
                } else {
                    as_another_peer(value)
                };
                let mut snake = String::new();
                for c in name.chars() {
                    if c.is_ascii_uppercase() {
                        snake.push('_');
                    }
                    snake.push(c.to_ascii_lowercase());
                }
                (snake, value)
            })
            .collect(),
        Value::Array(items) => items.iter().map(as_another_peer).collect(),
        Value::Number(number) => Value::String(number.to_string()),
        other => other.clone(),
    }
}

#[test]
fn snake_case_names_and_integers_in_strings_read_the_same() {
    for text in [
        json!({"open": {"capture": capture(), "version": "b", "range": {"keyBegin": 1, "keyEnd": 2, "rClockBegin": 3, "rClockEnd": 4}, "state": {}}}),
        json!({"apply": {"capture": capture(), "version": "b", "lastCapture": capture(), "lastVersion": "a"}}),
        json!({"validate": {"name": "n", "connectorType": "IMAGE", "config": {}, "lastCapture": capture(), "lastVersion": "a",
            "bindings": [{"resourceConfig": {}, "collection": capture()["bindings"][0]["collection"], "backfill": 7}]}}),
        json!({"acknowledge": {"checkpoints": 4_294_967_295_u32}}),
    ] {
        let ours = written(&request(&text.to_string()));
        let theirs = as_another_peer(&text).to_string();
        assert_ne!(theirs, text.to_string());
        assert_eq!(written(&request(&theirs)), ours);
    }
}

#[test]
fn responses_read_by_any_of_their_members_names() {
    for (names, ours) in [
        (
            &[
                r#"{"sourcedSchema":{"binding":"3","documentSchema":{}}}"#,
                r#"{"sourcedSchema":{"binding":3,"document_schema":{}}}"#,
                r#"{"sourced_schema":{"binding":3,"schema_json":{}}}"#,
                r#"{"sourcedSchema":{"binding":3,"schemaJson":{},"$internal":"aGk="},"$internal":"aGk="}"#,
            ][..],
            r#"{"sourcedSchema":{"binding":3,"documentSchema":{}}}"#,
        ),
        (
            &[
                r#"{"checkpoint":{"state":{"updated":null,"merge_patch":true}}}"#,
                r#"{"checkpoint":{"state":{"updated_json":null,"mergePatch":true,"new":[{}]}}}"#,
            ],
            r#"{"checkpoint":{"state":{"updated":null,"mergePatch":true}}}"#,
        ),
        (
            &[
                r#"{"captured":{"doc_json":null,"binding":"10"},"spec":null}"#,
                r#"{ "captured" : {"doc": null, "binding": 10} }"#,
            ],
            r#"{"captured":{"binding":10,"doc":null}}"#,
        ),
        (
            &[
                r#"{"discovered":{"bindings":[{"recommended_name":"n","resource_config_json":{},"document_schema_json":{},"key":null,"resource_path":["a"],"is_fallback_key":true,"disable":false}]}}"#,
                r#"{"discovered":{"bindings":[{"recommendedName":"n","resourceConfig":{},"schema_json":{},"resourcePath":["a"],"isFallbackKey":true}]}}"#,
            ],
            r#"{"discovered":{"bindings":[{"recommendedName":"n","resourceConfig":{},"documentSchema":{},"resourcePath":["a"],"isFallbackKey":true}]}}"#,
        ),
        (
            &[
                r#"{"spec":{"protocol":"3032023","config_schema":{},"resource_config_schema_json":{},"documentation_url":"u","oauth2":null,"resource_path_pointers":["/a"]}}"#,
            ],
            r#"{"spec":{"protocol":3032023,"configSchema":{},"resourceConfigSchema":{},"documentationUrl":"u","resourcePathPointers":["/a"]}}"#,
        ),
        (
            &[
                r#"{"applied":{"action_description":"did","state":{"updated_json":{},"merge_patch":true}}}"#,
            ],
            r#"{"applied":{"actionDescription":"did","state":{"updated":{},"mergePatch":true}}}"#,
        ),
        (&[r#"{"applied":{"state":null}}"#], r#"{"applied":{}}"#),
        (
            &[r#"{"opened":{"explicit_acknowledgements":true}}"#],
            r#"{"opened":{"explicitAcknowledgements":true}}"#,
        ),
        (
            &[r#"{"checkpoint":{"state":null}}"#],
            r#"{"checkpoint":{}}"#,
        ),
        (
            &[r#"{"validated":{"bindings":null}}"#],
            r#"{"validated":{"bindings":[]}}"#,
        ),
        (
            &[r#"{"backfill_begin":{"binding":"0"}}"#],
            r#"{"backfillBegin":{}}"#,
        ),
        (
            &[r#"{"backfill_complete":{}}"#],
            r#"{"backfillComplete":{}}"#,
        ),
    ] {
        for text in names {
            assert_eq!(said(&response(text)), format!("{ours}\n"), "{text}");
        }
    }
}

#[test]
fn null_and_absent_members_have_their_defaults() {
    for text in [
        r#"{"open":{}}"#,
        r#"{"open":{"capture":null,"range":null,"state":null,"unheard":{"of":1}}}"#,
        r#"{"open":{"range":{}},"$internal":"aGk=","internal":"aGk=","spec":null}"#,
        r#"{"open":{"capture":{"config":{},"bindings":null,"networkPorts":null,"inactiveBindings":null,"shardTemplate":null,"redactSalt":"","linkedCollections":null}}}"#,
        "{\"open\":{}}\n",
    ] {
        assert_eq!(
            written(&request(text)),
            written(&request(r#"{"open":{}}"#)),
            "{text}"
        );
    }
    let Request::Apply(apply) = request(r#"{"apply":{"lastCapture":null,"state":null}}"#) else {
        panic!("not an apply");
    };
    assert!(apply.last_capture.is_none() && apply.state.is_none());
    let Request::Discover(discover) = request(r#"{"discover":{"config":null,"connectorType":8}}"#)
    else {
        panic!("not a discover");
    };
    assert_eq!(
        (discover.config.get(), discover.connector_type),
        ("null", ConnectorType::Local)
    );
}

#[test]
fn linked_collections_end_up_in_their_bindings() {
    let users = json!({"name": "users", "writeSchema": {}, "key": ["/id"]});
    let orders = json!({"name": "orders", "writeSchema": {}, "key": ["/id"]});
    let linked = json!([users, orders]);
    let bound = |collection: &Value| json!({"resourceConfig": {}, "resourcePath": ["r"], "stateKey": "r", "collection": collection});
    let bare = |index: Value| json!({"resourceConfig": {}, "resourcePath": ["r"], "stateKey": "r", "collectionIndex": index});
    let by_default = json!({"resourceConfig": {}, "resourcePath": ["r"], "stateKey": "r"});

    let open = |capture: Value| json!({"open": {"capture": capture}}).to_string();
    let indirect = request(&open(json!({
        "config": {}, "linkedCollections": linked, "bindings": [bare(json!(1)), by_default],
        "inactiveBindings": [bare(json!("1"))],
    })));
    let inline = request(&open(json!({
        "config": {}, "bindings": [bound(&orders), bound(&users)], "inactiveBindings": [bound(&orders)],
    })));
    assert_eq!(written(&indirect), written(&inline));

    let validate = |body: Value| json!({"validate": body}).to_string();
    let indirect = request(&validate(json!({
        "config": {}, "linked_collections": linked,
        "bindings": [{"resourceConfig": {}, "collection_index": 1}, {"resourceConfig": {}, "collection": null}],
    })));
    let inline = request(&validate(json!({
        "config": {},
        "bindings": [{"resourceConfig": {}, "collection": orders}, {"resourceConfig": {}, "collection": users}],
    })));
    assert_eq!(written(&indirect), written(&inline));

    for (capture, phrase) in [
        (
            json!({"config": {}, "bindings": [by_default]}),
            "`bindings[0]` has no `collection`",
        ),
        (
            json!({"config": {}, "linkedCollections": linked, "bindings": [bare(json!(1)), bound(&users)]}),
            "`bindings[1]` mixes",
        ),
        (
            json!({"config": {}, "bindings": [{"resourceConfig": {}, "collection": users, "collectionIndex": 1}]}),
            "`bindings[0]` mixes",
        ),
        (
            json!({"config": {}, "linkedCollections": linked, "inactiveBindings": [bare(json!(2))]}),
            "`inactiveBindings[0].collectionIndex` is 2, but `linkedCollections` has 2 entries",
        ),
    ] {
        let error = decode_request(open(capture).as_bytes())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("malformed request") && error.contains(phrase),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_request_is_a_malformed_request_and_the_text_tells_where() {
    for (line, code, phrase) in [
        (&b""[..], "protocol.not_json", "column 1"),
        (b"{}", "protocol.no_message", "no member that is known"),
        (b"{\"spec\":null}", "protocol.no_message", "exactly one"),
        (b"{\"frobnicate\":{}}", "protocol.no_message", "exactly one"),
        (b"{\"spec\":{},\"open\":{}}", "protocol.several_messages", "2 messages"),
        (b"{\"spec\":{},\"spec\":{}}", "protocol.wrong_shape", "duplicate field `spec`"),
        (b"{\"spec\": ", "protocol.not_json", "in `spec`"),
        (b"{\"spec\":{}} x", "protocol.not_json", "column 13"),
        (b"{\"spec\":{}}{\"spec\":{}}", "protocol.not_json", "column 12"),
        (b"[]", "protocol.wrong_shape", "invalid type: sequence"),
        (b"17", "protocol.wrong_shape", "invalid type: integer, expected"),
        (b"null", "protocol.wrong_shape", "invalid type: null"),
        (b"{\"spec\":[]}", "protocol.wrong_shape", "in `spec`"),
        (b"{\"open\":{\"range\":[1,2,3,4]}}", "protocol.wrong_shape", "in `open.range`"),
        (b"{\"spec\":{\"config\":\"\xff\"}}", "protocol.not_utf8", "byte 19"),
        (b"{\"other\":\"\xff\",\"spec\":{}}", "protocol.not_utf8", "byte 10"),
        (b"{\"discover\":{\"connectorType\":\"IMAGE\"}}", "protocol.wrong_shape", "missing field `config`"),
        (b"{\"discover\":{\"config\":{},\"config_json\":{}}}", "protocol.wrong_shape", "duplicate field `config`"),
        (
            b"{\"acknowledge\":{\"checkpoints\":-1}}",
            "protocol.wrong_shape",
            "in `acknowledge.checkpoints`: invalid type: integer, expected an integer from 0",
        ),
        (b"{\"acknowledge\":{\"checkpoints\":4294967296}}", "protocol.wrong_shape", "acknowledge.checkpoints"),
        (b"{\"acknowledge\":{\"checkpoints\":\"+1\"}}", "protocol.wrong_shape", "acknowledge.checkpoints"),
        (b"{\"acknowledge\":{\"checkpoints\":\"\"}}", "protocol.wrong_shape", "acknowledge.checkpoints"),
        (b"{\"acknowledge\":{\"checkpoints\":null}}", "protocol.wrong_shape", "acknowledge.checkpoints"),
        (b"{\"discover\":{\"connectorType\":\"INVALID\",\"config\":{}}}", "protocol.wrong_shape", "`IMAGE` or `LOCAL`"),
        (
            b"{\"open\":{\"capture\":{\"config\":{},\"bindings\":[{\"resourceConfig\":{},\"collection\":{\"writeSchema\":{},\"key\":[\"/a\",7]}}]}}}",
            "protocol.wrong_shape",
            "in `open.capture.bindings[0].collection.key[1]`: invalid type: integer, expected a string",
        ),
    ] {
        let error = decode_request(line).unwrap_err();
        let shown = String::from_utf8_lossy(line);
        assert_eq!(error.code(), code, "{shown}: {error}");
        let text = error.to_string();
        assert!(text.contains("malformed request") && text.contains(phrase), "{shown}: {text}");
    }
}

#[test]
fn what_is_no_response_is_a_malformed_response() {
    for (line, code, phrase) in [
        (&b"Starting up..."[..], "protocol.not_json", "column 1"),
        (b"{}", "protocol.no_message", "exactly one"),
        (
            b"{\"opened\":{},\"checkpoint\":{}}",
            "protocol.several_messages",
            "2 messages",
        ),
        (
            b"{\"checkpoint\":[]}",
            "protocol.wrong_shape",
            "in `checkpoint`",
        ),
        (
            b"{\"checkpoint\":{\"state\":{}}}",
            "protocol.wrong_shape",
            "missing field `updated`",
        ),
        (
            b"{\"captured\":{\"binding\":1}}",
            "protocol.wrong_shape",
            "missing field `doc`",
        ),
        (
            b"{\"captured\":{\"doc\":{},\"doc\":{}}}",
            "protocol.wrong_shape",
            "duplicate field `doc`",
        ),
        (
            b"{\"captured\":{\"doc\":{]}}",
            "protocol.not_json",
            "in `captured.doc`",
        ),
        (
            b"{\"captured\":{\"doc\":{}}",
            "protocol.not_json",
            "captured",
        ),
        (
            b"{\"spec\":{\"configSchema\":{}}}",
            "protocol.wrong_shape",
            "missing field `resourceConfigSchema`",
        ),
        (
            b"{\"spec\":{}}",
            "protocol.wrong_shape",
            "missing field `configSchema`",
        ),
    ] {
        let error = decode_response(line).unwrap_err();
        let shown = String::from_utf8_lossy(line);
        assert_eq!(error.code(), code, "{shown}: {error}");
        let text = error.to_string();
        assert!(
            text.contains("malformed response") && text.contains(phrase),
            "{shown}: {text}"
        );
    }
}

#[test]
fn no_error_and_no_debug_text_tells_a_secret() {
    for line in [
        r#"{"spec":"hunter2"}"#,
        r#"{"hunter2":1}"#,
        r#""hunter2, expected hunter2""#,
        r#"{"open":{"capture":{"name":{"hunter2":1}}}}"#,
        r#"{"open":{"version":["hunter2"]}}"#,
        r#"{"open":{"capture":{"config":{"hunter2":{"hunter2":"hunter2}}}}}"#,
        r#"{"open":{"state":{"capture":{"hunter2":x}}}}"#,
        r#"{"open":{"unknown":{"hunter2":x}}}"#,
        r#"{"acknowledge":{"checkpoints":"hunter2"}}"#,
        r#"{"discover":{"connectorType":"hunter2, expected hunter2"}}"#,
    ] {
        let error = decode_request(line.as_bytes()).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{line}: {error:?}"
        );
    }
    for line in [
        r#"{"captured":{"doc":{"hunter2":[{"hunter2":x}]}}}"#,
        r#"{"checkpoint":{"state":{"updated":{"hunter2":x}}}}"#,
        r#"{"captured":"hunter2"}"#,
    ] {
        let error = decode_response(line.as_bytes()).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{line}: {error:?}"
        );
    }
    for line in [
        r#"{"spec":{"config":"hunter2"}}"#,
        r#"{"discover":{"config":"hunter2"}}"#,
        r#"{"validate":{"config":"hunter2","lastCapture":{"config":"hunter2"}}}"#,
        r#"{"apply":{"capture":{"config":"hunter2","redactSalt":"hunter2"},"state":"hunter2"}}"#,
        r#"{"open":{"state":"hunter2","capture":{"config":1,"bindings":[{"resourceConfig":"hunter2","collection":{"writeSchema":1}}]}}}"#,
    ] {
        assert!(
            !format!("{:?}", request(line)).contains("hunter2"),
            "{line}"
        );
    }
    for line in [
        r#"{"captured":{"doc":"hunter2"}}"#,
        r#"{"checkpoint":{"state":{"updated":"hunter2"}}}"#,
        r#"{"applied":{"state":{"updated":"hunter2"}}}"#,
        r#"{"discovered":{"bindings":[{"recommendedName":"n","documentSchema":1,"resourceConfig":"hunter2"}]}}"#,
    ] {
        assert!(
            !format!("{:?}", response(line)).contains("hunter2"),
            "{line}"
        );
    }
}

#[test]
fn json_text_passes_through_to_the_byte_but_for_line_breaks() {
    let doc = "{\"b\" : 1.0,\n \"a\":12345678901234567890123,\r\n\"c\":\"x\\ny\\u00e9\"}";
    let raw = RawValue::from_string(doc.to_owned()).unwrap();
    let captured = Response::Captured(crate::response::Captured {
        binding: 7,
        doc: &raw,
    });
    let one_line = doc.replace(['\n', '\r'], " ");
    assert_eq!(
        said(&captured),
        format!("{{\"captured\":{{\"binding\":7,\"doc\":{one_line}}}}}\n")
    );

    let request = Request::Spec(crate::request::Spec {
        config: raw,
        ..Default::default()
    });
    assert_eq!(
        written(&request),
        format!("{{\"spec\":{{\"connectorType\":\"IMAGE\",\"config\":{one_line}}}}}\n")
    );
}

#[test]
fn only_the_common_form_of_a_captured_line_is_split() {
    for (line, expected) in [
        (
            r#"{"captured":{"binding":3,"doc":{"a":1}}}"#,
            Some((3, r#"{"a":1}"#)),
        ),
        (r#"{"captured":{"doc":7}}"#, Some((0, "7"))),
        (
            r#"{"captured":{"binding":4294967295,"doc":[]}}"#,
            Some((u32::MAX, "[]")),
        ),
        (r#"{"captured":{"binding":0,"doc":}}"#, Some((0, ""))),
        (r#"{"captured":{"binding":4294967296,"doc":[]}}"#, None),
        (r#"{"captured":{"binding":03,"doc":[]}}"#, None),
        (r#"{"captured":{"binding":-0,"doc":[]}}"#, None),
        (r#"{"captured":{"binding":1.0,"doc":[]}}"#, None),
        (r#"{"captured":{"binding":"3","doc":[]}}"#, None),
        (r#"{"captured":{"binding":,"doc":[]}}"#, None),
        (
            r#"{"captured":{"doc":[],"binding":3}}"#,
            Some((0, r#"[],"binding":3"#)),
        ),
        (r#"{"captured": {"binding":3,"doc":[]}}"#, None),
        (r#"{"captured":{"binding":3,"doc":[]}} "#, None),
        (r#"{"checkpoint":{}}"#, None),
        (r#"{"captured":{}}"#, None),
        (r#"{"captured":{"doc":{}}"#, Some((0, "{"))),
        ("", None),
    ] {
        let expected = expected.map(|(binding, doc)| (binding, doc.as_bytes()));
        assert_eq!(split_captured(line.as_bytes()), expected, "{line}");
    }
}

/// If the split document is one JSON value, the line is that message; and it is never anything else.
fn split_is_sound(line: &[u8]) -> Result<(), TestCaseError> {
    if let Some((binding, doc)) = split_captured(line)
        && let Ok(doc) = serde_json::from_slice::<&RawValue>(doc)
    {
        match decode_response(line) {
            Ok(Response::Captured(captured)) => {
                prop_assert_eq!(captured.binding, binding);
                prop_assert_eq!(captured.doc.get(), doc.get());
            }
            other => prop_assert!(false, "{other:?}: {}", String::from_utf8_lossy(line)),
        }
    }
    Ok(())
}

fn captured_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("{\"captured\":{"),
        Just("\"binding\":"),
        Just("\"doc\":"),
        Just("}}"),
        Just("3"),
        Just("0"),
        Just(","),
        Just("{}"),
        Just("[]"),
        Just("{"),
        Just("}"),
        Just("\""),
        Just("\\"),
        Just(" "),
        Just("null"),
        Just("{\"a\":{\"b\":1}}"),
        Just("\"checkpoint\":{}"),
        Just(",\"doc\":{}"),
    ];
    (any::<bool>(), proptest::collection::vec(piece, 0..8)).prop_map(|(common, pieces)| {
        let middle = pieces.concat();
        if common {
            format!("{{\"captured\":{{\"doc\":{middle}}}}}")
        } else {
            middle
        }
        .into_bytes()
    })
}

proptest! {
    #[test]
    fn a_request_that_is_written_and_read_is_the_same(request in samples::request(samples::as_it_comes)) {
        let line = written(&request);
        prop_assert_eq!(line.find(['\n', '\r']), Some(line.len() - 1));
        let again = decode_request(line.as_bytes()).unwrap();
        prop_assert_eq!(written(&again), line.as_str());
        prop_assert_eq!(again.kind(), request.kind());
        // The bytes show that reading loses nothing that is written, this that writing loses nothing.
        let normal = |request: &Request| format!("{request:?}").replace(['\n', '\r'], " ").replace("\\n", " ").replace("\\r", " ");
        prop_assert_eq!(normal(&again), normal(&request));
    }

    #[test]
    fn a_response_that_is_written_and_read_is_the_same(owned in samples::response(samples::as_it_comes)) {
        let response = owned.lend();
        let line = said(&response);
        prop_assert_eq!(line.find(['\n', '\r']), Some(line.len() - 1));
        let again = decode_response(line.as_bytes()).unwrap();
        prop_assert_eq!(said(&again), line.as_str());
        prop_assert_eq!(again.kind(), response.kind());
        let normal = |response: &Response<'_>| format!("{response:?}").replace(['\n', '\r'], " ").replace("\\n", " ").replace("\\r", " ");
        prop_assert_eq!(normal(&again), normal(&response));
    }

    #[test]
    fn a_document_takes_the_fast_way_there_and_back(binding: u32, doc in samples::json()) {
        let doc = doc.get().replace(['\n', '\r'], " ");
        let mut line = Vec::new();
        begin_captured(binding, &mut line);
        line.extend_from_slice(doc.as_bytes());
        end_captured(&mut line);
        let text = line.strip_suffix(b"\n").unwrap();
        prop_assert_eq!(split_captured(text), Some((binding, doc.as_bytes())));
        let Response::Captured(captured) = decode_response(text).unwrap() else { panic!("not captured") };
        prop_assert_eq!((captured.binding, captured.doc.get()), (binding, doc.trim()));
    }

    #[test]
    fn a_split_line_is_that_message(line in captured_like()) {
        split_is_sound(&line)?;
    }

    #[test]
    fn a_split_line_is_that_message_also_after_damage(
        binding in 0_u32..20, doc in samples::json(), at: prop::sample::Index, byte: u8, cut: bool,
    ) {
        let doc = doc.get().replace(['\n', '\r'], " ");
        let mut line = format!("{{\"captured\":{{\"binding\":{binding},\"doc\":{doc}}}}}").into_bytes();
        let at = at.index(line.len());
        if cut { line.remove(at); } else { line[at] = byte; }
        split_is_sound(&line)?;
    }

    #[test]
    fn reading_never_panics(line: Vec<u8>) {
        let _ = decode_request(&line);
        let _ = decode_response(&line);
        let _ = excerpt(&line);
        let _ = split_captured(&line);
    }

    #[test]
    fn reading_a_damaged_line_never_panics(
        request in samples::request(samples::as_it_comes), response in samples::response(samples::as_it_comes), at: prop::sample::Index, bytes: Vec<u8>,
    ) {
        for mut line in [written(&request).into_bytes(), said(&response.lend()).into_bytes()] {
            let at = at.index(line.len());
            let end = (at + bytes.len() / 2).min(line.len());
            line.splice(at..end, bytes.iter().copied());
            if let Err(error) = decode_request(&line) { let _ = error.to_string(); }
            if let Err(error) = decode_response(&line) { let _ = error.to_string(); }
        }
    }

    #[test]
    fn a_cut_line_is_never_a_message(request in samples::request(samples::as_it_comes), at: prop::sample::Index) {
        let line = written(&request);
        let text = line.trim_end();
        prop_assert!(decode_request(&text.as_bytes()[..at.index(text.len())]).is_err());
    }
}

#[test]
fn kinds_display_as_the_wire_names_them() {
    assert_eq!(RequestKind::Acknowledge.to_string(), "acknowledge");
    assert_eq!(
        format!("{:>14}", ResponseKind::SourcedSchema),
        " sourcedSchema"
    );
}
