//! Compares one binding before and after, and holds the change against the checks.

use super::consent::ConsentKind;
use super::cursors::{self, Distance, Moves, Named};
use super::refused::Refused;
use super::show;
use super::{BindingPlan, Outcome};
use crate::cursor::Cursor;
use crate::migration::Effects;
use crate::model::{Backfill, ResourceState};
use crate::node::{Node, Object, push_pointer_token};

/// The members that the model's parts are, and that the checks of cursors, backfills and snapshots are about.
const PARTS: [&str; 3] = ["inc", "backfill", "snapshot"];

/// One binding's state, before and after; `null` is none.
pub(super) struct Change<'a> {
    pub(super) state_key: &'a str,
    pub(super) before: Option<&'a Node>,
    pub(super) after: Option<&'a Node>,
    pub(super) migrations: &'a [&'a str],
    pub(super) effects: Effects,
}

impl Change<'_> {
    pub(super) fn plan(&self) -> Result<Option<BindingPlan>, Refused> {
        let plan = match (self.before, self.after) {
            (None, None) => return Ok(None),
            (Some(before), Some(after)) if before.same_state(after) => self.kept(before),
            (Some(before), None) => self.removed(before)?,
            (Some(before), Some(after)) if says_nothing(after) => self.removed(before)?,
            (before, Some(after)) => self.changed(before, after)?,
        };
        Ok(Some(BindingPlan {
            migrations: self
                .migrations
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            ..plan
        }))
    }

    fn kept(&self, state: &Node) -> BindingPlan {
        let resume = ResourceState::decode(self.state_key, state).map(|state| show::resume(&state));
        let resume = resume.unwrap_or_default();
        BindingPlan {
            before: resume.clone(),
            after: resume,
            ..BindingPlan::new(self.state_key, Outcome::Keep)
        }
    }

    fn removed(&self, before: &Node) -> Result<BindingPlan, Refused> {
        let (outcome, note) = if says_nothing(before) {
            (Outcome::Rewrite, None)
        } else if self.effects.retires() {
            (Outcome::Retire, Some("its state is archived"))
        } else if self.effects.resets() {
            (Outcome::Backfill, Some("it starts over"))
        } else {
            return Err(Refused::BindingLost {
                migration: self.migration(),
                state_key: self.state_key.to_owned(),
            });
        };
        let mut plan = BindingPlan::new(self.state_key, outcome);
        plan.before = ResourceState::decode(self.state_key, before)
            .map(|old| show::resume(&old))
            .unwrap_or_default();
        plan.change = "state removed".to_owned();
        plan.notes.extend(note.map(str::to_owned));
        plan.needs = (outcome == Outcome::Backfill).then_some(ConsentKind::Backfill);
        Ok(plan)
    }

    fn changed(&self, before: Option<&Node>, after: &Node) -> Result<BindingPlan, Refused> {
        let new = ResourceState::decode(self.state_key, after).map_err(|source| {
            Refused::NotDecodable {
                migration: self.migration(),
                source,
            }
        })?;
        if let (Some(Node::Object(before)), Node::Object(after)) = (before, after)
            && let Some(pointer) = changed_member(before, after, &PARTS, self.effects.edited())
        {
            return Err(self.sibling_lost(pointer));
        }
        let before = before.unwrap_or(&Node::Null);
        let mut plan = match ResourceState::decode(self.state_key, before) {
            Ok(old) => self.compared(&old, &new)?,
            Err(_) => self.made_of_unreadable(before, &new, after),
        };
        plan.change = show::change(before, after);
        plan.after = show::resume(&new);
        Ok(plan)
    }

    fn compared(&self, old: &ResourceState, new: &ResourceState) -> Result<BindingPlan, Refused> {
        self.check_unknown_members(old, new)?;
        let fresh = fresh(old, new);
        let before: Vec<Named<'_>> = old
            .inc
            .entries()
            .map(|(name, entry)| (name, &entry.cursor))
            .collect();
        let after: Vec<Named<'_>> = new
            .inc
            .entries()
            .map(|(name, entry)| (name, &entry.cursor))
            .collect();
        let origin: Vec<Named<'_>> = old
            .backfill
            .entries()
            .map(|(name, entry)| (name, &entry.cutoff))
            .collect();
        let moves = cursors::moves(&before, &after, &fresh, &origin);
        self.check_cursors(&moves)?;
        let starts_again = self.check_backfills(old, new, &fresh)?;
        self.check_snapshots(old, new)?;
        let mut plan = self.outcome(&moves, starts_again);
        plan.before = show::resume(old);
        Ok(plan)
    }

    /// A state that the model does not know. Only what can be found in it again is known to be kept.
    fn made_of_unreadable(&self, before: &Node, new: &ResourceState, after: &Node) -> BindingPlan {
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
            new.inc.entries().any(|(_, entry)| {
                entry
                    .cursor
                    .compare(old)
                    .is_some_and(std::cmp::Ordering::is_le)
            })
        });
        let known = same_parts && !found.is_empty() && from_there && carried_on;
        let mut plan = BindingPlan::new(
            self.state_key,
            if known {
                Outcome::Rewrite
            } else {
                Outcome::Unknown
            },
        );
        plan.needs = (!known).then_some(ConsentKind::Unknown);
        plan.notes
            .push("the state before does not fit the model".to_owned());
        plan
    }

    fn outcome(&self, moves: &Moves<'_>, starts_again: bool) -> BindingPlan {
        let (outcome, needs) =
            if moves.ahead.is_some() && !starts_again || moves.uncovered.is_some() {
                (Outcome::Skip, Some(ConsentKind::Skip))
            } else if starts_again || !moves.dropped.is_empty() {
                (Outcome::Backfill, Some(ConsentKind::Backfill))
            } else if moves.unordered {
                (Outcome::Unknown, Some(ConsentKind::Unknown))
            } else if !moves.back.is_empty() {
                let declared = moves.back.iter().all(|(_, by)| match by {
                    Distance::Time(by) => self.effects.allows_rewind(*by),
                    Distance::Count(_) | Distance::Unmeasured => false,
                });
                (Outcome::Rewind, (!declared).then_some(ConsentKind::Rewind))
            } else {
                (Outcome::Rewrite, None)
            };
        let mut plan = BindingPlan::new(self.state_key, outcome);
        plan.needs = needs;
        plan.notes = show::notes(moves, starts_again);
        plan
    }

    fn check_cursors(&self, moves: &Moves<'_>) -> Result<(), Refused> {
        if let Some((name, before, after)) = moves.kind
            && !self.effects.may_change_cursor_kind()
        {
            return Err(self.kind_changed(pointer("inc", name, "cursor"), before, after));
        }
        let Some((name, by)) = moves.ahead else {
            return Ok(());
        };
        let declared = match by {
            Distance::Time(time) => self.effects.allows_forward(time),
            Distance::Count(_) | Distance::Unmeasured => false,
        };
        if declared || self.effects.starts_over() {
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
        old: &ResourceState,
        new: &ResourceState,
        fresh: &[Option<&str>],
    ) -> Result<bool, Refused> {
        for (name, entry) in old.backfill.entries() {
            if new
                .backfill
                .entries()
                .any(|(_, theirs)| same_backfill(entry, theirs))
            {
                continue;
            }
            self.check_cutoff_kind(name, entry, new)?;
            if !self.effects.starts_over() {
                return Err(Refused::BackfillLost {
                    migration: self.migration(),
                    state_key: self.state_key.to_owned(),
                    pointer: part_pointer("backfill", name),
                });
            }
        }
        let mut again = false;
        for (name, entry) in new.backfill.entries() {
            let continued = old
                .backfill
                .entries()
                .any(|(_, theirs)| same_backfill(entry, theirs));
            if continued || fresh.contains(&name) {
                continue;
            }
            if !self.effects.starts_over() {
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
        new: &ResourceState,
    ) -> Result<(), Refused> {
        let mut entries = new.backfill.entries();
        let there = entries.find(|(theirs, entry)| {
            *theirs == name || old.cutoff.compare(&entry.cutoff) == Some(std::cmp::Ordering::Equal)
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

    fn check_snapshots(&self, old: &ResourceState, new: &ResourceState) -> Result<(), Refused> {
        for (name, entry) in old.snapshot.entries() {
            let kept = new.snapshot.entries().any(|(_, theirs)| {
                (entry.last_count, &entry.last_digest) == (theirs.last_count, &theirs.last_digest)
            });
            if !kept && !self.effects.starts_over() {
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
        if self.migrations.is_empty() {
            "(not named)".to_owned()
        } else {
            self.migrations.join(", ")
        }
    }
}

/// The first member, beside those of `except` and what is declared to be edited, that is not what it was.
pub(super) fn changed_member(
    before: &Object,
    after: &Object,
    except: &[&str],
    edits: &[String],
) -> Option<String> {
    let siblings = |object: &Object| -> Object {
        let members = object
            .map()
            .iter()
            .filter(|(key, node)| !except.contains(&&***key) && !is_default(key, node));
        let mut kept = Node::Object(
            members
                .map(|(key, node)| (key.clone(), node.clone()))
                .collect(),
        );
        for edit in edits {
            remove(&mut kept, edit);
        }
        kept.into_object().unwrap_or_default()
    };
    let (before, after) = (siblings(before), siblings(after));
    let differs = |key: &&str| {
        let (ours, theirs) = (
            before.get(key).unwrap_or(&Node::Null),
            after.get(key).unwrap_or(&Node::Null),
        );
        !ours.same_state(theirs)
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

/// Subtasks that were not there, and that begin with a backfill of their own up to where their cursor starts.
///
/// They carry nothing on, and they miss nothing. The flat entry can be one only where there was none of any kind.
fn fresh<'a>(old: &ResourceState, new: &'a ResourceState) -> Vec<Option<&'a str>> {
    let is_fresh = |(name, entry): &(Option<&'a str>, &Backfill)| {
        let was_there = old.inc.entries().any(|(theirs, _)| theirs == *name)
            || name.is_none() && !old.inc.is_none();
        let continued = old
            .backfill
            .entries()
            .any(|(_, theirs)| same_backfill(entry, theirs));
        let mut cursors = new.inc.entries().filter(|(theirs, _)| theirs == name);
        let covered = cursors.all(|(_, inc)| {
            inc.cursor
                .compare(&entry.cutoff)
                .is_some_and(std::cmp::Ordering::is_le)
        });
        !was_there && !continued && covered
    };
    new.backfill
        .entries()
        .filter(is_fresh)
        .map(|(name, _)| name)
        .collect()
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

fn same_backfill(ours: &Backfill, theirs: &Backfill) -> bool {
    let page = |entry: &Backfill| {
        entry
            .next_page
            .as_ref()
            .map_or(Node::Null, |page| page.to_node())
    };
    ours.cutoff == theirs.cutoff && page(ours).same_state(&page(theirs))
}
