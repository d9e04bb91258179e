//! What the simulator knows of a stream, as its documents are to be.

use std::collections::BTreeMap;

use serde_json::Value;
use shopify_simulator::Simulator;
use source_shopify_native::selection::Form;
use source_shopify_native::streams::{Kind, Stream};

/// The documents of a stream of a store, by their key.
pub(crate) fn truth(
    simulator: &Simulator,
    stream: &Stream,
    store: &str,
) -> BTreeMap<String, Value> {
    let mut arguments = Vec::new();
    arguments.extend(stream.term.map(|term| format!("query: \"{term}\"")));
    arguments.extend(stream.argument.map(str::to_owned));
    let arguments = match arguments.is_empty() {
        true => String::new(),
        false => format!("({})", arguments.join(", ")),
    };
    let selection = stream.selection().text(Form::Bulk);
    let query = format!(
        "{{ {}{arguments} {{ edges {{ node {{ {selection} }} }} }} }}",
        stream.root
    );
    let records = simulator.whole(store, &query).unwrap();
    let documents: Vec<Value> = match stream.documents {
        None => records,
        Some(nodes) => {
            let nodes = records
                .iter()
                .flat_map(|record| record[nodes].as_array().unwrap());
            nodes.cloned().collect()
        }
    };
    let documents = documents
        .into_iter()
        .enumerate()
        .map(|(nth, mut document)| {
            plain(&mut document);
            let key = match stream.kind {
                Kind::Snapshot { .. } => nth.to_string(),
                _ => document["id"].as_str().unwrap().to_owned(),
            };
            (key, document)
        });
    documents.collect()
}

/// A document without what the connector adds, and what a bulk job does.
pub(crate) fn plain(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for added in ["_meta", "__parentId", "__typename"] {
                members.remove(added);
            }
            // What hangs on an object that is null hangs on an object nevertheless.
            if members.get("paymentTerms") == Some(&Value::Null) {
                members.insert(
                    "paymentTerms".to_owned(),
                    serde_json::json!({ "paymentSchedules": [] }),
                );
            }
            members.values_mut().for_each(plain);
        }
        Value::Array(all) => all.iter_mut().for_each(plain),
        _ => {}
    }
}

/// The last document of each key, of a store.
pub(crate) fn reduced(
    documents: &[Value],
    stream: &Stream,
    store: &str,
) -> BTreeMap<String, Value> {
    let mut last = BTreeMap::new();
    for document in documents {
        let meta = &document["_meta"];
        if meta["store"] != store {
            continue;
        }
        let key = match stream.kind {
            Kind::Snapshot { .. } => meta["row_id"].to_string(),
            _ => document["id"].as_str().unwrap().to_owned(),
        };
        if meta["op"] == "d" {
            last.remove(&key);
            continue;
        }
        let mut document = document.clone();
        plain(&mut document);
        last.insert(key, document);
    }
    last
}
