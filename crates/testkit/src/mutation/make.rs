//! Makes mistakes in a migrated state, wherever there is a place for them.

use std::cmp::Ordering;

use staunch_state::{BINDING_STATES, Cursor, CursorKind, Effects, MAX_DEPTH, Node, Object};

use super::{Mutation, nested};
use crate::allowed;
use crate::case::{Case, Subject};
use crate::cursors::{self, order};
use crate::laws::Sound;
use crate::progress::next_page;
use crate::reading::{self, Reading};
use crate::shape::{self, BACKFILL, INC, PARTS, Part, SNAPSHOT};

/// A mistake, where it is, and the state that it leads to.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) mutation: Mutation,
    pub(crate) place: String,
    pub(crate) after: Node,
}

/// A sound migration, to make mistakes in.
pub(super) struct Ground<'a> {
    subject: &'a Subject,
    case: &'a Case,
    sound: &'a Sound,
    made: Vec<Made>,
}

/// One binding of it.
struct Place<'a> {
    key: &'a str,
    before: &'a Object,
    after: &'a Object,
    allowed: Effects,
    was: Reading,
    is: Reading,
}

impl<'a> Ground<'a> {
    pub(super) fn new(subject: &'a Subject, case: &'a Case, sound: &'a Sound) -> Self {
        Ground {
            subject,
            case,
            sound,
            made: Vec::new(),
        }
    }

    pub(super) fn all(mut self) -> Vec<Made> {
        let pairs: Vec<(&str, &str)> = self.sound.pairs().collect();
        let mut places = Vec::new();
        for (key, before) in pairs {
            let (Some(old), Some(new)) = (
                shape::binding(&self.case.state, before),
                shape::binding(&self.sound.after, key),
            ) else {
                continue;
            };
            places.push(Place {
                key,
                before: old,
                after: new,
                allowed: allowed::of(&self.subject.declared, &self.sound.applied, &[key, before]),
                was: Reading::of(Some(old)),
                is: Reading::of(Some(new)),
            });
        }
        for place in &places {
            self.siblings(place);
            self.residues(place);
            self.cursors(place);
            self.subtasks(place);
            self.backfills(place);
            self.kinds(place);
            self.snapshots(place);
            self.names(place);
            self.deletion(place);
        }
        self.swaps(&places);
        self.all_but_one(&places);
        self.root();
        self.made
    }

    fn add(&mut self, mutation: Mutation, place: String, after: Node) {
        // Making it may have come to nothing: then it is no mistake.
        if !after.same_state(&self.sound.after) {
            self.made.push(Made {
                mutation,
                place,
                after,
            });
        }
    }

    /// Makes a mistake in the state of one binding.
    fn change(
        &mut self,
        mutation: Mutation,
        place: &Place<'_>,
        at: &str,
        change: impl FnOnce(&mut Object),
    ) {
        let mut after = self.sound.after.clone();
        if let Some(binding) = shape::binding_mut(&mut after, place.key) {
            change(binding);
        }
        self.add(
            mutation,
            format!("`{at}` of binding `{}`", place.key),
            after,
        );
    }

    /// Makes a mistake in one member of an entry.
    fn change_member(
        &mut self,
        mutation: Mutation,
        place: &Place<'_>,
        (part, name, member): (Part, Option<&str>, &str),
        value: Node,
    ) {
        let at = pointer(part, name, member);
        self.change(mutation, place, &at, |binding| {
            if let Some(entry) = part.entry_mut(binding, name) {
                entry.insert(member, value);
            }
        });
    }

    fn siblings(&mut self, place: &Place<'_>) {
        let is_part = |key: &str| PARTS.iter().any(|part| part.name == key);
        for key in place.after.keys() {
            let pointer = format!("/{}", token(key));
            let was_there = place
                .before
                .present(key)
                .is_some_and(|node| *node != Node::boolean(false));
            if was_there && !is_part(key) && !allowed::edits(&place.allowed, &pointer) {
                self.change(Mutation::ForgetsSibling, place, &pointer, |binding| {
                    binding.remove(key);
                });
            }
        }
        self.change(
            Mutation::EditsUndeclared,
            place,
            "/testkit_edit",
            |binding| {
                binding.insert("testkit_edit", Node::integer(1));
            },
        );
    }

    /// Members of the old flat entry beside subtasks, or an old subtask beside a flat entry.
    fn residues(&mut self, place: &Place<'_>) {
        for part in [INC, BACKFILL] {
            let (was, is) = (part.names(place.before), part.names(place.after));
            let became_keyed = was == [None] && is.iter().any(Option::is_some);
            let became_flat = was.iter().any(Option::is_some) && is == [None];
            let old = place
                .before
                .get(part.name)
                .and_then(Node::as_object)
                .cloned()
                .unwrap_or_default();
            if !(became_keyed || became_flat) {
                continue;
            }
            for (member, node) in old.iter() {
                let is_entry = node
                    .as_object()
                    .is_some_and(|entry| entry.present(part.members[0]).is_some());
                let is_residue = if became_keyed {
                    part.members.contains(&member) && !node.is_null()
                } else {
                    is_entry
                };
                if is_residue {
                    let at = pointer(part, None, member);
                    self.change(Mutation::KeepsResidue, place, &at, |binding| {
                        if let Some(members) = part.entry_mut(binding, None) {
                            members.insert(member, node.clone());
                        }
                    });
                }
            }
        }
    }

    fn cursors(&mut self, place: &Place<'_>) {
        let old: Vec<Cursor> = place
            .was
            .cursors()
            .map(|(_, cursor)| cursor.clone())
            .collect();
        let starts_over = place.allowed.starts_over();
        for (name, entry) in INC.entries(place.after) {
            let Some(cursor) = cursors::read(entry.get("cursor")) else {
                continue;
            };
            if starts_over || !place.carries_on(name) {
                continue;
            }
            // From where it is, and from where each of those was that it can have been made of.
            for from in old
                .iter()
                .chain([&cursor])
                .filter(|from| from.kind() == cursor.kind())
            {
                for (mutation, later) in [
                    (Mutation::MovesForward, cursors::later(from, 1)),
                    (Mutation::MovesFarForward, cursors::much_later(from)),
                ] {
                    let Some(later) =
                        later.filter(|later| order(later, &cursor) != Some(Ordering::Less))
                    else {
                        continue;
                    };
                    if self.does_harm(place, name, &later, &old) {
                        self.change_member(mutation, place, (INC, name, "cursor"), later.to_node());
                    }
                }
            }
            let earliest = old
                .iter()
                .filter(|from| from.kind() == cursor.kind())
                .min_by(|a, b| order(a, b).unwrap_or(Ordering::Equal));
            let Some(earliest) = earliest else { continue };
            let back = cursors::earlier(
                earliest,
                place.allowed.rewind_limit().unwrap_or_default(),
                place.allowed.rewind_count_limit().unwrap_or_default(),
            );
            if let Some(back) = back.filter(|back| !old.contains(back)) {
                self.change_member(
                    Mutation::MovesTooFarBack,
                    place,
                    (INC, name, "cursor"),
                    back.to_node(),
                );
            }
        }
    }

    /// Whether something is missed when this subtask stands there, or it stands beyond all that was captured.
    fn does_harm(
        &self,
        place: &Place<'_>,
        name: Option<&str>,
        cursor: &Cursor,
        old: &[Cursor],
    ) -> bool {
        let mut binding = place.after.clone();
        if let Some(entry) = INC.entry_mut(&mut binding, name) {
            entry.insert("cursor", cursor.to_node());
        }
        let is = Reading::of(Some(&binding));
        let is_beyond_all = old.iter().all(|old| match order(cursor, old) {
            Some(order) => order.is_gt(),
            None => cursor.parts().is_some(),
        });
        is_beyond_all || reading::missed(&place.was, &is, &place.allowed).is_some()
    }

    fn subtasks(&mut self, place: &Place<'_>) {
        if place.allowed.starts_over() {
            return;
        }
        for name in INC.names(place.after).into_iter().flatten() {
            let mut without = place.after.clone();
            INC.take(&mut without, Some(&name));
            if reading::missed(&place.was, &Reading::of(Some(&without)), &place.allowed).is_some() {
                let at = format!("/inc/{}", token(&name));
                self.change(Mutation::DropsSubtask, place, &at, |binding| {
                    INC.take(binding, Some(&name))
                });
            }
        }
    }

    fn backfills(&mut self, place: &Place<'_>) {
        if place.allowed.starts_over() {
            return;
        }
        self.restart(place);
        for name in BACKFILL.names(place.after) {
            let name = name.as_deref();
            let Some(entry) = BACKFILL.entry(place.after, name) else {
                continue;
            };
            // One that begins with the migration is what the chain makes it.
            let was_there = !place.is.begins(name, &place.was);
            let Some(cutoff) = cursors::read(entry.get("cutoff")).filter(|_| was_there) else {
                continue;
            };
            let at = name.map_or("/backfill".to_owned(), |name| {
                format!("/backfill/{}", token(name))
            });
            self.change(Mutation::FinishesBackfill, place, &at, |binding| {
                BACKFILL.take(binding, name)
            });
            if let Some(page) = next_page(entry.get("next_page")) {
                self.change_member(
                    Mutation::ChangesPage,
                    place,
                    (BACKFILL, name, "next_page"),
                    page,
                );
            }
            if let Some(other) = cursors::later(&cutoff, 1) {
                self.change_member(
                    Mutation::ChangesCutoff,
                    place,
                    (BACKFILL, name, "cutoff"),
                    other.to_node(),
                );
            }
        }
    }

    /// Starts the backfill of a binding that has none again, from everywhere that it reads.
    fn restart(&mut self, place: &Place<'_>) {
        let is_unfinished = |entry: &Object| entry.present("cutoff").is_some();
        let had_one = BACKFILL
            .entries(place.before)
            .iter()
            .any(|(_, entry)| is_unfinished(entry));
        if had_one || place.was.cursors().next().is_none() {
            return;
        }
        let entries: Vec<(Option<String>, Node)> = INC
            .entries(place.after)
            .into_iter()
            .filter(|(name, _)| BACKFILL.entry(place.after, *name).is_none())
            .filter_map(|(name, entry)| {
                Some((name.map(str::to_owned), entry.get("cursor")?.clone()))
            })
            .collect();
        self.change(Mutation::RestartsBackfill, place, "/backfill", |binding| {
            if BACKFILL.names(binding).is_empty() {
                binding.remove(BACKFILL.name);
            }
            for (name, cursor) in entries {
                BACKFILL.put(
                    binding,
                    name.as_deref(),
                    Object::from_iter([("cutoff", cursor)]),
                );
            }
        });
    }

    fn kinds(&mut self, place: &Place<'_>) {
        if place.allowed.may_change_cursor_kind() || place.allowed.starts_over() {
            return;
        }
        let places = [
            (
                INC,
                "cursor",
                Mutation::RegrainsCursor,
                Mutation::RetypesCursor,
            ),
            (
                BACKFILL,
                "cutoff",
                Mutation::RegrainsCutoff,
                Mutation::RetypesCutoff,
            ),
        ];
        for (part, member, regrains, retypes) in places {
            let old = part.entries(place.before).into_iter();
            let mut kinds: Vec<CursorKind> = old
                .filter_map(|(_, entry)| cursors::read(entry.get(member)))
                .map(|cursor| cursor.kind())
                .collect();
            if kinds.is_empty() {
                continue; // Nothing that it was made of has a kind.
            }
            for (name, entry) in part.entries(place.after) {
                let Some(cursor) = cursors::read(entry.get(member)) else {
                    continue;
                };
                let was_there = if part == INC {
                    place.carries_on(name)
                } else {
                    !place.is.begins(name, &place.was)
                };
                if place.allowed.drops(name) || !was_there {
                    continue;
                }
                kinds.push(cursor.kind());
                if let Some(other) = cursors::regrained(&cursor, &kinds) {
                    self.change_member(regrains, place, (part, name, member), other.to_node());
                }
                if let Some(other) = cursors::retyped(&kinds) {
                    self.change_member(retypes, place, (part, name, member), other.to_node());
                }
            }
        }
    }

    fn snapshots(&mut self, place: &Place<'_>) {
        if place.allowed.starts_over() {
            return;
        }
        let was = SNAPSHOT.entries(place.before);
        for (name, entry) in SNAPSHOT.entries(place.after) {
            let is_kept = was.iter().any(|(_, theirs)| {
                ["last_count", "last_digest"].iter().all(|member| {
                    theirs.get(member).is_some() && theirs.get(member) == entry.get(member)
                })
            });
            if !is_kept || place.allowed.drops(name) {
                continue;
            }
            self.change_member(
                Mutation::ForgetsDigest,
                place,
                (SNAPSHOT, name, "last_digest"),
                Node::string("testkit"),
            );
            let count = entry
                .get("last_count")
                .and_then(|node| node.as_leaf()?.as_u64())
                .unwrap_or(0);
            let other = Node::integer(if count == 0 { 1 } else { 0 });
            self.change_member(
                Mutation::ForgetsCount,
                place,
                (SNAPSHOT, name, "last_count"),
                other,
            );
        }
    }

    fn names(&mut self, place: &Place<'_>) {
        let Some((name, entry)) = INC.entries(place.after).into_iter().next() else {
            return;
        };
        let entry = entry.clone();
        self.change(
            Mutation::NamesSubtaskCursor,
            place,
            "/inc/cursor",
            |binding| {
                INC.take(binding, name);
                INC.put(binding, Some("cursor"), entry);
            },
        );
        // Where anything may stand, so that nothing but the depth is wrong.
        self.change_member(
            Mutation::NestsTooDeep,
            place,
            (INC, name, "testkit_deep"),
            nested(MAX_DEPTH),
        );
    }

    fn deletion(&mut self, place: &Place<'_>) {
        let said = place.before.iter().any(|(_, node)| !node.is_null());
        if !said || place.allowed.retires() {
            return;
        }
        let binding = self
            .case
            .bindings
            .iter()
            .find(|binding| binding.state_key == place.key);
        let mutation = match binding {
            None => Mutation::DropsOrphan,
            Some(binding) if !binding.is_active => Mutation::DropsDisabled,
            Some(_) => return,
        };
        let mut after = self.sound.after.clone();
        if let Some(states) = shape::states_mut(&mut after) {
            states.remove(place.key);
        }
        self.add(mutation, format!("binding `{}`", place.key), after);
    }

    fn swaps(&mut self, places: &[Place<'_>]) {
        for (at, ours) in places.iter().enumerate() {
            for theirs in places[at + 1..].iter().take(4) {
                let (mine, other) = (ours.after.get("inc"), theirs.after.get("inc"));
                let (Some(mine), Some(other)) = (mine, other) else {
                    continue;
                };
                let is_alike = INC.names(ours.after) == INC.names(theirs.after);
                if !is_alike || mine.same_state(other) {
                    continue;
                }
                let does_harm = |place: &Place<'_>, inc: &Node| {
                    let mut binding = place.after.clone();
                    binding.insert("inc", inc.clone());
                    let is = Reading::of(Some(&binding));
                    !place.allowed.starts_over()
                        && reading::missed(&place.was, &is, &place.allowed).is_some()
                };
                if !does_harm(ours, other) && !does_harm(theirs, mine) {
                    continue;
                }
                let mut after = self.sound.after.clone();
                for (key, inc) in [(ours.key, other), (theirs.key, mine)] {
                    if let Some(binding) = shape::binding_mut(&mut after, key) {
                        binding.insert("inc", inc.clone());
                    }
                }
                self.add(
                    Mutation::SwapsCursors,
                    format!("bindings `{}` and `{}`", ours.key, theirs.key),
                    after,
                );
            }
        }
    }

    fn all_but_one(&mut self, places: &[Place<'_>]) {
        let says = |place: &&Place<'_>| {
            !place.allowed.retires() && place.before.iter().any(|(_, node)| !node.is_null())
        };
        if places.iter().filter(says).count() < 2 {
            return;
        }
        let Some(kept) = places.first() else { return };
        let mut after = self.sound.after.clone();
        if let Some(states) = shape::states_mut(&mut after) {
            states.retain(|key, _| key == kept.key);
        }
        self.add(
            Mutation::DropsAllButOne,
            format!("all but binding `{}`", kept.key),
            after,
        );
    }

    fn root(&mut self) {
        let (Some(before), Some(after)) =
            (self.case.state.as_object(), self.sound.after.as_object())
        else {
            return;
        };
        let allowed = allowed::of(&self.subject.declared, &self.sound.applied, &[""]);
        let keys: Vec<&str> = after.keys().filter(|key| *key != BINDING_STATES).collect();
        for key in keys {
            let was_there = before.present(key).is_some();
            if was_there && !allowed::edits(&allowed, &format!("/{}", token(key))) {
                let mut without = after.clone();
                without.remove(key);
                self.add(
                    Mutation::ForgetsRootMember,
                    format!("member `{key}` of the connector state"),
                    Node::Object(without),
                );
            }
        }
        let mut edited = after.clone();
        edited.insert("testkit_edit", Node::integer(1));
        if before.contains(BINDING_STATES) {
            self.add(
                Mutation::EditsUndeclared,
                "the connector state".to_owned(),
                Node::Object(edited),
            );
        }
    }
}

impl Place<'_> {
    /// Whether a subtask is one that was there, or is made of one that was.
    fn carries_on(&self, name: Option<&str>) -> bool {
        let is = &self.is;
        let is_made_of_others = || {
            self.was
                .cursors()
                .any(|(theirs, _)| is.cursor(theirs).is_none())
                && !is.begins(name, &self.was)
                && !self.allowed.may_begin(name)
        };
        !self.allowed.drops(name) && (self.was.cursor(name).is_some() || is_made_of_others())
    }
}

fn pointer(part: Part, name: Option<&str>, member: &str) -> String {
    match name {
        None => format!("/{}/{}", part.name, token(member)),
        Some(name) => format!("/{}/{}/{}", part.name, token(name), token(member)),
    }
}

/// A token of an RFC 6901 pointer.
fn token(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}
