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
use crate::model::{Backfill, ResourceState, Snapshot};
use crate::node::{Node, Object, push_pointer_token};

/// The members that the model's parts are, and that the checks of cursors, backfills and snapshots are about.
const PARTS: [&str; 3] = ["inc", "backfill", "snapshot"];

/// The member under which subtasks that are not configured any more are put aside, part by part.
const ARCHIVE: &str = "archived";

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
}

impl State {
    fn read(state_key: &str, node: &Node) -> Result<State, crate::model::ModelError> {
        let running = ResourceState::decode(state_key, node)?;
        let archive = node.as_object().and_then(|state| state.get(ARCHIVE));
        // Put there by somebody else it is a member like others.
        let archived = archive.and_then(|archive| ResourceState::decode(state_key, archive).ok());
        Ok(State { running, archived })
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
        if let (Some(Node::Object(before)), Node::Object(after)) = (before, after)
            && self.checks.has(Check::SiblingsKept)
            && let Some(pointer) = changed_member(before, after, &PARTS, self.effects.edited())
        {
            return Err(self.sibling_lost(pointer));
        }
        let before = before.unwrap_or(&Node::Null);
        match State::read(self.state_key, before) {
            Ok(old) => self.compared(&old, &new),
            Err(_) => Ok(made_of_unreadable(before, &new.running, after)),
        }
    }

    fn compared(&self, old: &State, new: &State) -> Result<Verdict, Refused> {
        if self.checks.has(Check::SiblingsKept) {
            self.check_unknown_members(&old.running, &new.running)?;
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
        let fresh = self.fresh(old, new);
        let moves = cursors::moves(Between {
            before: &before,
            after: &after,
            fresh: &fresh,
            origin: &origin,
            effects: self.effects,
        });
        self.check_cursors(&moves)?;
        let starts_again = self.check_backfills(old, new, &fresh)?;
        if self.checks.has(Check::SnapshotKept) {
            self.check_snapshots(old, new)?;
        }
        let mut verdict = self.outcome(&moves, starts_again);
        verdict.notes.extend(archived(old, new));
        verdict.notes.extend(self.conversions(old));
        Ok(verdict)
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

    fn outcome(&self, moves: &Moves<'_>, starts_again: bool) -> Verdict {
        let (outcome, needs) =
            if moves.ahead.is_some() && !starts_again || moves.uncovered.is_some() {
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
            notes: show::notes(moves, starts_again),
            needs,
        }
    }

    fn check_cursors(&self, moves: &Moves<'_>) -> Result<(), Refused> {
        if let Some((name, before, after)) = moves.kind
            && self.checks.has(Check::CursorKindKept)
            && !self.effects.may_change_cursor_kind()
        {
            return Err(self.kind_changed(pointer("inc", name, "cursor"), before, after));
        }
        let Some((name, by)) = moves.ahead else {
            return Ok(());
        };
        if by.is_declared_forward(self.effects)
            || self.effects.starts_over()
            || !self.checks.has(Check::CursorProvenance)
        {
            return Ok(());
        }
        Err(Refused::CursorProvenance {
            migration: self.migration(),
            state_key: self.state_key.to_owned(),
            pointer: pointer("inc", name, "cursor"),
            by: match by {
                Distance::Unmeasured => "ahead of everything that was captured".to_owned(),
                by => format!("forward by {by}"),
            },
        })
    }

    /// Whether a backfill starts again, as declared.
    fn check_backfills(
        &self,
        old: &State,
        new: &State,
        fresh: &[Option<&str>],
    ) -> Result<bool, Refused> {
        for (name, entry) in old.backfills() {
            let goes_on = new
                .backfills()
                .any(|(_, theirs)| self.same_backfill(entry, theirs));
            if goes_on || self.effects.drops(name) {
                continue;
            }
            if self.checks.has(Check::CursorKindKept) {
                self.check_cutoff_kind(name, entry, new)?;
            }
            if !self.effects.starts_over() && self.checks.has(Check::BackfillKept) {
                return Err(Refused::BackfillLost {
                    migration: self.migration(),
                    state_key: self.state_key.to_owned(),
                    pointer: part_pointer("backfill", name),
                });
            }
        }
        let mut again = false;
        for (name, entry) in new.backfills() {
            let continued = old
                .backfills()
                .any(|(_, theirs)| self.same_backfill(theirs, entry));
            if continued || fresh.contains(&name) {
                continue;
            }
            if !self.effects.starts_over() && self.checks.has(Check::BackfillKept) {
                return Err(Refused::BackfillReopened {
                    migration: self.migration(),
                    state_key: self.state_key.to_owned(),
                    pointer: part_pointer("backfill", name),
                });
            }
            again = true;
        }
        Ok(again)
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

    fn check_snapshots(&self, old: &State, new: &State) -> Result<(), Refused> {
        for (name, entry) in old.snapshots() {
            let kept = new.snapshots().any(|(_, theirs)| {
                (entry.last_count, &entry.last_digest) == (theirs.last_count, &theirs.last_digest)
            });
            if !kept && !self.effects.starts_over() && !self.effects.drops(name) {
                return Err(Refused::SnapshotLost {
                    migration: self.migration(),
                    state_key: self.state_key.to_owned(),
                    pointer: part_pointer("snapshot", name),
                });
            }
        }
        Ok(())
    }

    /// Members of an entry that the model does not know go where the entry goes.
    fn check_unknown_members(
        &self,
        old: &ResourceState,
        new: &ResourceState,
    ) -> Result<(), Refused> {
        for (part, name, members) in old.unknown.of_entries() {
            if self.effects.drops(name) {
                continue;
            }
            for (key, node) in members.iter() {
                let mut candidates = new
                    .unknown
                    .of_entries()
                    .filter(|(theirs, ..)| *theirs == part);
                let kept = candidates
                    .any(|(.., theirs)| theirs.get(key).is_some_and(|there| there == node));
                let place = pointer(part, name, key);
                let edited = self
                    .effects
                    .edited()
                    .iter()
                    .any(|edit| covers(edit, &place));
                if !kept && !edited && !self.effects.starts_over() {
                    return Err(self.sibling_lost(place));
                }
            }
        }
        Ok(())
    }

    /// Subtasks that were not there, and that begin with a backfill of their own up to where their cursor starts.
    ///
    /// They carry nothing on, and they miss nothing. The flat entry can be one only where there was none of any kind. One that had a backfill
    /// under its name and no cursor yet, from a start that was interrupted, is such a one too.
    fn fresh<'a>(&self, old: &State, new: &'a State) -> Vec<Option<&'a str>> {
        let is_fresh = |(name, entry): &(Option<&'a str>, &Backfill)| {
            let was_there = old.cursors().any(|(theirs, _)| theirs == *name)
                || name.is_none() && old.cursors().next().is_some();
            let continues_another = old
                .backfills()
                .any(|(theirs, of)| theirs != *name && self.same_backfill(of, entry));
            let mut cursors = new.cursors().filter(|(theirs, _)| theirs == name);
            let covered = cursors
                .all(|(_, cursor)| cursor.compare(&entry.cutoff).is_some_and(Ordering::is_le));
            !was_there && !continues_another && covered
        };
        new.backfills()
            .filter(is_fresh)
            .map(|(name, _)| name)
            .collect()
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
        let mut pointer = String::new();
        push_pointer_token(&mut pointer, key);
        let edited = |node: Node| -> Node {
            let mut of = Node::Object(Object::from_iter([(*key, node)]));
            for edit in edits.iter().filter(|edit| covers(&pointer, edit)) {
                remove(&mut of, edit);
            }
            of
        };
        let (ours, theirs) = (value(before, key), value(after, key));
        !ours.same_state(&theirs) && !edited(ours).same_state(&edited(theirs))
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

fn remove(node: &mut Node, pointer: &str) {
    let Some((parent, token)) = pointer.rsplit_once('/') else {
        return;
    };
    if let Some(parent) = node.pointer_mut(parent).and_then(Node::as_object_mut) {
        parent.remove(&token.replace("~1", "/").replace("~0", "~"));
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
