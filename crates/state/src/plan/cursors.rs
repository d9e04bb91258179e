//! How the resume points of incremental reading moved.
//!
//! A subtask that keeps its name is compared with itself. Cursors under new names are made of those whose
//! names are gone: each is held against the nearest of them that is not earlier, and each of those must be
//! carried on by some cursor that is not later. Where no name is gone, a new name is a new subtask, which must
//! not begin later than all others stand.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use crate::cursor::{Cursor, CursorKind};

/// A cursor, with the name of its subtask.
pub(super) type Named<'a> = (Option<&'a str>, &'a Cursor);

/// How far apart two cursors are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Distance {
    Time(Duration),
    Count(u64),
    /// Beyond 64 bits, or from nothing at all.
    Unmeasured,
}

/// What is to be said of the cursors of one binding.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Moves<'a> {
    /// How far each went back, its subtask's name with it.
    pub(super) back: Vec<(Option<&'a str>, Distance)>,
    /// A cursor later than all that it can have been made from.
    pub(super) ahead: Option<(Option<&'a str>, Distance)>,
    /// A cursor that no other carries on from where it was.
    pub(super) uncovered: Option<(Option<&'a str>, Distance)>,
    /// Cursors that cannot be ordered.
    pub(super) unordered: bool,
    /// Every cursor is gone from under some name, and none took its place.
    pub(super) dropped: Vec<Option<&'a str>>,
    /// Subtasks that were not there.
    pub(super) new: Vec<Option<&'a str>>,
    /// A cursor whose kind is not that of what it was made from.
    pub(super) kind: Option<(Option<&'a str>, CursorKind, CursorKind)>,
}

/// Compares cursors. `fresh` subtasks begin with a backfill of their own, and carry nothing on.
///
/// `origin` stands in where there was no cursor: the cutoff of a backfill that had begun.
pub(super) fn moves<'a>(
    before: &[Named<'a>],
    after: &[Named<'a>],
    fresh: &[Option<&'a str>],
    origin: &[Named<'a>],
) -> Moves<'a> {
    let mut moves = Moves::default();
    let sources = if before.is_empty() { origin } else { before };
    let was = |name: Option<&str>| before.iter().find(|(theirs, _)| *theirs == name);
    let gone: Vec<Named<'_>> = sources
        .iter()
        .filter(|(name, _)| !after.iter().any(|(theirs, _)| theirs == name))
        .copied()
        .collect();
    let mut carriers: Vec<Named<'_>> = Vec::new();
    for &(name, cursor) in after {
        match was(name) {
            Some((_, old)) => moves.kept(name, old, cursor),
            None if fresh.contains(&name) => moves.new.push(name),
            None => carriers.push((name, cursor)),
        }
    }
    for &(name, cursor) in &carriers {
        moves.made_of(name, cursor, &gone, sources);
    }
    for &(name, cursor) in &gone {
        if carriers.is_empty() && !before.is_empty() {
            moves.dropped.push(name);
        } else {
            moves.carried_on(name, cursor, &carriers);
        }
    }
    moves
}

impl<'a> Moves<'a> {
    fn kept(&mut self, name: Option<&'a str>, old: &Cursor, new: &Cursor) {
        if old == new {
            return;
        }
        self.check_kind(name, new, &[(name, old)]);
        match new.compare(old) {
            None => self.unordered = true,
            Some(Ordering::Equal) => {}
            Some(Ordering::Less) => self.back.push((name, distance(old, new))),
            Some(Ordering::Greater) => self.ahead = Some((name, distance(new, old))),
        }
    }

    fn made_of(
        &mut self,
        name: Option<&'a str>,
        new: &Cursor,
        gone: &[Named<'_>],
        sources: &[Named<'_>],
    ) {
        if gone.iter().any(|(_, old)| *old == new) {
            return;
        }
        let begins = gone.is_empty();
        let from = if begins { sources } else { gone };
        if from.is_empty() {
            self.ahead = Some((name, Distance::Unmeasured));
            return;
        }
        if !begins {
            self.check_kind(name, new, from);
        }
        let ordered: Vec<(Ordering, &Cursor)> = from
            .iter()
            .filter_map(|(_, old)| Some((new.compare(old)?, *old)))
            .collect();
        let latest = from
            .iter()
            .map(|(_, old)| *old)
            .filter(|old| new.compare(old).is_some())
            .max_by(|a, b| {
                // Both can be compared with `new`, hence with each other.
                a.compare(b).unwrap_or(Ordering::Equal)
            });
        let Some(latest) = latest else {
            self.unordered = true;
            return;
        };
        let not_earlier = ordered
            .iter()
            .filter(|(order, _)| order.is_le())
            .map(|(_, old)| *old);
        let nearest = not_earlier.min_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal));
        match nearest {
            None => self.ahead = Some((name, distance(new, latest))),
            Some(_) if begins => self.new.push(name),
            Some(old) if new.compare(old) == Some(Ordering::Equal) => {}
            Some(old) => self.back.push((name, distance(old, new))),
        }
    }

    fn carried_on(&mut self, name: Option<&'a str>, old: &Cursor, carriers: &[Named<'_>]) {
        let orders: Vec<Option<Ordering>> =
            carriers.iter().map(|(_, new)| new.compare(old)).collect();
        if orders
            .iter()
            .any(|order| order.is_some_and(Ordering::is_le))
        {
            return;
        }
        if orders.iter().any(Option::is_none) {
            self.unordered = true;
            return;
        }
        let earliest = carriers
            .iter()
            .map(|(_, new)| *new)
            .min_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal));
        self.uncovered = earliest.map(|new| (name, distance(new, old)));
    }

    fn check_kind(&mut self, name: Option<&'a str>, new: &Cursor, from: &[Named<'_>]) {
        if from.iter().any(|(_, old)| old.kind() == new.kind()) {
            return;
        }
        if let Some((_, old)) = from.first() {
            self.kind = Some((name, old.kind(), new.kind()));
        }
    }
}

fn distance(later: &Cursor, earlier: &Cursor) -> Distance {
    if let (Some(later), Some(earlier)) = (later.timestamp(), earlier.timestamp()) {
        let between = later.duration_since(earlier);
        return Duration::try_from(between).map_or(Distance::Unmeasured, Distance::Time);
    }
    match (later.as_u64(), earlier.as_u64()) {
        (Some(later), Some(earlier)) => Distance::Count(later.saturating_sub(earlier)),
        _ => Distance::Unmeasured,
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = match self {
            Distance::Count(count) => return write!(f, "{count}"),
            Distance::Unmeasured => return f.write_str("an unknown distance"),
            Distance::Time(time) => time,
        };
        let seconds = time.as_secs();
        let parts = [
            (seconds / 86_400, "d"),
            (seconds / 3600 % 24, "h"),
            (seconds / 60 % 60, "min"),
            (seconds % 60, "s"),
            (u64::from(time.subsec_micros()), "µs"),
        ];
        let shown: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| format!("{count} {unit}"))
            .collect();
        if shown.is_empty() {
            f.write_str("less than 1 µs")
        } else {
            f.write_str(&shown.join(" "))
        }
    }
}
