//! Compares one binding before and after, and holds the change against the checks.

use std::cmp::Ordering;

use super::Outcome;
use super::check::{Check, Checks};
use super::consent::ConsentKind;
use super::cursors::{self, Between, Distance, Moves, Named, converted};
use super::refused::Refused;
use super::show;
use crate::cursor::Cursor;
use crate::migration::Effects;
use crate::model::part::{ARCHIVE, BACKFILL, INC, SNAPSHOT};
use crate::model::{Backfill, ResourceState, Snapshot};
use crate::node::{Node, Object, pointer_token, push_pointer_token};

/// The members of a binding's state that the checks of cursors, backfills and snapshots are about.
const COMPARED: [&str; 3] = [INC.name, BACKFILL.name, SNAPSHOT.name];

/// The same, and what is put aside.
const COMPARED_AND_ARCHIVE: [&str; 4] = [INC.name, BACKFILL.name, SNAPSHOT.name, ARCHIVE];

/// A backfill, with the name of its subtask.
type Unfinished<'a> = (Option<&'a str>, &'a Backfill);

/// One binding's state, before and after; `null` is none.
pub(super) struct Change<'a> {
    pub(super) state_key: &'a str,
    pub(super) before: Option<&'a Node>,
    pub(super) after: Option<&'a Node>,
    pub(super) migrations: &'a [&'a str],
    pub(super) effects: &'a Effects,
    pub(super) checks: Checks,
}

/// What a change means.
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) notes: Vec<String>,
    pub(super) needs: Option<ConsentKind>,
}

impl Verdict {
    fn of(outcome: Outcome, needs: Option<ConsentKind>) -> Self {
        Verdict {
            outcome,
            notes: Vec::new(),
            needs,
        }
    }
}

/// A state in the words of the model, with what it has put aside.
struct State {
    running: ResourceState,
    archived: Option<ResourceState>,
    /// Whether nothing is put aside that cannot be read. Put there by somebody else, it is a member like others.
    has_readable_archive: bool,
}

impl State {
    fn read(state_key: &str, node: &Node) -> Result<State, crate::model::ModelError> {
        let running = ResourceState::decode(state_key, node)?;
        let archive = node.as_object().and_then(|state| state.present(ARCHIVE));
        let archived = archive.and_then(|archive| ResourceState::decode(state_key, archive).ok());
        Ok(State {
            running,
            has_readable_archive: archive.is_none() || archived.is_some(),
            archived,
        })
    }

    /// Everything that stands somewhere, running or put aside.
    fn all(&self) -> impl Iterator<Item = &ResourceState> {
        [&self.running].into_iter().chain(&self.archived)
    }

    fn cursors(&self) -> impl Iterator<Item = Named<'_>> {
        self.all()
            .flat_map(|state| state.inc.entries())
            .map(|(name, entry)| (name, &entry.cursor))
    }

    fn backfills(&self) -> impl Iterator<Item = (Option<&str>, &Backfill)> {
        self.all().flat_map(|state| state.backfill.entries())
    }

    fn snapshots(&self) -> impl Iterator<Item = (Option<&str>, &Snapshot)> {
        self.all().flat_map(|state| state.snapshot.entries())
    }

    /// Whether a subtask of this name stands in any part.
    fn has(&self, name: Option<&str>) -> bool {
        self.has_cursor(name) || self.has_backfill(name) || self.has_snapshot(name)
    }

    fn has_cursor(&self, name: Option<&str>) -> bool {
        self.cursors().any(|(theirs, _)| theirs == name)
    }

    fn has_backfill(&self, name: Option<&str>) -> bool {
        self.backfills().any(|(theirs, _)| theirs == name)
    }

    fn has_snapshot(&self, name: Option<&str>) -> bool {
        self.snapshots().any(|(theirs, _)| theirs == name)
    }

    fn is_archived(&self, name: Option<&str>) -> bool {
        let entries = self.archived.iter().flat_map(|state| state.inc.entries());
        entries.into_iter().any(|(theirs, _)| theirs == name)
    }
}

impl Change<'_> {
    pub(super) fn verdict(&self) -> Result<Option<Verdict>, Refused> {
        Ok(Some(match (self.before, self.after) {
            (None, None) => return Ok(None),
            (Some(before), Some(after)) if before.same_state(after) => {
                Verdict::of(Outcome::Keep, None)
            }
            (Some(before), None) => self.removed(before)?,
            (Some(before), Some(after)) if says_nothing(after) => self.removed(before)?,
            (before, Some(after)) => self.changed(before, after)?,
        }))
    }

    fn removed(&self, before: &Node) -> Result<Verdict, Refused> {
        if says_nothing(before) {
            return Ok(Verdict::of(Outcome::Rewrite, None));
        }
        let (outcome, needs, note) = if self.effects.retires() {
            (Outcome::Retire, None, "its state is archived")
        } else if self.effects.resets() {
            (
                Outcome::Backfill,
                Some(ConsentKind::Backfill),
                "it starts over",
            )
        } else if self.checks.has(Check::BindingKept) {
            return Err(Refused::BindingLost {
                migration: self.migration(),
                state_key: self.state_key.to_owned(),
            });
        } else {
            (Outcome::Unknown, None, "its state is gone")
        };
        let mut verdict = Verdict::of(outcome, needs);
        verdict.notes.push(note.to_owned());
        Ok(verdict)
    }

    fn changed(&self, before: Option<&Node>, after: &Node) -> Result<Verdict, Refused> {
        let new = State::read(self.state_key, after).map_err(|source| Refused::NotDecodable {
            migration: self.migration(),
            source,
        })?;
        let old = State::read(self.state_key, before.unwrap_or(&Node::Null));
        // What is put aside is compared like what runs, where it can be read.
        let is_archive_read = old
            .as_ref()
            .is_ok_and(|old| old.has_readable_archive && new.has_readable_archive);
        let compared: &[&str] = match is_archive_read {
            true => &COMPARED_AND_ARCHIVE,
            false => &COMPARED,
        };
        if self.checks.has(Check::SiblingsKept) {
            let beside = match (before, after) {
                (Some(Node::Object(before)), Node::Object(after)) => {
                    changed_member(before, after, compared, self.effects.edited())
                }
                _ => None,
            };
            let in_archive = || self.changed_in_archive(before, after);
            if let Some(pointer) = beside.or_else(|| in_archive().filter(|_| is_archive_read)) {
                return Err(self.sibling_lost(pointer));
            }
        }
        match old {
            Ok(old) => self.compared(&old, &new),
            Err(_) => Ok(made_of_unreadable(
                before.unwrap_or(&Node::Null),
                &new.running,
                after,
            )),
        }
    }

    /// The first member of the archive that is none of its parts, and is not what it was.
    fn changed_in_archive(&self, before: Option<&Node>, after: &Node) -> Option<String> {
        let archive = |state: Option<&Node>| {
            let archive =
                state.and_then(|state| state.as_object()?.get(ARCHIVE)?.as_object().cloned());
            archive.unwrap_or_default()
        };
        let changed = changed_member(&archive(before), &archive(Some(after)), &COMPARED, &[])?;
        let pointer = format!("/{ARCHIVE}{changed}");
        (!self.edits(&pointer)).then_some(pointer)
    }

    fn compared(&self, old: &State, new: &State) -> Result<Verdict, Refused> {
        let lost_member = self
            .lost_member(old, new)
            .filter(|_| self.checks.has(Check::SiblingsKept));
        if !self.effects.starts_over()
            && let Some(pointer) = &lost_member
        {
            return Err(self.sibling_lost(pointer.clone()));
        }
        // Cursors that became another type are held against what the declared rules make of the old ones.
        let by_rule: Vec<Option<Cursor>> = old
            .cursors()
            .map(|(_, cursor)| self.as_compared(cursor))
            .collect();
        let before: Vec<Named<'_>> = old
            .cursors()
            .zip(&by_rule)
            .map(|((name, cursor), converted)| (name, converted.as_ref().unwrap_or(cursor)))
            .collect();
        let after: Vec<Named<'_>> = new.cursors().collect();
        let origin: Vec<Named<'_>> = old
            .backfills()
            .map(|(name, entry)| (name, &entry.cutoff))
            .collect();
        let fresh = self.fresh(old, new, &before);
        let given_up: Vec<Option<&str>> = before
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| self.gives_up(*name, new))
            .collect();
        let mut moves = cursors::moves(Between {
            before: &before,
            after: &after,
            fresh: &fresh,
            origin: &origin,
            given_up: &given_up,
            effects: self.effects,
        });
        moves.back.extend(self.cut_off(old, &by_rule));
        let (mut lost, begun) = self.unmatched(old, new, &fresh);
        lost.retain(|(name, _)| !self.gives_up(*name, new));
        let again: Vec<_> = begun
            .iter()
            .filter(|(name, _)| !fresh.contains(name) || old.has_backfill(*name))
            .copied()
            .collect();
        let restarted = |name: Option<&str>| {
            self.effects.starts_over()
                && again
                    .iter()
                    .any(|(theirs, entry)| *theirs == name && entry.next_page.is_none())
                && covers_itself(new, name)
        };
        let ahead: Vec<(Option<&str>, Distance)> = moves
            .ahead
            .iter()
            .filter(|(name, _)| !restarted(*name))
            .copied()
            .collect();
        self.check_cursors(&moves, &ahead)?;
        let goes_on = |(name, entry): &Unfinished<'_>| {
            !begins_again(*name, entry, &begun, new) && !is_left(*name, old, new, &fresh)
        };
        self.check_backfills(&lost, &again, goes_on, new)?;
        let forgotten = self.forgotten_snapshot(old, new);
        if self.checks.has(Check::SnapshotKept) {
            self.check_snapshots(forgotten, old, new)?;
        }
        let starts_again = !again.is_empty() || !lost.is_empty() || forgotten.is_some();
        let mut verdict = self.outcome(&moves, &ahead, starts_again);
        // An entry that starts over is made anew. Where none does, its members are kept, whatever is declared.
        if let Some(pointer) = lost_member.filter(|_| verdict.outcome != Outcome::Backfill) {
            return Err(self.sibling_lost(pointer));
        }
        verdict.notes.extend(archived(old, new));
        verdict.notes.extend(self.conversions(old));
        Ok(verdict)
    }

    /// What the declared rules cut off, where the old and the new cursor cannot be compared.
    fn cut_off<'a>(
        &self,
        old: &'a State,
        by_rule: &[Option<Cursor>],
    ) -> Vec<(Option<&'a str>, Distance)> {
        let cut = |((name, cursor), converted): (Named<'a>, &Option<Cursor>)| {
            let undone = cursors::undone(converted.as_ref()?, self.effects)?;
            let is_earlier = undone.compare(cursor) == Some(Ordering::Less);
            is_earlier.then(|| (name, cursors::distance(cursor, &undone)))
        };
        old.cursors().zip(by_rule).filter_map(cut).collect()
    }

    /// What a cursor is compared as, where its type changes by a declared rule.
    fn as_compared(&self, cursor: &Cursor) -> Option<Cursor> {
        converted(cursor, self.effects).filter(|converted| cursor.compare(converted).is_none())
    }

    fn conversions(&self, old: &State) -> Vec<String> {
        let is_used = old
            .cursors()
            .any(|(_, cursor)| converted(cursor, self.effects).is_some());
        let rules = self.effects.rules().iter().filter(|_| is_used);
        rules
            .map(|rule| format!("cursors are converted: {}", rule.name()))
            .collect()
    }

    fn outcome(
        &self,
        moves: &Moves<'_>,
        ahead: &[(Option<&str>, Distance)],
        starts_again: bool,
    ) -> Verdict {
        let (outcome, needs) = if !ahead.is_empty() || moves.uncovered.is_some() {
            (Outcome::Skip, Some(ConsentKind::Skip))
        } else if starts_again || !moves.dropped.is_empty() {
            (Outcome::Backfill, Some(ConsentKind::Backfill))
        } else if moves.unordered {
            (Outcome::Unknown, Some(ConsentKind::Unknown))
        } else if !moves.back.is_empty() {
            let mut back = moves.back.iter();
            let declared = back.all(|(_, by)| by.is_declared_rewind(self.effects));
            (Outcome::Rewind, (!declared).then_some(ConsentKind::Rewind))
        } else {
            (Outcome::Rewrite, None)
        };
        Verdict {
            outcome,
            notes: show::notes(moves, ahead, starts_again),
            needs,
        }
    }

    fn check_cursors(
        &self,
        moves: &Moves<'_>,
        ahead: &[(Option<&str>, Distance)],
    ) -> Result<(), Refused> {
        if let Some((name, before, after)) = moves.kind
            && self.checks.has(Check::CursorKindKept)
            && !self.effects.may_change_cursor_kind()
        {
            return Err(self.kind_changed(pointer("inc", name, "cursor"), before, after));
        }
        let undeclared = ahead
            .iter()
            .find(|(_, by)| !by.is_declared_forward(self.effects));
        let Some((name, by)) = undeclared.filter(|_| self.checks.has(Check::CursorProvenance))
        else {
            return Ok(());
        };
        Err(Refused::CursorProvenance {
            migration: self.migration(),
            state_key: self.state_key.to_owned(),
            pointer: pointer("inc", *name, "cursor"),
            by: match by {
                Distance::Unmeasured => "ahead of everything that was captured".to_owned(),
                by => format!("forward by {by}"),
            },
        })
    }

    /// Whether backfills are lost, or start again, as declared.
    ///
    /// What is declared to start over starts over: a backfill that `goes_on` is told to be finished, and is refused all the same.
    fn check_backfills(
        &self,
        lost: &[Unfinished<'_>],
        again: &[Unfinished<'_>],
        goes_on: impl Fn(&Unfinished<'_>) -> bool,
        new: &State,
    ) -> Result<(), Refused> {
        for of in lost {
            let (name, entry) = of;
            if self.checks.has(Check::CursorKindKept) {
                self.check_cutoff_kind(*name, entry, new)?;
            }
            let is_lost = !self.effects.starts_over() || goes_on(of);
            if is_lost && self.checks.has(Check::BackfillKept) {
                return Err(Refused::BackfillLost {
                    migration: self.migration(),
                    state_key: self.state_key.to_owned(),
                    pointer: part_pointer("backfill", *name),
                });
            }
        }
        match again.first() {
            Some((name, _))
                if !self.effects.starts_over() && self.checks.has(Check::BackfillKept) =>
            {
                Err(Refused::BackfillReopened {
                    migration: self.migration(),
                    state_key: self.state_key.to_owned(),
                    pointer: part_pointer("backfill", *name),
                })
            }
            _ => Ok(()),
        }
    }

    /// The backfills that nothing goes on with, and those that go on with nothing.
    ///
    /// Each goes on once: under its own name, or under another if that name is gone from the cursors too. A subtask that keeps its
    /// name goes on with that of another only if that one is given up to it, or had no cursor, as a rename that was half done leaves it;
    /// the flat entry is the one of all.
    fn unmatched<'o, 'n>(
        &self,
        old: &'o State,
        new: &'n State,
        fresh: &[Option<&str>],
    ) -> (Vec<Unfinished<'o>>, Vec<Unfinished<'n>>) {
        let mut unmatched: Vec<_> = new.backfills().collect();
        // From the end, so that states in the same order are gone through once.
        let mut take = |fits: &dyn Fn(Option<&str>, &Backfill) -> bool| {
            let place = unmatched
                .iter()
                .rposition(|(name, entry)| fits(*name, entry));
            place.map(|place| unmatched.remove(place)).is_some()
        };
        let entries: Vec<_> = old.backfills().collect();
        let mut left: Vec<_> = entries
            .into_iter()
            .rev()
            .filter(|(name, entry)| {
                !take(&|theirs, of| theirs == *name && self.same_backfill(entry, of))
            })
            .collect();
        left.reverse();
        // What is given up takes what the others leave.
        left.sort_by_key(|(name, _)| self.gives_up(*name, new));
        left.retain(|(name, entry)| {
            // One that was there by itself, and has finished, does not go on with that of another, unless that one is given up to it.
            let may_take = |theirs: Option<&str>| {
                theirs.is_none()
                    || !old.has_cursor(theirs)
                    || !old.has_cursor(*name)
                    || name.is_none()
                    || self.gives_up(*name, new)
            };
            let takes = |theirs: Option<&str>, of: &Backfill| {
                self.same_backfill(entry, of) && may_take(theirs)
            };
            new.has_cursor(*name)
                || !(take(&|theirs, of| takes(theirs, of) && !fresh.contains(&theirs))
                    || take(&takes))
        });
        (left, unmatched)
    }

    /// A cutoff that only differs in how it is written: the same page for ever, on a source that is particular.
    fn check_cutoff_kind(
        &self,
        name: Option<&str>,
        old: &Backfill,
        new: &State,
    ) -> Result<(), Refused> {
        let there = new.backfills().find(|(theirs, entry)| {
            *theirs == name || old.cutoff.compare(&entry.cutoff) == Some(Ordering::Equal)
        });
        match there {
            Some((theirs, entry))
                if entry.cutoff.kind() != old.cutoff.kind()
                    && !self.effects.may_change_cursor_kind() =>
            {
                Err(self.kind_changed(
                    pointer("backfill", theirs, "cutoff"),
                    old.cutoff.kind(),
                    entry.cutoff.kind(),
                ))
            }
            _ => Ok(()),
        }
    }

    /// A snapshot that nothing remembers: under its own name or, if that is gone, under one that is new, each of them once.
    fn forgotten_snapshot<'o>(&self, old: &'o State, new: &State) -> Option<Option<&'o str>> {
        let mut unmatched: Vec<_> = new
            .snapshots()
            .filter(|(name, _)| !old.has_snapshot(*name))
            .collect();
        let mut is_kept = |name: Option<&str>, entry: &Snapshot| {
            if let Some((_, theirs)) = new.snapshots().find(|(theirs, _)| *theirs == name) {
                return same_snapshot(entry, theirs);
            }
            let place = unmatched
                .iter()
                .position(|(_, theirs)| same_snapshot(entry, theirs));
            place.map(|place| unmatched.remove(place)).is_some() || self.gives_up(name, new)
        };
        let mut entries = old.snapshots();
        entries
            .find(|(name, entry)| !is_kept(*name, entry))
            .map(|(name, _)| name)
    }

    fn check_snapshots(
        &self,
        forgotten: Option<Option<&str>>,
        old: &State,
        new: &State,
    ) -> Result<(), Refused> {
        if let Some(name) = forgotten.filter(|_| !self.effects.starts_over()) {
            return Err(Refused::SnapshotLost {
                migration: self.migration(),
                state_key: self.state_key.to_owned(),
                pointer: part_pointer("snapshot", name),
            });
        }
        // What it is said to have held would not be captured, if that is what the source holds.
        let made_up = new.snapshots().find(|(_, entry)| {
            let says_nothing = entry.last_count == 0 || entry.last_digest.is_empty();
            !says_nothing && !old.snapshots().any(|(_, of)| same_snapshot(of, entry))
        });
        match made_up {
            None => Ok(()),
            Some((name, _)) => Err(Refused::SnapshotMadeUp {
                migration: self.migration(),
                state_key: self.state_key.to_owned(),
                pointer: part_pointer("snapshot", name),
            }),
        }
    }

    /// The first member of an entry that the model does not know, and that did not go where the entry went: to its own name or, if
    /// that is gone from the part, to any.
    fn lost_member(&self, old: &State, new: &State) -> Option<String> {
        for (part, name, members) in old.all().flat_map(|state| state.unknown.of_entries()) {
            if self.gives_up(name, new) {
                continue;
            }
            let is_kept = match part {
                "inc" => new.has_cursor(name),
                "backfill" => new.has_backfill(name),
                _ => new.has_snapshot(name),
            };
            for (key, node) in members.iter() {
                let mut candidates = new
                    .all()
                    .flat_map(|state| state.unknown.of_entries())
                    .filter(|(theirs, at, _)| *theirs == part && (!is_kept || *at == name));
                let kept = candidates
                    .any(|(.., theirs)| theirs.get(key).is_some_and(|there| there == node));
                let place = pointer(part, name, key);
                if !kept && !self.edits(&place) {
                    return Some(place);
                }
            }
        }
        None
    }

    /// Subtasks that were not there, and that begin with a backfill of their own, from its first page up to where their cursor starts.
    ///
    /// They carry nothing on, and they miss nothing. The flat entry can be one only where there was none of any kind. One that had a backfill
    /// under its name and no cursor yet, from a start that was interrupted, is such a one too.
    fn fresh<'a>(&self, old: &State, new: &'a State, before: &[Named<'_>]) -> Vec<Option<&'a str>> {
        let is_there = |name: Option<&str>| before.iter().any(|(theirs, _)| *theirs == name);
        let gone: Vec<&Cursor> = before
            .iter()
            .filter(|(name, _)| !new.has_cursor(*name) && !self.gives_up(*name, new))
            .map(|(_, cursor)| *cursor)
            .collect();
        let continuing = self.continuing(old, new, before);
        let continues_another = |name: Option<&str>| continuing.contains(&name);
        let goes_on = |name: Option<&str>, entry: &Backfill| {
            old.backfills()
                .any(|(theirs, of)| theirs == name && self.same_backfill(of, entry))
        };
        // A cursor where one is gone carries that one on, unless another does that begins with no backfill of its own.
        let carries = |name: Option<&str>, cursor: &Cursor, old: &Cursor| {
            let mut own = new.backfills().filter(|(theirs, _)| *theirs == name);
            !is_there(name)
                && cursor.compare(old).is_some_and(Ordering::is_le)
                && own.all(|(name, entry)| continues_another(name) || goes_on(name, entry))
        };
        let carries_on = |name: Option<&str>| {
            let mut cursors = new.cursors().filter(|(theirs, _)| *theirs == name);
            cursors.any(|(_, cursor)| {
                gone.contains(&cursor)
                    && !new
                        .cursors()
                        .any(|(theirs, other)| theirs != name && carries(theirs, other, cursor))
            })
        };
        let is_fresh = |(name, entry): &(Option<&'a str>, &Backfill)| {
            let was_there = is_there(*name) || name.is_none() && !before.is_empty();
            // One that begins at a later page leaves out what is before it, unless it goes on.
            let is_whole = || entry.next_page.is_none() || goes_on(*name, entry);
            !was_there
                && !continues_another(*name)
                && !carries_on(*name)
                && is_whole()
                && covers_itself(new, *name)
        };
        new.backfills()
            .filter(is_fresh)
            .map(|(name, _)| name)
            .collect()
    }

    /// Subtasks that were not there, and that go on with the backfill of one that is gone: one for each such backfill. Of several that could,
    /// it is one that carries the cursor on too.
    fn continuing<'a>(
        &self,
        old: &State,
        new: &'a State,
        before: &[Named<'_>],
    ) -> Vec<Option<&'a str>> {
        let mut continuing: Vec<Option<&'a str>> = Vec::new();
        for (name, of) in old.backfills() {
            let goes_on = |(theirs, entry): (Option<&str>, &Backfill)| {
                theirs == name && self.same_backfill(of, entry)
            };
            if self.gives_up(name, new) || new.backfills().any(goes_on) {
                continue;
            }
            let was = before.iter().find(|(theirs, _)| *theirs == name);
            let was = was.map_or(&of.cutoff, |(_, cursor)| *cursor);
            let carries_on = |name: Option<&str>| {
                let mut cursors = new.cursors().filter(|(theirs, _)| *theirs == name);
                cursors.any(|(_, cursor)| cursor.compare(was).is_some_and(Ordering::is_le))
            };
            let others = new.backfills().filter(|(theirs, entry)| {
                *theirs != name
                    && !before.iter().any(|(there, _)| there == theirs)
                    && !continuing.contains(theirs)
                    && self.same_backfill(of, entry)
            });
            let best = others.min_by_key(|(theirs, _)| !carries_on(*theirs));
            continuing.extend(best.map(|(theirs, _)| theirs));
        }
        continuing
    }

    /// Whether `new` goes on where `old` was, its cutoff converted as declared.
    fn same_backfill(&self, old: &Backfill, new: &Backfill) -> bool {
        let page = |entry: &Backfill| {
            entry
                .next_page
                .as_ref()
                .map_or(Node::Null, |page| page.to_node())
        };
        let same_cutoff = old.cutoff == new.cutoff
            || converted(&old.cutoff, self.effects)
                .is_some_and(|converted| converted == new.cutoff);
        same_cutoff && page(old).same_state(&page(new))
    }

    /// Whether a subtask is given up, as declared: gone from every part. One that is still there in another goes on.
    fn gives_up(&self, name: Option<&str>, new: &State) -> bool {
        self.effects.drops(name) && !new.has(name)
    }

    /// Whether the member at this place is declared to change.
    fn edits(&self, place: &str) -> bool {
        let mut edits = self.effects.edited().iter();
        edits.any(|edit| covers(edit, place))
    }

    fn sibling_lost(&self, pointer: String) -> Refused {
        Refused::SiblingLost {
            migration: self.migration(),
            state_key: self.state_key.to_owned(),
            pointer,
        }
    }

    fn kind_changed(
        &self,
        pointer: String,
        before: impl std::fmt::Display,
        after: impl std::fmt::Display,
    ) -> Refused {
        Refused::CursorKindChanged {
            migration: self.migration(),
            state_key: self.state_key.to_owned(),
            pointer,
            before: before.to_string(),
            after: after.to_string(),
        }
    }

    fn migration(&self) -> String {
        named(self.migrations)
    }
}

/// What is to be said of subtasks that are put aside, or that come back.
fn archived(old: &State, new: &State) -> Vec<String> {
    let names = |of: &'_ State, other: &State| -> Vec<String> {
        let archived = of.archived.iter().flat_map(|state| state.inc.entries());
        let only = archived.filter(|(name, _)| !other.is_archived(*name));
        only.filter_map(|(name, _)| name.map(str::to_owned))
            .collect()
    };
    let aside = names(new, old)
        .into_iter()
        .map(|name| format!("subtask `{name}` is archived"));
    let back = names(old, new)
        .into_iter()
        .map(|name| format!("subtask `{name}` resumes from the archive"));
    aside.chain(back).collect()
}

/// Whether a subtask's backfill reads all up to where its cursor begins.
fn covers_itself(state: &State, name: Option<&str>) -> bool {
    let cutoff = state
        .backfills()
        .find(|(theirs, _)| *theirs == name)
        .map(|(_, entry)| &entry.cutoff);
    let mut cursors = state.cursors().filter(|(theirs, _)| *theirs == name);
    cutoff.is_some_and(|cutoff| {
        cursors.all(|(_, cursor)| cursor.compare(cutoff).is_some_and(Ordering::is_le))
    })
}

/// Whether a lost backfill is begun again: under its name or, if that is gone, under another, from the first page, and as far.
fn begins_again(
    name: Option<&str>,
    lost: &Backfill,
    begun: &[Unfinished<'_>],
    new: &State,
) -> bool {
    begun.iter().any(|(theirs, of)| {
        let is_under = *theirs == name || !new.has_cursor(name);
        let is_as_far = of.cutoff.compare(&lost.cutoff).is_none_or(Ordering::is_ge);
        is_under && is_as_far && of.next_page.is_none()
    })
}

/// Whether nothing carries on the subtask of a lost backfill, so that the connector begins with it as with a new one.
fn is_left(name: Option<&str>, old: &State, new: &State, fresh: &[Option<&str>]) -> bool {
    let mut cursors = new.cursors().map(|(theirs, _)| theirs);
    cursors.all(|theirs| theirs != name && (old.has_cursor(theirs) || fresh.contains(&theirs)))
}

fn same_snapshot(one: &Snapshot, other: &Snapshot) -> bool {
    (one.last_count, &one.last_digest) == (other.last_count, &other.last_digest)
}

/// The names of migrations, for a message.
pub(super) fn named(migrations: &[&str]) -> String {
    if migrations.is_empty() {
        "(not named)".to_owned()
    } else {
        migrations.join(", ")
    }
}

/// A state that the model does not know. Only what can be found in it again is known to be kept.
fn made_of_unreadable(before: &Node, new: &ResourceState, after: &Node) -> Verdict {
    let mut found = Vec::new();
    if let Some(inc) = before.pointer("/inc") {
        collect_cursors(inc, &mut found);
    }
    let same_parts = ["/backfill", "/snapshot"].iter().all(|part| {
        let (before, after) = (before.pointer(part), after.pointer(part));
        before
            .unwrap_or(&Node::Null)
            .same_state(after.unwrap_or(&Node::Null))
    });
    let from_there = new
        .inc
        .entries()
        .all(|(_, entry)| found.contains(&entry.cursor));
    let carried_on = found.iter().all(|old| {
        new.inc
            .entries()
            .any(|(_, entry)| entry.cursor.compare(old).is_some_and(Ordering::is_le))
    });
    let known = same_parts && !found.is_empty() && from_there && carried_on;
    let mut verdict = if known {
        Verdict::of(Outcome::Rewrite, None)
    } else {
        Verdict::of(Outcome::Unknown, Some(ConsentKind::Unknown))
    };
    verdict
        .notes
        .push("the state before does not fit the model".to_owned());
    verdict
}

/// The first member, beside those of `except` and what is declared to be edited, that is not what it was.
pub(super) fn changed_member(
    before: &Object,
    after: &Object,
    except: &[&str],
    edits: &[String],
) -> Option<String> {
    let value = |object: &'_ Object, key: &str| -> Node {
        let node = object.get(key).unwrap_or(&Node::Null);
        if is_default(key, node) {
            Node::Null
        } else {
            node.clone()
        }
    };
    let differs = |key: &&str| {
        if except.contains(key) {
            return false;
        }
        let (ours, theirs) = (value(before, key), value(after, key));
        if ours.same_state(&theirs) {
            return false;
        }
        let mut pointer = String::new();
        push_pointer_token(&mut pointer, key);
        let edited = |node: Node| -> Node {
            let mut of = Node::Object(Object::from_iter([(*key, node)]));
            for edit in edits.iter().filter(|edit| covers(&pointer, edit)) {
                remove(&mut of, edit);
            }
            of
        };
        !edited(ours).same_state(&edited(theirs))
    };
    let key = before.keys().chain(after.keys()).find(differs)?;
    let mut pointer = String::new();
    push_pointer_token(&mut pointer, key);
    Some(pointer)
}

/// A member that says what its absence says.
fn is_default(key: &str, node: &Node) -> bool {
    node.is_null() || key == "is_connector_initiated" && *node == Node::boolean(false)
}

/// Removes what is at the pointer, and the objects that are empty then: they may have been made for it.
fn remove(node: &mut Node, pointer: &str) {
    let mut pointer = pointer;
    while let Some((parent, token)) = pointer.rsplit_once('/') {
        let Some(object) = node.pointer_mut(parent).and_then(Node::as_object_mut) else {
            pointer = parent;
            continue;
        };
        object.remove(&pointer_token(token));
        if !object.is_empty() {
            return;
        }
        pointer = parent;
    }
}

/// Whether `place` is at `edit` or inside it.
fn covers(edit: &str, place: &str) -> bool {
    place
        .strip_prefix(edit)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether reading would begin from nothing.
fn says_nothing(state: &Node) -> bool {
    state
        .as_object()
        .is_some_and(|object| object.iter().all(|(_, node)| node.is_null()))
}

fn pointer(part: &str, name: Option<&str>, member: &str) -> String {
    let mut pointer = part_pointer(part, name);
    push_pointer_token(&mut pointer, member);
    pointer
}

fn part_pointer(part: &str, name: Option<&str>) -> String {
    let mut pointer = format!("/{part}");
    if let Some(name) = name {
        push_pointer_token(&mut pointer, name);
    }
    pointer
}

/// Every leaf that could be a cursor, in a state that the model does not know.
fn collect_cursors(node: &Node, found: &mut Vec<Cursor>) {
    match node {
        Node::Object(object) => object
            .iter()
            .for_each(|(_, node)| collect_cursors(node, found)),
        Node::Null | Node::Leaf(_) => found.extend(Cursor::from_node(node)),
    }
}
