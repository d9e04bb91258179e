//! Captures from their beginning on.

use std::time::Duration;

use shopify_simulator::{Mutation, Operation, Scenario};
use source_shopify_native::streams::STREAMS;

use crate::support::{capture, config, moving, with_shopify};
use crate::truth::{reduced, truth};

const HOUR: Duration = Duration::from_secs(3600);

fn all_streams() -> Vec<&'static str> {
    STREAMS.iter().map(|stream| stream.name).collect()
}

#[test]
fn each_stream_of_each_store_is_captured_whole_and_as_it_is() {
    let stores = ["alpha", "beta"];
    with_shopify(moving(&stores), async |simulator| {
        let mut config = config(&stores);
        config["start_date"] = "2025-09-01T00:00:00Z".into();
        let mut capture = capture(simulator, config, &all_streams());
        let mut run = capture.start();
        run.go_on_for(HOUR).await.unwrap();
        for stream in &STREAMS {
            for store in stores {
                let expected = truth(simulator, stream, store);
                let captured = reduced(run.seen().documents(stream.name), stream, store);
                assert!(!expected.is_empty(), "{} of {store}", stream.name);
                assert_eq!(captured, expected, "{} of {store}", stream.name);
            }
        }
        assert_eq!(simulator.leaked_tokens(), 0);
    });
}

#[test]
fn what_changes_while_it_runs_is_captured_by_the_next_reading() {
    let scenario = Scenario {
        span_days: 25, // Within the thirty days of which a capture begins to read.
        ..moving(&["alpha"])
    };
    with_shopify(scenario, async |simulator| {
        let streams = ["orders", "customers", "locations", "markets"];
        let mut capture = capture(simulator, config(&["alpha"]), &streams);
        let mut run = capture.start();
        run.go_on_for(HOUR).await.unwrap();
        let change = |op, kind, id| Mutation::new("alpha", op, kind, id);
        simulator
            .mutate(&[
                change(Operation::Update, "Order", Some(3)),
                change(Operation::Create, "Customer", None),
                change(Operation::Update, "Location", Some(4)),
                change(Operation::Delete, "Market", Some(5)),
            ])
            .unwrap();
        run.go_on_for(HOUR).await.unwrap();
        for name in streams {
            let stream = crate::support::stream(name);
            let expected = truth(simulator, &stream, "alpha");
            let captured = reduced(run.seen().documents(name), &stream, "alpha");
            assert_eq!(captured, expected, "{name}");
        }
    });
}
