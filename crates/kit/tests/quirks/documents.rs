//! What is captured of a document.

use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use staunch::state::Node;
use staunch::{Changes, Cursor, Pages, Resource, Rows};

use crate::support::{self, Capture, Scripted, binding, collection, docs, open};
use crate::{checkpoints, incremental};

fn rows_binding(name: &str) -> Value {
    let mut binding = binding(name);
    binding["collection"] = collection(&format!("a/{name}"), &["/_meta/row_id"]);
    binding
}

/// A snapshot that is taken once within any test.
fn snapshot<F, Fut>(fetch: F) -> Resource
where
    F: Fn(Rows) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = staunch::FetchResult> + Send + 'static,
{
    Resource::new("s")
        .key(["/_meta/row_id"])
        .interval(Duration::from_secs(3600))
        .snapshot(fetch)
}

#[derive(Serialize)]
struct Label {
    id: u8,
}

#[test]
fn quirk_01_a_snapshot_row_has_its_operation_and_number_in_meta_whatever_it_was_made_of() {
    let connector = Scripted::new(|| {
        vec![snapshot(async |mut emit: Rows| {
            emit.document(&json!({"id": 0}))?;
            emit.document(&Label { id: 1 })?;
            emit.document(&std::collections::BTreeMap::from([("id", 2)]))?;
            emit.raw(r#"{"id": 3}"#)?;
            Ok(())
        })]
    });
    let mut capture = Capture::open(connector, open(&[rows_binding("s")], json!({})));
    let lines = capture.until(checkpoints(2));
    let row = |n: u8| json!({"_meta": {"op": "c", "row_id": n}, "id": n});
    assert_eq!(docs(&lines), [row(0), row(1), row(2), row(3)]);
    capture.stop().unwrap();
}

#[test]
fn quirk_02_other_members_of_a_rows_meta_are_kept_whatever_it_was_made_of() {
    let connector = Scripted::new(|| {
        vec![snapshot(async |mut emit: Rows| {
            emit.document(&json!({"_meta": {"file": "a", "op": "x", "row_id": 9}, "id": 0}))?;
            emit.raw(r#"{"id":1,"_meta":{"file":{"of":["b"]}}}"#)?;
            Ok(())
        })]
    });
    let mut capture = Capture::open(connector, open(&[rows_binding("s")], json!({})));
    let lines = capture.until(checkpoints(2));
    let expected = [
        json!({"_meta": {"op": "c", "row_id": 0, "file": "a"}, "id": 0}),
        json!({"_meta": {"op": "c", "row_id": 1, "file": {"of": ["b"]}}, "id": 1}),
    ];
    assert_eq!(docs(&lines), expected);
    capture.stop().unwrap();
}

#[derive(Clone, Serialize)]
struct Reading {
    id: u8,
    value: f64,
}

#[derive(Serialize)]
struct Deep {
    readings: Vec<Option<Reading>>,
}

const BAD: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

/// What becomes of a capture of such a resource, and what it wrote of documents.
fn failure(resource: impl Fn() -> Resource + Send + Sync + 'static) -> (String, Vec<Value>) {
    let connector = Scripted::new(move || vec![resource()]);
    let capture = Capture::open(connector, open(&[rows_binding("readings")], json!({})));
    let (lines, result) = capture.join();
    (result.unwrap_err(), support::docs(&lines))
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
fn quirk_03_integers_of_any_size_are_captured_digit_by_digit() {
    let big = "123456789012345678901234567890";
    let connector = Scripted::new(move || {
        vec![incremental(move |cursor, mut emit: Changes| async move {
            if cursor.as_u64() == Some(0) {
                emit.document(&std::collections::BTreeMap::from([("n", u128::MAX)]))?;
                emit.raw(format!("{{\"n\":{big}}}"))?;
                emit.checkpoint(Cursor::integer(1)).await?;
            }
            Ok(())
        })]
    });
    let text = captured_text(connector, &open(&[binding("u")], json!({})));
    for digits in [u128::MAX.to_string(), big.to_owned()] {
        assert!(
            text.contains(&format!("\"doc\":{{\"n\":{digits}}}")),
            "{text}"
        );
    }
}

/// The documents of a capture as text, up to the checkpoint that follows them: a value would lose digits.
fn captured_text(connector: Scripted, request: &Value) -> String {
    let (mut written, out) = std::io::pipe()
        .map(|(read, write)| (BufReader::new(read), write))
        .unwrap();
    let (input, mut requests) = std::io::pipe().unwrap();
    let served = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(staunch::serve(&connector, input, Box::new(out)))
    });
    writeln!(requests, "{request}").unwrap();
    let mut text = String::new();
    while !text.contains("\"captured\"") || !text.lines().last().unwrap().contains("\"checkpoint\"")
    {
        assert_ne!(written.read_line(&mut text).unwrap(), 0, "{text}");
    }
    drop(requests);
    served.join().unwrap().unwrap();
    text
}
