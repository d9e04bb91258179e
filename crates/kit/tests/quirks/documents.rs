//! Documents and discovery.

use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::support::{Capture, Scripted, binding, open};
use serde::Serialize;
use serde_json::{Value, json};
use staunch::state::Node;
use staunch::{Changes, Cursor, Pages, Reduction, Resource, Rows};

#[derive(Clone, Serialize)]
struct Reading {
    id: u8,
    value: f64,
}

#[derive(Serialize)]
struct Deep {
    readings: Vec<Option<Reading>>,
}

/// What was written, to the digit: a test's own reader would round it.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const BAD: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

/// What becomes of a capture of such a resource, and what it wrote of documents.
fn failure(resource: impl Fn() -> Resource + Send + Sync + 'static) -> (String, Vec<Value>) {
    let connector = Scripted::new(move || vec![resource()]);
    let capture = Capture::open(connector, open(&[binding_of_rows()], json!({})));
    let (lines, result) = capture.join();
    (result.unwrap_err(), crate::support::docs(&lines))
}

fn binding_of_rows() -> Value {
    let mut binding = binding("readings");
    binding["collection"] = crate::support::collection("a/readings", &["/_meta/row_id"]);
    binding
}

#[test]
fn quirk_03_a_number_that_json_cannot_have_fails_and_nothing_is_captured_as_null() {
    for value in BAD {
        let bad = Reading { id: 2, value };
        let good = Reading { id: 1, value: 0.1 };
        let (one, two) = (good.clone(), bad.clone());
        let changes = move || {
            let (good, bad) = (one.clone(), two.clone());
            Resource::new("readings")
                .key(["/id"])
                .initial_state(Node::parse(r#"{"inc":{"cursor":0}}"#).unwrap())
                .incremental(move |_, mut emit: Changes| {
                    let (good, bad) = (good.clone(), bad.clone());
                    async move {
                        emit.document(&good)?;
                        let _ = emit.document(&bad); // An author who ignores the error does not lose the value either.
                        emit.checkpoint(Cursor::integer(1)).await?;
                        Ok(())
                    }
                })
        };
        let (one, two) = (good.clone(), bad.clone());
        let pages = move || {
            let (good, bad) = (one.clone(), two.clone());
            Resource::new("readings")
                .key(["/id"])
                .initial_state(Node::parse(r#"{"backfill":{"cutoff":1}}"#).unwrap())
                .backfill(move |_, _, mut emit: Pages| {
                    let (good, bad) = (good.clone(), bad.clone());
                    async move {
                        emit.document(&good)?;
                        emit.document(&json!({ "id": 3 }))?;
                        emit.document(&Deep {
                            readings: vec![Some(bad)],
                        })?;
                        Ok(())
                    }
                })
        };
        let rows = move || {
            let (good, bad) = (good.clone(), bad.clone());
            Resource::new("readings")
                .key(["/_meta/row_id"])
                .snapshot(move |mut emit: Rows| {
                    let (good, bad) = (good.clone(), bad.clone());
                    async move {
                        emit.document(&good)?;
                        emit.document(&bad)?;
                        Ok(())
                    }
                })
        };
        for (error, documents) in [failure(changes), failure(pages), failure(rows)] {
            assert!(error.contains("cannot be written as JSON"), "{error}");
            assert!(
                documents.is_empty(),
                "half a transaction was written: {documents:?}"
            );
        }
    }
}

#[test]
fn quirk_03_integers_beyond_64_bits_are_captured_digit_by_digit() {
    #[derive(Serialize)]
    struct Big {
        least: i128,
        most: u128,
    }
    let connector = Scripted::new(|| {
        vec![
            Resource::new("readings")
                .key(["/least"])
                .initial_state(Node::parse(r#"{"backfill":{"cutoff":1}}"#).unwrap())
                .backfill(|_, _, mut emit: Pages| async move {
                    emit.document(&Big {
                        least: i128::MIN,
                        most: u128::MAX,
                    })?;
                    Ok(())
                }),
        ]
    });
    let (requests, mut input) = std::io::pipe().unwrap();
    writeln!(input, "{}", open(&[binding("readings")], json!({}))).unwrap();
    let out = Written::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let served = staunch::serve(&connector, requests, Box::new(out.clone()));
    runtime.block_on(served).unwrap();
    drop(input); // Until here: the capture ends by itself.
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    let document = format!(r#""doc":{{"least":{},"most":{}}}"#, i128::MIN, u128::MAX);
    assert!(text.contains(&document), "{text}");
}

#[test]
fn quirk_25_a_schema_that_resources_share_is_not_changed_by_any_of_them() {
    let shared = json!({ "type": "object", "properties": { "id": { "type": "integer" } } });
    let of = shared.clone();
    let connector = Scripted::new(move || {
        let with = |name: &str| Resource::new(name).key(["/id"]).schema(of.clone());
        vec![
            with("inferred").schema_inference(true),
            with("merged").reduction(Reduction::Merge),
            with("plain"),
        ]
    });
    let discover = json!({"discover": {"connectorType": "LOCAL", "config": {}}});
    let requests = [discover.clone(), discover];
    let answers = Capture::run(connector, &requests).unwrap();
    assert_eq!(answers[0], answers[1], "nor the second time");
    let bindings = answers[0]["discovered"]["bindings"].as_array().unwrap();
    let schema = |at: usize| &bindings[at]["documentSchema"];
    assert_eq!(schema(0)["x-infer-schema"], json!(true));
    assert_eq!(schema(0).get("reduce"), None);
    assert_eq!(schema(1)["reduce"], json!({ "strategy": "merge" }));
    assert_eq!(schema(1).get("x-infer-schema"), None);
    assert_eq!(*schema(2), shared);
}

#[test]
fn quirk_26_two_resources_of_one_name_are_refused_whatever_is_asked() {
    let requests = [
        json!({"discover": {"connectorType": "LOCAL", "config": {}}}),
        json!({"validate": {"name": "a/b", "connectorType": "LOCAL", "config": {}, "bindings": []}}),
        open(&[], json!({})),
    ];
    for request in requests {
        let twice = || {
            vec![
                Resource::new("users").key(["/id"]),
                Resource::new("users").key(["/uid"]),
            ]
        };
        let error = Capture::run(Scripted::new(twice), std::slice::from_ref(&request)).unwrap_err();
        assert!(
            error.contains("two resources named `users`"),
            "{request}: {error}"
        );
    }
}
