//! The connector of the kit's crate page does what the page says.

use serde_json::{Value, json};
use staunch_testkit::Capture;

#[path = "../../kit/examples/shop.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "it is a program of its own"
)]
mod shop;

fn ids(documents: &[Value]) -> Vec<u64> {
    let mut ids: Vec<u64> = documents
        .iter()
        .filter_map(|order| order["id"].as_u64())
        .collect();
    ids.sort_unstable();
    ids
}

#[test]
fn old_orders_are_backfilled_and_new_ones_are_captured_from_there_on() {
    let mut capture = Capture::new(shop::Shop)
        .config(json!({ "orders": 250 }))
        .bind("orders")
        .bind("labels");
    let seen = capture
        .run_until(|seen| {
            seen.documents("orders").len() == 250 && seen.documents("labels").len() == 2
        })
        .unwrap();
    assert_eq!(ids(seen.documents("orders")), (1..=250).collect::<Vec<_>>());
    assert_eq!(
        seen.documents("labels")[1],
        json!({ "_meta": { "op": "c", "row_id": 1 }, "name": "sent" })
    );

    let mut later = Capture::new(shop::Shop)
        .config(json!({ "orders": 400 }))
        .bind("orders")
        .with_state(capture.state());
    let seen = later
        .run_until(|seen| seen.documents("orders").len() >= 150)
        .unwrap();
    assert_eq!(
        ids(seen.documents("orders")),
        (251..=400).collect::<Vec<_>>()
    );
    let state = &later.state()["bindingStateV1"]["orders"];
    assert_eq!(state["inc"], json!({ "cursor": 400 }));
    assert_eq!(state.get("backfill"), None, "it is complete");
}
