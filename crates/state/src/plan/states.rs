//! Goes over the bindings of two states, side by side.

use std::collections::HashMap;
use std::sync::Arc;

use super::check::Checks;
use super::compare::{self, Change};
use super::groups::{Groups, Planned};
use super::refused::Refused;
use super::{ConsentKind, Group, Outcome, WHOLE_STATE};
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
    let mut groups = Groups::new();
    let (Some(states_before), Some(states_after)) = (states(before), states(after)) else {
        whole(before, after, &mut groups)?;
        return Ok(groups.finish());
    };
    let mut steps = Steps::new(migrated, declared);
    root(before, after, &mut steps, checks, &mut groups)?;
    let moves = Moves::new(states_before, states_after, migrated, declared);
    let known: std::collections::HashSet<&str> = bindings
        .iter()
        .map(|binding| binding.state_key.as_str())
        .collect();
    let is_known = |key: &str| known.contains(key);
    let stayed = states_before
        .map()
        .iter()
        .filter(|(key, _)| !moves.from.contains_key(&***key));
    let added = states_after
        .map()
        .iter()
        .filter(|(key, _)| !states_before.contains(key) || moves.to.contains_key(&***key));
    let keys = stayed
        .filter(|(key, _)| !moves.to.contains_key(&***key))
        .chain(added)
        .map(|(key, _)| key);
    for key in keys {
        let origin = moves.to.get(&**key);
        let before = match origin {
            None => states_before.present(key),
            Some(origin) => states_before.present(origin),
        };
        let after = states_after.present(key);
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
            continue;
        };
        if let (Some(_), Outcome::Keep) = (origin, verdict.outcome) {
            verdict.outcome = Outcome::Rewrite;
        }
        groups.add(Planned {
            state_key: Arc::clone(key),
            moved_from: origin.cloned(),
            before,
            after,
            is_orphan: !is_known(key),
            migrations: &of.migrations,
            verdict,
        });
    }
    Ok(groups.finish())
}

/// Which steps changed each binding, and what those declare together.
struct Steps<'a> {
    /// The places of the steps, for each binding that any of them changed.
    by_key: HashMap<&'a str, Vec<usize>>,
    migrated: &'a [Applied],
    declared: &'a Declared,
    /// Bindings are changed by few different sets of steps: each is worked out once.
    known: Vec<(Vec<usize>, Of<'a>)>,
}

#[derive(Clone)]
struct Of<'a> {
    migrations: Arc<[&'a str]>,
    effects: Arc<Effects>,
}

impl<'a> Steps<'a> {
    fn new(migrated: &'a [Applied], declared: &'a Declared) -> Self {
        let count = migrated
            .iter()
            .map(|applied| applied.state_keys.len())
            .max();
        let mut by_key: HashMap<&str, Vec<usize>> = HashMap::with_capacity(count.unwrap_or(0));
        for (at, applied) in migrated.iter().enumerate() {
            for key in &applied.state_keys {
                by_key.entry(key).or_default().push(at);
            }
        }
        Steps {
            by_key,
            migrated,
            declared,
            known: Vec::new(),
        }
    }

    /// The steps that changed the state of this key, also while it was under another.
    fn of(&mut self, key: &str, origin: Option<&str>) -> Of<'a> {
        let mut places = self.by_key.get(key).cloned().unwrap_or_default();
        if let Some(origin) = origin {
            places.extend(self.by_key.get(origin).into_iter().flatten());
            places.sort_unstable();
            places.dedup();
        }
        if let Some((_, of)) = self.known.iter().find(|(known, _)| *known == places) {
            return of.clone();
        }
        let migrations: Arc<[&str]> = places
            .iter()
            .map(|at| self.migrated[*at].migration.as_str())
            .collect();
        let of = Of {
            effects: Arc::new(self.declared.of(migrations.iter().copied())),
            migrations,
        };
        self.known.push((places, of.clone()));
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
        for (key, node) in before.map().iter() {
            if node.is_null() || after.present(key).is_some() {
                continue;
            }
            // One after the other: it may have moved more than once.
            let goes =
                |at: String, (from, to): &(String, String)| moved_key(&at, from, to).unwrap_or(at);
            let to = effects.moved().iter().fold(key.to_string(), goes);
            if *to != **key && before.present(&to).is_none() && after.present(&to).is_some() {
                let to: Arc<str> = Arc::from(to);
                moves.from.insert(Arc::clone(key), Arc::clone(&to));
                moves.to.insert(to, Arc::clone(key));
            }
        }
        moves
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
