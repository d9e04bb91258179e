//! What the connector says of itself and of captures, held against what is recorded.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use shopify_simulator::{Scenario, StoreFacts};
use source_shopify_native::selection::{Part, Selection};
use source_shopify_native::streams::STREAMS;
use source_shopify_native::{Place, SourceShopify};

use crate::support::{ask, config, moving, place, recorded, with_shopify};

/// A schema without references, and without the words that each connector chooses itself.
fn structure(schema: &Value) -> Value {
    let empty = json!({});
    let definitions = schema.get("$defs").unwrap_or(&empty);
    let Value::Object(mut members) = plain(schema, definitions) else {
        panic!("a schema is an object");
    };
    for member in ["$defs", "$schema", "title"] {
        members.remove(member);
    }
    members.into()
}

fn plain(schema: &Value, definitions: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut all: Map<String, Value> = members
                .iter()
                .filter(|(name, _)| *name != "$ref")
                .map(|(name, value)| (name.clone(), plain(value, definitions)))
                .collect();
            if all.get("description").is_some_and(Value::is_string) {
                all.remove("description");
            }
            if let Some(Value::String(reference)) = members.get("$ref") {
                let name = reference.trim_start_matches("#/$defs/");
                let Value::Object(target) = plain(&definitions[name], definitions) else {
                    panic!("{reference}");
                };
                for (name, value) in target {
                    all.entry(name).or_insert(value);
                }
            }
            // Listed in any order.
            if let Some(Value::Array(required)) = all.get_mut("required") {
                required.sort_by_key(Value::to_string);
            }
            all.into()
        }
        Value::Array(schemas) => schemas.iter().map(|one| plain(one, definitions)).collect(),
        other => other.clone(),
    }
}

#[test]
fn the_spec_is_the_recorded_one_but_for_what_is_named_here() {
    let Some(recorded) = recorded("shopify-spec.json") else {
        return;
    };
    let mut expected = recorded[0].clone();
    with_shopify(moving(&["alpha"]), async |_| {
        let connector = SourceShopify::new(Place::default());
        let mut spec = ask(&connector, &json!({ "spec": {} })).await.unwrap()["spec"].take();
        for spec in [&mut spec, &mut expected] {
            for schema in ["configSchema", "resourceConfigSchema"] {
                spec[schema] = structure(&spec[schema]);
            }
        }
        let store = &mut expected["configSchema"]["properties"]["stores"]["items"];
        let of_credentials = &mut store["properties"]["credentials"];
        // Schemas are written without references, so that no form is told by one.
        of_credentials["discriminator"] = json!({ "propertyName": "credentials_title" });
        // The member that tells forms apart is said to be required, as the control plane's forms want it; a config may leave it out.
        for form in of_credentials["oneOf"].as_array_mut().unwrap() {
            let required = form["required"].as_array_mut().unwrap();
            required.push("credentials_title".into());
            required.sort_by_key(Value::to_string);
        }
        // The kit's own words.
        of_credentials["oneOf"][1]["title"] = "Private App Credentials".into();
        // What the runtime writes is an object, or not there.
        expected["resourceConfigSchema"]["properties"]["_meta"] =
            json!({ "type": "object", "title": "Meta" });
        // Schedules are read in more forms than the recorded pattern has.
        let schedule = "/resourceConfigSchema/properties/schedule/pattern";
        *expected.pointer_mut(schedule).unwrap() = spec.pointer(schedule).unwrap().clone();
        assert_eq!(spec, expected, "{spec:#}\n{expected:#}");
    });
}

#[test]
fn discovery_is_the_recorded_one_and_with_everything_granted_has_29_streams() {
    let Some(Value::Array(mut expected)) = recorded("shopify-discover.json") else {
        return;
    };
    let mut store = StoreFacts::new("alpha");
    let scopes = STREAMS.iter().flat_map(|stream| stream.scopes);
    let scopes =
        scopes.filter(|scope| !["read_users", "read_own_subscription_contracts"].contains(scope));
    store.scopes = Some(scopes.map(|scope| (*scope).to_owned()).collect());
    let scenario = Scenario {
        stores: vec![store, StoreFacts::new("beta")],
        ..moving(&[])
    };
    with_shopify(scenario, async |simulator| {
        let connector = SourceShopify::new(place(simulator));
        let discover = async |stores: &[&str]| {
            let request =
                json!({ "discover": { "connectorType": "IMAGE", "config": config(stores) } });
            let discovered = ask(&connector, &request).await.unwrap();
            discovered["discovered"]["bindings"]
                .as_array()
                .unwrap()
                .clone()
        };
        let mut bindings = discover(&["alpha"]).await;
        for binding in bindings.iter_mut().chain(&mut expected) {
            binding["documentSchema"] = structure(&binding["documentSchema"]);
            let members = binding.as_object_mut().unwrap();
            members.retain(|_, value| *value != json!(false) && *value != json!([]));
        }
        for (binding, expected) in bindings.iter().zip(&expected) {
            assert_eq!(binding, expected, "{binding:#}\n{expected:#}");
        }
        assert_eq!(bindings.len(), expected.len());
        // What some store lets be read is offered.
        let names = |bindings: &[Value]| -> Vec<Value> {
            bindings
                .iter()
                .map(|binding| binding["recommendedName"].clone())
                .collect()
        };
        let both = discover(&["alpha", "beta"]).await;
        let all: Vec<&str> = STREAMS.iter().map(|stream| stream.name).collect();
        assert_eq!(json!(names(&both)), json!(all));
    });
}

/// A request to validate a recorded case.
fn validation(case: &Value) -> Value {
    let binding = |binding: &Value| {
        json!({
            "resourceConfig": { "name": binding["name"] },
            "resourcePath": [binding["name"]],
            "collection": { "name": "a/b", "key": binding["key"], "writeSchema": {} },
            "backfill": binding["backfill"],
            "stateKey": binding["name"],
        })
    };
    let bindings = |of: &Value| -> Vec<Value> {
        of["bindings"]
            .as_array()
            .unwrap()
            .iter()
            .map(binding)
            .collect()
    };
    let mut validate = json!({
        "name": "a/capture", "connectorType": "IMAGE", "config": case["config"], "bindings": bindings(case),
    });
    for binding in validate["bindings"].as_array_mut().unwrap() {
        let members = binding.as_object_mut().unwrap();
        members.remove("resourcePath");
        members.remove("stateKey");
    }
    if let Some(last) = case.get("lastCapture") {
        validate["lastCapture"] = json!({
            "name": "a/capture", "connectorType": "IMAGE", "intervalSeconds": 300,
            "config": { "image": "ghcr.io/example/source:v1", "config": last["config"] },
            "bindings": bindings(last),
        });
    }
    json!({ "validate": validate })
}

#[test]
fn every_recorded_validation_comes_out_as_recorded_or_as_is_recommended() {
    let Some(recorded) = recorded("shopify-validate-cases.json") else {
        return;
    };
    let mut scenario = moving(&["s1", "s2", "a"]);
    for store in &mut scenario.stores {
        store.access_token = Some("t".to_owned());
    }
    with_shopify(scenario, async |simulator| {
        let connector = SourceShopify::new(place(simulator));
        for case in recorded["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let answer = ask(&connector, &validation(case)).await;
            let expected = &case["expected"];
            let (result, rule) = (
                expected["result"].as_str().unwrap(),
                expected["rule"].as_str(),
            );
            let (result, rule) = match name {
                // Snapshots are keyed on the store always, so they say nothing; and a key that changes needs a reset, whichever way.
                "flag switched off, re-discovered, but a snapshot binding is present"
                | "flag switched off, re-discovered (no reset demanded)" => {
                    ("error", Some("reset-required"))
                }
                _ => (result, rule),
            };
            let words = match rule {
                Some("multi-store-needs-composite-keys") => "`/advanced/should_use_composite_key`",
                Some("re-discovery-required") => "discover the bindings anew",
                Some("reset-required") => "backfill these bindings",
                _ => "",
            };
            match (answer, result) {
                (Ok(_), "ok") => {}
                (Err(error), "error") => {
                    assert!(error.contains(words), "{name}: {error}");
                    for binding in expected["bindings"].as_array().into_iter().flatten() {
                        assert!(
                            error.contains(&format!("`{}`", binding.as_str().unwrap())),
                            "{name}: {error}"
                        );
                    }
                    // Whoever reads it must know which store it is about.
                    let stores = case["config"]["stores"].as_array().into_iter().flatten();
                    let mut stores = stores.filter_map(|store| store["store"].as_str());
                    let is_schema = rule == Some("config-schema");
                    assert!(
                        is_schema || stores.all(|store| error.contains(store)),
                        "{name}: {error}"
                    );
                }
                (answer, _) => panic!("{name}: {answer:?}"),
            }
        }
    });
}

#[test]
fn several_stores_need_every_collection_to_be_keyed_on_the_store_from_the_beginning_on() {
    let case = json!({
        "config": config(&["alpha", "beta"]),
        "bindings": [{ "name": "orders", "key": ["/id"], "backfill": 0 }],
    });
    with_shopify(moving(&["alpha", "beta"]), async |simulator| {
        let connector = SourceShopify::new(place(simulator));
        let error = ask(&connector, &validation(&case)).await.unwrap_err();
        assert!(
            error.contains("`orders`") && error.contains("discover the bindings anew"),
            "{error}"
        );
    });
}

/// Sees that an object has what is selected of it, and nothing else.
fn fits(object: &Value, selection: &Selection, place: &str) {
    let Value::Object(members) = object else {
        assert!(object.is_null(), "{place}");
        return;
    };
    let mut known = BTreeSet::from(["_meta", "__parentId"]);
    for part in &selection.0 {
        let (name, of, needs) = match part {
            Part::Field {
                name, of, needs, ..
            }
            | Part::Connection {
                name, of, needs, ..
            } => (name, of, needs),
            // What is asked of one type alone may be there.
            Part::On { of, .. } => {
                known.extend(of.0.iter().filter_map(named));
                continue;
            }
        };
        known.insert(name);
        let place = format!("{place}/{name}");
        match members.get(name) {
            None => assert!(
                needs.is_some() || name == "__typename",
                "{place} is missing"
            ),
            Some(_) if of.0.is_empty() => {}
            Some(Value::Array(all)) => all.iter().for_each(|one| fits(one, of, &place)),
            Some(one) => fits(one, of, &place),
        }
    }
    for name in members.keys() {
        assert!(
            known.contains(name.as_str()),
            "{place}/{name} is not selected"
        );
    }
}

fn named(part: &Part) -> Option<&str> {
    match part {
        Part::Field { name, .. } | Part::Connection { name, .. } => Some(name),
        Part::On { .. } => None,
    }
}

#[test]
fn real_documents_have_what_is_selected_and_nothing_else() {
    let Some(Value::Array(recorded)) = recorded("shopify-capture-documents.json") else {
        return;
    };
    for pair in &recorded {
        let collection = pair[0].as_str().unwrap();
        let name = collection.rsplit('/').next().unwrap();
        let stream = crate::support::stream(name);
        let whole = stream.selection();
        // Documents may be what hangs on the records that are asked for.
        let selection = match stream.documents {
            None => whole,
            Some(wanted) => {
                let mut parts = whole.0.into_iter();
                let found = parts.find_map(|part| match part {
                    Part::Connection { name, of, .. } if name == wanted => Some(of),
                    _ => None,
                });
                found.unwrap()
            }
        };
        fits(&pair[1], &selection, name);
    }
    assert_eq!(recorded.len(), 23);
}
