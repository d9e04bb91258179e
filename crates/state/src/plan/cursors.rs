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
use crate::migration::{Effects, Span};

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
    /// Cursors later than all that they can have been made from.
    pub(super) ahead: Vec<(Option<&'a str>, Distance)>,
    /// A cursor that no other carries on from where it was.
    pub(super) uncovered: Option<(Option<&'a str>, Distance)>,
    /// Cursors that cannot be ordered.
    pub(super) unordered: bool,
    /// Every cursor is gone from under some name, and none took its place.
    pub(super) dropped: Vec<Option<&'a str>>,
    /// As declared, nothing carries these on.
    pub(super) given_up: Vec<Option<&'a str>>,
    /// Subtasks that were not there.
    pub(super) new: Vec<Option<&'a str>>,
    /// A cursor whose kind is not that of what it was made from.
    pub(super) kind: Option<(Option<&'a str>, CursorKind, CursorKind)>,
}

/// What cursors are compared with.
#[derive(Clone, Copy)]
pub(super) struct Between<'a, 'e> {
    pub(super) before: &'e [Named<'a>],
    pub(super) after: &'e [Named<'a>],
    /// Subtasks that begin with a backfill of their own, and carry nothing on.
    pub(super) fresh: &'e [Option<&'a str>],
    /// What stands in where there was no cursor: the cutoff of a backfill that had begun.
    pub(super) origin: &'e [Named<'a>],
    /// Subtasks that nothing has to carry on, as declared.
    pub(super) given_up: &'e [Option<&'a str>],
    pub(super) effects: &'e Effects,
}

/// Compares cursors.
pub(super) fn moves<'a>(between: Between<'a, '_>) -> Moves<'a> {
    let Between {
        before,
        after,
        fresh,
        origin,
        given_up,
        effects,
    } = between;
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
            Some((_, old)) => moves.kept(name, old, cursor, effects),
            None if fresh.contains(&name) || effects.allows_begin(name, cursor) => {
                moves.new.push(name)
            }
            None => carriers.push((name, cursor)),
        }
    }
    for &(name, cursor) in &carriers {
        moves.made_of(name, cursor, &gone, sources, effects);
    }
    for &(name, cursor) in &gone {
        if given_up.contains(&name) {
            moves.given_up.push(name);
        } else if carriers.is_empty() && !before.is_empty() {
            moves.dropped.push(name);
        } else {
            moves.carried_on(name, cursor, &carriers);
        }
    }
    moves
}

impl<'a> Moves<'a> {
    fn kept(&mut self, name: Option<&'a str>, old: &Cursor, new: &Cursor, effects: &Effects) {
        if old == new {
            return;
        }
        self.check_kind(name, new, &[(name, old)], effects);
        match new.compare(old) {
            None => self.unordered = true,
            Some(Ordering::Equal) => {}
            Some(Ordering::Less) => self.back.push((name, distance(old, new))),
            Some(Ordering::Greater) => self.ahead.push((name, distance(new, old))),
        }
    }

    fn made_of(
        &mut self,
        name: Option<&'a str>,
        new: &Cursor,
        gone: &[Named<'_>],
        sources: &[Named<'_>],
        effects: &Effects,
    ) {
        if gone.iter().any(|(_, old)| *old == new) {
            return;
        }
        let begins = gone.is_empty();
        let from = if begins { sources } else { gone };
        if from.is_empty() {
            self.ahead.push((name, Distance::Unmeasured));
            return;
        }
        if !begins {
            self.check_kind(name, new, from, effects);
        }
        let ordered: Vec<(Ordering, &Cursor)> = from
            .iter()
            .filter_map(|(_, old)| Some((new.compare(old)?, *old)))
            .collect();
        let Some(latest) = latest(ordered.iter().map(|(_, old)| *old)) else {
            self.unordered = true;
            return;
        };
        let not_earlier = ordered
            .iter()
            .filter(|(order, _)| order.is_le())
            .map(|(_, old)| *old);
        let nearest = not_earlier.min_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal));
        match nearest {
            None => self.ahead.push((name, distance(new, latest))),
            Some(_) if begins => self.new.push(name),
            Some(old) if new.compare(old) == Some(Ordering::Equal) => {}
            Some(old) => self.back.push((name, distance(old, new))),
        }
    }

    fn carried_on(&mut self, name: Option<&'a str>, old: &Cursor, carriers: &[Named<'_>]) {
        let ordered = carriers.iter().map(|(_, new)| (new.compare(old), *new));
        let not_later = latest(
            ordered
                .clone()
                .filter(|(order, _)| order.is_some_and(Ordering::is_le))
                .map(|(_, new)| new),
        );
        if let Some(nearest) = not_later {
            // Made of several, a cursor stands where one of them did: what this one had read beyond that is read again.
            let by = distance(old, nearest);
            let is_told = self.back.iter().any(|(_, told)| *told == by);
            if nearest.compare(old) == Some(Ordering::Less) && !is_told {
                self.back.push((name, by));
            }
            return;
        }
        if ordered.clone().any(|(order, _)| order.is_none()) {
            self.unordered = true;
            return;
        }
        let earliest = carriers
            .iter()
            .map(|(_, new)| *new)
            .min_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal));
        self.uncovered = earliest.map(|new| (name, distance(new, old)));
    }

    fn check_kind(
        &mut self,
        name: Option<&'a str>,
        new: &Cursor,
        from: &[Named<'_>],
        effects: &Effects,
    ) {
        let is_kept = |old: &Cursor| {
            old.kind() == new.kind()
                || converted(old, effects).is_some_and(|converted| converted.kind() == new.kind())
        };
        if from.iter().any(|(_, old)| is_kept(old)) {
            return;
        }
        if let Some((_, old)) = from.first() {
            self.kind = Some((name, old.kind(), new.kind()));
        }
    }
}

/// What the declared rules make of a cursor; `None` when none is about it.
pub(super) fn converted(cursor: &Cursor, effects: &Effects) -> Option<Cursor> {
    let mut converted = None;
    for rule in effects.rules() {
        if let Ok(Some(next)) = rule.apply(converted.as_ref().unwrap_or(cursor)) {
            converted = Some(next);
        }
    }
    converted
}

/// What a converted cursor becomes when the rules are undone; `None` where one cannot be.
pub(super) fn undone(converted: &Cursor, effects: &Effects) -> Option<Cursor> {
    effects
        .rules()
        .iter()
        .rev()
        .try_fold(converted.clone(), |cursor, rule| {
            rule.reversed()?.apply(&cursor).ok()?
        })
}

/// The latest of cursors that can be compared with each other.
fn latest<'c>(cursors: impl Iterator<Item = &'c Cursor>) -> Option<&'c Cursor> {
    cursors.max_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal))
}

pub(super) fn distance(later: &Cursor, earlier: &Cursor) -> Distance {
    if let (Some(later), Some(earlier)) = (later.timestamp(), earlier.timestamp()) {
        let between = later.duration_since(earlier);
        return Duration::try_from(between).map_or(Distance::Unmeasured, Distance::Time);
    }
    match (later.as_u64(), earlier.as_u64()) {
        (Some(later), Some(earlier)) => Distance::Count(later.saturating_sub(earlier)),
        _ => Distance::Unmeasured,
    }
}

impl Distance {
    pub(super) fn is_declared_rewind(self, effects: &Effects) -> bool {
        match self {
            Distance::Time(by) => effects.allows_rewind(by),
            Distance::Count(by) => effects.allows_rewind_by(by),
            Distance::Unmeasured => false,
        }
    }

    pub(super) fn is_declared_forward(self, effects: &Effects) -> bool {
        match self {
            Distance::Time(by) => effects.allows_forward(by),
            Distance::Count(by) => effects.allows_forward_by(by),
            Distance::Unmeasured => false,
        }
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distance::Count(count) => write!(f, "{count}"),
            Distance::Unmeasured => f.write_str("an unknown distance"),
            Distance::Time(time) => Span(*time).fmt(f),
        }
    }
}
