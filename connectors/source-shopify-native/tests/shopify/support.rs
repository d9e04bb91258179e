//! A simulator, captures of it, what is recorded, and streams by their names.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};
use shopify_simulator::{Scenario, Simulator};
use source_shopify_native::streams::{STREAMS, Stream};
use source_shopify_native::{Place, SourceShopify};
use staunch::Connector;
use staunch_testkit::{Capture, simulate};

/// When simulated time begins.
pub(crate) const BEGIN: &str = "2026-01-15T12:00:00Z";

/// A recorded file, or none where the project stands alone.
pub(crate) fn recorded(name: &str) -> Option<Value> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/reference/golden"
    );
    let Ok(text) = std::fs::read_to_string(format!("{folder}/{name}")) else {
        eprintln!("skipped: `{name}` is not in this checkout");
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

pub(crate) fn stream(name: &str) -> Stream {
    *STREAMS.iter().find(|stream| stream.name == name).unwrap()
}

/// A scenario whose clock goes on with simulated time.
pub(crate) fn moving(stores: &[&str]) -> Scenario {
    Scenario {
        is_moving: true,
        anchor: Some(BEGIN.to_owned()),
        ..Scenario::default().with_stores(stores)
    }
}

/// Runs a test in simulated time, beside a simulator of this scenario.
pub(crate) fn with_shopify<T>(scenario: Scenario, test: impl AsyncFnOnce(&Simulator) -> T) -> T {
    simulate(BEGIN.parse().unwrap(), async {
        let simulator = Simulator::start(scenario).await.unwrap();
        test(&simulator).await
    })
}

pub(crate) fn place(simulator: &Simulator) -> Place {
    Place::at(format!("{}/{{store}}", simulator.url()))
}

/// Stores with the tokens of private apps.
pub(crate) fn config(stores: &[&str]) -> Value {
    let stores = stores.iter().map(|store| {
        json!({ "store": store, "credentials": {
            "credentials_title": "Private App Credentials", "access_token": format!("private-{store}"),
        } })
    });
    json!({ "stores": stores.collect::<Vec<_>>() })
}

/// The config of a single store, as it was before.
pub(crate) fn flat_config(store: &str) -> Value {
    let mut config = config(&[store]);
    let store = config["stores"][0].take();
    json!({ "store": store["store"], "credentials": store["credentials"] })
}

/// A capture of these streams.
pub(crate) fn capture(
    simulator: &Simulator,
    config: Value,
    streams: &[&str],
) -> Capture<SourceShopify> {
    let capture = Capture::new(SourceShopify::new(place(simulator))).config(config);
    capture_of(capture, streams)
}

/// A capture with these streams.
pub(crate) fn capture_of(
    mut capture: Capture<SourceShopify>,
    streams: &[&str],
) -> Capture<SourceShopify> {
    for name in streams {
        let is_snapshot = ["staff_members", "markets"].contains(name);
        let key = [
            "/_meta/store",
            if is_snapshot { "/_meta/row_id" } else { "/id" },
        ];
        let binding = json!({ "name": name, "interval": "PT5M" });
        capture = capture.bind_with(binding).keyed(key);
    }
    capture
}

/// Asks a connector one thing.
pub(crate) async fn ask(connector: &impl Connector, request: &Value) -> Result<Value, String> {
    let requests = std::io::Cursor::new(format!("{request}\n"));
    let (answers, out) = std::io::pipe().unwrap();
    let reader = std::thread::spawn(move || BufReader::new(answers).lines().next());
    let served = staunch::serve(connector, requests, Box::new(out)).await;
    let answer = reader.join().unwrap();
    served.map_err(|error| error.to_string())?;
    Ok(serde_json::from_str(&answer.unwrap().unwrap()).unwrap())
}
