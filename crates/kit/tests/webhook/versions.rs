//! HTTP/2 without TLS, as a gateway may speak it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::capture::{Acknowledge, Capture};

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn client() -> reqwest::Client {
    // The crate that has TLS needs to be told which cryptography it is to use, even where there is none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
        .http2_prior_knowledge()
        .pool_max_idle_per_host(1)
        .timeout(crate::capture::PATIENCE)
        .build()
        .unwrap()
}

#[test]
fn requests_over_one_http2_connection_share_transactions() {
    let capture = Capture::start(json!({}), Acknowledge::After(Duration::from_millis(20)));
    let url = format!("http://{}/orders", capture.address);
    runtime().block_on(async {
        let client = client();
        let posts: Vec<_> = (0..200)
            .map(|n| {
                let request = client.post(&url).body(json!({ "n": n }).to_string());
                tokio::spawn(async move {
                    let answer = request.send().await.unwrap();
                    assert_eq!(answer.version(), reqwest::Version::HTTP_2);
                    assert_eq!(answer.status(), 200);
                    let body: Value =
                        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
                    assert_eq!(body, json!({ "published": 1 }));
                })
            })
            .collect();
        for post in posts {
            post.await.unwrap();
        }
        let refused = client.post(&url).body("nope").send().await.unwrap();
        assert_eq!(refused.status(), 400);
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(3 << 20));
        let taken = client.post(&url).body(large).send().await.unwrap();
        assert_eq!(taken.status(), 200);
    });
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{:#?}", ended.logs);
    assert_eq!(ended.runtime.documents().count(), 201);
    assert!(
        ended.runtime.checkpoints.len() < 100,
        "{}",
        ended.runtime.checkpoints.len()
    );
}

#[test]
fn an_http2_connection_is_told_of_a_stop() {
    let capture = Capture::start(json!({}), Acknowledge::Asked);
    let url = format!("http://{}/orders", capture.address);
    runtime().block_on(async {
        let client = client();
        let waiting = tokio::spawn(client.post(&url).body("{}").send());
        capture.has_checkpoints(1);
        capture.signal("-TERM");
        capture.is_stopping();
        let refused = client.post(&url).body("{}").send().await.unwrap();
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after"));
        assert!(!refused.headers().contains_key("connection"));
        capture.acknowledge(1);
        assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    });
    assert_eq!(capture.wait().code, Some(0));
}
