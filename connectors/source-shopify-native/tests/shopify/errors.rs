//! What is wrong, as whoever owns a store or a config sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use shopify_simulator::{Action, Kind, Rule, Scenario};
use source_shopify_native::SourceShopify;

use crate::support::{ask, capture, config, moving, place, with_shopify};

const HOUR: Duration = Duration::from_secs(3600);

/// What discovery fails with if store beta answers so.
fn failure(action: Action) -> String {
    with_shopify(moving(&["alpha", "beta"]), async |simulator| {
        simulator.spoil(vec![Rule::new(action).of("beta")]).unwrap();
        let connector = SourceShopify::new(place(simulator));
        let request = json!({ "discover": { "connectorType": "IMAGE", "config": config(&["alpha", "beta"]) } });
        ask(&connector, &request).await.unwrap_err()
    })
}

fn status(status: u16) -> Action {
    Action::Status {
        status,
        body: json!({ "errors": "Words of Shopify." }),
        headers: BTreeMap::new(),
    }
}

fn error(code: &str) -> Action {
    Action::Error {
        code: code.to_owned(),
        is_partial: false,
    }
}

#[test]
fn each_error_names_the_store_and_says_what_to_do() {
    for (action, remedy) in [
        (status(401), "put valid ones into the endpoint config"),
        (status(402), "frozen until its bills are paid"),
        (status(403), "see that the app is installed"),
        (status(404), "its name is what its address begins with"),
        (status(423), "it is locked"),
        (status(430), "takes the requests for an attack"),
        (status(418), "whoever maintains this connector"),
        (error("ACCESS_DENIED"), "grant the app the scope"),
        (error("SHOP_INACTIVE"), "reopen the store"),
        (error("undefinedField"), "whoever maintains this connector"),
        (
            error("MAX_COST_EXCEEDED"),
            "whoever maintains this connector",
        ),
        (error("BAD_REQUEST"), "whoever maintains this connector"),
        (error("SOMETHING_NEW"), "Shopify's documentation"),
        (error(""), "an error without a code"),
        (Action::Garbage, "see that its name is right"),
    ] {
        let told = format!("{action:?}");
        let error = failure(action);
        assert!(
            error.contains("store `beta`") && error.contains(remedy),
            "{told}: {error}"
        );
        assert!(!error.contains("store `alpha`"), "{told}: {error}");
        assert!(!error.contains("private-"), "{told}: {error}");
    }
}

#[test]
fn errors_of_several_stores_are_told_together() {
    with_shopify(moving(&["alpha", "beta", "gamma"]), async |simulator| {
        simulator
            .spoil(vec![
                Rule::new(status(401)).of("alpha"),
                Rule::new(status(402)).of("gamma"),
            ])
            .unwrap();
        let connector = SourceShopify::new(place(simulator));
        let validate = json!({ "validate": {
            "name": "a/b", "connectorType": "IMAGE", "config": config(&["alpha", "beta", "gamma"]), "bindings": [],
        } });
        let error = ask(&connector, &validate).await.unwrap_err();
        assert!(
            error.contains("store `alpha`: it does not take the credentials"),
            "{error}"
        );
        assert!(error.contains("store `gamma`: it is frozen"), "{error}");
        assert!(!error.contains("beta"), "{error}");
    });
}

#[test]
fn what_passes_is_waited_for_and_asked_again() {
    let partial = Action::Error {
        code: "INTERNAL_SERVER_ERROR".to_owned(),
        is_partial: true,
    };
    for (action, times) in [
        (Action::Throttle, 20),
        (error("INTERNAL_SERVER_ERROR"), 8),
        (partial, 3),
        (status(429), 6),
        (status(503), 5),
        (Action::Disconnect, 3),
        (Action::Truncate, 3),
    ] {
        with_shopify(moving(&["alpha"]), async |simulator| {
            simulator
                .spoil(vec![Rule::on(Kind::Query, action.clone()).times(times)])
                .unwrap();
            let mut capture = capture(simulator, config(&["alpha"]), &["customers"]);
            let mut run = capture.start();
            run.go_on_for(2 * HOUR)
                .await
                .unwrap_or_else(|error| panic!("{action:?}: {error}"));
            assert!(!run.seen().documents("customers").is_empty(), "{action:?}");
        });
    }
}

#[test]
fn a_budget_that_is_told_is_kept_to_rather_than_run_into() {
    let mut scenario = Scenario {
        count: 1000,
        max_page_size: 10,
        ..moving(&["alpha"])
    };
    scenario.stores[0].plan = shopify_simulator::PlanFacts {
        display_name: "Shopify".to_owned(),
        partner_development: false,
        shopify_plus: false,
    };
    with_shopify(scenario, async |simulator| {
        let streams = [
            "customers",
            "order_transactions",
            "order_risks",
            "locations",
            "inventory_items",
        ];
        let mut capture = capture(simulator, config(&["alpha"]), &streams);
        let mut run = capture.start();
        run.go_on_for(HOUR).await.unwrap();
        let requests = simulator.requests();
        let throttled = requests
            .iter()
            .filter(|served| served.code.as_deref() == Some("THROTTLED"));
        let throttled = throttled.count();
        assert!(requests.len() > 300, "{}", requests.len());
        assert!(
            throttled * 50 < requests.len(),
            "{throttled} of {}",
            requests.len()
        );
    });
}

#[test]
fn client_credentials_get_one_token_for_all_and_another_before_it_expires_or_when_it_is_not_taken()
{
    let scenario = Scenario {
        token_seconds: 600,
        ..moving(&["alpha"])
    };
    with_shopify(scenario, async |simulator| {
        let config = json!({ "stores": [{ "store": "alpha", "credentials": {
            "credentials_title": "Client Credentials", "client_id": "client", "client_secret": "client-secret",
        } }] });
        let minted = || {
            let requests = simulator.requests().into_iter();
            requests.filter(|served| served.kind == Kind::Token).count()
        };
        let mut capture = capture(
            simulator,
            config,
            &["customers", "products", "locations", "markets"],
        );
        let mut run = capture.start();
        run.go_on_for(Duration::from_secs(60)).await.unwrap();
        // One to migrate the state and to open with, one to capture with at most.
        assert!(minted() <= 2, "{}", minted());
        run.go_on_for(HOUR).await.unwrap();
        let refused = simulator
            .requests()
            .into_iter()
            .filter(|served| served.status == 401);
        assert_eq!(refused.count(), 0, "none has expired");
        let before = minted();
        simulator
            .spoil(vec![Rule::on(Kind::Query, Action::ExpireTokens).times(1)])
            .unwrap();
        run.go_on_for(HOUR).await.unwrap();
        assert!(minted() > before);
        let refused = simulator
            .requests()
            .into_iter()
            .filter(|served| served.status == 401);
        assert!(refused.count() > 0);
    });
}

/// What is wrong with a config, of which nobody is asked.
fn problem(change: impl FnOnce(&mut Value)) -> String {
    let mut config = config(&["alpha"]);
    change(&mut config);
    with_shopify(moving(&[]), async |_| {
        let connector = SourceShopify::new(source_shopify_native::Place::at(
            "http://127.0.0.1:1/{store}",
        ));
        let request = json!({ "discover": { "connectorType": "IMAGE", "config": config } });
        ask(&connector, &request).await.unwrap_err()
    })
}

#[test]
fn a_config_that_makes_no_sense_is_refused_with_what_to_write() {
    let store =
        |name: &'static str| move |config: &mut Value| config["stores"][0]["store"] = name.into();
    for name in ["cursor", "cutoff", "next_page"] {
        let error = problem(store(name));
        assert!(error.contains(&format!("`{name}`")), "m22: {error}");
    }
    for (name, words) in [
        ("", "is empty"),
        (
            "alpha.evil.example/",
            "cannot be the beginning of an address",
        ),
        ("a b", "mystore"),
    ] {
        let error = problem(store(name));
        assert!(error.contains(words), "{name}: {error}");
    }
    let error = problem(|config| config["start_date"] = "2099-01-01T00:00:00Z".into());
    assert!(error.contains("`/start_date` is in the future"), "{error}");
    let error = problem(|config| config["start_date"] = "2026-01-01T00:00:00".into());
    assert!(error.contains("/start_date"), "{error}");
    let error = problem(|config| config["advanced"] = json!({ "window_size": "PT30S" }));
    assert!(error.contains("less than a minute"), "{error}");
    let error = problem(|config| config["stores"] = json!([]));
    assert!(error.contains("one store at least"), "{error}");
    let error = problem(|config| {
        config["stores"][0]["credentials"] =
            json!({ "credentials_title": "OAuth Credentials", "access_token": "hunter2" })
    });
    assert!(
        error.contains("store `alpha`") && error.contains("`Client Credentials`"),
        "{error}"
    );
    assert!(!error.contains("hunter2"), "{error}");
    let error = problem(|config| {
        let again = config["stores"][0].clone();
        config["stores"].as_array_mut().unwrap().push(again);
    });
    assert!(error.contains("`alpha` is configured twice"), "{error}");
}

#[test]
fn a_start_date_in_another_zone_is_that_instant_in_utc_and_what_is_left_blank_does_not_drift() {
    let asked_from = |config: Value, seconds: u64| {
        with_shopify(moving(&["alpha"]), async |simulator| {
            let mut capture = capture(simulator, config, &["inventory_items", "products"]);
            // Killed at its first checkpoint, which has nothing but the state that it begins with.
            let mut run = capture.start();
            while run.seen().checkpoints() == 0 {
                run.commit().await.unwrap();
            }
            drop(run.kill());
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            capture.start().go_on_for(HOUR).await.unwrap();
            let requests = simulator.requests().into_iter();
            let backfills = requests.filter(|served| served.root == "inventoryItems");
            let mut from: Vec<String> = backfills.filter_map(|served| served.bounds.0).collect();
            from.retain(|from| from.as_str() < "2026-01-15");
            from.dedup();
            from
        })
    };
    let mut with_zone = config(&["alpha"]);
    with_zone["start_date"] = "2026-01-01T00:00:00+02:00".into();
    assert_eq!(asked_from(with_zone, 3600), ["2025-12-31T22:00:00Z"]);
    // Opened twice, it begins where it began the first time.
    assert_eq!(
        asked_from(config(&["alpha"]), 3600),
        ["2025-12-16T11:59:59Z"]
    );
}
