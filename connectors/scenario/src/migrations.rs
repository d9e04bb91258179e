//! What scripts say about the states of earlier scripts.
//!
//! They stand for what connectors did by hand. Each is a step of its own for each resource that has it, kept to the bindings of that
//! resource, and says the same of a state that it has changed once: nothing more.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use staunch::BoxError;
use staunch::state::transform::{custom, flat_to_keyed, flat_to_subtasks};
use staunch::state::{
    Binding, Chain, Consent, ConsentKind, Cursor, Effects, Migration as Step, MigrationError, Node,
    Object,
};

use crate::resources::initial_state;
use crate::script::{ResourceScript, parse_duration};

/// How the state of an earlier script becomes that of this one.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Migration {
    /// One cursor becomes several that lag behind.
    SplitCursor { into: BTreeMap<String, String> },
    /// What was captured as a whole becomes that of one key, beside others.
    KeyBy { key: String, ensure: Vec<String> },
    /// Keys that are new begin.
    EnsureKeys { keys: Vec<String> },
    /// All keys become one again, which backfills anew.
    Flatten { prefer: String },
}

/// The steps of all resources, each kept to the bindings of its own.
pub(crate) fn chain(resources: &[ResourceScript]) -> Chain {
    resources.iter().fold(Chain::new(), with_resource)
}

/// The initial state, migrated: a new binding opens with it, and what a binding opens with is migrated.
pub(crate) fn migrated_initial(script: &ResourceScript) -> Result<Node, BoxError> {
    let initial = initial_state(script)?;
    if script.migrations.is_empty() {
        return Ok(initial);
    }
    let state_key = script.name.as_str();
    let states = Object::from_iter([(state_key, initial)]);
    let state = Node::Object(Object::from_iter([("bindingStateV1", states)]));
    let resource = Object::from_iter([("name", Node::string(state_key))]);
    let binding = Binding {
        state_key: state_key.to_owned(),
        resource: Some(Node::Object(resource)),
        is_active: true,
    };
    let migrated = with_resource(Chain::new(), script)
        .run(&state, &[binding])?
        .after;
    let states = migrated
        .as_object()
        .and_then(|state| state.get("bindingStateV1"));
    let state = states
        .and_then(Node::as_object)
        .and_then(|states| states.get(state_key));
    Ok(state
        .expect("a chain keeps the bindings it is given")
        .clone())
}

/// Whoever writes a script means what its migrations do: that keys begin anew, and that others are given up.
pub(crate) fn consents(resources: &[ResourceScript], bindings: &[Binding]) -> Vec<Consent> {
    let begins_anew = |migration: &Migration| !matches!(migration, Migration::SplitCursor { .. });
    let resources = resources
        .iter()
        .filter(|script| script.migrations.iter().any(begins_anew));
    let of = |script: &ResourceScript| {
        let bindings = bindings.iter();
        let state_keys = bindings
            .filter(|binding| is_of(binding, &script.name))
            .map(|binding| binding.state_key.clone());
        state_keys
            .flat_map(|state_key| {
                [ConsentKind::Backfill, ConsentKind::Skip].map(|kind| Consent {
                    kind,
                    state_key: state_key.clone(),
                })
            })
            .collect::<Vec<_>>()
    };
    resources.flat_map(of).collect()
}

fn is_of(binding: &Binding, resource: &str) -> bool {
    let config = binding.resource.as_ref().and_then(Node::as_object);
    let name = config.and_then(|config| config.get("name")?.as_leaf()?.as_str());
    name.as_deref() == Some(resource)
}

fn with_resource(mut chain: Chain, script: &ResourceScript) -> Chain {
    let initial = initial_state(script)
        .ok()
        .and_then(Node::into_object)
        .unwrap_or_default();
    for (at, migration) in script.migrations.iter().enumerate() {
        let name = |what: &str| format!("{}-{at}-{what}", script.name);
        let resource = script.name.clone();
        let of_resource = move |binding: &Binding| is_of(binding, &resource);
        chain = match migration {
            Migration::SplitCursor { into } => {
                chain.with(split_cursor(&name("split-cursor"), into).only(of_resource))
            }
            Migration::KeyBy { key, ensure } => {
                let keyed = flat_to_keyed(key).marking_finished().named(name("key-by"));
                let ensured = ensure_keys(&name("ensure"), ensure, &initial, Needs::Incremental);
                chain
                    .with(keyed.only(of_resource.clone()))
                    .with(ensured.only(of_resource))
            }
            Migration::EnsureKeys { keys } => {
                let ensured = ensure_keys(&name("ensure-keys"), keys, &initial, Needs::Both);
                chain.with(ensured.only(of_resource))
            }
            Migration::Flatten { prefer } => {
                chain.with(flatten(&name("flatten"), prefer).only(of_resource))
            }
        };
    }
    chain
}

type Custom = staunch::state::transform::Transform<staunch::state::transform::Custom>;

fn split_cursor(name: &str, into: &BTreeMap<String, String>) -> Custom {
    let into = into
        .iter()
        .map(|(subtask, lag)| (subtask.clone(), parse_duration(lag).unwrap_or_default()));
    let into: Vec<(String, Duration)> = into.collect();
    let split = flat_to_subtasks(into);
    let (asked, effects) = (split.clone(), split.declares());
    custom(
        name,
        move |binding, state| {
            let cursor = state.get("inc").and_then(|inc| cursor_of(inc.as_object()?));
            cursor.is_some_and(|cursor| cursor.timestamp().is_some())
                && asked.applies(binding, state)
        },
        move |binding, state| split.migrate(binding, state),
    )
    .declaring(effects)
}

/// Of what there must be subtasks for a key to be added.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Incremental,
    Both,
}

fn ensure_keys(name: &str, keys: &[String], initial: &Object, needs: Needs) -> Custom {
    let ensured = Ensured {
        keys: keys.to_vec(),
        initial: initial.clone(),
        needs,
    };
    let effects = ensured.effects();
    let asked = ensured.clone();
    custom(
        name,
        move |_, state| asked.of(state).is_some_and(|after| after != *state),
        move |_, state| Ok(ensured.of(&state).unwrap_or(state)),
    )
    .declaring(effects)
}

/// A state in which each of these keys has its entries.
#[derive(Clone)]
struct Ensured {
    keys: Vec<String>,
    initial: Object,
    needs: Needs,
}

impl Ensured {
    /// None if the state is none that a key could be added to.
    fn of(&self, state: &Object) -> Option<Object> {
        let mut inc = subtasks(state, "inc")?.clone();
        let initial_inc = subtasks(&self.initial, "inc")?;
        let initial_backfill = subtasks(&self.initial, "backfill");
        let mut backfill = subtasks(state, "backfill").cloned();
        if self.needs == Needs::Both && (backfill.is_none() || initial_backfill.is_none()) {
            return None;
        }
        for key in &self.keys {
            let Some(begun) = initial_inc.get(key).filter(|_| !has(&inc, key)) else {
                continue;
            };
            inc.insert(key.as_str(), begun.clone());
            let begun = initial_backfill.and_then(|initial| initial.get(key));
            if let (Some(backfill), Some(begun)) = (&mut backfill, begun) {
                backfill.insert(key.as_str(), begun.clone());
            }
        }
        let mut after = state.clone();
        after.insert("inc", inc);
        if let Some(backfill) = backfill {
            after.insert("backfill", backfill);
        }
        Some(after)
    }

    /// What begins does so at the cursor that the resource says.
    fn effects(&self) -> Effects {
        let begun = |key: &String| {
            let cursor = cursor_of(subtasks(&self.initial, "inc")?.get(key)?.as_object()?)?;
            Some((key.clone(), cursor))
        };
        let begun = self.keys.iter().filter_map(begun);
        let backfills = subtasks(&self.initial, "backfill");
        let effects = match backfills {
            // From where the resource says, and up to where: be there a gap between that and the cursor.
            Some(backfills) if self.keys.iter().any(|key| has(backfills, key)) => {
                Effects::NONE.backfill()
            }
            _ => Effects::NONE,
        };
        begun.fold(effects, |effects, (key, cursor)| {
            effects.begins(key, cursor)
        })
    }
}

fn flatten(name: &str, prefer: &str) -> Custom {
    let prefer = prefer.to_owned();
    // Told once: a step that is run again must come to the same.
    let present =
        Cursor::datetime(&Timestamp::now().to_string()).expect("a timestamp is a date-time");
    custom(
        name,
        |_, state| subtasks(state, "inc").is_some(),
        move |_, mut state| {
            let cursor = flat_cursor(&state, &prefer)?.unwrap_or_else(|| present.clone());
            state.insert("inc", Object::from_iter([("cursor", cursor.to_node())]));
            state.insert(
                "backfill",
                Object::from_iter([("cutoff", cursor.to_node())]),
            );
            Ok(state)
        },
    )
    .declaring(Effects::NONE.backfill().drops_all_but(Vec::<String>::new()))
}

/// The cursor of the preferred subtask, or else the earliest of any.
fn flat_cursor(state: &Object, prefer: &str) -> Result<Option<Cursor>, MigrationError> {
    let Some(inc) = subtasks(state, "inc") else {
        return Ok(None);
    };
    let cursor = |name: &str| cursor_of(inc.get(name)?.as_object()?);
    if let Some(preferred) = cursor(prefer) {
        return Ok(Some(preferred));
    }
    let mut cursors = inc.iter().filter_map(|(name, _)| cursor(name));
    let Some(first) = cursors.next() else {
        return Ok(None);
    };
    let earliest = cursors.try_fold(first, |earliest, cursor| match cursor.compare(&earliest) {
        Some(order) if order.is_lt() => Ok(cursor),
        Some(_) => Ok(earliest),
        None => Err(MigrationError::failed(
            "/inc",
            "has cursors that have no order among each other; prefer one of them",
        )),
    })?;
    Ok(Some(earliest))
}

/// The part of a state if it is by subtask, as an empty one is.
fn subtasks<'s>(state: &'s Object, part: &str) -> Option<&'s Object> {
    let part = state.get(part)?.as_object()?;
    let is_flat = ["cursor", "cutoff"]
        .iter()
        .any(|member| part.contains(member));
    (!is_flat).then_some(part)
}

fn has(part: &Object, key: &str) -> bool {
    part.get(key).is_some_and(|entry| !entry.is_null())
}

fn cursor_of(entry: &Object) -> Option<Cursor> {
    Cursor::from_node(entry.get("cursor")?).ok()
}
