//! Plans: what a changed state means for each binding, and whether it may be sent.
//!
//! The engine that a person asks for a plan is the one that a migration goes through: the update in a [`Plan`]
//! is byte for byte the one that goes over the wire.

mod compare;
mod consent;
mod cursors;
mod read;
mod refused;
mod show;

use std::collections::{HashMap, HashSet};

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::migration::{Applied, Binding, Declared};
use crate::model::BINDING_STATES;
use crate::node::{Node, Object};
use crate::parse::{MAX_BYTES, MAX_DEPTH};
use crate::update::StateUpdate;

pub use consent::{Consent, ConsentError, ConsentKind};
pub use refused::Refused;

/// The state key that stands for a whole state which is not made of bindings.
pub const WHOLE_STATE: &str = "*";

/// What a change of state means for a binding's source.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Outcome {
    /// The state is untouched.
    Keep,
    /// The shape changes, the resume point is identical.
    Rewrite,
    /// The resume point moves back: a window is read again.
    Rewind,
    /// It starts over.
    Backfill,
    /// The binding is gone; its state is archived.
    Retire,
    /// The resume point moves forward: data is missed.
    Skip,
    /// Nobody can tell.
    Unknown,
}

/// What happens to one binding.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingPlan {
    /// The binding.
    pub state_key: String,
    /// What it means.
    pub outcome: Outcome,
    /// How the shape changes, as in "inc {cursor} to inc {realtime, lookback}"; empty when it does not.
    pub change: String,
    /// Where reading resumes before, for people.
    pub before: String,
    /// Where reading resumes after.
    pub after: String,
    /// What else there is to say, one line each: what is read again, which subtasks are new.
    pub notes: Vec<String>,
    /// The migrations that changed it.
    pub migrations: Vec<String>,
    /// Whether it has state but no binding.
    pub is_orphan: bool,
    /// The consent that it needs, given or not.
    pub needs: Option<ConsentKind>,
}

/// What a change of state means, binding by binding, and the update that makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Every binding that has state before or after, in the order of the states.
    pub bindings: Vec<BindingPlan>,
    /// The change: empty, or one merge patch.
    pub update: StateUpdate,
    /// Bytes of the update on the wire.
    pub update_bytes: usize,
    /// Bytes of the state before.
    pub before_bytes: usize,
    /// Bytes of the state after.
    pub after_bytes: usize,
}

/// What a plan is held against.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// What the migrations declare.
    pub declared: Declared,
    /// What a person consented to.
    pub consents: Vec<Consent>,
    /// How large things may be.
    pub budget: Budget,
}

/// Bytes that a state and an update may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The migrated state.
    pub state_bytes: usize,
    /// The checkpoint that makes it.
    pub update_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Budget {
            state_bytes: MAX_BYTES,
            update_bytes: MAX_BYTES,
        }
    }
}

/// Plans a change of state and asks for the consents that it needs.
///
/// # Errors
/// [`Refused`]: whatever [`survey`] refuses, and [`Refused::ConsentMissing`].
pub fn plan(
    before: &Node,
    after: &Node,
    bindings: &[Binding],
    migrated: &[Applied],
    terms: &Terms,
) -> Result<Plan, Refused> {
    let plan = survey(before, after, bindings, migrated, terms)?;
    let needed = plan.missing(&terms.consents);
    if needed.is_empty() {
        Ok(plan)
    } else {
        Err(Refused::ConsentMissing { needed })
    }
}

/// Plans a change of state to be looked at: as [`plan`], whether or not consent was given.
///
/// # Errors
/// [`Refused`] for what no consent allows.
pub fn survey(
    before: &Node,
    after: &Node,
    bindings: &[Binding],
    migrated: &[Applied],
    terms: &Terms,
) -> Result<Plan, Refused> {
    let update = StateUpdate::diff(before, after);
    let plan = Plan {
        bindings: bindings_of(before, after, bindings, migrated, &terms.declared)?,
        update_bytes: update.wire_len(),
        before_bytes: before.serialized_len(),
        after_bytes: after.serialized_len(),
        update,
    };
    check_size("migrated state", plan.after_bytes, terms.budget.state_bytes)?;
    check_size(
        "checkpoint of the migration",
        plan.update_bytes,
        terms.budget.update_bytes,
    )?;
    let depth = after.depth();
    if depth > MAX_DEPTH {
        return Err(Refused::TooDeep { depth });
    }
    if !plan.update.apply(before.clone()).same_state(after) {
        return Err(Refused::NotExact);
    }
    Ok(plan)
}

fn check_size(what: &'static str, bytes: usize, budget: usize) -> Result<(), Refused> {
    if bytes > budget {
        Err(Refused::TooLarge {
            what,
            bytes,
            budget,
        })
    } else {
        Ok(())
    }
}

fn bindings_of(
    before: &Node,
    after: &Node,
    bindings: &[Binding],
    migrated: &[Applied],
    declared: &Declared,
) -> Result<Vec<BindingPlan>, Refused> {
    let (Some(states_before), Some(states_after)) = (states(before), states(after)) else {
        return whole(before, after);
    };
    check_root(before, after, declared)?;
    let known: HashSet<&str> = bindings
        .iter()
        .map(|binding| binding.state_key.as_str())
        .collect();
    let mut steps: HashMap<&str, Vec<&str>> = HashMap::new();
    for applied in migrated {
        steps
            .entry(&applied.state_key)
            .or_default()
            .push(&applied.migration);
    }
    let gone = states_before.keys();
    let new = states_after
        .keys()
        .filter(|key| !states_before.contains(key));
    let mut plans = Vec::with_capacity(states_before.len());
    for key in gone.chain(new) {
        let migrations = steps.get(key).map(Vec::as_slice).unwrap_or_default();
        let change = compare::Change {
            state_key: key,
            before: states_before.present(key),
            after: states_after.present(key),
            migrations,
            effects: declared.of(migrations.iter().copied()),
        };
        if let Some(mut plan) = change.plan()? {
            plan.is_orphan = !known.contains(key);
            plans.push(plan);
        }
    }
    Ok(plans)
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
fn whole(before: &Node, after: &Node) -> Result<Vec<BindingPlan>, Refused> {
    if states(before).is_some_and(|states| !states.is_empty()) {
        let migration = "(not named)".to_owned();
        return Err(Refused::BindingLost {
            migration,
            state_key: WHOLE_STATE.to_owned(),
        });
    }
    let same = before.same_state(after);
    let mut plan = BindingPlan::new(
        WHOLE_STATE,
        if same {
            Outcome::Keep
        } else {
            Outcome::Unknown
        },
    );
    plan.needs = (!same).then_some(ConsentKind::Unknown);
    Ok(vec![plan])
}

/// Members of the connector state beside those of the bindings.
fn check_root(before: &Node, after: &Node, declared: &Declared) -> Result<(), Refused> {
    let nothing = Object::new();
    let (before, after) = (
        before.as_object().unwrap_or(&nothing),
        after.as_object().unwrap_or(&nothing),
    );
    let edits = declared.of([]);
    let changed = compare::changed_member(before, after, &[BINDING_STATES], edits.edited());
    match changed {
        None => Ok(()),
        Some(pointer) => Err(Refused::SiblingLost {
            migration: "(not named)".to_owned(),
            state_key: String::new(),
            pointer,
        }),
    }
}

impl BindingPlan {
    fn new(state_key: &str, outcome: Outcome) -> Self {
        BindingPlan {
            state_key: state_key.to_owned(),
            outcome,
            change: String::new(),
            before: String::new(),
            after: String::new(),
            notes: Vec::new(),
            migrations: Vec::new(),
            is_orphan: false,
            needs: None,
        }
    }
}

impl Plan {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.update.is_empty()
    }

    /// The plan of one binding.
    pub fn binding(&self, state_key: &str) -> Option<&BindingPlan> {
        self.bindings
            .iter()
            .find(|plan| plan.state_key == state_key)
    }

    /// Every consent that it needs.
    pub fn needed(&self) -> Vec<Consent> {
        self.missing(&[])
    }

    /// The consents that it needs and that are not among these.
    pub fn missing(&self, given: &[Consent]) -> Vec<Consent> {
        let given: HashSet<&Consent> = given.iter().collect();
        let needed = self.bindings.iter().filter_map(|plan| {
            Some(Consent {
                kind: plan.needs?,
                state_key: plan.state_key.clone(),
            })
        });
        needed.filter(|consent| !given.contains(consent)).collect()
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut plan = serializer.serialize_struct("Plan", 6)?;
        plan.serialize_field("bindings", &self.bindings)?;
        plan.serialize_field("needs", &self.needed())?;
        plan.serialize_field("update", &self.update.as_merge_patch())?;
        plan.serialize_field("updateBytes", &self.update_bytes)?;
        plan.serialize_field("beforeBytes", &self.before_bytes)?;
        plan.serialize_field("afterBytes", &self.after_bytes)?;
        plan.end()
    }
}

#[cfg(test)]
mod tests;
