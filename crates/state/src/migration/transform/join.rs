//! From one cursor to several that lag behind, and back to one.
//!
//! A split copies a cursor to each of several subtasks, less the lag of each. A join takes the lags off again and keeps the earliest,
//! so that it is never ahead of any of them. Each undoes the other.

use std::cmp::Ordering;
use std::time::Duration;

use super::shape::{BACKFILL, INC, PARTS, SNAPSHOT, cursor_of};
use super::{Rule, Transform, sealed};
use crate::cursor::Cursor;
use crate::migration::{Binding, Effects, MigrationError, Span};
use crate::model::check_subtask_name;
use crate::node::{Node, Object};

/// `inc: {cursor}` becomes an entry for each subtask, whose cursor is earlier by its lag.
///
/// Lags need a date-time cursor, and are declared as a rewind. Backfills stay as they are. Undone by one cursor, the earliest of
/// them with their lags taken off; where all of them lag nothing tells how far had been read, and there is no reverse.
/// Named `flat-to-subtasks`.
pub fn flat_to_subtasks<S: Into<String>>(
    subtasks: impl IntoIterator<Item = (S, Duration)>,
) -> Transform<Split> {
    Transform::new("flat-to-subtasks", Split::new(None, subtasks))
}

/// `inc: {<from>: …}` becomes an entry for each of several subtasks, whose cursor is earlier by its lag.
///
/// An unfinished backfill, and a snapshot, go to the first of them. Named `split-subtask`.
pub fn split_subtask<S: Into<String>>(
    from: impl Into<String>,
    subtasks: impl IntoIterator<Item = (S, Duration)>,
) -> Transform<Split> {
    Transform::new("split-subtask", Split::new(Some(from.into()), subtasks))
}

/// Several subtasks become one, at the earliest of their cursors. What the others had read beyond it is read again:
/// [`rewinding`](Transform::rewinding) declares how much that may be.
///
/// Two unfinished backfills, or two snapshots, cannot become one, and are refused. Named `merge-subtasks`.
pub fn merge_subtasks<S: Into<String>>(
    from: impl IntoIterator<Item = S>,
    to: impl Into<String>,
) -> Transform<Join> {
    let from = from.into_iter().map(|name| (name.into(), Duration::ZERO));
    Transform::new(
        "merge-subtasks",
        Join {
            from: From::Named(from.collect()),
            to: Some(to.into()),
            rewind: Duration::ZERO,
        },
    )
}

/// All subtasks become one flat entry, at the earliest of their cursors. As [`merge_subtasks`]. Named `keyed-to-earliest`.
pub fn keyed_to_earliest() -> Transform<Join> {
    Transform::new(
        "keyed-to-earliest",
        Join {
            from: From::All,
            to: None,
            rewind: Duration::ZERO,
        },
    )
}

/// See [`flat_to_subtasks`] and [`split_subtask`].
#[derive(Clone, Debug)]
pub struct Split {
    /// `None` is the flat entry.
    from: Option<String>,
    into: Vec<(String, Duration)>,
}

/// See [`merge_subtasks`] and [`keyed_to_earliest`].
#[derive(Clone, Debug)]
pub struct Join {
    from: From,
    /// `None` is the flat entry.
    to: Option<String>,
    rewind: Duration,
}

#[derive(Clone, Debug)]
enum From {
    All,
    /// With what each lags behind the one cursor.
    Named(Vec<(String, Duration)>),
}

impl Transform<Join> {
    /// Declares how far the one cursor may be behind those that it is made of.
    #[must_use]
    pub fn rewinding(mut self, at_most: Duration) -> Self {
        self.rule.rewind = at_most;
        self
    }
}

impl Split {
    fn new<S: Into<String>>(
        from: Option<String>,
        into: impl IntoIterator<Item = (S, Duration)>,
    ) -> Self {
        let into = into.into_iter().map(|(name, lag)| (name.into(), lag));
        Split {
            from,
            into: into.collect(),
        }
    }

    /// A name that stands for two subtasks.
    fn repeated(&self) -> Option<&str> {
        let mut names = self.into.iter().map(|(name, _)| name.as_str()).enumerate();
        let is_repeated =
            |(at, name): &(usize, &str)| self.into[..*at].iter().any(|(theirs, _)| theirs == name);
        names.find(is_repeated).map(|(_, name)| name)
    }

    /// The entries that come of one.
    fn entries(&self, entry: &Object) -> Result<Vec<(&str, Object)>, MigrationError> {
        let from = self.from.as_deref();
        let lagging = |lag: Duration| {
            let mut lagging = entry.clone();
            if !lag.is_zero() {
                let earlier = cursor_of(entry, from)?.earlier_by(lag).ok_or_else(|| {
                    INC.failed_at(
                        from,
                        "cursor",
                        "is no date-time that a lag can be taken from; use one without a lag",
                    )
                })?;
                lagging.insert("cursor", earlier.to_node());
            }
            Ok::<Object, MigrationError>(lagging)
        };
        self.into
            .iter()
            .map(|(name, lag)| Ok((name.as_str(), lagging(*lag)?)))
            .collect()
    }
}

impl sealed::Sealed for Split {}

impl Rule for Split {
    type Reverse = Join;

    fn applies(&self, _: &Binding, state: &Object) -> bool {
        match &self.from {
            None => INC.is_flat(state),
            // Split into itself and others it is done once the others are there.
            Some(from) => {
                INC.entry(state, from).is_some()
                    && self
                        .into
                        .iter()
                        .any(|(name, _)| INC.entry(state, name).is_none())
            }
        }
    }

    fn migrate(&self, _: &Binding, mut state: Object) -> Result<Object, MigrationError> {
        if self.into.is_empty() {
            return Err(INC.failed("would be split into no subtask at all; name at least one"));
        }
        if let Some(name) = self.repeated() {
            return Err(INC.failed(format!(
                "would be split into two subtasks named `{name}`; give each a name of its own"
            )));
        }
        let Some(from) = &self.from else {
            let entry = INC.take_flat(&mut state)?;
            for (name, entry) in self.entries(&entry)? {
                INC.put(&mut state, name, entry)?;
            }
            return Ok(state);
        };
        let taken = self
            .into
            .iter()
            .find(|(name, _)| name != from && INC.entry(&state, name).is_some());
        if let Some((name, _)) = taken {
            return Err(INC.failed(format!(
                "it has the subtasks `{from}` and `{name}`, and nothing tells which of the two is ahead; remove one of them"
            )));
        }
        let entry = INC.entry(&state, from).cloned().unwrap_or_default();
        let entries = self.entries(&entry)?;
        replace_entry(&mut state, from, entries)?;
        let first = self.into[0].0.as_str();
        for part in [BACKFILL, SNAPSHOT] {
            if let Some(entry) = part.take(&mut state, from) {
                part.put(&mut state, first, entry)?;
            }
        }
        Ok(state)
    }

    fn declares(&self) -> Effects {
        let lag = self
            .into
            .iter()
            .map(|(_, lag)| *lag)
            .max()
            .unwrap_or_default();
        if lag.is_zero() {
            Effects::NONE
        } else {
            Effects::NONE.rewind(lag)
        }
    }

    fn reverse(&self) -> Option<Join> {
        if !self.into.iter().any(|(_, lag)| lag.is_zero()) {
            return None;
        }
        let longest = self
            .into
            .iter()
            .map(|(_, lag)| *lag)
            .max()
            .unwrap_or_default();
        Some(Join {
            from: From::Named(self.into.clone()),
            to: self.from.clone(),
            rewind: longest,
        })
    }

    fn definition(&self) -> String {
        let from = self
            .from
            .as_deref()
            .map_or("the flat entry".to_owned(), |from| {
                format!("subtask {from}")
            });
        format!("{from} becomes {}", lagging(&self.into))
    }
}

impl Join {
    /// The subtasks that are to be one, and that there are.
    fn present<'a>(&'a self, state: &'a Object) -> Vec<(&'a str, Duration, &'a Object)> {
        match &self.from {
            From::All => INC
                .subtasks(state)
                .map(|(name, entry)| (name, Duration::ZERO, entry))
                .collect(),
            From::Named(names) => names
                .iter()
                .filter_map(|(name, lag)| Some((name.as_str(), *lag, INC.entry(state, name)?)))
                .collect(),
        }
    }

    fn is_from(&self, name: &str) -> bool {
        match &self.from {
            From::All => true,
            From::Named(names) => names.iter().any(|(theirs, _)| theirs == name),
        }
    }

    /// The entry with the earliest cursor, lags taken off. Between equal ones, one that never lagged keeps its text.
    ///
    /// One that lags reads again what another has read. Without that other one, nothing beyond its own cursor was read.
    fn earliest(present: &[(&str, Duration, &Object)]) -> Result<Object, MigrationError> {
        let mut earliest: Option<(Cursor, Duration, &Object)> = None;
        let leads = present.iter().any(|(_, lag, _)| lag.is_zero());
        for (name, lag, entry) in present {
            let lag = if leads { *lag } else { Duration::ZERO };
            let cursor = cursor_of(entry, Some(name))?;
            let cursor = later_by(&cursor, lag).ok_or_else(|| {
                INC.failed_at(
                    Some(name),
                    "cursor",
                    "is no date-time that a lag can be added to; join it by hand",
                )
            })?;
            let is_earlier = match &earliest {
                None => true,
                Some((best, its_lag, _)) => match cursor.compare(best) {
                    None => {
                        return Err(INC.failed_at(
                            Some(name),
                            "cursor",
                            "cannot be ordered among those of the other subtasks; let them come to one position first",
                        ));
                    }
                    Some(order) => order.then(lag.cmp(its_lag)) == Ordering::Less,
                },
            };
            if is_earlier {
                earliest = Some((cursor, lag, entry));
            }
        }
        let (cursor, lag, entry) =
            earliest.ok_or_else(|| INC.failed("has none of the subtasks"))?;
        let mut entry = entry.clone();
        if !lag.is_zero() {
            entry.insert("cursor", cursor.to_node());
        }
        Ok(entry)
    }
}

fn later_by(cursor: &Cursor, lag: Duration) -> Option<Cursor> {
    if lag.is_zero() {
        return Some(cursor.clone());
    }
    Some(Cursor::from(cursor.as_datetime()?.later_by(lag)?))
}

impl sealed::Sealed for Join {}

impl Rule for Join {
    type Reverse = super::Never;

    fn applies(&self, _: &Binding, state: &Object) -> bool {
        let mut present = self.present(state).into_iter();
        match (&self.to, present.next()) {
            (_, None) => false,
            (None, Some(_)) => true,
            // Joined already, under a name that is one of those.
            (Some(to), Some((first, ..))) => first != to || present.next().is_some(),
        }
    }

    fn migrate(&self, _: &Binding, mut state: Object) -> Result<Object, MigrationError> {
        let other = |name: &str| !self.is_from(name);
        if let Some((name, _)) = INC
            .subtasks(&state)
            .find(|(name, _)| self.to.is_none() && other(name))
        {
            return Err(INC.failed(format!(
                "it has the subtask `{name}` too, and a flat entry can have none beside it; remove it, or join it with the others"
            )));
        }
        if let Some(to) = self
            .to
            .as_deref()
            .filter(|to| other(to) && INC.entry(&state, to).is_some())
        {
            return Err(INC.failed(format!(
                "it has a subtask `{to}` already, and nothing tells which is ahead; remove one of them"
            )));
        }
        let joined = Self::earliest(&self.present(&state))?;
        for part in PARTS {
            let names: Vec<String> = part
                .subtasks(&state)
                .filter(|(name, _)| self.is_from(name))
                .map(|(name, _)| name.to_owned())
                .collect();
            let entry = match (part == INC, names.as_slice()) {
                (true, _) => joined.clone(),
                (false, []) if self.to.is_none() => {
                    part.remove_empty(&mut state);
                    continue;
                }
                (false, []) => continue,
                (false, [name]) => part.entry(&state, name).cloned().unwrap_or_default(),
                (false, [first, second, ..]) => {
                    return Err(part.failed(format!(
                        "it has entries of `{first}` and of `{second}`, which cannot become one; \
                         let the earlier version finish them first"
                    )));
                }
            };
            match &self.to {
                None => {
                    state.insert(part.name, entry);
                }
                Some(to) => {
                    for name in &names {
                        part.take(&mut state, name);
                    }
                    part.put(&mut state, to, entry)?;
                }
            }
        }
        Ok(state)
    }

    fn declares(&self) -> Effects {
        let effects = match self.rewind {
            Duration::ZERO => Effects::NONE,
            rewind => Effects::NONE.rewind(rewind),
        };
        let From::Named(names) = &self.from else {
            return effects;
        };
        // One that lags reads again what another has read: nothing is missed when it stops. And one of them that all
        // the others become has the earliest cursor of all, so that it carries on each that goes.
        let stays = |name: &str| self.to.as_deref() == Some(name);
        let into_one_of_them = names.iter().any(|(name, _)| stays(name));
        let gone = names
            .iter()
            .filter(|(name, lag)| !stays(name) && (into_one_of_them || !lag.is_zero()));
        gone.fold(effects, |effects, (name, _)| effects.drops_subtask(name))
    }

    fn reverse(&self) -> Option<super::Never> {
        None
    }

    fn definition(&self) -> String {
        let from = match &self.from {
            From::All => "all subtasks".to_owned(),
            From::Named(names) => lagging(names),
        };
        let to = self
            .to
            .as_deref()
            .map_or("the flat entry".to_owned(), |to| format!("subtask {to}"));
        format!(
            "{from} become {to}, at the earliest cursor, at most {} back",
            Span(self.rewind)
        )
    }
}

fn lagging(subtasks: &[(String, Duration)]) -> String {
    let listed: Vec<String> = subtasks
        .iter()
        .map(|(name, lag)| match *lag {
            Duration::ZERO => name.clone(),
            lag => format!("{name} less {}", Span(lag)),
        })
        .collect();
    listed.join(", ")
}

/// Puts entries where one was, so that members keep their order.
fn replace_entry(
    state: &mut Object,
    from: &str,
    entries: Vec<(&str, Object)>,
) -> Result<(), MigrationError> {
    for (name, _) in &entries {
        check_subtask_name(name).map_err(|error| INC.failed(error.message))?;
    }
    let Some(part) = state.get_mut(INC.name).and_then(Node::as_object_mut) else {
        return Ok(());
    };
    let mut replaced = Object::new();
    let mut entries = Some(entries);
    for (name, node) in part.iter() {
        if name == from {
            for (name, entry) in entries.take().into_iter().flatten() {
                replaced.insert(name, entry);
            }
        } else if !replaced.contains(name) {
            replaced.insert(name, node.clone());
        }
    }
    *part = replaced;
    Ok(())
}
