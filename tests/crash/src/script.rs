//! The script: which documents there are, and which of them a state says are captured.
//!
//! ```text
//! events    a flat state in the first release, `north` and `south` in the second; both have pages and changes
//! archive   a backfill which the first release leaves half done: the migration must carry its page over
//! labels    a snapshot, which no migration touches
//! ```
//!
//! Ids are unique within a resource, and the documents of an id are the same in every run: no clock is in them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// The subtask that the flat state becomes.
pub const NORTH: &str = "north";
/// The subtask that only the second release has.
pub const SOUTH: &str = "south";

/// The resource that is captured by changes, after a backfill.
pub const EVENTS: &str = "events";
/// The resource whose backfill spans the migration.
pub const ARCHIVE: &str = "archive";
/// The resource that is captured whole.
pub const LABELS: &str = "labels";

/// Rows of `labels`.
pub const ROWS: u64 = 3;

/// A page of `archive` at which the first release goes no further.
pub const ARCHIVE_STALL: u64 = 2;

/// How many changes there are to a checkpoint.
pub const CHANGES_PER_CHECKPOINT: usize = 2;

/// A release of the connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// Captures `events` and `archive` as a whole.
    First,
    /// Captures them by region, and finds more.
    Second,
}

/// What the source has of a region.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// Where incremental capture begins; the cutoff of the backfill.
    pub start: u64,
    /// The ids on each page of the backfill.
    pub pages: &'static [&'static [u64]],
    /// The ids of changes, each after `start`, of both releases.
    pub changes: &'static [u64],
    /// How many of them there are while the first release runs.
    pub first_changes: usize,
}

const EVENTS_NORTH: Region = Region {
    start: 100,
    pages: &[&[1, 2], &[3, 4]],
    changes: &[101, 102, 103, 104, 105],
    first_changes: 3,
};
const EVENTS_SOUTH: Region = Region {
    start: 200,
    pages: &[&[151, 152]],
    changes: &[201, 202],
    first_changes: 0,
};
const ARCHIVE_NORTH: Region = Region {
    start: 500,
    pages: &[&[401], &[402], &[403], &[404]],
    changes: &[501],
    first_changes: 0,
};

/// What the source has of a region of a resource, if there is such a region.
#[must_use]
pub fn region(resource: &str, name: &str) -> Option<Region> {
    match (resource, name) {
        (EVENTS, NORTH) => Some(EVENTS_NORTH),
        (EVENTS, SOUTH) => Some(EVENTS_SOUTH),
        (ARCHIVE, NORTH) => Some(ARCHIVE_NORTH),
        _ => None,
    }
}

impl Region {
    /// The changes after `cursor` that there are while `release` runs.
    pub fn after(self, cursor: u64, release: Release) -> impl Iterator<Item = u64> {
        let there_are = match release {
            Release::First => self.first_changes,
            Release::Second => self.changes.len(),
        };
        let changes = self.changes.iter().copied().take(there_are);
        changes.filter(move |id| *id > cursor)
    }
}

/// The document of an id. Its length varies, so that no two cuts of a file are alike.
#[must_use]
pub fn document(id: u64) -> Value {
    let words = usize::try_from(id % 7).expect("a remainder is small");
    json!({ "id": id, "text": "a line of täxt, ".repeat(words) })
}

/// The row of a number, without its `_meta`.
#[must_use]
pub fn row(number: u64) -> Value {
    json!({ "name": format!("label {number}") })
}

/// The shape of the states that a migration carries over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As the first release writes it.
    Flat,
    /// As the second release does.
    Keyed,
}

/// What is captured of each resource once a release has nothing more to do.
#[must_use]
pub fn end(release: Release) -> BTreeMap<&'static str, BTreeSet<u64>> {
    let regions = [(EVENTS, NORTH), (EVENTS, SOUTH), (ARCHIVE, NORTH)];
    let mut captured = BTreeMap::from([(LABELS, (0..ROWS).collect::<BTreeSet<_>>())]);
    for (resource, name) in regions {
        let Some(region) = region(resource, name) else {
            continue;
        };
        let pages = match (release, resource, name) {
            (Release::First, _, SOUTH) => continue,
            (Release::First, ARCHIVE, _) => &region.pages[..ARCHIVE_STALL as usize],
            _ => region.pages,
        };
        let ids = captured.entry(resource).or_default();
        ids.extend(pages.iter().copied().flatten());
        ids.extend(region.after(region.start, release));
    }
    captured
}

/// What a state says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The shape of those bindings that have one; none where no binding has state yet.
    pub shape: Option<Shape>,
    /// For each resource the ids that are captured: numbers of rows for `labels`.
    pub captured: BTreeMap<&'static str, BTreeSet<u64>>,
}

/// Reads what a state says is captured.
///
/// This knows the shapes of states by itself, and not from the code that is tested.
///
/// # Errors
/// When the state is between two shapes, or none that the script leads to.
pub fn told(state: &Value) -> Result<Told, String> {
    let mut told = Told::default();
    let nothing = Map::new();
    let bindings = match &state["bindingStateV1"] {
        Value::Null => &nothing,
        Value::Object(bindings) => bindings,
        other => return Err(format!("`bindingStateV1` is {other}")),
    };
    for (state_key, state) in bindings {
        match state_key.as_str() {
            LABELS => {
                let rows = snapshot(state)?;
                told.captured.insert(LABELS, (0..rows).collect());
            }
            EVENTS => regions(EVENTS, state, &mut told)?,
            ARCHIVE => regions(ARCHIVE, state, &mut told)?,
            other => return Err(format!("there is a binding `{other}`")),
        }
    }
    Ok(told)
}

fn snapshot(state: &Value) -> Result<u64, String> {
    match &state["snapshot"] {
        Value::Null => Ok(0),
        snapshot if snapshot["last_count"] == ROWS && snapshot["last_digest"].is_string() => {
            Ok(ROWS)
        }
        other => Err(format!("the snapshot of `{LABELS}` is {other}")),
    }
}

fn regions(resource: &'static str, state: &Value, told: &mut Told) -> Result<(), String> {
    let inc = part(state, "inc", &["cursor"])?;
    let backfill = part(state, "backfill", &["cutoff", "next_page"])?;
    let (shape, cursors) = inc.ok_or_else(|| format!("`{resource}` has no cursor: {state}"))?;
    let pages = match backfill {
        Some((of_backfill, pages)) if of_backfill == shape => pages,
        Some((_, pages)) if pages.is_empty() => pages, // All are finished: that has no shape.
        Some(_) => {
            return Err(format!(
                "cursor and backfill of `{resource}` differ in shape: {state}"
            ));
        }
        None => Vec::new(),
    };
    if told.shape.is_some_and(|other| other != shape) {
        return Err(format!(
            "one binding is migrated and another is not: {state}"
        ));
    }
    told.shape = Some(shape);
    let captured = told.captured.entry(resource).or_default();
    for (name, entry) in &cursors {
        let region = region(resource, name)
            .ok_or_else(|| format!("`{resource}` has a subtask `{name}`: {state}"))?;
        let cursor = entry
            .get("cursor")
            .and_then(Value::as_u64)
            .ok_or_else(|| format!("a cursor of `{resource}` is no number: {state}"))?;
        captured.extend(region.changes.iter().filter(|id| **id <= cursor));
        let unfinished = pages.iter().find(|(of, _)| of == name);
        let first_missing = match unfinished.map(|(_, entry)| entry.get("next_page")) {
            None => region.pages.len(),
            Some(None | Some(Value::Null)) => 0,
            Some(Some(page)) => page
                .as_u64()
                .and_then(|page| usize::try_from(page).ok())
                .ok_or_else(|| format!("a page of `{resource}` is no number: {state}"))?,
        };
        captured.extend(region.pages.iter().take(first_missing).copied().flatten());
    }
    if let Some((name, _)) = pages
        .iter()
        .find(|(name, _)| !cursors.iter().any(|(of, _)| of == name))
    {
        return Err(format!(
            "`{resource}` backfills `{name}` and has no cursor of it: {state}"
        ));
    }
    Ok(())
}

/// The shape of a part of a state, and the entries of its subtasks. A flat part is that of [`NORTH`].
type Part<'a> = (Shape, Vec<(&'a str, &'a Map<String, Value>)>);

/// Takes a part of a state apart. None if it is absent.
fn part<'a>(state: &'a Value, name: &str, members: &[&str]) -> Result<Option<Part<'a>>, String> {
    let entries = match &state[name] {
        Value::Null => return Ok(None),
        Value::Object(entries) => entries,
        other => return Err(format!("`{name}` is {other}")),
    };
    let is_member = |member: &str| members.contains(&member);
    if entries.contains_key(members[0]) {
        return match entries.keys().find(|member| !is_member(member)) {
            None => Ok(Some((Shape::Flat, vec![(NORTH, entries)]))),
            Some(_) => Err(format!("`{name}` is half flat and half keyed: {state}")),
        };
    }
    let mut subtasks = Vec::new();
    for (subtask, entry) in entries {
        match entry {
            Value::Null => {}
            Value::Object(entry)
                if entry.contains_key(members[0])
                    && entry.keys().all(|member| is_member(member)) =>
            {
                subtasks.push((subtask.as_str(), entry));
            }
            other => return Err(format!("`{name}` has `{subtask}`: {other}")),
        }
    }
    Ok(Some((Shape::Keyed, subtasks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_events(state: Value) -> Result<Told, String> {
        told(&json!({ "bindingStateV1": { "events": state } }))
    }

    #[test]
    fn a_state_says_what_is_captured_in_either_shape() {
        let flat = of_events(json!({
            "inc": { "cursor": 102 },
            "backfill": { "cutoff": 100, "next_page": 1 },
            "last_initialized": "2026-01-01T00:00:00Z",
        }))
        .unwrap();
        assert_eq!(flat.shape, Some(Shape::Flat));
        assert_eq!(flat.captured[EVENTS], [1, 2, 101, 102].into());
        let keyed = of_events(json!({
            "inc": { "north": { "cursor": 101 }, "south": { "cursor": 200 } },
            "backfill": { "south": { "cutoff": 200 } },
        }))
        .unwrap();
        assert_eq!(keyed.shape, Some(Shape::Keyed));
        assert_eq!(keyed.captured[EVENTS], [1, 2, 3, 4, 101].into());
        assert_eq!(told(&json!({})).unwrap(), Told::default());
    }

    #[test]
    fn a_state_between_two_shapes_is_an_error() {
        let keyed = json!({ "inc": { "north": { "cursor": 101 } } });
        for (what, state) in [
            (
                "a subtask beside the flat cursor",
                json!({ "inc": { "cursor": 101, "north": { "cursor": 101 } } }),
            ),
            (
                "a migrated cursor, a flat backfill",
                json!({ "inc": { "north": { "cursor": 101 } }, "backfill": { "cutoff": 100 } }),
            ),
            (
                "a flat cursor, a migrated backfill",
                json!({ "inc": { "cursor": 101 }, "backfill": { "north": { "cutoff": 100 } } }),
            ),
            ("no cursor", json!({ "backfill": { "cutoff": 100 } })),
            (
                "a backfill without its cursor",
                json!({ "inc": { "north": { "cursor": 101 } }, "backfill": { "south": { "cutoff": 200 } } }),
            ),
        ] {
            assert!(of_events(state).is_err(), "{what}");
        }
        let mixed = json!({ "bindingStateV1": { "events": keyed, "archive": { "inc": { "cursor": 500 } } } });
        assert!(told(&mixed).unwrap_err().contains("another is not"));
    }
}
