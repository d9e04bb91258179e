//! Migrations: named steps from an old shape of a binding's state to the next, and the chain that runs them.
//!
//! A step sees the raw state, before any typed reading of it: a shape that the new version cannot read is what
//! a migration is for. It answers with a whole new state, never with a patch; the engine derives the update.

mod effects;
pub mod transform;

use std::collections::HashMap;

use crate::map::{Key, Map};
use crate::model::{BINDING_STATES, ModelError, binding_pointer};
use crate::node::{Node, Object};

pub use effects::{Declared, Effects};

/// A binding of the capture, as far as a migration may know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// Names its state, for ever.
    pub state_key: String,
    /// Its resource config; `None` when the state has no binding any more.
    pub resource: Option<Node>,
    /// Whether it is open. A disabled binding still has state, and is migrated with the others.
    pub is_active: bool,
}

/// One named step from an old shape of a binding's state to the next shape.
///
/// Every method is pure: no clock, no I/O, the same answer for the same state. That is why a plan can be made
/// beside a running capture, and why a crash is answered by running the step again. Steps are asked in the order
/// of their [`Chain`], once for each binding that has state, disabled ones and those without a binding included.
///
/// ```
/// use staunch_state::{Binding, Chain, Effects, Migration, MigrationError, Node, Object};
///
/// struct DropLegacyFlag;
///
/// impl Migration for DropLegacyFlag {
///     fn name(&self) -> &str {
///         "drop-legacy-flag"
///     }
///     fn applies(&self, _: &Binding, state: &Object) -> bool {
///         state.contains("legacy")
///     }
///     fn migrate(&self, _: &Binding, mut state: Object) -> Result<Object, MigrationError> {
///         state.remove("legacy");
///         Ok(state)
///     }
///     fn declares(&self) -> Effects {
///         Effects::NONE.edits("/legacy")
///     }
/// }
///
/// let before = Node::parse(r#"{"bindingStateV1":{"users":{"inc":{"cursor":7},"legacy":true}}}"#)?;
/// let migrated = Chain::new().with(DropLegacyFlag).run(&before, &[])?;
/// assert_eq!(migrated.after.to_json(), r#"{"bindingStateV1":{"users":{"inc":{"cursor":7}}}}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Migration: Send + Sync {
    /// Recorded with each commit, so never reused: `realtime-and-lookback`.
    fn name(&self) -> &str;

    /// Whether this binding is one that the step is about. By default, every binding is.
    fn concerns(&self, _binding: &Binding) -> bool {
        true
    }

    /// Whether `state` still has the old shape. Must be false of what `migrate` returns.
    fn applies(&self, binding: &Binding, state: &Object) -> bool;

    /// The whole new state of the binding. An empty one removes the state, if the step declares
    /// [`reset`](Effects::reset) or [`retire`](Effects::retire).
    ///
    /// # Errors
    /// [`MigrationError::failed`], when the state is not what the step can carry over.
    fn migrate(&self, binding: &Binding, state: Object) -> Result<Object, MigrationError>;

    /// Effects that the safety checks would otherwise refuse. By default, none.
    fn declares(&self) -> Effects {
        Effects::NONE
    }
}

/// Why a state cannot be migrated. Nothing was emitted, and the state is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// A step refused.
    #[error("migration `{migration}` failed for binding `{state_key}` at `{pointer}`: {message}")]
    Failed {
        /// The step.
        migration: String,
        /// The binding.
        state_key: String,
        /// From the root of the connector state.
        pointer: String,
        /// What is wrong there and what to do.
        message: String,
    },
    /// The chain would change its own result.
    #[error(
        "migration `{migration}` changes the state of binding `{state_key}` again after the chain has run; \
         its `applies` must be false of what the chain returns"
    )]
    NotFixed {
        /// The first step that changes it again.
        migration: String,
        /// The binding.
        state_key: String,
    },
    /// The state has no shape that a step could be asked about.
    #[error(
        "the connector state cannot be migrated: `{pointer}` is no object; restore it from the history"
    )]
    NotAnObject {
        /// From the root of the connector state.
        pointer: String,
    },
    /// Two steps of a chain have one name.
    #[error(
        "two migrations of the chain are named `{migration}`; a name stands for one step for ever"
    )]
    NameReused {
        /// The name.
        migration: String,
    },
}

impl MigrationError {
    /// Why a step refuses: where, as a pointer into the binding's state, and why, with what to do behind a semicolon.
    ///
    /// The chain adds the names of step and binding.
    pub fn failed(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        MigrationError::Failed {
            migration: String::new(),
            state_key: String::new(),
            pointer: pointer.into(),
            message: message.into(),
        }
    }

    /// A stable name of this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            MigrationError::Failed { .. } => "migration-failed",
            MigrationError::NotFixed { .. } => "migration-not-fixed",
            MigrationError::NotAnObject { .. } => "state-not-an-object",
            MigrationError::NameReused { .. } => "migration-name-reused",
        }
    }

    fn of(self, step: &dyn Migration, binding: &Binding) -> Self {
        match self {
            MigrationError::Failed {
                pointer, message, ..
            } => MigrationError::Failed {
                migration: step.name().to_owned(),
                state_key: binding.state_key.clone(),
                pointer: binding_pointer(&binding.state_key, &[]) + &pointer,
                message,
            },
            other => other,
        }
    }
}

/// For a step that reads the typed model. The pointer is then the model's, without the binding's part.
impl From<ModelError> for MigrationError {
    fn from(error: ModelError) -> Self {
        let within = error
            .state_key
            .as_deref()
            .map(|key| binding_pointer(key, &[]));
        let pointer =
            within.and_then(|prefix| error.pointer.strip_prefix(&prefix).map(str::to_owned));
        MigrationError::failed(pointer.unwrap_or(error.pointer), error.message)
    }
}

/// An ordered list of migrations: all that ever shaped the state of this connector, oldest first.
#[derive(Default)]
pub struct Chain {
    steps: Vec<Box<dyn Migration>>,
}

/// What a chain made of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Migrated {
    /// The whole new state.
    pub after: Node,
    /// The steps that changed something, in the order of the bindings.
    pub applied: Vec<Applied>,
}

/// A step that changed a binding's state.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// The name of the step.
    pub migration: String,
    /// The binding.
    pub state_key: String,
}

impl Chain {
    /// A chain without steps.
    pub fn new() -> Self {
        Chain::default()
    }

    /// Adds a step behind the others.
    #[must_use]
    pub fn with(mut self, step: impl Migration + 'static) -> Self {
        self.steps.push(Box::new(step));
        self
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The names of the steps, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.name())
    }

    /// What each step declares.
    pub fn declared(&self) -> Declared {
        self.steps
            .iter()
            .map(|step| (step.name().to_owned(), step.declares()))
            .collect()
    }

    /// Runs the chain: for each binding that has state, each step at most once, in order.
    ///
    /// State keys without a binding are migrated too, as bindings without a resource. `null` counts as no state.
    ///
    /// # Errors
    /// [`MigrationError`] for the first step that fails, and when running the chain on its result would change it
    /// again.
    pub fn run(&self, state: &Node, bindings: &[Binding]) -> Result<Migrated, MigrationError> {
        if self.is_empty() || state.is_null() {
            return Ok(Migrated {
                after: state.clone(),
                applied: Vec::new(),
            });
        }
        self.check_names()?;
        let root = state
            .as_object()
            .ok_or_else(|| MigrationError::NotAnObject {
                pointer: String::new(),
            })?;
        let known: HashMap<&str, &Binding> = bindings
            .iter()
            .map(|binding| (binding.state_key.as_str(), binding))
            .collect();
        let mut applied = Vec::new();
        let mut after = Map::with_capacity(root.len());
        for (key, node) in root.map().iter() {
            let node = match node {
                Node::Object(states) if **key == *BINDING_STATES => {
                    Node::Object(self.run_bindings(states, &known, &mut applied)?)
                }
                Node::Leaf(_) if **key == *BINDING_STATES => {
                    return Err(MigrationError::NotAnObject {
                        pointer: format!("/{BINDING_STATES}"),
                    });
                }
                _ => node.clone(),
            };
            after.append(Key::clone(key), node);
        }
        Ok(Migrated {
            after: Node::Object(Object::from_map(after)),
            applied,
        })
    }

    fn run_bindings(
        &self,
        states: &Object,
        known: &HashMap<&str, &Binding>,
        applied: &mut Vec<Applied>,
    ) -> Result<Object, MigrationError> {
        let mut after = Map::with_capacity(states.len());
        for (key, node) in states.map().iter() {
            let orphan;
            let binding = match known.get(&**key) {
                Some(binding) => binding,
                None => {
                    orphan = Binding {
                        state_key: key.to_string(),
                        resource: None,
                        is_active: false,
                    };
                    &orphan
                }
            };
            let node = match node {
                Node::Null => Some(Node::Null),
                Node::Leaf(_) => {
                    return Err(MigrationError::NotAnObject {
                        pointer: binding_pointer(key, &[]),
                    });
                }
                Node::Object(state) => match self.run_binding(binding, state, applied)? {
                    None => Some(node.clone()),
                    Some(state) => state.map(Node::Object),
                },
            };
            if let Some(node) = node {
                after.append(Key::clone(key), node);
            }
        }
        Ok(Object::from_map(after))
    }

    /// `None` when nothing changed; `Some(None)` when the state is removed.
    fn run_binding(
        &self,
        binding: &Binding,
        before: &Object,
        applied: &mut Vec<Applied>,
    ) -> Result<Option<Option<Object>>, MigrationError> {
        let mut changed: Option<Object> = None;
        for step in self.steps_of(binding) {
            let current = changed.as_ref().unwrap_or(before);
            if !step.applies(binding, current) {
                continue;
            }
            let next = step
                .migrate(binding, current.clone())
                .map_err(|error| error.of(step, binding))?;
            if next == *current {
                continue;
            }
            applied.push(Applied {
                migration: step.name().to_owned(),
                state_key: binding.state_key.clone(),
            });
            if next.is_empty() && step.declares().removes() {
                return Ok(Some(None));
            }
            changed = Some(next);
        }
        let Some(after) = changed else {
            return Ok(None);
        };
        self.check_fixed(binding, &after)?;
        Ok(Some(Some(after)))
    }

    fn steps_of(&self, binding: &Binding) -> impl Iterator<Item = &dyn Migration> {
        self.steps
            .iter()
            .map(|step| &**step)
            .filter(|step| step.concerns(binding))
    }

    /// A binding that no step changed is fixed already; one that was changed is run once more.
    fn check_fixed(&self, binding: &Binding, after: &Object) -> Result<(), MigrationError> {
        let mut again = None;
        let mut first = None;
        for step in self.steps_of(binding) {
            let current = again.as_ref().unwrap_or(after);
            if !step.applies(binding, current) {
                continue;
            }
            let next = step
                .migrate(binding, current.clone())
                .map_err(|error| error.of(step, binding))?;
            if next != *current {
                first = first.or(Some(step.name()));
                again = Some(next);
            }
        }
        match (again, first) {
            (Some(again), Some(migration)) if again != *after => Err(MigrationError::NotFixed {
                migration: migration.to_owned(),
                state_key: binding.state_key.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn check_names(&self) -> Result<(), MigrationError> {
        let mut seen = std::collections::HashSet::new();
        match self.names().find(|name| !seen.insert(*name)) {
            Some(name) => Err(MigrationError::NameReused {
                migration: name.to_owned(),
            }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
