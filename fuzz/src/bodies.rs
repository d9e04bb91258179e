//! What each fuzz target does with its bytes. The tests of `staunch-state` run the same on every file of the corpus.
//!
//! An input is JSON texts, one on each line. A line that is none is one of the things to be tried, and ends the case.

// Each target uses one of these, and the test all of them.
#![allow(dead_code, clippy::unwrap_used)]

use std::time::Duration;

use staunch_state::transform::{
    convert_cursors, ensure_subtasks, flat_to_keyed, flat_to_subtasks, keyed_to_earliest,
    keyed_to_flat, merge_subtasks, move_state, remove, rename, rename_subtask, replace, reset,
    retire, set, split_subtask,
};
use staunch_state::{
    Binding, Chain, ConnectorState, Cursor, CursorRule, DateTime, ExactDiff, Granularity, Node,
    Object, Plan, ResourceState, StateUpdate, Terms, survey,
};

/// A target: its name, and what it does with an input.
type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: [Target; 5] = [
    ("apply", apply),
    ("then", then),
    ("diff", diff),
    ("decode", decode),
    ("migrate", migrate),
];

fn nodes<const COUNT: usize>(data: &[u8]) -> Option<[Node; COUNT]> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let nodes: Option<Vec<Node>> = (0..COUNT)
        .map(|_| {
            let line = lines.next().unwrap_or_default();
            match Node::parse_bytes(line) {
                Ok(node) => Some(node),
                Err(error) => {
                    assert!(error.offset <= line.len(), "{error}");
                    assert!(!error.to_string().is_empty());
                    None
                }
            }
        })
        .collect();
    nodes?.try_into().ok()
}

/// An update from a line: an array's elements are patches, composed; anything else is a patch, or a replacement.
fn update(node: Node) -> StateUpdate {
    let elements = node.as_leaf().and_then(|leaf| leaf.elements());
    match elements {
        Some(elements) => elements
            .into_iter()
            .map(StateUpdate::merge)
            .fold(StateUpdate::empty(), StateUpdate::then),
        None if node.pointer("/replace").is_some() => StateUpdate::replace(node),
        None => StateUpdate::merge(node),
    }
}

/// A state and a patch: what the patch does, and that the texts agree.
pub(crate) fn apply(data: &[u8]) {
    let Some([state, patch]) = nodes(data) else {
        return;
    };
    let text = state.to_json();
    assert_eq!(state.serialized_len(), text.len());
    assert_eq!(Node::parse(&text).as_ref(), Ok(&state));
    let merge = StateUpdate::merge(patch.clone());
    let after = merge.apply(state.clone());
    assert_eq!(
        merge.apply(after.clone()),
        after,
        "a merge says what is there, not what changes"
    );
    assert_eq!(after.to_json(), patched(&state, &patch).to_json());
    assert_eq!(state.to_json(), text);
    if patch.as_object().is_some() {
        let sent = StateUpdate::from_wire(&patch.to_json(), true).unwrap();
        assert_eq!(sent.apply(state), after);
        assert_eq!(merge.as_merge_patch().as_ref(), Some(&patch));
    }
}

/// RFC 7396 by the letter, on the other interface.
fn patched(target: &Node, patch: &Node) -> Node {
    let Some(members) = patch.as_object() else {
        return patch.clone();
    };
    let mut object = target.as_object().cloned().unwrap_or_default();
    for (key, change) in members.iter() {
        if change.is_null() {
            object.remove(key);
        } else {
            let member = object.get(key).cloned().unwrap_or(Node::Null);
            object.insert(key, patched(&member, change));
        }
    }
    object.into()
}

/// A state and three updates: composing is applying one after the other, however it is bracketed and sent.
pub(crate) fn then(data: &[u8]) {
    let Some([state, first, second, third]) = nodes(data) else {
        return;
    };
    let (a, b, c) = (update(first), update(second), update(third));
    let one_by_one = c.apply(b.apply(a.apply(state.clone())));
    let left = a.clone().then(b.clone()).then(c.clone());
    assert_eq!(left, a.then(b.then(c)));
    assert_eq!(left.apply(state.clone()), one_by_one);
    let wire = left.to_wire();
    let bytes: usize = wire.iter().map(|one| one.updated.len()).sum();
    assert_eq!(left.wire_len(), bytes);
    if state.as_object().is_some() && one_by_one.as_object().is_some() {
        let read = wire
            .iter()
            .map(|one| StateUpdate::from_wire(&one.updated, one.merge_patch).unwrap());
        let sent = read.fold(StateUpdate::empty(), StateUpdate::then);
        assert_eq!(sent.apply(state), one_by_one);
    }
}

/// Two states: the difference makes one of the other, says nothing twice, and nothing in vain.
pub(crate) fn diff(data: &[u8]) {
    let Some([old, new]) = nodes(data) else {
        return;
    };
    if old.as_object().is_none() || new.as_object().is_none() {
        return;
    }
    let update = StateUpdate::diff(&old, &new);
    let after = update.apply(old.clone());
    assert!(after.same_state(&new) && new.same_state(&after));
    assert_eq!(update.is_empty(), old.same_state(&new));
    assert!(StateUpdate::diff(&after, &new).is_empty());
    assert!(StateUpdate::diff(&new, &new.clone()).is_empty());
    let patch = update.as_merge_patch().unwrap();
    assert_eq!(StateUpdate::merge(patch.clone()).apply(old.clone()), after);
    let whole = patch.as_object().unwrap();
    for key in whole.keys() {
        let mut less = whole.clone();
        less.remove(key);
        let after = StateUpdate::merge(less.into()).apply(old.clone());
        assert!(!after.same_state(&new), "a member that changes nothing");
    }
    let exact = match StateUpdate::diff_exact(&old, &new) {
        ExactDiff::Merge(update) => update,
        ExactDiff::Replace { update, because } => {
            assert!(because.contains("explicit null"));
            update
        }
    };
    let after = exact.apply(old);
    assert_eq!(after, new);
    assert_eq!(after.serialized_len(), new.serialized_len());
}

/// A connector state, and a text that may be a date-time or a cursor.
pub(crate) fn decode(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        connector_state(text.lines().next().unwrap_or_default());
        text.lines().for_each(date_time);
    }
    if let Some([node]) = nodes(data)
        && let Ok(cursor) = Cursor::from_node(&node)
    {
        assert_eq!(cursor.to_node(), node);
        assert_eq!(cursor.compare(&cursor), Some(std::cmp::Ordering::Equal));
        assert!(!cursor.to_string().is_empty() && !cursor.kind().to_string().is_empty());
        let _ = (
            cursor.as_u64(),
            cursor.parts(),
            cursor.earlier_by(Duration::from_millis(1)),
        );
    }
}

fn connector_state(text: &str) {
    let Ok(state) = ConnectorState::parse(text) else {
        return;
    };
    let decoded = state.decode();
    assert!(state.backfill_requests().count() <= text.len());
    let mut fits = true;
    for (key, node) in state.bindings() {
        assert_eq!(state.binding(key), Some(node));
        match ResourceState::decode(key, node) {
            Ok(read) => {
                let written = read.to_node().unwrap();
                assert_eq!(ResourceState::decode(key, &written).as_ref(), Ok(&read));
                let mut kept = node.clone();
                if let Some(object) = kept.as_object_mut() {
                    object.retain(|key, node| {
                        key != "is_connector_initiated" || *node != Node::boolean(false)
                    });
                }
                assert!(written.same_state(&kept));
            }
            Err(error) => {
                fits = false;
                assert_eq!(error.state_key.as_deref(), Some(key));
                assert!(state.node().pointer(&error.pointer).is_some(), "{error}");
            }
        }
    }
    assert_eq!(decoded.is_ok(), fits);
}

fn date_time(text: &str) {
    let Ok(at) = DateTime::parse(text) else {
        return;
    };
    assert_eq!(at.as_str(), text);
    assert!(at.granularity().digits() <= 9);
    for lag in [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_secs(86_400),
        Duration::MAX,
    ] {
        if let Some(earlier) = at.earlier_by(lag) {
            assert!(earlier.compare(&at).is_le());
            assert_eq!(earlier.granularity(), at.granularity());
            assert_eq!(earlier.as_str().len(), text.len());
        }
    }
}

/// Two states: what every ready-made migration makes of the first, and what a plan says of that and of the second.
pub(crate) fn migrate(data: &[u8]) {
    let Some([before, other]) = nodes(data) else {
        return;
    };
    let states = before.pointer("/bindingStateV1").and_then(Node::as_object);
    let keys = states.into_iter().flat_map(Object::keys).take(2);
    let bindings: Vec<Binding> = keys
        .zip([true, false])
        .map(|(key, is_active)| Binding {
            state_key: key.to_owned(),
            resource: Some(Node::Object(Object::new())),
            is_active,
        })
        .collect();
    for chain in chains() {
        let terms = Terms {
            declared: chain.declared(),
            ..Terms::default()
        };
        match chain.run(&before, &bindings) {
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(migrated) => {
                let again = chain.run(&migrated.after, &bindings);
                assert!(
                    again.is_ok_and(|again| again.after == migrated.after),
                    "{before}"
                );
                let planned = survey(
                    &before,
                    &migrated.after,
                    &bindings,
                    &migrated.applied,
                    &terms,
                );
                match planned {
                    Err(refused) => assert!(!refused.to_string().is_empty()),
                    Ok(plan) => is_sound(&plan, &before, &migrated.after),
                }
            }
        }
        if let Ok(back) = chain.back_to(None) {
            let _ = back.run(&before, &bindings);
        }
    }
    for (old, new) in [(&before, &other), (&other, &before)] {
        match survey(old, new, &bindings, &[], &Terms::default()) {
            Err(refused) => assert!(!refused.to_string().is_empty()),
            Ok(plan) => is_sound(&plan, old, new),
        }
    }
}

fn is_sound(plan: &Plan, before: &Node, after: &Node) {
    assert!(
        plan.apply(before.clone()).same_state(after),
        "{before} to {after}"
    );
    assert!(!plan.to_string().is_empty() && !plan.colored().to_string().is_empty());
    let text = serde_json::to_string(plan).unwrap();
    let read: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(read.update, plan.update);
}

fn chains() -> Vec<Chain> {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let entry = |text: &str| Node::parse(text).unwrap().into_object().unwrap();
    let initial = entry(r#"{"inc":{"cursor":7},"backfill":{"cutoff":7}}"#);
    let ensured = || {
        [
            ("a", initial.clone()),
            ("b", entry(r#"{"inc":{"cursor":7}}"#)),
        ]
    };
    let seconds = Granularity::of_digits(0).unwrap();
    vec![
        Chain::new()
            .with(flat_to_keyed("a"))
            .with(ensure_subtasks(ensured())),
        Chain::new().with(flat_to_keyed("cursor").marking_finished()),
        Chain::new().with(keyed_to_flat("a")),
        Chain::new().with(keyed_to_flat("b").dropping_others()),
        Chain::new().with(keyed_to_earliest()),
        Chain::new().with(flat_to_subtasks([("a", hours(0)), ("b", hours(6))])),
        Chain::new().with(ensure_subtasks(ensured()).dropping_others()),
        Chain::new().with(ensure_subtasks(ensured()).archiving_others()),
        Chain::new().with(rename_subtask("a", "b")),
        Chain::new().with(split_subtask("a", [("a", hours(0)), ("c", hours(1))])),
        Chain::new().with(merge_subtasks(["a", "b"], "a").rewinding(hours(1))),
        Chain::new().with(convert_cursors(CursorRule::epoch_seconds_to_datetime())),
        Chain::new().with(convert_cursors(CursorRule::datetime_to_epoch_millis())),
        Chain::new().with(convert_cursors(CursorRule::granularity(seconds))),
        Chain::new().with(reset(|_, state| state.contains("a"))),
        Chain::new().with(retire(|binding, _| binding.resource.is_none())),
        Chain::new()
            .with_whole(move_state("a", "b"))
            .with(flat_to_keyed("a"))
            .with_whole(set("/a/b", Node::integer(1)).at_root()),
        Chain::new()
            .with(rename("/a", "/inc"))
            .with(remove("/b/a"))
            .with(set("/snapshot/a/last_count", Node::integer(1)))
            .with(replace("/a", Node::boolean(true), Node::boolean(false))),
    ]
}
