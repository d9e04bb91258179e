//! A capture of one store becomes one of many, with its config.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::{Json, Router};
use serde_json::{Value, json};
use shopify_simulator::{Scenario, Simulator};
use source_shopify_native::SourceShopify;
use source_shopify_native::migrations::back_to_one;
use staunch::state::{Binding, Node};
use staunch_testkit::Capture;
use tokio::runtime::Runtime;

use crate::support::{capture, config, flat_config, moving, place, stream, with_shopify};
use crate::truth::{reduced, truth};

const HOUR: Duration = Duration::from_secs(3600);

/// Simulators and services of a test in which the connector is a process of its own.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// A service that encrypts nothing.
async fn service() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let encrypt = |Json(mut body): Json<Value>| async move { Json(body["config"].take()) };
    let router = Router::new().fallback(encrypt);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// Opens a capture of locations in a process, and ends it after its first documents: its answers, and what it logged.
fn session(config: &Value, state: &Value) -> (Vec<Value>, Vec<Value>) {
    let runtime = runtime();
    let scenario = Scenario {
        anchor: None,
        ..Scenario::default()
    };
    let simulator = runtime.block_on(Simulator::start(scenario)).unwrap();
    let encryption = runtime.block_on(service());
    let mut child = Command::new(env!("CARGO_BIN_EXE_source-shopify-native"))
        .env(
            "SOURCE_SHOPIFY_NATIVE_URL",
            format!("{}/{{store}}", simulator.url()),
        )
        .env("ENCRYPTION_URL", encryption)
        .env("LOG_LEVEL", "info")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let open = json!({ "open": {
        "capture": {
            "name": "a/capture", "connectorType": "LOCAL", "config": config, "intervalSeconds": 1,
            "bindings": [{
                "resourceConfig": { "name": "locations" }, "resourcePath": ["locations"], "stateKey": "locations",
                "collection": { "name": "a/locations", "key": ["/id"], "writeSchema": { "type": "object" } },
            }],
        },
        "version": "1", "range": { "keyEnd": u32::MAX, "rClockEnd": u32::MAX }, "state": state,
    }});
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{open}").unwrap();
    let mut input = Some(input);
    let mut answers = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
    {
        let answer: Value = serde_json::from_str(&line).unwrap();
        if answer.get("checkpoint").is_some()
            && let Some(input) = &mut input
        {
            writeln!(input, r#"{{"acknowledge":{{"checkpoints":1}}}}"#).unwrap();
        }
        if answer.get("captured").is_some() {
            input = None; // It ends when it has nothing to do any more.
        }
        answers.push(answer);
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    let logs = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{logs}");
    let logs = logs
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    (answers, logs.collect())
}

fn config_updates(logs: &[Value]) -> Vec<&Value> {
    let updates = logs
        .iter()
        .filter(|log| log["fields"]["eventType"] == "configUpdate");
    updates.map(|log| &log["fields"]["config"]).collect()
}

#[test]
fn a_config_of_one_store_is_announced_as_one_of_many_and_its_state_is_given_the_store() {
    let state = json!({ "bindingStateV1": { "locations": {
        "inc": { "cursor": "2026-01-15T11:00:00Z" },
        "backfill": { "cutoff": "2026-01-15T11:00:00Z", "next_page": null },
        "last_initialized": "2026-01-15T11:00:00Z",
    } } });
    let mut config = flat_config("alpha");
    config["start_date"] = "2020-01-01T00:00:00Z".into();
    let (answers, logs) = session(&config, &state);
    let mut expected = self::config(&["alpha"]);
    expected["start_date"] = "2020-01-01T00:00:00Z".into();
    expected["advanced"] = json!({ "should_use_composite_key": false, "window_size": "P30D" });
    assert_eq!(config_updates(&logs), [&expected]);
    assert!(answers[0].get("opened").is_some(), "{}", answers[0]);
    let first = answers.iter().find_map(|answer| answer.get("checkpoint"));
    let first = first.unwrap().to_string();
    assert!(
        first.contains(r#""alpha":{"cursor":"2026-01-15T11:00:00Z"}"#),
        "{first}"
    );
    assert!(first.contains(r#""cursor":null"#), "{first}");

    // What is published then is announced no more.
    let (_, logs) = session(&expected, &state);
    assert_eq!(config_updates(&logs), Vec::<&Value>::new());
}

/// A state of the first release, in the middle of everything.
fn flat(state: &Value, names: &[&str]) -> Value {
    let state = Node::parse(&state.to_string()).unwrap();
    let bindings = names.iter().map(|name| Binding {
        state_key: (*name).to_owned(),
        resource: None,
        is_active: true,
    });
    let bindings: Vec<Binding> = bindings.collect();
    let back = back_to_one("alpha").run(&state, &bindings).unwrap();
    serde_json::from_str(&back.after.to_json()).unwrap()
}

#[test]
fn killed_after_every_message_of_the_opening_that_migrates_it_ends_with_all_records_and_every_backfill_over()
 {
    let names = ["customers", "locations", "inventory_levels"];
    let scenario = || Scenario {
        span_days: 25,
        max_page_size: 5,
        ..moving(&["alpha", "beta"])
    };
    for kills in 0..6 {
        with_shopify(scenario(), async |simulator| {
            let mut one = capture(simulator, config(&["alpha"]), &names);
            let mut run = one.start();
            for _ in 0..5 {
                run.commit().await.unwrap(); // In the middle of its backfills.
            }
            let before = run.kill();
            let state = flat(&one.state(), &names);
            let mut two = capture(simulator, config(&["alpha", "beta"]), &names);
            two = two.with_state(state.clone());
            // Several stores: nobody may guess whose it is. So one store is opened first, and killed so often.
            let mut alone = capture(simulator, config(&["alpha"]), &names).with_state(state);
            let mut documents: Vec<Value> = Vec::new();
            let mut add = |seen: &staunch_testkit::Seen| {
                for name in names {
                    documents.extend(
                        seen.documents(name)
                            .iter()
                            .map(|document| json!([name, document])),
                    );
                }
            };
            add(&before);
            let mut run = alone.start();
            for _ in 0..kills {
                run.commit().await.unwrap();
            }
            add(&run.kill());
            let mut run = alone.start();
            while run.seen().checkpoints() == 0 {
                run.commit().await.unwrap();
            }
            add(&run.kill());
            two = two.with_state(alone.state());
            let mut run = two.start();
            run.go_on_for(2 * HOUR).await.unwrap();
            add(run.seen());
            let state = run.state();
            for name in names {
                let of_stream = documents.iter().filter(|document| document[0] == name);
                let of_stream: Vec<Value> = of_stream.map(|document| document[1].clone()).collect();
                let stream = stream(name);
                for store in ["alpha", "beta"] {
                    let captured = reduced(&of_stream, &stream, store);
                    assert_eq!(
                        captured,
                        truth(simulator, &stream, store),
                        "{name} of {store}"
                    );
                }
                let state = &state["bindingStateV1"][name];
                assert!(state["inc"].get("cursor").is_none() && state["inc"]["beta"].is_object());
                if let Some(backfill) = state["backfill"].as_object() {
                    assert!(backfill.is_empty(), "{name}: {backfill:?}");
                }
            }
        });
    }
}

#[test]
fn a_capture_of_the_first_release_goes_on_in_the_middle_of_its_backfills_and_nothing_is_missed_or_read_again()
 {
    let names = ["customers", "locations", "inventory_levels"];
    let scenario = Scenario {
        span_days: 25,
        max_page_size: 5,
        ..moving(&["alpha"])
    };
    with_shopify(scenario, async |simulator| {
        let mut first = Capture::new(SourceShopify::first_release(place(simulator)))
            .config(flat_config("alpha"));
        for name in names {
            let binding = json!({ "name": name, "interval": "PT5M" });
            first = first.bind_with(binding).keyed(["/id"]);
        }
        let mut run = first.start();
        while run.seen().documents("locations").len() < 10 {
            run.commit().await.unwrap();
        }
        let seen = run.kill();
        let state = first.state();
        let page = &state["bindingStateV1"]["locations"]["backfill"]["next_page"];
        assert!(page.is_string(), "in the middle of it: {state}");
        let begun = simulator.requests().len();

        let mut present = capture(simulator, config(&["alpha"]), &names).with_state(state);
        let mut run = present.start();
        run.go_on_for(HOUR).await.unwrap();
        for name in names {
            let documents = [seen.documents(name), run.seen().documents(name)].concat();
            let stream = stream(name);
            let captured = reduced(&documents, &stream, "alpha");
            assert_eq!(captured, truth(simulator, &stream, "alpha"), "{name}");
        }
        let again = simulator.requests().into_iter().skip(begun);
        let mut again = again.filter(|served| served.root == "locations");
        let first = again.next().unwrap();
        let goes_on = again.chain([first]).any(|served| served.after.is_some());
        assert!(goes_on, "it goes on at its page");
        let of_locations =
            seen.documents("locations").len() + run.seen().documents("locations").len();
        assert_eq!(of_locations, 20, "none twice");
    });
}
