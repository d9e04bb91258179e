//! The requests that a connector is sent.

use serde_json::{Value, json};
use staunch_bench::document;
use staunch_protocol::Codec;

/// `Spec`, with which every conversation begins.
pub(crate) const SPEC: &[u8] = b"{\"spec\":{\"connectorType\":\"LOCAL\",\"config\":{}}}\n";

/// `Open` of a capture of these resources, each with a collection that is keyed on `/id`.
pub(crate) fn open(config: &Value, resources: &[String], state: &Value) -> Vec<u8> {
    let bound = resources.iter().map(|name| (&**name, &["/id"][..]));
    open_keyed(config, bound, state)
}

/// As [`open`], each with its key.
pub(crate) fn open_keyed<'a>(
    config: &Value,
    resources: impl Iterator<Item = (&'a str, &'a [&'a str])>,
    state: &Value,
) -> Vec<u8> {
    let binding = |(name, key): (&str, &[&str])| {
        json!({
            "resourceConfig": { "name": name, "interval": "PT60S" },
            "resourcePath": [name],
            "collection": {
                "name": format!("bench/{name}"),
                "writeSchema": document::schema(),
                "key": key,
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
            "bindings": resources.map(binding).collect::<Vec<_>>(),
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

/// The same requests in another codec.
///
/// # Panics
/// When one of them cannot be.
pub(crate) fn in_codec(codec: Codec, lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let request = Codec::Json
            .decode_request(line)
            .expect("a line is a request");
        codec
            .encode_request(&request, &mut out)
            .expect("a request fits");
    }
    out
}
