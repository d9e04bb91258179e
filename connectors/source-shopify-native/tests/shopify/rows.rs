//! Rows of bulk jobs as documents.

use serde_json::{Value, json};
use source_shopify_native::rows::{Assembly, RowsError};
use source_shopify_native::selection::{Part, Selection};
use source_shopify_native::streams::{Kind, STREAMS};

use crate::support::{recorded, stream};

/// The documents of these rows, and why there are no more.
fn assembled(name: &str, rows: &[String]) -> (Vec<Value>, Option<RowsError>) {
    let mut assembly = Assembly::new(&stream(name), "store-a");
    let mut documents = Vec::new();
    let parsed = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    for row in rows {
        match assembly.row(row) {
            Ok(ended) => documents.extend(ended.into_iter().map(parsed)),
            Err(error) => return (documents, Some(error)),
        }
    }
    documents.extend(assembly.end().into_iter().map(parsed));
    (documents, None)
}

fn rows(rows: &[Value]) -> Vec<String> {
    rows.iter().map(Value::to_string).collect()
}

#[test]
fn every_recorded_result_becomes_its_documents() {
    let Some(recorded) = recorded("shopify-bulk-jsonl-cases.json") else {
        return;
    };
    for case in recorded["cases"].as_array().unwrap() {
        let name = &case["name"];
        let resource = case["resource"].as_str().unwrap();
        let (documents, error) = assembled(resource, &rows(case["rows"].as_array().unwrap()));
        let expected = case.get("recommendedDocuments");
        let expected = expected.unwrap_or(&case["referenceDocuments"]);
        assert_eq!(&json!(documents), expected, "{name}");
        let is_fatal = case.get("referenceError").is_some();
        assert_eq!(error.is_some(), is_fatal, "{name}: {error:?}");
    }
}

#[test]
fn where_a_record_has_several_connections_the_types_of_their_nodes_are_told() {
    fn look(name: &str, selection: &Selection) {
        let mut links = Vec::new();
        connections(selection, &mut links);
        let untold = links
            .iter()
            .any(|(_, has_types, _)| !has_types && links.len() > 1);
        assert!(!untold, "{name}: {links:?}");
        for (connection, _, of) in links {
            look(&format!("{name}.{connection}"), &of);
        }
    }
    fn connections(selection: &Selection, links: &mut Vec<(String, bool, Selection)>) {
        for part in &selection.0 {
            match part {
                Part::Connection { name, rows, of, .. } => {
                    links.push((name.clone(), !rows.types.is_empty(), of.clone()));
                }
                Part::Field { of, .. } | Part::On { of, .. } => connections(of, links),
            }
        }
    }
    for stream in STREAMS.iter().filter(|stream| stream.kind == Kind::Bulk) {
        look(stream.name, &stream.selection());
    }
}

#[test]
fn a_record_is_held_up_to_a_bound() {
    let root = json!({ "id": "gid://shopify/Customer/1" }).to_string();
    let value = "x".repeat(30 << 20);
    let child = format!(
        r#"{{"id":"gid://shopify/Metafield/1","value":"{value}","__parentId":"gid://shopify/Customer/1"}}"#
    );
    let mut rows = vec![root];
    rows.resize(6, child);
    let (documents, error) = assembled("customer_metafields", &rows);
    assert!(documents.is_empty());
    let told = error.unwrap().to_string();
    assert!(
        told.contains("line 6") && told.contains("128 MiB"),
        "{told}"
    );
}

#[test]
fn grandchildren_are_attached_by_what_they_say_they_belong_to_not_by_what_came_last() {
    let order = |id: u64| json!({ "id": format!("gid://shopify/FulfillmentOrder/{id}"), "__parentId": "gid://shopify/Order/1" });
    let line = |id: u64, of: u64| json!({ "id": format!("gid://shopify/FulfillmentOrderLineItem/{id}"), "__parentId": format!("gid://shopify/FulfillmentOrder/{of}") });
    let (documents, error) = assembled(
        "fulfillment_orders",
        &rows(&[
            json!({ "id": "gid://shopify/Order/1" }),
            order(1),
            order(2),
            line(7, 1),
            line(8, 2),
            line(9, 1),
        ]),
    );
    assert!(error.is_none(), "{error:?}");
    let ids = |nth: usize| -> Vec<Value> {
        let lines = documents[0]["fulfillmentOrders"][nth]["lineItems"]
            .as_array()
            .unwrap();
        lines.iter().map(|line| line["id"].clone()).collect()
    };
    let id = |id: u64| json!(format!("gid://shopify/FulfillmentOrderLineItem/{id}"));
    assert_eq!((ids(0), ids(1)), (vec![id(7), id(9)], vec![id(8)]));
}

#[test]
fn what_a_row_says_is_passed_on_as_it_is() {
    let text = r#"{"id":"gid:\/\/shopify\/Order\/1","b":1.10,"a":12345678901234567890.5,"paymentTerms":null}"#;
    let mut assembly = Assembly::new(&stream("orders"), "a \"store\"");
    assert!(assembly.row(text).unwrap().is_empty());
    assert!(assembly.row("  ").unwrap().is_empty());
    assert_eq!(
        assembly.end(),
        [
            r#"{"_meta":{"store":"a \"store\""},"id":"gid:\/\/shopify\/Order\/1","b":1.10,"a":12345678901234567890.5,"paymentTerms":{"paymentSchedules":[]},"discountApplications":[],"lineItems":[]}"#
        ]
    );
    assert!(assembly.end().is_empty());
}

#[test]
fn a_result_that_is_not_what_was_asked_for_is_refused_with_its_line() {
    let order = r#"{"id":"gid://shopify/Order/1"}"#;
    let child = |what: &str| format!(r#"{{{what}"__parentId":"gid://shopify/Order/1"}}"#);
    let late = child(r#""id":"gid://shopify/LineItem/1","#);
    let typed = child(r#""id":"gid://shopify/Comet/1","#);
    for (rows, problem) in [
        (
            vec![late.clone()],
            "line 1 of a bulk job's result belongs to `gid://shopify/Order/1`",
        ),
        (
            vec![
                order.to_owned(),
                r#"{"id":"gid://shopify/Order/2"}"#.to_owned(),
                late.clone(),
            ],
            "line 3",
        ),
        (
            vec![order.to_owned(), typed],
            "line 2 of a bulk job's result is a `Comet`",
        ),
        (vec![order.to_owned(), child("")], "a row without a type"),
        (
            vec![order.to_owned(), child(r#""a":1,"#)],
            "a row without a type",
        ),
        (
            vec![order.to_owned(), late[..20].to_owned()],
            "line 2 of a bulk job's result is no JSON object",
        ),
        (
            vec!["[]".to_owned()],
            "line 1 of a bulk job's result is no JSON object",
        ),
        (vec!["{}".to_owned()], "a root without an id"),
    ] {
        let (_, error) = assembled("orders", &rows);
        let error = error.unwrap().to_string();
        assert!(error.contains(problem), "{rows:?}: {error}");
    }
}
