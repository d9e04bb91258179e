//! What a state would still read: a small simulation, which knows nothing of plans.
//!
//! Each subtask is a stream of positions on a line, read from its cursor on; an unfinished backfill is what its page leaves unread.
//! A migration must leave no position unread that would have been read before, and read none again that its declarations do not
//! explain. Where a subtask keeps its name its stream is the same one. Streams whose names are gone are read by those whose names
//! are new: together, since nothing tells what became of which.

use std::cmp::Ordering;

use staunch_state::{Cursor, Effects, Node, Object};

use crate::cursors::{self, order};
use crate::shape::{BACKFILL, INC};

/// The member under which subtasks are put aside.
const ARCHIVE: &str = "archived";

/// What one binding would still read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading {
    streams: Vec<Stream>,
    backfills: Vec<Enumeration>,
}

#[derive(Clone, Debug)]
struct Stream {
    name: Option<String>,
    cursor: Cursor,
}

/// The rest of a backfill.
#[derive(Clone, Debug)]
struct Enumeration {
    name: Option<String>,
    cutoff: Option<Cursor>,
    page: Node,
}

/// What is wrong with a migrated state, for people.
pub(crate) type Wrong = String;

impl Reading {
    /// Of a binding's state, whatever its shape: what cannot be recognised is not there.
    pub(crate) fn of(state: Option<&Object>) -> Self {
        let mut reading = Reading::default();
        let Some(state) = state else { return reading };
        reading.add(state);
        if let Some(archive) = state.get(ARCHIVE).and_then(Node::as_object) {
            reading.add(archive);
        }
        reading
    }

    fn add(&mut self, state: &Object) {
        let named = |name: Option<&str>| name.map(str::to_owned);
        for (name, entry) in INC.entries(state) {
            if let Some(cursor) = cursors::read(entry.get("cursor")) {
                self.streams.push(Stream {
                    name: named(name),
                    cursor,
                });
            }
        }
        for (name, entry) in BACKFILL.entries(state) {
            if BACKFILL
                .members
                .iter()
                .any(|member| entry.present(member).is_some())
            {
                self.backfills.push(Enumeration {
                    name: named(name),
                    cutoff: cursors::read(entry.get("cutoff")),
                    page: entry.get("next_page").cloned().unwrap_or(Node::Null),
                });
            }
        }
    }

    pub(crate) fn cursors(&self) -> impl Iterator<Item = (Option<&str>, &Cursor)> {
        self.streams
            .iter()
            .map(|stream| (stream.name.as_deref(), &stream.cursor))
    }

    pub(crate) fn cursor(&self, name: Option<&str>) -> Option<&Cursor> {
        self.cursors()
            .find(|(theirs, _)| *theirs == name)
            .map(|(_, cursor)| cursor)
    }

    /// Whether a stream is new, with a backfill of its own: whatever there is of it is read for the first time.
    pub(crate) fn begins(&self, name: Option<&str>, before: &Reading) -> bool {
        let is_own = |own: &&Enumeration| {
            own.name.as_deref() == name
                && !before.backfills.iter().any(|theirs| goes_on(theirs, own))
        };
        before.cursor(name).is_none() && self.backfills.iter().any(|own| is_own(&own))
    }

    /// Those that read on what a stream of this name would have read.
    fn readers<'a>(&'a self, name: Option<&str>, before: &'a Reading) -> Vec<&'a Stream> {
        let same: Vec<&Stream> = self
            .streams
            .iter()
            .filter(|s| s.name.as_deref() == name)
            .collect();
        if !same.is_empty() {
            return same;
        }
        let is_new = |stream: &&Stream| before.cursor(stream.name.as_deref()).is_none();
        self.streams.iter().filter(is_new).collect()
    }
}

/// The first thing that `before` would have read and `after` would not.
pub(crate) fn missed(before: &Reading, after: &Reading, allowed: &Effects) -> Option<Wrong> {
    if allowed.resets() {
        return None;
    }
    for stream in &before.streams {
        let name = stream.name.as_deref();
        if allowed.drops(name) || allowed.starts_over() {
            continue;
        }
        // The first position that is unread lies just behind the cursor: whoever stands at it or before it reads it, and all that follow.
        let readers = after.readers(name, before);
        let reads = |reader: &&Stream| order(&reader.cursor, &stream.cursor).map(Ordering::is_le);
        if readers.iter().any(|reader| reads(reader) == Some(true)) {
            continue;
        }
        if readers
            .iter()
            .any(|reader| is_without_line(&reader.cursor, &stream.cursor))
        {
            continue; // By a rule of the author's own: nothing here knows the line.
        }
        if allowed.may_forward() {
            continue;
        }
        return Some(match readers.first() {
            None => format!("nothing reads on {} after {}", subject(name), stream.cursor),
            Some(reader) => format!(
                "{} was read up to {}, and is read on only from {} ({})",
                subject(name),
                stream.cursor,
                reader.cursor,
                subject(reader.name.as_deref()),
            ),
        });
    }
    let lost = before.backfills.iter().find(|backfill| {
        !allowed.starts_over()
            && !allowed.drops(backfill.name.as_deref())
            && !after
                .backfills
                .iter()
                .any(|theirs| goes_on(backfill, theirs))
    });
    lost.map(|backfill| {
        let subject = subject(backfill.name.as_deref());
        format!("the unfinished backfill of {subject} goes on nowhere")
    })
}

/// The first thing that `after` reads again although nothing that is declared explains it.
pub(crate) fn reread(before: &Reading, after: &Reading, allowed: &Effects) -> Option<Wrong> {
    if allowed.starts_over() {
        return None;
    }
    let time = allowed.rewind_limit().unwrap_or_default();
    let count = allowed.rewind_count_limit().unwrap_or_default();
    for stream in &after.streams {
        let name = stream.name.as_deref();
        let origins: Vec<&Cursor> = match before.cursor(name) {
            Some(own) => vec![own],
            None => before
                .cursors()
                .filter(|(theirs, _)| after.cursor(*theirs).is_none())
                .map(|(_, cursor)| cursor)
                .collect(),
        };
        let is_too_early = |origin: &&Cursor| {
            let Some(origin) = cursors::on_line_of(origin, &stream.cursor) else {
                return false;
            };
            let bound =
                cursors::earlier(&origin, time, count).filter(|bound| bound.parts().is_none());
            bound.is_some_and(|bound| order(&stream.cursor, &bound).is_some_and(Ordering::is_le))
        };
        let begins = allowed.may_begin(name) || after.begins(name, before);
        if !origins.is_empty() && origins.iter().all(is_too_early) && !begins {
            return Some(format!(
                "{} is read again from {}, beyond what is declared",
                subject(name),
                stream.cursor
            ));
        }
    }
    let again = after.backfills.iter().find(|backfill| {
        let name = backfill.name.as_deref();
        let is_new = before.cursor(name).is_none()
            && !before
                .backfills
                .iter()
                .any(|theirs| theirs.name == backfill.name);
        !is_new
            && !before
                .backfills
                .iter()
                .any(|theirs| goes_on(theirs, backfill))
    });
    again.map(|backfill| {
        let subject = subject(backfill.name.as_deref());
        format!("a backfill of {subject} starts again")
    })
}

/// Whether any stream of `after` stands later than all that it can come from: beyond what was captured.
pub(crate) fn is_ahead(before: &Reading, after: &Reading) -> Option<Wrong> {
    after.streams.iter().find_map(|stream| {
        let name = stream.name.as_deref();
        let own = before.cursor(name);
        let gone = before
            .cursors()
            .filter(|(theirs, _)| after.cursor(*theirs).is_none())
            .map(|(_, cursor)| cursor);
        let mut origins: Vec<&Cursor> = match own {
            Some(own) => vec![own],
            None => gone.collect(),
        };
        if origins.is_empty() {
            origins = before.cursors().map(|(_, cursor)| cursor).collect();
        }
        let is_ahead = !origins.is_empty()
            && origins
                .iter()
                .all(|origin| match order(&stream.cursor, origin) {
                    Some(order) => order.is_gt(),
                    None => !is_without_line(&stream.cursor, origin),
                });
        is_ahead.then(|| {
            format!(
                "{} stands at {}, later than all that was captured",
                subject(name),
                stream.cursor
            )
        })
    })
}

/// Whether two cursors are of types between which only a rule of the author's own could tell. Tuples of one type are a line of single
/// points: another one is somewhere else.
fn is_without_line(ours: &Cursor, theirs: &Cursor) -> bool {
    let is_tuple = |cursor: &Cursor| cursor.parts().is_some();
    order(ours, theirs).is_none() && !(is_tuple(ours) && is_tuple(theirs))
}

fn goes_on(before: &Enumeration, after: &Enumeration) -> bool {
    let same_cutoff = match (&before.cutoff, &after.cutoff) {
        (Some(before), Some(after)) => match order(before, after) {
            Some(order) => order.is_eq(),
            None => is_without_line(before, after),
        },
        (before, after) => before == after,
    };
    same_cutoff && before.page.same_state(&after.page)
}

fn subject(name: Option<&str>) -> String {
    match name {
        None => "the flat entry".to_owned(),
        Some(name) => format!("subtask `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn reading(text: &str) -> Reading {
        let node = Node::parse(text).unwrap();
        Reading::of(node.as_object())
    }

    #[test]
    fn what_would_be_missed_or_read_again_is_told() {
        let six_hours = Effects::NONE.rewind(Duration::from_secs(6 * 3600));
        let none = Effects::NONE;
        let flat = r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#;
        for (what, before, after, effects, is_missed, is_reread) in [
            (
                "renamed",
                flat,
                r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:00Z"}}}"#,
                &none,
                false,
                false,
            ),
            (
                "a second on",
                flat,
                r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:01Z"}}}"#,
                &none,
                true,
                false,
            ),
            (
                "covered by another",
                flat,
                r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:00Z"},"b":{"cursor":"2025-06-10T09:00:00Z"}}}"#,
                &none,
                false,
                false,
            ),
            (
                "a lag",
                flat,
                r#"{"inc":{"a":{"cursor":"2025-06-10T02:00:00Z"}}}"#,
                &six_hours,
                false,
                false,
            ),
            (
                "more than the lag",
                flat,
                r#"{"inc":{"a":{"cursor":"2025-06-10T01:59:59Z"}}}"#,
                &six_hours,
                false,
                true,
            ),
            ("gone", flat, r#"{"inc":{}}"#, &none, true, false),
            (
                "gone, as declared",
                r#"{"inc":{"a":{"cursor":7},"b":{"cursor":7}}}"#,
                r#"{"inc":{"a":{"cursor":7}}}"#,
                &Effects::NONE.drops_subtask("b"),
                false,
                false,
            ),
            (
                "one of two",
                r#"{"inc":{"a":{"cursor":7},"b":{"cursor":7}}}"#,
                r#"{"inc":{"a":{"cursor":7}}}"#,
                &none,
                true,
                false,
            ),
            (
                "converted",
                r#"{"inc":{"cursor":1749542400}}"#,
                flat,
                &none,
                false,
                false,
            ),
            (
                "converted too far",
                r#"{"inc":{"cursor":1749542399}}"#,
                flat,
                &none,
                true,
                false,
            ),
            (
                "another tuple",
                r#"{"inc":{"cursor":["a"]}}"#,
                r#"{"inc":{"cursor":["b"]}}"#,
                &none,
                true,
                false,
            ),
            (
                "a page lost",
                r#"{"inc":{"cursor":7},"backfill":{"cutoff":7,"next_page":"p"}}"#,
                r#"{"inc":{"cursor":7}}"#,
                &none,
                true,
                false,
            ),
            (
                "a page changed",
                r#"{"inc":{"cursor":7},"backfill":{"cutoff":7,"next_page":"p"}}"#,
                r#"{"inc":{"cursor":7},"backfill":{"cutoff":7}}"#,
                &none,
                true,
                true,
            ),
            (
                "restarted",
                r#"{"inc":{"cursor":7}}"#,
                r#"{"inc":{"cursor":7},"backfill":{"cutoff":7}}"#,
                &none,
                false,
                true,
            ),
            (
                "archived",
                r#"{"inc":{"a":{"cursor":7},"b":{"cursor":7}}}"#,
                r#"{"inc":{"a":{"cursor":7}},"archived":{"inc":{"b":{"cursor":7}}}}"#,
                &none,
                false,
                false,
            ),
        ] {
            let (before, after, allowed) = (reading(before), reading(after), effects.clone());
            assert_eq!(
                missed(&before, &after, &allowed).is_some(),
                is_missed,
                "{what}"
            );
            assert_eq!(
                reread(&before, &after, &allowed).is_some(),
                is_reread,
                "{what}"
            );
        }
    }
}
