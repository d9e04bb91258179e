//! What the connector says of itself and of a config.

use serde_json::{Value, json};

use crate::capture::ask;

fn discover(config: &Value) -> Result<Value, String> {
    ask(&json!({ "discover": { "connectorType": "LOCAL", "config": config } }))
}

#[test]
fn its_spec_marks_every_secret() {
    let spec = ask(&json!({ "spec": { "connectorType": "LOCAL", "config": {} } })).unwrap();
    let schema = &spec["spec"]["configSchema"];
    let text = schema.to_string();
    for (at, _) in text
        .match_indices("\"title\":\"Secret\"")
        .chain(text.match_indices("\"title\":\"Former Secret\""))
    {
        let object = &text[text[..at].rfind('{').unwrap()..];
        let object = &object[..object.find('}').unwrap()];
        assert!(object.contains("\"secret\":true"), "{object}");
    }
    assert_eq!(
        text.matches("\"secret\":true").count(),
        2 * text.matches("\"title\":\"Secret\"").count()
    );
    assert_eq!(schema["required"], json!(["endpoints"]));
}

#[test]
fn each_endpoint_is_discovered_with_the_id_as_its_key_unless_it_has_one() {
    let config = json!({ "endpoints": [
        { "name": "orders", "path": "/orders" },
        { "name": "users", "path": "/users", "key": ["/user/id"] },
    ]});
    let discovered = discover(&config).unwrap();
    let bindings = discovered["discovered"]["bindings"].as_array().unwrap();
    assert_eq!(bindings[0]["recommendedName"], "orders");
    assert_eq!(bindings[0]["key"], json!(["/_meta/webhookId"]));
    assert_eq!(bindings[0]["isFallbackKey"], true);
    let schema = &bindings[0]["documentSchema"];
    assert_eq!(schema["x-infer-schema"], true);
    let id = schema.pointer("/properties/_meta/properties/webhookId/type");
    assert_eq!(id, Some(&json!("string")));
    assert_eq!(bindings[1]["key"], json!(["/user/id"]));
    assert!(
        bindings[1]
            .get("isFallbackKey")
            .is_none_or(|is| *is == json!(false))
    );
    let schema = &bindings[1]["documentSchema"];
    assert_eq!(schema["required"], json!(["_meta", "user"]));
    assert_eq!(
        schema["properties"]["user"],
        json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": ["string", "integer", "boolean"] } } })
    );
}

#[test]
fn all_that_is_wrong_with_a_config_is_said_at_once_and_no_secret() {
    let config = json!({ "endpoints": [
        { "name": "one", "path": "/a/{x}", "signature": { "kind": "github", "secret": "" } },
        { "name": "two", "path": "/{y}/b", "signature": { "kind": "standard", "secret": "whsec_hunter2!" } },
        { "name": "three", "path": "c", "headers": [{ "name": "x y" }], "members": [{ "pointer": "d", "value": null }] },
        { "name": "four", "path": "/d/{id}", "id": { "parameter": "order" } },
        { "name": "four", "path": "/e", "signature": { "kind": "sendgrid", "public_key": "hunter2" } },
    ]});
    let validate = json!({ "validate": {
        "name": "a/capture", "connectorType": "LOCAL", "config": config, "bindings": [],
    }});
    let said = ask(&validate).unwrap_err();
    for expected in [
        "rules of `one` and `two` conflict: both take `POST /a/b`",
        "signature of `one` verifies nothing: a secret is empty",
        "signature of `two` verifies nothing: the secret is not base64",
        "rule of `three` is wrong: the path begins with no slash",
        "`x y` is no name of a header",
        "`d` is no JSON pointer",
        "id of `four` is in no parameter",
        "two resources named `four`",
        "signature of `four` verifies nothing: the public key is none",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains("hunter2"), "{said}");
    let said = discover(&json!({ "endpoints": [] })).unwrap_err();
    assert!(said.contains("there is no endpoint"), "{said}");
    let said =
        discover(&json!({ "endpoints": [{ "name": "a", "signature": { "kind": "hunter2" } }] }))
            .unwrap_err();
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn every_kind_of_signature_can_be_configured() {
    let secret = "c2VjcmV0";
    let mut endpoints: Vec<Value> = ["github", "github_sha1", "shopify", "stripe", "slack", "standard", "token", "hmac"]
        .into_iter()
        .map(|kind| json!({ "name": kind, "path": format!("/{kind}"), "signature": { "kind": kind, "secret": secret, "former_secret": secret } }))
        .collect();
    let hmac = endpoints.last_mut().unwrap();
    for (member, value) in [
        ("header", "x-sig"),
        ("prefix", "v1="),
        ("algorithm", "sha512"),
        ("encoding", "base64"),
        ("signs", "{header:x-time}{body}"),
        ("timestamp", "x-time"),
    ] {
        hmac["signature"][member] = value.into();
    }
    let discovered = discover(&json!({ "endpoints": endpoints })).unwrap();
    assert_eq!(
        discovered["discovered"]["bindings"]
            .as_array()
            .unwrap()
            .len(),
        endpoints.len()
    );
}
