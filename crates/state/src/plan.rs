//! Plans: what a changed state means for each binding, and whether it may be sent.
//!
//! The engine that a person asks for a plan is the one that a migration goes through: the update in a [`Plan`]
//! is byte for byte the one that goes over the wire.

mod check;
mod compare;
mod consent;
mod cursors;
mod example;
mod groups;
mod read;
mod refused;
mod resume;
mod show;
mod states;

use std::collections::HashSet;
use std::sync::Arc;

use serde::ser::{Error as _, Serialize, SerializeStruct, Serializer};
use serde_json::value::RawValue;

use crate::migration::{Applied, Binding, Declared};
use crate::model::ModelError;
use crate::node::Node;
use crate::parse::{MAX_BYTES, MAX_DEPTH};
use crate::update::{Inexact, StateUpdate, WireUpdate};

use check::Check;

pub use consent::{Consent, ConsentError, ConsentKind};
pub use example::{Example, ExampleLine, Sign};
pub use refused::Refused;
pub use resume::ResumePoint;

/// The state key that stands for what belongs to no binding: the members of the connector state beside those of the bindings, or a whole
/// state which is not made of bindings.
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

/// Bindings whose states change alike, and to the same effect.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// What it means for each of them.
    pub outcome: Outcome,
    /// How the shape changes, as in "inc {cursor} to inc {realtime, lookback}"; empty when it does not.
    pub change: String,
    /// What else there is to say, one line each: what is read again, which subtasks are new.
    pub notes: Vec<String>,
    /// The migrations that changed them.
    pub migrations: Vec<String>,
    /// The consent that each of them needs, given or not.
    pub needs: Option<ConsentKind>,
    /// What changes in the state of the first of them.
    pub example: Example,
    /// Each of them, in the order of the state.
    pub bindings: Vec<BindingPlan>,
}

/// Where one binding stands before and after.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingPlan {
    /// The binding.
    pub state_key: Arc<str>,
    /// The state key that it has before, where that is another one.
    pub moved_from: Option<Arc<str>>,
    /// Where reading resumes before.
    pub before: ResumePoint,
    /// Where reading resumes after.
    pub after: ResumePoint,
    /// Whether it has state but no binding.
    pub is_orphan: bool,
}

/// A migration of the plan.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// Its name.
    pub migration: String,
    /// The effects that it declares, for people; empty for none.
    pub declares: String,
    /// How many bindings it changes.
    pub bindings: usize,
}

/// What a change of state means, and the update that makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Every binding that has state before or after, with those that change alike: what needs the most attention first.
    pub groups: Vec<Group>,
    /// The migrations that change something, in their order.
    pub steps: Vec<PlannedStep>,
    /// The one checkpoint that makes the change, as it goes over the wire: a merge patch, or a replacement where a migration declares
    /// that. `None` when nothing changes.
    pub update: Option<WireUpdate>,
    /// Those of the consents that it needs that were given when it was made: what a connector plans has those of its endpoint config.
    pub given: Vec<Consent>,
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
    let needed = plan.missing(&[]);
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
    let depth = after.depth();
    if depth > MAX_DEPTH {
        return Err(Refused::TooDeep { depth });
    }
    let declared = &terms.declared;
    check_is_object(before, after, migrated)?;
    let groups = states::groups(before, after, bindings, migrated, declared, Check::all())?;
    let update = StateUpdate::checked_diff(before, after).map_err(|Inexact| Refused::NotExact)?;
    // A patch that says nothing makes an object of what is none, and would be read back as no update at all.
    let is_replacement = update.as_ref().is_some_and(|update| {
        is_replacement(migrated, declared) || update.merge_patch && update.updated == "{}"
    });
    let mut plan = Plan {
        groups,
        given: Vec::new(),
        steps: planned_steps(migrated, declared),
        update: if is_replacement {
            let replacement = StateUpdate::replace(after.clone());
            replacement.to_wire().into_iter().next()
        } else {
            update
        },
        before_bytes: before.serialized_len(),
        after_bytes: after.serialized_len(),
    };
    plan.check_size(&terms.budget)?;
    plan.given = plan.needed();
    let consents: HashSet<&Consent> = terms.consents.iter().collect();
    plan.given.retain(|consent| consents.contains(consent));
    Ok(plan)
}

/// A connector state is an object; nothing else can be sent. A hook may answer with anything.
fn check_is_object(before: &Node, after: &Node, migrated: &[Applied]) -> Result<(), Refused> {
    if after.as_object().is_some() || before.same_state(after) {
        return Ok(());
    }
    let names: Vec<&str> = migrated
        .iter()
        .map(|applied| applied.migration.as_str())
        .collect();
    Err(Refused::NotDecodable {
        migration: compare::named(&names),
        source: ModelError {
            state_key: None,
            pointer: String::new(),
            message: "is no object; the connector state is one".to_owned(),
        },
    })
}

fn planned_steps(migrated: &[Applied], declared: &Declared) -> Vec<PlannedStep> {
    let step = |applied: &Applied| PlannedStep {
        migration: applied.migration.clone(),
        declares: declared.by(&applied.migration).to_string(),
        bindings: applied
            .state_keys
            .iter()
            .filter(|key| !key.is_empty())
            .count(),
    };
    migrated.iter().map(step).collect()
}

fn is_replacement(migrated: &[Applied], declared: &Declared) -> bool {
    declared
        .of(migrated.iter().map(|applied| applied.migration.as_str()))
        .replaces()
}

impl Plan {
    fn check_size(&self, budget: &Budget) -> Result<(), Refused> {
        check_size("migrated state", self.after_bytes, budget.state_bytes)?;
        check_size(
            "checkpoint of the migration",
            self.update_bytes(),
            budget.update_bytes,
        )
    }

    /// Bytes of the update on the wire.
    pub fn update_bytes(&self) -> usize {
        self.update
            .as_ref()
            .map_or(0, |update| update.updated.len())
    }

    /// Whether the update replaces the whole state.
    pub fn is_replacement(&self) -> bool {
        self.update
            .as_ref()
            .is_some_and(|update| !update.merge_patch)
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.update.is_none()
    }

    /// The state after the update, for the state that it was planned for.
    pub fn apply(&self, state: Node) -> Node {
        let update = self.update.as_ref().map(|update| {
            StateUpdate::from_wire(&update.updated, update.merge_patch)
                .expect("a plan's update was written, or read, by the engine")
        });
        match update {
            None => state,
            Some(update) => update.apply(state),
        }
    }

    /// Every binding, with the group that it is in.
    pub fn bindings(&self) -> impl Iterator<Item = (&Group, &BindingPlan)> {
        self.groups
            .iter()
            .flat_map(|group| group.bindings.iter().map(move |binding| (group, binding)))
    }

    /// The plan of one binding.
    pub fn binding(&self, state_key: &str) -> Option<(&Group, &BindingPlan)> {
        self.bindings()
            .find(|(_, binding)| *binding.state_key == *state_key)
    }

    /// Every consent that it needs, given or not.
    pub fn needed(&self) -> Vec<Consent> {
        let needed = self.bindings().filter_map(|(group, binding)| {
            Some(Consent {
                kind: group.needs?,
                state_key: binding.state_key.to_string(),
            })
        });
        needed.collect()
    }

    /// The consents that it needs, and that neither were [given](Self::given) when it was made nor are among these.
    pub fn missing(&self, allowed: &[Consent]) -> Vec<Consent> {
        let given: HashSet<&Consent> = self.given.iter().chain(allowed).collect();
        let mut needed = self.needed();
        needed.retain(|consent| !given.contains(consent));
        needed
    }
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

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let update = self.update.as_ref().map_or("{}", |update| &update.updated);
        let update: &RawValue = serde_json::from_str(update).map_err(S::Error::custom)?;
        let mut plan = serializer.serialize_struct("Plan", 9)?;
        plan.serialize_field("groups", &self.groups)?;
        plan.serialize_field("steps", &self.steps)?;
        plan.serialize_field("needs", &self.needed())?;
        plan.serialize_field("given", &self.given)?;
        plan.serialize_field("update", update)?;
        plan.serialize_field("mergePatch", &!self.is_replacement())?;
        plan.serialize_field("updateBytes", &self.update_bytes())?;
        plan.serialize_field("beforeBytes", &self.before_bytes)?;
        plan.serialize_field("afterBytes", &self.after_bytes)?;
        plan.end()
    }
}

#[cfg(test)]
mod tests;
