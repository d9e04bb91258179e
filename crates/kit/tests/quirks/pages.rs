//! Where a backfill goes on.

use std::sync::{Arc, Mutex};

use serde_json::json;
use staunch::state::Node;
use staunch::{Changes, Cursor, Page, Pages, Resource};

use crate::support::{self, Capture, Scripted, binding, open, state_of, streams};
use crate::{checkpoints, incremental};

#[test]
fn quirk_04_a_page_is_the_same_before_and_after_a_restart() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let pages = [
        r#"{"a":{"x":1,"y":null},"b":null}"#,
        r#"{"a":{"z":null,"w":2},"c":{"d":null,"e":{"f":null}}}"#,
        r#"{"c":{"e":null}}"#,
    ];
    let object = |json: &str| Page::Object(Node::parse(json).unwrap().into_object().unwrap());
    let resource = {
        let seen = Arc::clone(&seen);
        move || {
            let seen = Arc::clone(&seen);
            let fetch = move |page: Option<Page>, _: Cursor, mut emit: Pages| {
                let mut seen = seen.lock().unwrap();
                let invocation = seen.len();
                seen.push(page.map(|page| page.to_node().to_value()));
                async move {
                    if let Some(next) = pages.get(invocation) {
                        emit.checkpoint(object(next)).await?;
                    } else {
                        std::future::pending::<()>().await;
                    }
                    Ok(())
                }
            };
            Resource::new("u")
                .key(["/id"])
                .initial_state(Node::parse(r#"{"backfill":{"cutoff":1}}"#).unwrap())
                .backfill(fetch)
        }
    };
    let connector = Scripted::new(move || vec![resource()]);
    let mut capture = Capture::open(connector, open(&[binding("u")], json!({})));
    let mut state = Node::parse("{}").unwrap();
    let mut stored = Vec::new();
    let lines = capture.until(checkpoints(1 + pages.len()));
    for (_, update) in streams(&lines) {
        let update = Node::from_value(&update);
        state = staunch::state::StateUpdate::merge(update).apply(state);
        let page = state.to_value()["bindingStateV1"]["u"]["backfill"]["next_page"].clone();
        stored.push((!page.is_null()).then_some(page));
    }
    support::eventually("the last page is passed on", || {
        seen.lock().unwrap().len() == stored.len()
    });
    assert_eq!(
        *seen.lock().unwrap(),
        stored,
        "what it is told and what it would resume from"
    );
}

#[test]
fn quirk_05_a_sourced_schema_is_part_of_its_transaction_and_neither_cursor_nor_page() {
    let schema = json!({"properties": {"id": {"type": "integer"}}});
    let connector = Scripted::new(move || {
        let (of_changes, of_pages) = (schema.clone(), schema.clone());
        let resource = incremental(move |cursor, mut emit: Changes| {
            let schema = of_changes.clone();
            async move {
                if cursor.as_u64() == Some(0) {
                    emit.document(&json!({"id": 1}))?;
                    emit.sourced_schema(&schema)?;
                    emit.checkpoint(Cursor::integer(1)).await?;
                }
                Ok(())
            }
        });
        let resource = resource
            .initial_state(Node::parse(r#"{"inc":{"cursor":0},"backfill":{"cutoff":0}}"#).unwrap())
            .backfill(move |_, _, mut emit: Pages| {
                let schema = of_pages.clone();
                async move { Ok(emit.sourced_schema(&schema)?) }
            });
        vec![resource]
    });
    let mut capture = Capture::open(connector, open(&[binding("u")], json!({})));
    let lines = capture.until(checkpoints(3));
    let kinds: Vec<&str> = lines.iter().map(support::kind).collect();
    assert_eq!(
        kinds
            .iter()
            .filter(|kind| **kind == "sourcedSchema")
            .count(),
        2
    );
    let states = state_of(&lines)["bindingStateV1"]["u"].clone();
    assert_eq!(states["inc"], json!({"cursor": 1}));
    assert_eq!(states.get("backfill"), None, "it is complete: {states}");
    capture.stop().unwrap();
}
