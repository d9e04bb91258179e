//! What is plainly right passes: every ready-made transform, on every small state that it applies to.

use std::time::Duration;

use staunch_state::transform::{
    ensure_subtasks, flat_to_keyed, flat_to_subtasks, keyed_to_earliest, keyed_to_flat,
    merge_subtasks, rename_subtask, split_subtask,
};
use staunch_state::{Chain, ConsentKind, Cursor, Node, Object, ResourceState, Terms, survey};

use super::Findings;
use super::law::{Change, Effect};
use super::state::{Backfill, Name, State, parts};

fn chains() -> Vec<Chain> {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let entry = |text: &str| -> Object { Node::parse(text).unwrap().into_object().unwrap() };
    let initial = entry(r#"{"inc":{"cursor":3},"backfill":{"cutoff":3}}"#);
    let present = entry(r#"{"inc":{"cursor":3}}"#);
    let blank = entry(
        r#"{"snapshot":{"updated_at":"1970-01-01T00:00:00Z","last_count":0,"last_digest":""}}"#,
    );
    let ensured =
        |initial: &Object| ensure_subtasks(["a", "c"].map(|name| (name, initial.clone())));
    vec![
        Chain::new().with(flat_to_keyed("a")),
        Chain::new().with(flat_to_keyed("c").marking_finished()),
        Chain::new()
            .with(flat_to_keyed("a"))
            .with(ensured(&initial)),
        Chain::new().with(keyed_to_flat("a")),
        Chain::new().with(keyed_to_flat("a").dropping_others()),
        Chain::new().with(keyed_to_earliest()),
        Chain::new().with(keyed_to_earliest().rewinding(hours(1))),
        Chain::new().with(flat_to_subtasks([("a", hours(0)), ("c", hours(0))])),
        Chain::new().with(flat_to_subtasks([("a", hours(0)), ("c", hours(1))])),
        Chain::new().with(ensured(&initial)),
        Chain::new().with(ensured(&initial).dropping_others()),
        Chain::new().with(ensured(&initial).archiving_others()),
        Chain::new().with(ensured(&present)),
        Chain::new().with(ensured(&blank)),
        Chain::new().with(rename_subtask("a", "c")),
        Chain::new().with(rename_subtask("a", "b")),
        Chain::new().with(split_subtask("a", [("a", hours(0)), ("c", hours(0))])),
        Chain::new().with(split_subtask("a", [("c", hours(0)), ("d", hours(0))])),
        Chain::new().with(split_subtask("a", [("c", hours(0)), ("d", hours(1))])),
        Chain::new().with(merge_subtasks(["a", "b"], "a")),
        Chain::new().with(merge_subtasks(["a", "b"], "c")),
        Chain::new().with(merge_subtasks(["a", "b"], "c").rewinding(hours(2))),
    ]
}

/// The same state with date-times: a position is an hour.
fn with_hours(state: &State) -> Node {
    let mut text = state.to_node().to_json();
    for at in 1..=3 {
        for member in ["cursor", "cutoff"] {
            let time = format!(r#""{member}":"2025-06-10T{at:02}:00:00Z""#);
            text = text.replace(&format!(r#""{member}":{at}"#), &time);
        }
    }
    Node::parse(&text).unwrap()
}

/// Reads a state back; `None` for one that has more than the oracle knows of.
fn read(node: &Node) -> Option<State> {
    let state = node.pointer("/bindingStateV1/K")?;
    let read = ResourceState::decode("K", state).ok()?;
    let name = |name: Option<&str>| -> Option<Name> {
        let known = ["a", "b", "c", "d"];
        match name {
            None => Some(None),
            Some(name) => known.into_iter().find(|known| *known == name).map(Some),
        }
    };
    let position = |cursor: &Cursor| {
        let hour = |text: &str| text[11..13].parse().unwrap();
        cursor
            .as_u64()
            .unwrap_or_else(|| hour(cursor.as_datetime().unwrap().as_str()))
    };
    let mut found = State::default();
    for (theirs, entry) in read.inc.entries() {
        found.inc.push((name(theirs)?, position(&entry.cursor)));
    }
    for (theirs, entry) in read.backfill.entries() {
        let page = entry.next_page.as_ref().map(|_| "p");
        let cutoff = position(&entry.cutoff);
        found
            .backfill
            .push((name(theirs)?, Backfill { cutoff, page }));
    }
    Some(found)
}

#[test]
fn what_the_ready_made_transforms_make_passes_in_silence_unless_it_reads_again() {
    let mut findings = Findings::default();
    let page = |cutoff, page| Backfill { cutoff, page };
    let backfills = [page(1, None), page(3, None), page(3, Some("p"))];
    let mut applied = 0;
    for chain in chains() {
        for inc in parts(&["a", "b"], &[1, 2, 3]) {
            for backfill in parts(&["a", "b"], &backfills) {
                for snapshot in parts(&["a", "b"], &["d"]) {
                    let before = State {
                        inc: inc.clone(),
                        backfill: backfill.clone(),
                        snapshot,
                        is_initialized: true,
                    };
                    applied += u64::from(passes(&chain, &before, &before.to_node(), &mut findings));
                    // What is ensured begins at an integer.
                    if chain.names().all(|name| name != "ensure-subtasks") {
                        passes(&chain, &before, &with_hours(&before), &mut findings);
                    }
                }
            }
        }
    }
    let states = 19 * 19 * 5;
    assert_eq!(findings.changes, 22 * states + 16 * states);
    assert!(applied > 10_000, "{applied} states were transformed");
    findings.assert_none();
}

/// Whether the chain changes the state; and what is found, where that does not pass.
fn passes(chain: &Chain, before: &State, node: &Node, findings: &mut Findings) -> bool {
    findings.changes += 1;
    let Ok(migrated) = chain.run(node, &[]) else {
        return false; // It says itself that it cannot carry this state over.
    };
    if migrated.applied.is_empty() {
        return false;
    }
    let terms = Terms {
        declared: chain.declared(),
        ..Terms::default()
    };
    let case = || format!("{node}  to  {}", migrated.after);
    let step: Vec<String> = chain.steps().map(|step| step.definition).collect();
    let step = step.join(", ");
    let planned = match survey(node, &migrated.after, &[], &migrated.applied, &terms) {
        Ok(planned) => planned,
        Err(refused) => {
            findings.add(format!("{step}: {}", refused.code()), case);
            return true;
        }
    };
    findings.silent += u64::from(planned.needed().is_empty());
    for needed in planned.needed() {
        let rereads = read(&migrated.after).is_some_and(|mut after| {
            after.snapshot.clone_from(&before.snapshot);
            after.is_initialized = before.is_initialized;
            let change = Change {
                before,
                after: &after,
                effect: Effect::None,
            };
            change.goes_back()
        });
        if needed.kind != ConsentKind::Rewind || !rereads {
            findings.add(format!("{step}: {needed}"), case);
        }
    }
    true
}
