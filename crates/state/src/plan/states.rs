//! Goes over the bindings of two states, side by side.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::check::Checks;
use super::compare::{self, Change};
use super::groups::{Groups, Planned};
use super::refused::Refused;
use super::{ConsentKind, Group, Outcome, WHOLE_STATE};
use crate::map;
use crate::migration::transform::moved_key;
use crate::migration::{Applied, Binding, Declared, Effects, WHOLE_STATE_KEY};
use crate::model::BINDING_STATES;
use crate::node::{Node, Object};

/// Every binding that has state before or after, with those that change alike.
pub(super) fn groups(
    before: &Node,
    after: &Node,
    bindings: &[Binding],
    migrated: &[Applied],
    declared: &Declared,
    checks: Checks,
) -> Result<Vec<Group>, Refused> {
    let (Some(states_before), Some(states_after)) = (states(before), states(after)) else {
        let mut groups = Groups::of(1);
        whole(before, after, &mut groups)?;
        return Ok(groups.finish());
    };
    let mut groups = Groups::of(states_before.len().max(states_after.len()));
    let mut steps = Steps::new(migrated, declared);
    root(before, after, &mut steps, checks, &mut groups)?;
    let moves = Moves::new(states_before, states_after, migrated, declared);
    // A hook may list state keys that no binding has, without a resource.
    let known: HashSet<&str> = bindings
        .iter()
        .filter(|binding| binding.resource.is_some())
        .map(|binding| binding.state_key.as_str())
        .collect();
    let mut compare = |key: &Arc<str>, origin: Option<&Arc<str>>, before, after| {
        let of = steps.of(key, origin.map(|origin| &**origin));
        let change = Change {
            state_key: key,
            before,
            after,
            migrations: &of.migrations,
            effects: &of.effects,
            checks,
        };
        let Some(mut verdict) = change.verdict()? else {
            return Ok(());
        };
        if let (Some(_), Outcome::Keep) = (origin, verdict.outcome) {
            verdict.outcome = Outcome::Rewrite;
        }
        groups.add(Planned {
            state_key: Arc::clone(key),
            moved_from: origin.cloned(),
            before,
            after,
            is_orphan: !known.contains(&**key),
            migrations: &of.migrations,
            verdict,
        });
        Ok(())
    };
    let present = |node: &'_ &Node| !node.is_null();
    let mut there = 0;
    for (key, before, after) in map::beside(states_before.map(), states_after.map()) {
        there += usize::from(after.is_some());
        if !moves.from.contains_key(key) && !moves.to.contains_key(key) {
            compare(
                key,
                None,
                Some(before).filter(present),
                after.filter(present),
            )?;
        }
    }
    if there < states_after.len() || !moves.to.is_empty() {
        for (key, after, before) in map::beside(states_after.map(), states_before.map()) {
            match moves.to.get(key) {
                Some(origin) => {
                    let before = states_before.present(origin);
                    compare(key, Some(origin), before, Some(after).filter(present))?;
                }
                None if before.is_none() => compare(key, None, None, Some(after).filter(present))?,
                None => {}
            }
        }
    }
    Ok(groups.finish())
}

/// Which steps changed each binding, and what those declare together.
///
/// Bindings are many, and the sets of steps that changed them few: each set is worked out once.
struct Steps<'a> {
    walks: Vec<Walk<'a>>,
    sets: Vec<Set<'a>>,
    migrated: &'a [Applied],
    declared: &'a Declared,
}

/// The bindings that a step changed, most often asked for in their order.
struct Walk<'a> {
    keys: &'a [Arc<str>],
    next: usize,
    /// Made when a key is asked for that is not the next one.
    index: Option<HashSet<&'a str>>,
}

/// Steps that changed the same bindings.
struct Set<'a> {
    /// Their places among those that were applied.
    places: Vec<usize>,
    of: Of<'a>,
}

/// What a set of steps is called, and declares.
#[derive(Clone)]
struct Of<'a> {
    migrations: Arc<[&'a str]>,
    effects: Arc<Effects>,
}

impl Walk<'_> {
    fn has(&mut self, key: &str) -> bool {
        if key == WHOLE_STATE_KEY {
            return self.keys.iter().any(|changed| **changed == *key);
        }
        if self.keys.get(self.next).is_some_and(|next| **next == *key) {
            self.next += 1;
            return true;
        }
        let keys = self.keys;
        let index = self
            .index
            .get_or_insert_with(|| keys.iter().map(|key| &**key).collect());
        index.contains(key)
    }
}

impl<'a> Steps<'a> {
    fn new(migrated: &'a [Applied], declared: &'a Declared) -> Self {
        let walk = |applied: &'a Applied| Walk {
            keys: &applied.state_keys,
            next: 0,
            index: None,
        };
        Steps {
            walks: migrated.iter().map(walk).collect(),
            sets: Vec::new(),
            migrated,
            declared,
        }
    }

    /// The steps that changed the state of this key, also while it was under another.
    fn of(&mut self, key: &str, origin: Option<&str>) -> Of<'a> {
        let has = |walk: &mut Walk<'_>| {
            let is_origin = origin.is_some_and(|origin| walk.has(origin));
            walk.has(key) || is_origin
        };
        let places = self.walks.iter_mut().enumerate();
        let places: Vec<usize> = places
            .filter_map(|(at, walk)| has(walk).then_some(at))
            .collect();
        if let Some(set) = self.sets.iter().rfind(|set| set.places == places) {
            return set.of.clone();
        }
        let names = places
            .iter()
            .map(|at| self.migrated[*at].migration.as_str());
        let migrations: Arc<[&str]> = names.collect();
        let of = Of {
            effects: Arc::new(self.declared.of(migrations.iter().copied())),
            migrations,
        };
        self.sets.push(Set {
            places,
            of: of.clone(),
        });
        of
    }
}

/// State keys that became others, as declared.
struct Moves {
    from: HashMap<Arc<str>, Arc<str>>,
    to: HashMap<Arc<str>, Arc<str>>,
}

impl Moves {
    fn new(before: &Object, after: &Object, migrated: &[Applied], declared: &Declared) -> Self {
        let effects = declared.of(migrated.iter().map(|applied| applied.migration.as_str()));
        let mut moves = Moves {
            from: HashMap::new(),
            to: HashMap::new(),
        };
        if effects.moved().is_empty() {
            return moves;
        }
        for (from, to) in moved_keys(before, after, effects.moved()) {
            moves.to.insert(Arc::clone(&to), Arc::clone(&from));
            moves.from.insert(from, to);
        }
        moves
    }
}

/// The state keys that became others, as declared: one move after the other, none of them onto a key that is taken.
fn moved_keys(
    before: &Object,
    after: &Object,
    moves: &[(String, String)],
) -> Vec<(Arc<str>, Arc<str>)> {
    let present = before.map().iter().filter(|(_, node)| !node.is_null());
    let mut keys: Vec<(&Arc<str>, Arc<str>)> =
        present.map(|(key, _)| (key, Arc::clone(key))).collect();
    for (from, to) in moves {
        let is_free = |to: &str| !keys.iter().any(|(_, at)| **at == *to);
        let goes = keys.iter().enumerate().filter_map(|(place, (_, at))| {
            let to = moved_key(at, from, to).filter(|to| is_free(to))?;
            Some((place, Arc::from(to)))
        });
        let goes: Vec<(usize, Arc<str>)> = goes.collect();
        for (place, to) in goes {
            keys[place].1 = to;
        }
    }
    let mut moved: Vec<(Arc<str>, Arc<str>)> = keys
        .into_iter()
        .filter(|(from, to)| *from != to)
        .map(|(from, to)| (Arc::clone(from), to))
        .collect();
    // Declared is not done. What did not arrive, or is still there, has not moved; nor has what would stand where such a one stands.
    loop {
        let is_moved = |(from, to): &(Arc<str>, Arc<str>)| {
            let is_left = after.present(from).is_none() || moved.iter().any(|(_, to)| to == from);
            let is_free = before.present(to).is_none() || moved.iter().any(|(from, _)| from == to);
            is_left && is_free && after.present(to).is_some()
        };
        let done: Vec<_> = moved.iter().filter(|of| is_moved(of)).cloned().collect();
        if done.len() == moved.len() {
            return done;
        }
        moved = done;
    }
}

/// The states of the bindings; none is an empty map, anything else is no state of this model.
fn states(root: &Node) -> Option<&Object> {
    static NOTHING: Object = Object::new();
    match root {
        Node::Null => Some(&NOTHING),
        Node::Leaf(_) => None,
        Node::Object(root) => match root.get(BINDING_STATES) {
            Some(Node::Object(states)) => Some(states),
            Some(Node::Leaf(_)) => None,
            None | Some(Node::Null) if root.is_empty() => Some(&NOTHING),
            None | Some(Node::Null) => {
                Some(&NOTHING).filter(|_| root.contains(crate::BACKFILL_REQUESTS))
            }
        },
    }
}

/// A state that is not made of bindings can be kept, and nothing else is known of it.
fn whole(before: &Node, after: &Node, groups: &mut Groups<'_>) -> Result<(), Refused> {
    if states(before).is_some_and(|states| !states.is_empty()) {
        return Err(Refused::BindingLost {
            migration: compare::named(&[]),
            state_key: WHOLE_STATE.to_owned(),
        });
    }
    let verdict = if before.same_state(after) {
        (Outcome::Keep, None)
    } else {
        (Outcome::Unknown, Some(ConsentKind::Unknown))
    };
    groups.add_root(verdict, Vec::new(), Vec::new());
    Ok(())
}

/// Members of the connector state beside those of the bindings.
fn root(
    before: &Node,
    after: &Node,
    steps: &mut Steps<'_>,
    checks: Checks,
    groups: &mut Groups<'_>,
) -> Result<(), Refused> {
    let nothing = Object::new();
    let (before, after) = (
        before.as_object().unwrap_or(&nothing),
        after.as_object().unwrap_or(&nothing),
    );
    let of = steps.of(WHOLE_STATE_KEY, None);
    let changed = compare::changed_member(before, after, &[BINDING_STATES], of.effects.edited());
    if let Some(pointer) = changed
        && checks.has(super::check::Check::SiblingsKept)
    {
        return Err(Refused::SiblingLost {
            migration: compare::named(&of.migrations),
            state_key: String::new(),
            pointer,
        });
    }
    let edited: Vec<String> = before
        .keys()
        .chain(after.keys().filter(|key| !before.contains(key)))
        .filter(|key| *key != BINDING_STATES)
        .filter(|key| {
            let of = |root: &Object| root.get(key).cloned().unwrap_or(Node::Null);
            !of(before).same_state(&of(after))
        })
        .map(|key| format!("`{key}` of the connector state changes"))
        .collect();
    if !edited.is_empty() {
        let migrations = of
            .migrations
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        groups.add_root((Outcome::Rewrite, None), edited, migrations);
    }
    Ok(())
}
