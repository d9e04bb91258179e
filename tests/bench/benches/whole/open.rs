//! The requests that a connector is sent.

use serde_json::{Value, json};
use staunch_bench::document;

/// `Spec`, with which every conversation begins.
pub(crate) const SPEC: &[u8] = b"{\"spec\":{\"connectorType\":\"LOCAL\",\"config\":{}}}\n";

/// `Open` of a capture of these resources.
pub(crate) fn open(config: &Value, resources: &[String], state: &Value) -> Vec<u8> {
    let binding = |name: &String| {
        json!({
            "resourceConfig": { "name": name, "interval": "PT60S" },
            "resourcePath": [name],
            "collection": {
                "name": format!("bench/{name}"),
                "writeSchema": document::schema(),
                "key": ["/id"],
                "projections": [
                    { "ptr": "/id", "field": "id", "isPrimaryKey": true, "inference": { "types": ["integer"], "exists": "MUST" } },
                    { "ptr": "", "field": "flow_document", "inference": { "types": ["object"], "exists": "MUST" } },
                ],
            },
            "stateKey": name,
        })
    };
    let open = json!({ "open": {
        "capture": {
            "name": "bench/capture",
            "connectorType": "LOCAL",
            "config": config,
            "bindings": resources.iter().map(binding).collect::<Vec<_>>(),
            "intervalSeconds": 300,
        },
        "version": "v1",
        "range": { "keyEnd": u32::MAX, "rClockEnd": u32::MAX },
        "state": state,
    } });
    let mut line = serde_json::to_vec(&open).expect("a request is JSON");
    line.push(b'\n');
    line
}
