//! What a person reads.

use std::time::Duration;

use super::WIDTH;
use crate::migration::transform::{flat_to_subtasks, move_state, rename_subtask, reset, retire};
use crate::migration::{Binding, Chain};
use crate::node::Node;
use crate::plan::{Plan, Terms, survey};

/// A plan with every outcome that a chain of ready-made steps has, and names of all kinds.
fn plan() -> Plan {
    let before = Node::parse(concat!(
        r#"{"bindingStateV1":{"#,
        r#""acme/a-rather-long-name-of-a-resource-that-alone-fills-most-of-a-line.v12":{"inc":{"cursor":"2025-06-10T08:00:00Z"}},"#,
        r#""orders":{"inc":{"cursor":"2025-06-10T08:00:00Z"},"last_initialized":"2025-01-01T00:00:00Z"},"#,
        r#""refunds":{"inc":{"old":{"cursor":["t",7]}}},"#,
        r#""over":{"inc":{"x":{"cursor":1}},"backfill":{"x":{"cutoff":1,"next_page":{"token":"0123456789012345678901234567890123456789"}}}},"#,
        r#""gone":{"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"d"}},"#,
        r#""accounts.v2":{"inc":{"realtime":{"cursor":"2025-06-10T08:00:00Z"}}},"#,
        "\"bell\\u0007\\u001b[31m\":{\"inc\":{\"x\":{\"cursor\":5}}}",
        r#"}}"#,
    ))
    .unwrap();
    let binding = |state_key: &str| Binding {
        state_key: state_key.into(),
        resource: Some(Node::Object(crate::node::Object::new())),
        is_active: true,
    };
    let bindings = ["orders", "refunds", "over", "customers.v2"].map(binding);
    let chain = Chain::new()
        .with(flat_to_subtasks([
            ("realtime", Duration::ZERO),
            ("lookback", Duration::from_secs(6 * 3600)),
        ]))
        .with(rename_subtask("old", "new"))
        .with(reset(|binding, _| binding.state_key == "over"))
        .with(retire(|binding, _| binding.state_key == "gone"))
        .with_whole(move_state("accounts", "customers"));
    let migrated = chain.run(&before, &bindings).unwrap();
    let terms = Terms {
        declared: chain.declared(),
        ..Terms::default()
    };
    survey(
        &before,
        &migrated.after,
        &bindings,
        &migrated.applied,
        &terms,
    )
    .unwrap()
}

/// The text without what colours it.
fn bare(colored: &str) -> String {
    let mut bare = String::new();
    let mut parts = colored.split("\u{1b}[");
    bare.push_str(parts.next().unwrap());
    for part in parts {
        let (sequence, text) = part.split_once('m').unwrap();
        assert!(
            sequence
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b';')
        );
        bare.push_str(text);
    }
    bare
}

#[test]
fn every_outcome_is_told_with_colours_and_without() {
    let plan = plan();
    insta::assert_snapshot!("without_colours", plan);
    let colored = plan.colored().to_string();
    insta::assert_snapshot!("with_colours", colored.replace('\u{1b}', "^"));
    assert_eq!(bare(&colored), plan.to_string(), "they say the same");
}

#[test]
fn a_line_has_eighty_columns_unless_one_word_is_longer() {
    for line in plan()
        .to_string()
        .lines()
        .filter(|line| line.chars().count() > WIDTH)
    {
        let words = line.trim_start().split(' ').filter(|word| !word.is_empty());
        assert!(words.count() <= 2, "{line}");
    }
}

#[test]
fn bindings_that_all_change_in_their_own_ways_are_counted() {
    let states: Vec<String> = (0..1000)
        .map(|n| format!(r#""k{n}":{{"inc":{{"old-{n}":{{"cursor":{n}}}}}}}"#))
        .collect();
    let before = format!(r#"{{"bindingStateV1":{{{}}}}}"#, states.join(","));
    let after = before.replace(r#""old-"#, r#""new-"#);
    let (before, after) = (Node::parse(&before).unwrap(), Node::parse(&after).unwrap());
    let plan = survey(&before, &after, &[], &[], &Terms::default()).unwrap();
    let text = plan.to_string();
    assert!(text.lines().count() < 300, "{} lines", text.lines().count());
    assert!(
        text.contains("980 bindings more, which change in 980 more ways"),
        "{text}"
    );
}
