//! The whole state of a binding: moved to another state key, or removed.

use std::sync::Arc;

use super::{Never, Rule, Transform, sealed, undoing};
use crate::migration::{Binding, Effects, MigrationError, WholeMigration};
use crate::model::{BACKFILL_REQUESTS, BINDING_STATES};
use crate::node::{Node, Object};

/// The state of one state key becomes that of another: a resource was renamed. Of [`Chain::with_whole`](crate::Chain::with_whole).
///
/// With each key goes its form with a backfill counter: `accounts.v2` becomes `customers.v2`; and so does a request for a backfill.
/// Where the new key has state already, both stay as they are. Undone by the same the other way. Named `move-state`.
pub fn move_state(from: impl Into<String>, to: impl Into<String>) -> MoveState {
    MoveState {
        name: "move-state".to_owned(),
        from: from.into(),
        to: to.into(),
    }
}

/// The binding starts over where `when` is true of its state. Needs consent. Named `reset`.
pub fn reset(
    when: impl Fn(&Binding, &Object) -> bool + Send + Sync + 'static,
) -> Transform<Remove> {
    Transform::new(
        "reset",
        Remove {
            when: Arc::new(when),
            effects: Effects::NONE.reset(),
        },
    )
}

/// The state is given up where `when` is true of it, because its binding is gone. Named `retire`.
///
/// ```
/// use staunch_state::Chain;
/// use staunch_state::transform::retire;
///
/// let chain = Chain::new().with(retire(|binding, _| binding.resource.is_none()));
/// # let _ = chain;
/// ```
pub fn retire(
    when: impl Fn(&Binding, &Object) -> bool + Send + Sync + 'static,
) -> Transform<Remove> {
    Transform::new(
        "retire",
        Remove {
            when: Arc::new(when),
            effects: Effects::NONE.retire(),
        },
    )
}

/// See [`move_state`].
#[derive(Clone, Debug)]
pub struct MoveState {
    name: String,
    from: String,
    to: String,
}

type When = dyn Fn(&Binding, &Object) -> bool + Send + Sync;

/// See [`reset`] and [`retire`].
#[derive(Clone)]
pub struct Remove {
    when: Arc<When>,
    effects: Effects,
}

impl MoveState {
    /// As [`Transform::named`].
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Each state key that moves, and where to.
    fn moves(&self, states: &Object) -> Vec<(String, String)> {
        let moved = |key: &str| Some((key.to_owned(), moved_key(key, &self.from, &self.to)?));
        states
            .iter()
            .filter(|(_, node)| !node.is_null())
            .filter_map(|(key, _)| moved(key))
            .filter(|(_, to)| states.present(to).is_none())
            .collect()
    }
}

/// Where the state of a key goes, if it does.
pub(crate) fn moved_key(key: &str, from: &str, to: &str) -> Option<String> {
    let rest = key.strip_prefix(from)?;
    let is_counter = |rest: &str| {
        rest.strip_prefix(".v").is_some_and(|digits| {
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    (rest.is_empty() || is_counter(rest)).then(|| format!("{to}{rest}"))
}

/// An object with some keys renamed, at their places. What was `null` says nothing: it neither moves nor stands in the way.
fn rename_keys(object: &Object, moves: &[(String, String)]) -> Object {
    let moving = |(from, _): &&(String, String)| object.present(from).is_some();
    let moves: Vec<&(String, String)> = moves.iter().filter(moving).collect();
    let entries = object
        .iter()
        .filter(|(key, _)| !moves.iter().any(|(_, to)| to == key))
        .map(|(key, node)| {
            let moved = moves.iter().find(|(from, _)| from == key);
            (moved.map_or(key, |(_, to)| to.as_str()), node.clone())
        });
    entries.collect()
}

impl WholeMigration for MoveState {
    fn name(&self) -> &str {
        &self.name
    }

    fn applies(&self, _: &[Binding], state: &Object) -> bool {
        let states = state.get(BINDING_STATES).and_then(Node::as_object);
        self.from != self.to && states.is_some_and(|states| !self.moves(states).is_empty())
    }

    fn migrate(&self, _: &[Binding], mut state: Object) -> Result<Object, MigrationError> {
        let states = state.get(BINDING_STATES).and_then(Node::as_object);
        let moves = states.map(|states| self.moves(states)).unwrap_or_default();
        for member in [BINDING_STATES, BACKFILL_REQUESTS] {
            if let Some(Node::Object(object)) = state.get(member) {
                let renamed = rename_keys(object, &moves);
                state.insert(member, renamed);
            }
        }
        Ok(state)
    }

    fn declares(&self) -> Effects {
        let requests = format!("/{BACKFILL_REQUESTS}");
        Effects::NONE.moves(&self.from, &self.to).edits(requests)
    }

    fn reverse(&self) -> Option<Box<dyn WholeMigration>> {
        Some(Box::new(MoveState {
            name: undoing(&self.name),
            from: self.to.clone(),
            to: self.from.clone(),
        }))
    }

    fn definition(&self) -> String {
        format!(
            "{}: the state of {} becomes that of {}",
            self.name, self.from, self.to
        )
    }
}

impl sealed::Sealed for Remove {}

impl Rule for Remove {
    type Reverse = Never;

    fn applies(&self, binding: &Binding, state: &Object) -> bool {
        (self.when)(binding, state)
    }

    fn migrate(&self, _: &Binding, _: Object) -> Result<Object, MigrationError> {
        Ok(Object::new())
    }

    fn declares(&self) -> Effects {
        self.effects.clone()
    }

    fn reverse(&self) -> Option<Never> {
        None
    }

    fn definition(&self) -> String {
        self.effects.to_string()
    }
}
