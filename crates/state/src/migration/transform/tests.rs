//! Each ready-made migration: what it makes of every shape, what it refuses, what a plan says of it, and how it is undone.

mod cursors;
mod effects;
mod ensure;
mod members;
mod shapes;
mod undone;
mod whole;

use std::time::Duration;

use crate::migration::{Binding, Chain, Migration, MigrationError};
use crate::node::Node;
use crate::plan::{Plan, Refused, Terms, survey};

const HOUR: Duration = Duration::from_secs(3600);
const NO_LAG: Duration = Duration::ZERO;

fn node(text: &str) -> Node {
    Node::parse(text).unwrap()
}

fn one(step: impl Migration + 'static) -> Chain {
    Chain::new().with(step)
}

/// A connector state of one binding `K`.
fn state_of(binding: &str) -> Node {
    node(&format!(r#"{{"bindingStateV1":{{"K":{binding}}}}}"#))
}

/// The state of `K`; empty text for none.
fn binding_of(state: &Node) -> String {
    let binding = state.pointer("/bindingStateV1/K");
    binding.map(Node::to_json).unwrap_or_default()
}

fn bound(state_key: &str) -> Binding {
    Binding {
        state_key: state_key.to_owned(),
        resource: Some(node("{}")),
        is_active: true,
    }
}

/// What the chain makes of a state, planned with what it declares and nobody's consent.
fn planned(chain: &Chain, before: &Node) -> Result<(Node, Plan), Refused> {
    let migrated = chain.run(before, &[]).unwrap();
    let terms = Terms {
        declared: chain.declared(),
        ..Terms::default()
    };
    let plan = survey(before, &migrated.after, &[], &migrated.applied, &terms)?;
    assert!(plan.apply(before.clone()).same_state(&migrated.after));
    Ok((migrated.after, plan))
}

/// A plan's word on `K`: `REWIND needs rewind: a note; another`, or the code of its refusal.
fn said(planned: &Result<(Node, Plan), Refused>) -> String {
    let plan = match planned {
        Ok((_, plan)) => plan,
        Err(refused) => return refused.code().to_owned(),
    };
    let (group, _) = plan.binding("K").unwrap();
    let mut said = group.outcome.to_string();
    if let Some(kind) = group.needs {
        said += &format!(" needs {kind}");
    }
    if !group.notes.is_empty() {
        said += &format!(": {}", group.notes.join("; "));
    }
    said
}

/// Each state becomes another, once, with nothing else touched, and the plan says so.
fn becomes(chain: &Chain, cases: &[(&str, &str, &str)]) {
    for (before, after, says) in cases {
        let result = planned(chain, &state_of(before));
        assert_eq!(said(&result), *says, "{before}");
        if let Ok((migrated, _)) = result {
            assert_eq!(binding_of(&migrated), *after, "{before}");
            is_done(chain, &migrated);
        }
        leaves_others_alone(chain, before, after);
    }
}

/// The second run finds nothing.
fn is_done(chain: &Chain, state: &Node) {
    let again = chain.run(state, &[]).unwrap();
    assert!(again.applied.is_empty(), "{:?} of {state}", again.applied);
    assert_eq!(again.after.to_json(), state.to_json());
}

/// The same, in the middle of members that nobody knows.
fn leaves_others_alone(chain: &Chain, before: &str, after: &str) {
    let (first, last) = (r#""newer":{"null":null,"n":1.50}"#, r#""seen":[1,null]"#);
    let inner = before
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    let Some(inner) = inner.filter(|inner| !inner.is_empty() && !after.is_empty()) else {
        return;
    };
    let among = state_of(&format!("{{{first},{inner},{last}}}"));
    let mut migrated = chain.run(&among, &[]).unwrap().after;
    let text = binding_of(&migrated);
    assert!(text.starts_with(&format!("{{{first}")), "{text}");
    let of = migrated
        .pointer_mut("/bindingStateV1/K")
        .and_then(Node::as_object_mut)
        .unwrap();
    of.remove("newer");
    assert_eq!(of.remove("seen").unwrap().to_json(), "[1,null]");
    assert_eq!(binding_of(&migrated), after, "{before} among others");
}

/// Each state is refused at a pointer, with these words and a remedy behind a semicolon.
fn refuses(chain: &Chain, cases: &[(&str, &str, &str, &str)]) {
    let step = chain.names().next().unwrap();
    for (before, pointer, words, remedy) in cases {
        let error = chain.run(&state_of(before), &[]).expect_err(before);
        assert_eq!(error.code(), "migration-failed", "{before}: {error}");
        let MigrationError::Failed {
            migration,
            state_key,
            pointer: place,
            message,
        } = &error
        else {
            unreachable!("{error}")
        };
        assert_eq!((migration.as_str(), state_key.as_str()), (step, "K"));
        assert_eq!(place, &format!("/bindingStateV1/K{pointer}"), "{before}");
        let (what, to_do) = message.rsplit_once("; ").expect("a remedy");
        assert!(what.contains(words), "{before}: `{what}` lacks `{words}`");
        assert!(
            to_do.contains(remedy),
            "{before}: `{to_do}` lacks `{remedy}`"
        );
    }
}

/// These stay as they are.
fn keeps(chain: &Chain, states: &[&str]) {
    for state in states {
        let migrated = chain.run(&state_of(state), &[]).unwrap();
        assert_eq!(binding_of(&migrated.after), *state);
        assert!(migrated.applied.is_empty(), "{state}");
    }
}
