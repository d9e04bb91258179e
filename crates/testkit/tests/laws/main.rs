//! Right chains pass, and each planted mistake is told as the mistake that it is.
#![forbid(unsafe_code)]

mod folder;
mod planted;
mod right;

use staunch_state::{Chain, Node};
use staunch_testkit::{Failure, Harness, Report};

/// A chain with released states, each told by the states of its bindings.
fn harness(chain: Chain, states: &[&str]) -> Harness {
    let numbered = states.iter().enumerate();
    numbered.fold(
        Harness::new(chain).cases(400).kills(12),
        |harness, (at, bindings)| {
            let state = format!(r#"{{"bindingStateV1":{bindings}}}"#);
            harness.state(
                format!("v{at}"),
                Node::parse(&state).expect("a state is JSON"),
            )
        },
    )
}

fn passes(harness: Harness) -> Report {
    match harness.run() {
        Ok(report) => report,
        Err(failure) => panic!("{failure}"),
    }
}

fn fails(harness: Harness) -> Failure {
    match harness.run() {
        Ok(report) => panic!("a planted mistake is not found:\n{report}"),
        Err(failure) => failure,
    }
}
