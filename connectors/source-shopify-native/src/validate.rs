//! Whether the keys of collections go with the stores that are configured, and with what they were before.
//!
//! A collection that is keyed on `/id` alone has room for one store. Keying it on the store, too, changes the key of every document: so the
//! bindings are discovered anew and start over. Snapshots are keyed on the store always.

use serde_json::Value;
use staunch::{Bound, Previous, Proposed};

use crate::config::{Config, is_flat};
use crate::streams::{Kind, STREAMS};

/// Where the store stands in a document.
const STORE: &str = "/_meta/store";

/// What is wrong, and what to do: the first rule that is broken, since the others follow from it.
pub(crate) fn problems(config: &Config, proposed: &Proposed) -> Vec<String> {
    first_problem(config, proposed).into_iter().collect()
}

fn first_problem(config: &Config, proposed: &Proposed) -> Option<String> {
    let is_on = config.advanced.should_use_composite_key;
    let names = config.names();
    if !is_on && names.len() > 1 {
        return Some(format!(
            "stores {} cannot be captured into collections that are keyed on `/id` alone: set `/advanced/should_use_composite_key`, \
             discover the bindings anew, and backfill all of them",
            listed(&names)
        ));
    }
    let keyed: Vec<&Bound> = proposed
        .bindings
        .iter()
        .filter(|bound| !is_snapshot(bound))
        .collect();
    let otherwise = |is_composite: bool| {
        let bound = keyed
            .iter()
            .filter(|bound| self::is_composite(bound) != is_composite);
        let bound: Vec<String> = bound.map(|bound| bound.resource.clone()).collect();
        (!bound.is_empty()).then_some(bound)
    };
    let discover = |bound: &[String]| {
        let (stores, with) = (listed(&names), if is_on { "with" } else { "without" });
        format!(
            "the collections of {} are to be keyed {with} `{STORE}` for {stores}, and are not: discover the bindings anew before publishing",
            listed(bound)
        )
    };
    if names.len() > 1
        && let Some(bound) = otherwise(true)
    {
        return Some(discover(&bound));
    }
    let previous = proposed.previous.as_ref()?;
    if is_on != was_on(&previous.config)
        && let Some(bound) = otherwise(is_on)
    {
        return Some(discover(&bound));
    }
    let unreset = unreset(&keyed, previous);
    (!unreset.is_empty()).then(|| {
        format!(
            "the key of the collections of {} changes (store {}), so that their documents have to be captured anew: backfill these bindings \
             with this publication",
            listed(&unreset),
            listed(&names)
        )
    })
}

/// Whether collections were to be keyed on the store. Secrets of that config may be sealed, so it is not decoded.
fn was_on(config: &Value) -> bool {
    if is_flat(config) {
        return false;
    }
    let flag = config.pointer("/advanced/should_use_composite_key");
    flag.and_then(Value::as_bool).unwrap_or(true)
}

/// The bindings whose key changes and that do not start over.
fn unreset(bound: &[&Bound], previous: &Previous) -> Vec<String> {
    let before = |resource: &str| {
        let mut bindings = previous.bindings.iter();
        bindings.find(|before| before.resource == resource)
    };
    let unreset = bound.iter().filter(|now| {
        before(&now.resource).is_some_and(|before| {
            is_composite(before) != is_composite(now) && now.backfill <= before.backfill
        })
    });
    unreset.map(|now| now.resource.clone()).collect()
}

fn is_composite(bound: &Bound) -> bool {
    bound.key.iter().any(|pointer| pointer == STORE)
}

fn is_snapshot(bound: &Bound) -> bool {
    let mut streams = STREAMS
        .iter()
        .filter(|stream| stream.name == bound.resource);
    streams.any(|stream| matches!(stream.kind, Kind::Snapshot { .. }))
}

/// Names, each in quotes.
fn listed(names: &[String]) -> String {
    let quoted = names.iter().map(|name| format!("`{name}`"));
    quoted.collect::<Vec<_>>().join(", ")
}
