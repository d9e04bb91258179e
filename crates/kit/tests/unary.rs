//! What is asked once: what the connector is, what there is to capture, and whether a capture would work.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use staunch::{BoxError, Connector, OAuth2, Resource, Rows};

/// A shop, whose source is never there.
struct Shop<const SCHEDULES: bool>;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    /// Which shop.
    shop: String,
    /// How many rows a page has.
    #[serde(default)]
    #[expect(dead_code, reason = "only whether it decodes is looked at")]
    page: u16,
}

impl<const SCHEDULES: bool> Connector for Shop<SCHEDULES> {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/shop";
    const HAS_SCHEDULES: bool = SCHEDULES;

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        if config.shop == "gone" {
            return Err("no shop answers; see that it is open".into());
        }
        let labels = Resource::new("labels").key(["/_meta/row_id"]);
        Ok(vec![
            Resource::new("orders")
                .key(["/id"])
                .interval(Duration::from_secs(90))
                .schedule("30 4 * * 1")
                .disabled(),
            labels.snapshot(|_: Rows| async { Ok(()) }),
        ])
    }

    async fn check(&self, config: &Config) -> Result<(), BoxError> {
        match config.shop.as_str() {
            "open" => Ok(()),
            _ => Err("no shop answers; see that it is open".into()),
        }
    }

    fn oauth2(&self) -> Option<OAuth2> {
        Some(OAuth2 {
            provider: "shop".into(),
            auth_url_template: "https://example.com/authorize".into(),
            ..OAuth2::default()
        })
    }
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn ask(connector: &impl Connector, request: &Value) -> Result<Value, String> {
    let out = Written::default();
    let input = std::io::Cursor::new(format!("{request}\n"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let served = runtime.block_on(staunch::serve(connector, input, Box::new(out.clone())));
    served.map_err(|error| error.to_string())?;
    let written = out.0.lock().unwrap();
    Ok(serde_json::from_slice(&written).unwrap())
}

fn validate(config: &Value, bindings: &[(Value, &str)]) -> Value {
    let binding = |(config, key): &(Value, &str)| {
        json!({
            "resourceConfig": config, "collection": { "name": "a/b", "key": [key], "writeSchema": {} },
        })
    };
    let bindings: Vec<Value> = bindings.iter().map(binding).collect();
    json!({ "validate": { "name": "a/c", "connectorType": "LOCAL", "config": config, "bindings": bindings } })
}

#[test]
fn a_connector_says_how_credentials_are_obtained() {
    let spec = ask(&Shop::<true>, &json!({ "spec": {} })).unwrap();
    let oauth2 = json!({ "provider": "shop", "authUrlTemplate": "https://example.com/authorize" });
    assert_eq!(spec["spec"]["oauth2"], oauth2);
}

#[test]
fn a_connector_without_schedules_neither_has_nor_proposes_nor_takes_any() {
    let bound = validate(
        &json!({ "shop": "open" }),
        &[(json!({ "name": "orders", "schedule": "0 0 * * *" }), "/id")],
    );
    let discover =
        json!({ "discover": { "connectorType": "LOCAL", "config": { "shop": "open" } } });
    let proposed = |discovered: Value| discovered["discovered"]["bindings"][0].clone();

    let found = proposed(ask(&Shop::<true>, &discover).unwrap());
    let config = json!({ "name": "orders", "interval": "PT1M30S", "schedule": "30 4 * * 1" });
    assert_eq!(found["resourceConfig"], config);
    assert_eq!(found["disable"], json!(true));
    ask(&Shop::<true>, &bound).unwrap();

    let found = proposed(ask(&Shop::<false>, &discover).unwrap());
    let config = json!({ "name": "orders", "interval": "PT1M30S" });
    assert_eq!(found["resourceConfig"], config);
    let error = ask(&Shop::<false>, &bound).unwrap_err();
    assert!(
        error.contains("binding 0: resource `orders` has no schedules"),
        "{error}"
    );
    let spec = ask(&Shop::<false>, &json!({ "spec": {} })).unwrap();
    assert_eq!(
        spec.pointer("/spec/resourceConfigSchema/properties/schedule"),
        None
    );
}

#[test]
fn validation_says_all_that_is_wrong_at_once_and_the_source_comes_last() {
    let bindings = [
        (
            json!({ "name": "orders", "interval": "soon", "colour": 1 }),
            "/id",
        ),
        (json!({ "name": "labels" }), "/id"),
        (json!({ "name": "nope", "interval": true }), "/id"),
        (json!({ "interval": "PT1M" }), "/id"),
        (json!({ "name": "labels" }), "/_meta/row_id"),
        (json!({ "name": "orders", "schedule": "* * *" }), "/id"),
    ];
    let error = ask(
        &Shop::<true>,
        &validate(&json!({ "shop": "closed" }), &bindings),
    )
    .unwrap_err();
    let expected = [
        "10 things are wrong:",
        "binding 0 (`orders`) has an unknown member `colour`",
        "binding 0 (`orders`) has an `interval` that is no duration",
        "binding 1: the collection of snapshot resource `labels` must be keyed on /_meta/row_id",
        "binding 2 (`nope`) has an `interval` that is no duration",
        "binding 2: resource `nope` was not found",
        "binding 3 has no `name`",
        "binding 4: resource `labels` is bound twice, by binding 1 too",
        "binding 5 (`orders`) has a `schedule` that has 3 fields",
        "binding 5: resource `orders` is bound twice, by binding 0 too",
        "no shop answers; see that it is open",
    ];
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{error}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn what_a_broken_endpoint_config_leaves_to_be_looked_at_is_looked_at() {
    let bindings = [(json!({ "name": "orders", "interval": -1 }), "/id")];
    let error = ask(
        &Shop::<true>,
        &validate(&json!({ "page": "hunter2" }), &bindings),
    )
    .unwrap_err();
    for expected in [
        "`/shop` is missing",
        "`/page` is a string, expected integer",
        "binding 0 (`orders`) has an `interval` that is negative",
    ] {
        assert!(error.contains(expected), "{error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn what_resources_and_the_check_both_meet_with_is_said_once() {
    let error = ask(&Shop::<true>, &validate(&json!({ "shop": "gone" }), &[])).unwrap_err();
    assert_eq!(error, "no shop answers; see that it is open");
}
