//! Who may post.

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::capture::Capture;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(secret: &str, text: &str) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, secret.as_bytes()), text.as_bytes())
        .as_ref()
        .to_vec()
}

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs()
}

/// The headers with which a sender of this kind signs a body at this time.
fn signed(kind: &str, secret: &str, body: &str, time: u64) -> Vec<(&'static str, String)> {
    match kind {
        "github" => vec![(
            "X-Hub-Signature-256",
            format!("sha256={}", hex(&sha256(secret, body))),
        )],
        "github_sha1" => {
            let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
            let tag = sign(&key, body.as_bytes());
            vec![("X-Hub-Signature", format!("sha1={}", hex(tag.as_ref())))]
        }
        "shopify" => vec![(
            "X-Shopify-Hmac-Sha256",
            STANDARD.encode(sha256(secret, body)),
        )],
        "stripe" => {
            let tag = hex(&sha256(secret, &format!("{time}.{body}")));
            vec![("Stripe-Signature", format!("t={time},v1={tag}"))]
        }
        "slack" => {
            let tag = hex(&sha256(secret, &format!("v0:{time}:{body}")));
            vec![
                ("X-Slack-Signature", format!("v0={tag}")),
                ("X-Slack-Request-Timestamp", time.to_string()),
            ]
        }
        "token" => vec![("Authorization", format!("Bearer {secret}"))],
        other => panic!("{other}"),
    }
}

#[test]
fn only_those_may_post_who_know_the_secret_or_the_former_one() {
    let kinds = [
        "github",
        "github_sha1",
        "shopify",
        "stripe",
        "slack",
        "token",
    ];
    let endpoint = |kind: &&str| {
        json!({
            "name": kind, "path": format!("/{kind}"),
            "signature": { "kind": kind, "secret": "hunter2", "former_secret": "hunter1" },
        })
    };
    let config = json!({ "endpoints": kinds.iter().map(endpoint).collect::<Vec<_>>() });
    let capture = Capture::start(&config);
    let body = r#"{"a": 1}"#;
    for (binding, kind) in kinds.into_iter().enumerate() {
        let path = format!("/{kind}");
        let post = |secret: &str, signed_body: &str, time: u64| {
            let headers = signed(kind, secret, signed_body, time);
            let headers: Vec<(&str, &str)> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            capture.post(&path, &headers, body)
        };
        assert_eq!(post("hunter2", body, now()).published(), 1, "{kind}");
        assert_eq!(post("hunter1", body, now()).published(), 1, "{kind}");
        let mut refused = vec![post("hunter3", body, now()), capture.post(&path, &[], body)];
        if kind != "token" {
            refused.push(post("hunter2", r#"{"a": 2}"#, now()));
        }
        if ["stripe", "slack"].contains(&kind) {
            refused.push(post("hunter2", body, now() - 400));
            refused.push(post("hunter2", body, now() + 400));
        }
        for answer in refused {
            assert_eq!(answer.status, 401, "{kind}: {}", answer.body);
            assert!(!answer.body.contains("hunter"), "{}", answer.body);
        }
        let documents = capture.documents(binding);
        assert_eq!(documents.len(), 2, "{kind}");
        assert!(!json!(documents).to_string().contains("hunter"));
        let headers = documents[0]["_meta"]["headers"].as_object().unwrap();
        let shown = headers.keys().find(|name| {
            name.contains("signature") || name.contains("hmac") || *name == "authorization"
        });
        assert_eq!(shown, None, "{kind}");
    }
    assert!(!capture.logged().contains("hunter"));
}

#[test]
fn an_array_for_two_endpoints_must_bear_the_signatures_of_both() {
    let config = json!({ "endpoints": [
        { "name": "a", "path": "/", "members": [{ "pointer": "/to", "value": "a" }], "signature": { "kind": "github", "secret": "one" } },
        { "name": "b", "path": "/", "members": [{ "pointer": "/to", "value": "b" }], "signature": { "kind": "github", "secret": "two" } },
        { "name": "c", "path": "/", "members": [{ "pointer": "/to", "value": "c" }] },
    ]});
    let capture = Capture::start(&config);
    let post = |secret: &str, body: &str| {
        let headers = signed("github", secret, body, 0);
        capture.post("/", &[(headers[0].0, headers[0].1.as_str())], body)
    };
    assert_eq!(post("one", r#"[{"to":"a"},{"to":"c"}]"#).published(), 2);
    assert_eq!(post("one", r#"[{"to":"a"},{"to":"b"}]"#).status, 401);
    assert_eq!(post("two", r#"[{"to":"b"}]"#).published(), 1);
    assert_eq!(capture.committed.lock().unwrap().len(), 3);
}
