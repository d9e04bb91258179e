//! What discovery tells of resources.

use serde_json::json;
use staunch::{Reduction, Resource};

use crate::incremental;
use crate::support::{Capture, Scripted, binding, open};

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
fn quirk_26_two_resources_of_one_name_are_refused_wherever_they_are_asked_for() {
    let config = json!({});
    let requests = [
        json!({"discover": {"connectorType": "LOCAL", "config": config}}),
        json!({"validate": {"name": "a/capture", "connectorType": "LOCAL", "config": config, "bindings": []}}),
        open(&[binding("u")], json!({})),
    ];
    for request in requests {
        let connector = Scripted::new(|| {
            vec![
                incremental(async |_, _| Ok(())),
                incremental(async |_, _| Ok(())),
            ]
        });
        let error = Capture::run(connector, std::slice::from_ref(&request)).unwrap_err();
        assert!(
            error.contains("two resources named `u`"),
            "{request}: {error}"
        );
    }
}
