use hyper::Method;
use hyper::header::HeaderValue;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::webhook::{Rule, Signature};

fn headers(pairs: &[(&str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

fn endpoint() -> Endpoint {
    Endpoint::new(Rule::any_path())
}

fn now() -> Timestamp {
    "2026-03-01T12:00:00.123456Z".parse().unwrap()
}

/// The `_meta` that an empty document is given.
fn meta_of(
    endpoint: &Endpoint,
    headers: &HeaderMap,
    uri: &str,
    parameters: &[(&str, Cow<'_, str>)],
    number: Option<u64>,
) -> Value {
    let (path, query) = uri
        .split_once('?')
        .map_or((uri, None), |(path, query)| (path, Some(query)));
    let head = Head {
        method: &Method::POST,
        path,
        query,
        headers,
    };
    let common = Common::new(&head, now(), &Hidden::of([endpoint]));
    let mut out = Vec::new();
    write(
        &mut out,
        "{}",
        &Meta::new(&common, endpoint, parameters),
        number,
    )
    .unwrap();
    let document: Value = serde_json::from_slice(&out).unwrap();
    document[META].clone()
}

/// The document as it is captured.
fn written(document: &str) -> Result<String, Unfit> {
    let meta = Meta {
        id: "7".into(),
        members: b",\"reqPath\":\"/\"".to_vec(),
    };
    let mut out = b"before".to_vec();
    let result = write(&mut out, document, &meta, None);
    let text = String::from_utf8(out).unwrap();
    let text = text.strip_prefix("before").unwrap().to_owned();
    match result {
        Ok(()) => Ok(text),
        Err(error) => {
            assert_eq!(text, "", "what was refused is not written");
            Err(error)
        }
    }
}

#[test]
fn names_that_are_looked_up_are_sorted() {
    assert!(SECRET_HEADERS.is_sorted() && SECRET_PARAMETERS.is_sorted());
}

#[test]
fn a_document_says_how_it_came() {
    let headers = headers(&[
        ("Content-Type", b"application/json"),
        ("X-Many", b"a"),
        ("X-Many", b"b, c"),
        ("X-Bytes", b"caf\xe9"),
    ]);
    let parameters = [("shop", "a/b".into())];
    let uri = "/shops/a%2Fb?page=2&tag=x+y&tag=%C3%A9&flag&&broken=%ff";
    let mut meta = meta_of(&endpoint(), &headers, uri, &parameters, None);
    let id = meta["webhookId"].take();
    let id = id.as_str().unwrap();
    let shape: String = id
        .chars()
        .map(|c| if c.is_ascii_hexdigit() { 'x' } else { c })
        .collect();
    assert_eq!(shape, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
    assert!(
        id.starts_with("019ca945-0a7b-774b-") && "89ab".contains(&id[19..20]),
        "{id}"
    );
    assert_eq!(
        meta,
        json!({
            "op": "u",
            "webhookId": null,
            "receivedAt": "2026-03-01T12:00:00.123456Z",
            "headers": {"content-type": "application/json", "x-many": "a, b, c", "x-bytes": "caf\u{fffd}"},
            "reqPath": "/shops/a%2Fb",
            "query": {"page": "2", "tag": ["x y", "é"], "flag": "", "broken": "\u{fffd}"},
            "pathParams": {"shop": "a/b"},
        })
    );
    let plain = meta_of(&endpoint(), &HeaderMap::new(), "/", &[], None);
    assert!(plain.get("query").is_none() && plain.get("pathParams").is_none());
}

#[test]
fn nothing_that_proves_a_sender_is_kept() {
    let secret: &[u8] = b"hunter2";
    let endpoint = endpoint()
        .signature(Signature::token("X-Proof", "", "hunter2"))
        .hide("X-Inner")
        .hide("Visitor");
    let mut pairs: Vec<(&str, &[u8])> = SECRET_HEADERS.iter().map(|name| (*name, secret)).collect();
    pairs.extend([
        ("X-PROOF", secret),
        ("x-inner", secret),
        ("x-shown", b"shown"),
    ]);
    let query: String = SECRET_PARAMETERS
        .iter()
        .map(|name| format!("&{name}=hunter2"))
        .collect();
    let uri = format!("/?a=shown{query}&Access_Token=hunter2&%74oken=hunter2&visitor=hunter2");
    let meta = meta_of(&endpoint, &headers(&pairs), &uri, &[], None);
    assert!(!meta.to_string().contains("hunter2"), "{meta}");
    assert_eq!(meta["headers"], json!({"x-shown": "shown"}));
    assert_eq!(meta["query"], json!({"a": "shown"}));
}

#[test]
fn ids_are_in_the_order_of_time_and_all_different() {
    let at = |micros: i64| Timestamp::from_microsecond(1_700_000_000_000_000 + micros).unwrap();
    let ids: Vec<String> = (0..2_000).map(|micros| unique_id(at(micros))).collect();
    assert!(ids.is_sorted());
    let same: std::collections::BTreeSet<String> = (0..1_000).map(|_| unique_id(at(0))).collect();
    assert_eq!(same.len(), 1_000);
    assert!(unique_id(Timestamp::MIN).starts_with("00000000-0000-7000-"));
}

#[test]
fn an_id_is_the_senders_if_it_has_one_and_each_element_has_its_own() {
    let delivery = headers(&[("X-GitHub-Delivery", b"72d3162e")]);
    let by_header = endpoint().id_header("X-GitHub-Delivery");
    let by_parameter = endpoint().id_parameter("id");
    let id = |endpoint: &Endpoint, headers: &HeaderMap, parameters: &[_], number| {
        let meta = meta_of(endpoint, headers, "/", parameters, number);
        meta["webhookId"].as_str().unwrap().to_owned()
    };
    assert_eq!(id(&by_header, &delivery, &[], None), "72d3162e");
    assert_eq!(id(&by_header, &delivery, &[], Some(2)), "72d3162e/2");
    assert_eq!(id(&by_header, &HeaderMap::new(), &[], None).len(), 36);
    assert_eq!(
        id(
            &by_header,
            &headers(&[("x-github-delivery", b"")]),
            &[],
            None
        )
        .len(),
        36
    );
    assert_eq!(
        id(&by_parameter, &delivery, &[("id", "7".into())], None),
        "7"
    );
    assert_eq!(id(&endpoint(), &delivery, &[], Some(1)).len(), 38);
}

#[test]
fn the_rest_of_a_document_stays_as_it_was_sent() {
    let start = r#"{"_meta":{"op":"u","webhookId":"7","reqPath":"/"}"#;
    for (document, rest) in [
        ("{}", "}"),
        (" { } ", "} "),
        (r#"{"a":1}"#, r#","a":1}"#),
        (
            r#"{ "a" : 1.10, "a":1e5 , "é":"\/\u0101"}"#,
            r#","a" : 1.10, "a":1e5 , "é":"\/\u0101"}"#,
        ),
    ] {
        assert_eq!(
            written(document),
            Ok(format!("{start}{rest}")),
            "{document}"
        );
    }
}

#[test]
fn a_meta_of_the_sender_is_kept_but_for_what_is_ours() {
    for (document, expected) in [
        (
            r#"{"a":1,"_meta":{"webhookId":1,"op":"d","mine": [1.0] ,"query":2},"b":2}"#,
            r#"{"_meta":{"op":"u","webhookId":"7","reqPath":"/","mine":[1.0]},"a":1,"b":2}"#,
        ),
        (
            r#"{"\u005fmeta":{"\u006fp":"d"},"x":"\u0041"}"#,
            r#"{"_meta":{"op":"u","webhookId":"7","reqPath":"/"},"x":"\u0041"}"#,
        ),
        (
            r#"{"_meta":{"a":1},"_meta":{"b":2}}"#,
            r#"{"_meta":{"op":"u","webhookId":"7","reqPath":"/","b":2}}"#,
        ),
        (
            r#"{"_meta":null,"inner":{"_meta":1}}"#,
            r#"{"_meta":{"op":"u","webhookId":"7","reqPath":"/"},"inner":{"_meta":1}}"#,
        ),
    ] {
        assert_eq!(written(document).as_deref(), Ok(expected), "{document}");
    }
    for document in [
        r#"{"_meta":1}"#,
        r#"{"_meta":[]}"#,
        r#"{"_meta":{},"_meta":"x"}"#,
    ] {
        assert_eq!(written(document), Err(Unfit::Meta), "{document}");
    }
    for document in ["[]", "1", "\"_meta\"", ""] {
        assert_eq!(written(document), Err(Unfit::NotAnObject), "{document}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}|_meta|[\u{0}-\u{1f}]{1,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = "[a-c]|_meta|op|[\u{0}-\u{1f}]";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_the_document_with_our_meta_merged_over_its_own(document in value(), is_pretty in any::<bool>()) {
        let text = if is_pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) };
        let result = written(&text.unwrap());
        let Value::Object(mut expected) = document else {
            prop_assert_eq!(result, Err(Unfit::NotAnObject));
            return Ok(());
        };
        let mut meta = match expected.remove(META) {
            None | Some(Value::Null) => Default::default(),
            Some(Value::Object(own)) => own,
            Some(_) => {
                prop_assert_eq!(result, Err(Unfit::Meta));
                return Ok(());
            }
        };
        meta.retain(|name, _| !OURS.contains(&name.as_str()));
        meta.insert("op".into(), "u".into());
        meta.insert("webhookId".into(), "7".into());
        meta.insert("reqPath".into(), "/".into());
        expected.insert(META.into(), meta.into());
        let written: Value = serde_json::from_str(&result.unwrap()).unwrap();
        prop_assert_eq!(written, Value::Object(expected));
    }
}
