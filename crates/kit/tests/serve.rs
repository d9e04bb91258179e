//! A connector, served over pipes in this process: what goes in, what comes out, and in which order.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use staunch::state::{Chain, Node, transform};
use staunch::{Changes, Cursor, Page, Pages, Resource, Roster, Rows, Subtask};
use support::{Capture, Scripted, binding, docs, open, state_of, streams};

/// Of a snapshot: its collection is keyed by the row.
fn rows_binding(name: &str) -> serde_json::Value {
    let mut binding = binding(name);
    binding["collection"] = support::collection(&format!("a/{name}"), &["/_meta/row_id"]);
    binding
}

fn inc(cursor: u64) -> Node {
    Node::parse(&format!(r#"{{"inc":{{"cursor":{cursor}}}}}"#)).unwrap()
}

/// Captures the numbers from the cursor up to `end`, two to a checkpoint.
fn counting(name: &'static str, end: u64) -> Resource {
    let count = move |cursor: Cursor, mut emit: Changes| async move {
        let mut at = cursor.as_u64().unwrap();
        while at < end {
            for id in at..end.min(at + 2) {
                emit.document(&json!({ "id": id }))?;
            }
            at = end.min(at + 2);
            emit.checkpoint(Cursor::integer(at)).await?;
        }
        Ok(())
    };
    Resource::new(name)
        .key(["/id"])
        .interval(Duration::from_millis(20))
        .initial_state(inc(0))
        .incremental(count)
}

#[test]
fn spec_comes_first_and_other_requests_follow_on_the_same_stream() {
    let connector = Scripted::new(|| vec![counting("numbers", 3)]);
    let requests = [
        json!({"spec": {"config": {}}}),
        json!({"discover": {"connectorType": "LOCAL", "config": {}}}),
        json!({"validate": {"name": "a/b", "connectorType": "LOCAL", "config": {}, "bindings": [
            {"resourceConfig": {"name": "numbers", "_meta": {"path": ["numbers"]}}, "collection": support::collection("a/n", &["/id"])}]}}),
        json!({"apply": {"capture": {"name": "a/b", "connectorType": "LOCAL", "config": {}, "intervalSeconds": 1}, "version": "1"}}),
    ];
    let output = Capture::run(connector, &requests).expect("all is served");
    assert_eq!(output[0].pointer("/spec/protocol"), Some(&json!(3_032_023)));
    assert_eq!(
        output[0].pointer("/spec/resourcePathPointers"),
        Some(&json!(["/name"]))
    );
    let found = &output[1]["discovered"]["bindings"][0];
    assert_eq!(
        found["resourceConfig"],
        json!({"name": "numbers", "interval": "PT0.02S"})
    );
    assert_eq!(found["key"], json!(["/id"]));
    assert_eq!(found["documentSchema"]["x-infer-schema"], json!(true));
    assert_eq!(
        output[2],
        json!({"validated": {"bindings": [{"resourcePath": ["numbers"]}]}})
    );
    assert_eq!(output[3], json!({"applied": {}}));
}

#[test]
fn all_that_is_wrong_with_a_capture_is_said_at_once() {
    let rows = |_: Rows| async { Ok(()) };
    let connector =
        Scripted::new(move || vec![Resource::new("rows").key(["/_meta/row_id"]).snapshot(rows)]);
    let of = |name: &str| json!({"resourceConfig": {"name": name}, "collection": support::collection("a/x", &["/id"])});
    let request = json!({"validate": {"name": "a/b", "connectorType": "LOCAL", "config": {}, "bindings": [of("nope"), of("rows"), of("nada")]}});
    let error = Capture::run(connector, &[request]).unwrap_err();
    for expected in [
        "`nope` was not found",
        "`nada` was not found",
        "must be keyed on /_meta/row_id",
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_new_binding_is_initialised_and_then_captured_by_checkpoints() {
    let mut capture = Capture::open(
        Scripted::new(|| vec![counting("numbers", 3)]),
        open(&[binding("numbers")], json!({})),
    );
    let output = capture.until(|lines| lines.len() == 4 + 3);
    capture.stop().unwrap();
    assert_eq!(output[0], json!({"opened": {}}));
    let initial = &output[1]["checkpoint"]["state"]["updated"]["bindingStateV1"]["numbers"];
    assert_eq!(initial["inc"], json!({"cursor": 0}));
    assert!(initial["last_initialized"].is_string());
    let kinds: Vec<_> = output[2..].iter().map(support::kind).collect();
    assert_eq!(
        kinds,
        [
            "captured",
            "captured",
            "checkpoint",
            "captured",
            "checkpoint"
        ]
    );
    assert_eq!(
        state_of(&output)["bindingStateV1"]["numbers"]["inc"],
        json!({"cursor": 3})
    );
}

#[test]
fn a_state_without_a_date_of_initialisation_is_stamped_whole() {
    let state = json!({"bindingStateV1": {"numbers": {"inc": {"cursor": 3}}}});
    let mut capture = Capture::open(
        Scripted::new(|| vec![counting("numbers", 3)]),
        open(&[binding("numbers")], state),
    );
    let output = capture.until(|lines| lines.len() == 2);
    capture.stop().unwrap();
    let stamped = &output[1]["checkpoint"]["state"];
    assert_eq!(stamped["mergePatch"], json!(true));
    assert_eq!(
        stamped["updated"]["bindingStateV1"]["numbers"]["inc"],
        json!({"cursor": 3})
    );
    assert!(stamped["updated"]["bindingStateV1"]["numbers"]["last_initialized"].is_string());
}

fn keyed(name: &'static str) -> Resource {
    let fetch = move |subtask: Arc<str>, cursor: Cursor, mut emit: Changes| async move {
        let next = cursor.as_u64().unwrap() + 1;
        if next <= 8 {
            emit.document(&json!({ "id": format!("{subtask}-{next}") }))?;
            emit.checkpoint(Cursor::integer(next)).await?;
        }
        Ok(())
    };
    Resource::new(name)
        .key(["/id"])
        .interval(Duration::from_millis(20))
        .incremental_each(fetch)
}

#[test]
fn a_migration_is_one_checkpoint_after_opened_and_nothing_starts_before_it_is_durable() {
    let connector = Scripted::new(|| vec![keyed("numbers")])
        .migrating(|| Chain::new().with(transform::flat_to_keyed("main")));
    let state = json!({"bindingStateV1": {"numbers": {"inc": {"cursor": 7}, "last_initialized": "2026-01-01T00:00:00Z"}}});
    let mut capture = Capture::open(connector, open(&[binding("numbers")], state));
    let before = capture.until_quiet(Duration::from_millis(300));
    let update =
        json!({"bindingStateV1": {"numbers": {"inc": {"cursor": null, "main": {"cursor": 7}}}}});
    let expected = [
        json!({"opened": {"explicitAcknowledgements": true}}),
        json!({"checkpoint": {"state": {"updated": update, "mergePatch": true}}}),
    ];
    assert_eq!(before, expected);
    capture.send(&json!({"acknowledge": {"checkpoints": 1}}));
    let after = capture.until(|lines| lines.len() == 4);
    capture.stop().unwrap();
    assert_eq!(after[2]["captured"]["doc"], json!({"id": "main-8"}));
    assert_eq!(
        after[3]["checkpoint"]["state"]["updated"],
        json!({"bindingStateV1": {"numbers": {"inc": {"main": {"cursor": 8}}}}})
    );
}

#[test]
fn a_migrated_state_is_not_migrated_again() {
    let connector = Scripted::new(|| vec![keyed("numbers")])
        .migrating(|| Chain::new().with(transform::flat_to_keyed("main")));
    let state = json!({"bindingStateV1": {"numbers": {"inc": {"main": {"cursor": 8}}, "last_initialized": "2026-01-01T00:00:00Z"}}});
    let mut capture = Capture::open(connector, open(&[binding("numbers")], state));
    let output = capture.until_quiet(Duration::from_millis(200));
    capture.stop().unwrap();
    assert_eq!(output, [json!({"opened": {}})]);
}

#[test]
fn a_runtime_that_goes_before_it_acknowledges_ends_the_capture_with_nothing_else_done() {
    let connector = Scripted::new(|| vec![keyed("numbers")])
        .migrating(|| Chain::new().with(transform::flat_to_keyed("main")));
    let state = json!({"bindingStateV1": {"numbers": {"inc": {"cursor": 7}, "last_initialized": "2026-01-01T00:00:00Z"}}});
    let mut capture = Capture::open(connector, open(&[binding("numbers")], state));
    capture.until(|lines| lines.len() == 2);
    let output = capture.stop().unwrap();
    assert_eq!(output.len(), 2);
}

#[test]
fn a_function_that_breaks_the_rules_fails_the_capture_and_captures_nothing_more() {
    type Fetch =
        fn(Cursor, Changes) -> std::pin::Pin<Box<dyn Future<Output = staunch::FetchResult> + Send>>;
    let cases: [(&str, Fetch, &str); 6] = [
        (
            "backwards",
            |_, mut emit| Box::pin(async move { Ok(emit.checkpoint(Cursor::integer(4)).await?) }),
            "not greater than",
        ),
        (
            "another kind",
            |_, mut emit| {
                Box::pin(async move { Ok(emit.checkpoint(Cursor::tuple(["x"])?).await?) })
            },
            "different type",
        ),
        (
            "no cursor",
            |_, mut emit| Box::pin(async move { Ok(emit.document(&json!({"id": 1}))?) }),
            "without a cursor",
        ),
        (
            "no object",
            |_, mut emit| Box::pin(async move { Ok(emit.document(&json!([1]))?) }),
            "not a JSON object",
        ),
        (
            "ignored",
            |_, mut emit| {
                Box::pin(async move {
                    let _ = emit.raw("[]");
                    let _ = emit.checkpoint(Cursor::integer(9)).await;
                    Ok(())
                })
            },
            "not a JSON object",
        ),
        (
            "its own",
            |_, _| Box::pin(async { Err("the list is empty".into()) }),
            "the list is empty",
        ),
    ];
    for (what, fetch, expected) in cases {
        let state = json!({"bindingStateV1": {"numbers": {"inc": {"cursor": 5}, "last_initialized": "2026-01-01T00:00:00Z"}}});
        let connector =
            Scripted::new(move || vec![Resource::new("numbers").key(["/id"]).incremental(fetch)]);
        let (output, error) = Capture::open(connector, open(&[binding("numbers")], state)).join();
        assert_eq!(output, [json!({"opened": {}})], "{what}");
        let error = error.unwrap_err();
        assert!(error.contains(expected), "{what}: {error}");
    }
}

#[test]
fn a_backfill_goes_through_its_pages_beside_the_incremental_function() {
    let pages = |page: Option<Page>, cutoff: Cursor, mut emit: Pages| async move {
        let at = match &page {
            None => 0,
            Some(Page::Integer(at)) => *at,
            Some(_) => return Err("pages are numbers".into()),
        };
        emit.document(&json!({ "id": format!("b{at}"), "cutoff": cutoff.as_u64() }))?;
        if at < 2 {
            emit.checkpoint(Page::Integer(at + 1)).await?;
        }
        Ok(())
    };
    let initial = Node::parse(r#"{"inc":{"cursor":0},"backfill":{"cutoff":0}}"#).unwrap();
    let connector = Scripted::new(move || {
        vec![
            counting("numbers", 2)
                .initial_state(initial.clone())
                .backfill(pages),
        ]
    });
    let mut capture = Capture::open(connector, open(&[binding("numbers")], json!({})));
    let output = capture.until(|lines| {
        docs(lines).len() == 5 && support::kind(&lines[lines.len() - 1]) == "checkpoint"
    });
    capture.stop().unwrap();
    let backfill: Vec<_> = streams(&output)
        .into_iter()
        .filter(|(_, update)| update.to_string().contains("backfill"))
        .collect();
    assert_eq!(backfill[0].0.len(), 0, "the initial state has no documents");
    let pages: Vec<_> = backfill[1..]
        .iter()
        .map(|(docs, update)| {
            (
                docs[0]["id"].clone(),
                update
                    .pointer("/bindingStateV1/numbers/backfill")
                    .cloned()
                    .unwrap(),
            )
        })
        .collect();
    assert_eq!(
        pages,
        [
            (json!("b0"), json!({"cutoff": 0, "next_page": 1})),
            (json!("b1"), json!({"cutoff": 0, "next_page": 2})),
            (json!("b2"), Value::Null),
        ]
    );
}

#[test]
fn a_task_that_lost_its_place_restarts_with_a_backfill() {
    let lose = |cursor: Cursor, mut emit: Changes| async move {
        if cursor.as_u64() == Some(1) && !emit.is_backfilling() {
            emit.restart(Cursor::integer(9), Some(Page::String("p".into())))
                .await?;
        }
        Ok(())
    };
    let page = |page: Option<Page>, cutoff: Cursor, mut emit: Pages| async move {
        assert_eq!(
            (page, cutoff),
            (Some(Page::String("p".into())), Cursor::integer(9))
        );
        Ok(emit.document(&json!({"id": 1}))?)
    };
    let connector = Scripted::new(move || vec![counting("n", 0).incremental(lose).backfill(page)]);
    let state = json!({"bindingStateV1": {"n": {"inc": {"cursor": 1}, "last_initialized": "2026-01-01T00:00:00Z"}}});
    let mut capture = Capture::open(connector, open(&[binding("n")], state));
    let output = capture.until(|lines| lines.len() == 4);
    capture.stop().unwrap();
    assert_eq!(
        output[1]["checkpoint"]["state"]["updated"],
        json!({"bindingStateV1": {"n": {
        "inc": {"cursor": 9}, "backfill": {"cutoff": 9, "next_page": "p"}}}})
    );
    assert_eq!(
        output[3]["checkpoint"]["state"]["updated"],
        json!({"bindingStateV1": {"n": {"backfill": null}}})
    );
}

#[test]
fn a_snapshot_is_repeated_only_if_it_differs_and_deletes_what_is_no_more() {
    let calls = Arc::new(AtomicU64::new(0));
    let rows = move |mut emit: Rows| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        async move {
            let rows: &[&str] = match call {
                0..=2 => &["a", "b"],
                _ => &["a"],
            };
            for id in rows {
                emit.document(&json!({ "id": id }))?;
            }
            Ok(())
        }
    };
    let connector = Scripted::new(move || {
        vec![
            Resource::new("s")
                .key(["/_meta/row_id"])
                .interval(Duration::from_millis(10))
                .snapshot(rows.clone()),
        ]
    });
    let mut capture = Capture::open(connector, open(&[rows_binding("s")], json!({})));
    let output = capture.until(|lines| streams(lines).len() == 5);
    capture.stop().unwrap();
    let found: Vec<_> = streams(&output)[1..]
        .iter()
        .map(|(docs, update)| {
            let rows: Vec<_> = docs
                .iter()
                .map(|doc| {
                    (
                        doc["_meta"]["op"].clone(),
                        doc["_meta"]["row_id"].clone(),
                        doc.get("id").cloned(),
                    )
                })
                .collect();
            (
                rows,
                update
                    .pointer("/bindingStateV1/s/snapshot/last_count")
                    .cloned(),
            )
        })
        .collect();
    let row =
        |op: &str, row: u64, id: Option<&str>| (json!(op), json!(row), id.map(|id| json!(id)));
    assert_eq!(
        found,
        [
            (
                vec![row("c", 0, Some("a")), row("c", 1, Some("b"))],
                Some(json!(2))
            ),
            (
                vec![row("u", 0, Some("a")), row("u", 1, Some("b"))],
                Some(json!(2))
            ),
            (vec![], Some(json!(2))),
            (
                vec![row("u", 0, Some("a")), row("d", 1, None)],
                Some(json!(1))
            ),
        ]
    );
}

#[test]
fn the_digest_of_a_snapshot_is_that_of_the_reference_implementation() {
    // Recorded from estuary-cdk: one row of the third binding's first snapshot.
    let rows = |mut emit: Rows| async move { Ok(emit.document(&json!({"id": "s"}))?) };
    let idle = |name: &'static str| counting(name, 0);
    let connector = Scripted::new(move || {
        vec![
            idle("a"),
            idle("b"),
            Resource::new("s").key(["/_meta/row_id"]).snapshot(rows),
        ]
    });
    let bindings = [binding("a"), binding("b"), rows_binding("s")];
    let mut capture = Capture::open(connector, open(&bindings, json!({})));
    let has_digest = |lines: &[Value]| {
        state_of(lines)
            .pointer("/bindingStateV1/s/snapshot/last_digest")
            .is_some()
    };
    let output = capture.until(has_digest);
    capture.stop().unwrap();
    assert_eq!(
        state_of(&output)["bindingStateV1"]["s"]["snapshot"]["last_digest"],
        json!("8b4732e9c85377fe039c1eff4bd1807d")
    );
}

#[test]
fn sequences_of_tasks_that_capture_at_once_leave_unbroken() {
    let big = |name: &'static str| {
        let fetch = move |cursor: Cursor, mut emit: Changes| async move {
            let at = cursor.as_u64().unwrap();
            if at < 3 {
                for n in 0..3_000 {
                    emit.raw(format!(
                        "{{\"of\":\"{name}\",\"n\":{n},\"pad\":\"{:1000}\"}}",
                        ""
                    ))?;
                    if n % 500 == 0 {
                        tokio::task::yield_now().await;
                    }
                }
                emit.checkpoint(Cursor::integer(at + 1)).await?;
            }
            Ok(())
        };
        Resource::new(name)
            .key(["/n"])
            .interval(Duration::from_secs(60))
            .initial_state(inc(0))
            .incremental(fetch)
    };
    let connector = Scripted::new(move || vec![big("a"), big("b"), big("c"), big("d")]);
    let bindings = ["a", "b", "c", "d"].map(binding);
    let mut capture = Capture::open(connector, open(&bindings, json!({})));
    let is_whole = |lines: &[Value]| {
        lines
            .last()
            .is_some_and(|line| support::kind(line) == "checkpoint")
            && streams(lines).len() == 4 + 12
    };
    let output = capture.until(is_whole);
    capture.stop().unwrap();
    for (docs, update) in streams(&output)
        .into_iter()
        .filter(|(docs, _)| !docs.is_empty())
    {
        assert_eq!(docs.len(), 3_000);
        let of = docs[0]["of"].as_str().unwrap();
        assert!(
            docs.iter()
                .enumerate()
                .all(|(n, doc)| doc["n"] == json!(n) && doc["of"] == docs[0]["of"])
        );
        assert!(update["bindingStateV1"].get(of).is_some());
    }
}

#[test]
fn a_stop_lets_running_functions_finish_and_starts_no_others() {
    let slow = |cursor: Cursor, mut emit: Changes| async move {
        let at = cursor.as_u64().unwrap();
        emit.document(&json!({"id": at}))?;
        emit.checkpoint(Cursor::integer(at + 1)).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
        emit.document(&json!({"id": at + 1}))?;
        Ok(emit.checkpoint(Cursor::integer(at + 2)).await?)
    };
    let connector = Scripted::new(move || {
        vec![
            Resource::new("n")
                .key(["/id"])
                .initial_state(inc(0))
                .incremental(slow),
        ]
    });
    let mut capture = Capture::open(connector, open(&[binding("n")], json!({})));
    capture.until(|lines| docs(lines).len() == 1);
    let output = capture.stop().unwrap();
    assert_eq!(docs(&output).len(), 2);
    assert_eq!(
        state_of(&output)["bindingStateV1"]["n"]["inc"],
        json!({"cursor": 2})
    );
}

#[test]
fn the_first_error_is_the_captures_and_the_others_finish() {
    let running = Arc::new(tokio::sync::Notify::new());
    let runs = Arc::clone(&running);
    let fails = move |_: Cursor, _: Changes| {
        let running = Arc::clone(&running);
        async move {
            running.notified().await;
            Err("a broke".into())
        }
    };
    let slow = move |cursor: Cursor, mut emit: Changes| {
        runs.notify_one();
        async move {
            let at = cursor.as_u64().unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(emit.checkpoint(Cursor::integer(at + 1)).await?)
        }
    };
    let connector = Scripted::new(move || {
        vec![
            counting("a", 0).incremental(fails.clone()),
            counting("b", 0).incremental(slow.clone()),
        ]
    });
    let stamped = json!({"inc": {"cursor": 1}, "last_initialized": "2026-01-01T00:00:00Z"});
    let state = json!({"bindingStateV1": {"a": stamped, "b": stamped}});
    let (output, error) =
        Capture::open(connector, open(&[binding("a"), binding("b")], state)).join();
    assert_eq!(error.unwrap_err(), "a broke");
    assert_eq!(
        state_of(&output)["bindingStateV1"]["b"]["inc"],
        json!({"cursor": 2})
    );
}

#[test]
fn an_acknowledged_resource_waits_for_each_checkpoint_to_be_durable() {
    let connector = Scripted::new(|| vec![counting("n", 6).acknowledged()]);
    let mut capture = Capture::open(connector, open(&[binding("n")], json!({})));
    let waiting = capture.until_quiet(Duration::from_millis(200));
    assert_eq!(
        docs(&waiting).len(),
        2,
        "the initial state is not waited for, the first checkpoint is"
    );
    capture.send(&json!({"acknowledge": {"checkpoints": 2}}));
    assert_eq!(
        docs(&capture.until_quiet(Duration::from_millis(200))).len(),
        4
    );
    capture.send(&json!({"acknowledge": {"checkpoints": 5}}));
    let (_, error) = capture.join();
    let error = error.unwrap_err();
    assert!(
        error.contains("acknowledged 5 checkpoints with 1 pending"),
        "{error}"
    );
}

#[test]
fn snapshot_subtasks_that_would_delete_each_others_rows_do_not_begin() {
    let rows = |_: Rows| async { Ok(()) };
    let of =
        |member: &str, value: &str| serde_json::Map::from_iter([(member.to_owned(), json!(value))]);
    let two = move || {
        Resource::new("s")
            .key(["/_meta/row_id"])
            .snapshot_subtask("north", rows)
            .snapshot_subtask("south", rows)
    };
    let distinct = move || {
        two()
            .tombstone_subtask("north", of("store", "n"))
            .tombstone_subtask("south", of("store", "s"))
    };
    for (what, resource, key, problem) in [
        (
            "keyed on the row alone",
            distinct(),
            &["/_meta/row_id"][..],
            "keyed on the row alone",
        ),
        (
            "the same tombstone",
            two().tombstone(of("store", "n")),
            &["/store", "/_meta/row_id"],
            "those of `north` and `south` have the same keys",
        ),
        (
            "tombstones that differ in what is no key",
            two()
                .tombstone_subtask(
                    "north",
                    serde_json::Map::from_iter([
                        ("store".into(), json!(1)),
                        ("note".into(), json!(1)),
                    ]),
                )
                .tombstone_subtask(
                    "south",
                    serde_json::Map::from_iter([
                        ("store".into(), json!(1)),
                        ("note".into(), json!(2)),
                    ]),
                ),
            &["/store", "/_meta/row_id"],
            "have the same keys",
        ),
        (
            "no tombstone",
            distinct(),
            &["/shop", "/_meta/row_id"],
            "cannot be told apart",
        ),
    ] {
        let resource = std::sync::Mutex::new(Some(resource));
        let connector = Scripted::new(move || vec![resource.lock().unwrap().take().unwrap()]);
        let mut binding = binding("s");
        binding["collection"] = support::collection("a/s", key);
        let (lines, result) = Capture::open(connector, open(&[binding], json!({}))).join();
        assert_eq!(docs(&lines), Vec::<Value>::new(), "{what}");
        let error = result.unwrap_err();
        assert!(error.contains(problem), "{what}: {error}");
    }
}

#[test]
fn named_subtasks_are_captured_each_with_its_own_place_in_the_state() {
    let changes = |name: &'static str| {
        move |cursor: Cursor, mut emit: Changes| async move {
            let next = cursor.as_u64().unwrap() + 1;
            if next <= 2 {
                emit.document(&json!({ "id": format!("{name}{next}") }))?;
                emit.checkpoint(Cursor::integer(next)).await?;
            }
            Ok(())
        }
    };
    let page = |_: Option<Page>, _: Cursor, mut emit: Pages| async move {
        Ok(emit.document(&json!({"id": "page"}))?)
    };
    let rows = |name: &'static str| {
        move |mut emit: Rows| async move { Ok(emit.document(&json!({ "name": name }))?) }
    };
    let store = |name: &str| serde_json::Map::from_iter([("store".to_owned(), json!(name))]);
    let connector = Scripted::new(move || {
        let initial =
            r#"{"inc":{"fast":{"cursor":0},"slow":{"cursor":1}},"backfill":{"fast":{"cutoff":0}}}"#;
        vec![
            Resource::new("n")
                .key(["/id"])
                .interval(Duration::from_secs(60))
                .initial_state(Node::parse(initial).unwrap())
                .incremental_subtask("fast", changes("f"))
                .incremental_subtask("slow", changes("s"))
                .backfill_subtask("fast", page)
                .backfill_subtask("slow", page),
            Resource::new("s")
                .key(["/store", "/_meta/row_id"])
                .interval(Duration::from_secs(60))
                .tombstone_subtask("north", store("north"))
                .tombstone_subtask("south", store("south"))
                .snapshot_subtask("north", rows("n"))
                .snapshot_subtask("south", rows("s")),
        ]
    });
    let mut rows = binding("s");
    rows["collection"] = support::collection("a/s", &["/store", "/_meta/row_id"]);
    let mut capture = Capture::open(connector, open(&[binding("n"), rows], json!({})));
    let is_whole = |lines: &[Value]| {
        docs(lines).len() == 6
            && lines
                .last()
                .is_some_and(|line| support::kind(line) == "checkpoint")
    };
    let output = capture.until(is_whole);
    capture.stop().unwrap();
    let state = state_of(&output);
    let of = &state["bindingStateV1"];
    assert_eq!(
        of["n"]["inc"],
        json!({"fast": {"cursor": 2}, "slow": {"cursor": 2}})
    );
    assert_eq!(
        of["n"]["backfill"],
        json!({}),
        "the one of `fast` is complete, `slow` has none to run"
    );
    for store in ["north", "south"] {
        assert_eq!(of["s"]["snapshot"][store]["last_count"], json!(1));
    }
}

#[test]
fn subtasks_that_come_to_be_begin_with_a_state_of_their_own() {
    let roster = |mut emit: Roster| async move {
        for name in ["x", "y"] {
            if !emit.is_known(name) {
                let backfill = (name == "y").then_some(Some(Page::Integer(7)));
                emit.begin(
                    name,
                    Subtask {
                        cursor: Cursor::integer(7),
                        backfill,
                    },
                )
                .await?;
            }
        }
        Ok(())
    };
    let page = |subtask: Arc<str>, page: Option<Page>, _: Cursor, mut emit: Pages| async move {
        assert_eq!((&*subtask, page), ("y", Some(Page::Integer(7))));
        Ok(emit.document(&json!({"id": "page"}))?)
    };
    let connector = Scripted::new(move || vec![keyed("n").roster(roster).backfill_each(page)]);
    let state = json!({"bindingStateV1": {"n": {"inc": {"x": {"cursor": 7}}, "last_initialized": "2026-01-01T00:00:00Z"}}});
    let mut capture = Capture::open(connector, open(&[binding("n")], state));
    let output = capture.until(|lines| {
        docs(lines).len() == 3 && support::kind(&lines[lines.len() - 1]) == "checkpoint"
    });
    capture.stop().unwrap();
    assert_eq!(
        output[1]["checkpoint"]["state"]["updated"],
        json!({"bindingStateV1": {"n": {
        "inc": {"y": {"cursor": 7}}, "backfill": {"y": {"cutoff": 7, "next_page": 7}}}}}),
        "before any other function"
    );
    let ids: std::collections::BTreeSet<_> = docs(&output)
        .iter()
        .map(|doc| doc["id"].to_string())
        .collect();
    assert_eq!(
        ids,
        ["\"page\"", "\"x-8\"", "\"y-8\""].map(str::to_owned).into()
    );
    assert_eq!(
        state_of(&output)["bindingStateV1"]["n"]["backfill"],
        json!({})
    );
}

#[test]
fn a_state_that_does_not_fit_the_functions_is_refused_with_its_place() {
    for (state, expected) in [
        (json!({"inc": {"a": {"cursor": 1}}}), "/inc"),
        (json!({"backfill": {"cutoff": 1}}), "there is no cursor"),
    ] {
        let mut entry = state.clone();
        entry["last_initialized"] = json!("2026-01-01T00:00:00Z");
        let state = json!({"bindingStateV1": {"n": entry}});
        let (_, error) = Capture::open(
            Scripted::new(|| vec![counting("n", 1)]),
            open(&[binding("n")], state),
        )
        .join();
        let error = error.unwrap_err();
        assert!(error.contains("`n`") && error.contains(expected), "{error}");
    }
}

#[test]
fn a_capture_without_bindings_ends_at_once() {
    let (output, result) = Capture::open(
        Scripted::new(|| vec![counting("n", 1)]),
        open(&[], json!({})),
    )
    .join();
    result.unwrap();
    assert_eq!(output, [json!({"opened": {}})]);
}

#[test]
fn malformed_requests_end_the_process_with_an_error() {
    for request in [
        "{}",
        "{\"spec\":",
        "{\"discover\":{\"connectorType\":\"IMAGE\"}}",
        "nonsense",
        "{\"acknowledge\":{\"checkpoints\":1}}",
    ] {
        let error = Capture::run_lines(Scripted::new(Vec::new), request).unwrap_err();
        assert!(!error.is_empty(), "{request}");
    }
}

#[test]
fn a_state_of_another_shape_than_the_functions_is_refused_before_anything_is_changed() {
    let stamped = |inc: Value| json!({"bindingStateV1": {"numbers": {"inc": inc, "last_initialized": "2025-01-01T00:00:00Z"}}});
    let subtask = || {
        let none = |_: Cursor, _: Changes| async { Ok(()) };
        vec![
            Resource::new("numbers")
                .key(["/id"])
                .incremental_subtask("a", none),
        ]
    };
    for (what, connector, inc, expected) in [
        (
            "a migration to subtasks of a connector that has none",
            Scripted::new(|| vec![counting("numbers", 3)])
                .migrating(|| Chain::new().with(transform::flat_to_keyed("x"))),
            json!({"cursor": 1}),
            "at /inc: it is by subtask where the connector captures the resource as a whole",
        ),
        (
            "a flat state of a connector by subtask",
            Scripted::new(subtask),
            json!({"cursor": 1}),
            "at /inc: it is of the whole resource where the connector captures by subtask",
        ),
        (
            "a subtask that has no cursor",
            Scripted::new(subtask),
            json!({"b": {"cursor": 1}}),
            "at /inc/a: there is no cursor",
        ),
    ] {
        let capture = Capture::open(connector, open(&[binding("numbers")], stamped(inc)));
        let (output, result) = capture.join();
        let error = result.expect_err(what);
        // The request could be answered; where there is a migration, not even that.
        let answers = usize::from(!what.starts_with("a migration"));
        let opened = output.iter().filter(|line| line.get("opened").is_some());
        assert_eq!(
            (opened.count(), output.len()),
            (answers, answers),
            "{what}: {output:?}"
        );
        assert!(
            error.contains(expected) && error.contains("`numbers`"),
            "{what}: {error}"
        );
    }
}
