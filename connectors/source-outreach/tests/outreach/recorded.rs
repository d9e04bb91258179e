//! What the connector says of itself, held against what is recorded.

use serde_json::{Map, Value, json};
use source_outreach::{Place, SourceOutreach};

use crate::support::{ask, config, recorded};

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
    let Some(recorded) = recorded("outreach-spec.json") else {
        return;
    };
    let mut expected = recorded[0].clone();
    let connector = SourceOutreach::new(Place::default());
    let mut spec = ask(&connector, &json!({ "spec": {} })).unwrap()["spec"].take();
    for spec in [&mut spec, &mut expected] {
        for schema in ["configSchema", "resourceConfigSchema"] {
            spec[schema] = structure(&spec[schema]);
        }
    }
    let config = &mut expected["configSchema"]["properties"];
    let of_credentials = &mut config["credentials"];
    // Schemas are written without references, so that no form is told by one.
    of_credentials["discriminator"] = json!({ "propertyName": "credentials_title" });
    // The member that tells forms apart is said to be required, as the control plane's forms want it; a config may leave it out.
    let form = &mut of_credentials["oneOf"][0];
    let required = form["required"].as_array_mut().unwrap();
    required.push("credentials_title".into());
    required.sort_by_key(Value::to_string);
    // The kit's own words.
    form["properties"]["access_token_expires_at"]["title"] = "Access Token Expiration Time".into();
    // What the runtime writes is an object, or not there.
    expected["resourceConfigSchema"]["properties"]["_meta"] =
        json!({ "type": "object", "title": "Meta" });
    assert_eq!(spec, expected, "{spec:#}\n{expected:#}");
}

#[test]
fn discovery_is_the_recorded_one_and_asks_nobody() {
    let Some(Value::Array(mut expected)) = recorded("outreach-discover.json") else {
        return;
    };
    let nowhere = Place::default().at("http://127.0.0.1:1");
    let discover = json!({ "discover": { "connectorType": "IMAGE", "config": config() } });
    let discovered = ask(&SourceOutreach::new(nowhere), &discover).unwrap();
    let Value::Array(mut bindings) = discovered["discovered"]["bindings"].clone() else {
        panic!("{discovered}");
    };
    for binding in bindings.iter_mut().chain(&mut expected) {
        binding["documentSchema"] = structure(&binding["documentSchema"]);
        let members = binding.as_object_mut().unwrap();
        members.retain(|_, value| *value != json!(false) && *value != json!([]));
    }
    bindings.sort_by_key(|binding| binding["recommendedName"].to_string());
    assert_eq!(
        json!(bindings),
        json!(expected),
        "{:#}\n{:#}",
        bindings[0],
        expected[0]
    );
}

#[test]
fn validation_names_a_resource_that_is_not_there_and_asks_nobody() {
    let connector = SourceOutreach::new(Place::default().at("http://127.0.0.1:1"));
    let validate = |name: &str| {
        let binding = json!({
            "resourceConfig": { "name": name },
            "collection": { "name": "a/b", "key": ["/id"], "writeSchema": {} },
        });
        let request = json!({ "validate": {
            "name": "a/capture", "connectorType": "IMAGE", "config": config(), "bindings": [binding],
        } });
        ask(&connector, &request)
    };
    let paths = &validate("prospects").unwrap()["validated"]["bindings"];
    assert_eq!(paths[0]["resourcePath"], json!(["prospects"]));
    let error = validate("persons").unwrap_err();
    assert!(error.contains("persons"), "{error}");
}
