//! Why a state is not migrated.

use super::WHOLE_STATE_KEY;
use crate::model::{ModelError, binding_pointer};

/// Why a state cannot be migrated. Nothing was emitted, and the state is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// A step refused.
    #[error("migration `{migration}` failed{} at `{pointer}`: {message}", of_binding(.state_key))]
    Failed {
        /// The step.
        migration: String,
        /// The binding; empty for a migration of the whole state.
        state_key: String,
        /// From the root of the connector state.
        pointer: String,
        /// What is wrong there and what to do.
        message: String,
    },
    /// The chain would change its own result.
    #[error(
        "migration `{migration}` changes the state{} again after the chain has run; \
         its `applies` must be false of what the chain returns",
        again(.state_key)
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
    /// A step that is to be undone declares no reverse.
    #[error(
        "migration `{migration}` cannot be undone: it declares no reverse; go back to the state before it instead"
    )]
    NotReversible {
        /// The step.
        migration: String,
    },
    /// A step is asked for that the chain has not.
    #[error("the chain has no migration `{migration}`; it has {}", listed(.known))]
    NotInChain {
        /// The name that was asked for.
        migration: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// The state was shaped by steps that this connector does not know: a newer one wrote it.
    #[error(
        "the state was migrated by {}, which this connector does not know: a newer version wrote it; run that version, \
         or roll the migration back",
        listed(.migrations)
    )]
    StateNewer {
        /// The steps that are not known.
        migrations: Vec<String>,
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
            MigrationError::NotReversible { .. } => "migration-not-reversible",
            MigrationError::NotInChain { .. } => "migration-not-in-chain",
            MigrationError::StateNewer { .. } => "state-newer-than-connector",
        }
    }

    /// The error of a step for a binding, with both their names; pointers then start at the connector state.
    pub(super) fn of(self, step: &str, state_key: &str) -> Self {
        match self {
            MigrationError::Failed {
                pointer, message, ..
            } => MigrationError::Failed {
                migration: step.to_owned(),
                state_key: state_key.to_owned(),
                pointer: if state_key == WHOLE_STATE_KEY {
                    pointer
                } else {
                    binding_pointer(state_key, &[]) + &pointer
                },
                message,
            },
            other => other,
        }
    }
}

fn listed(names: &[String]) -> String {
    let named: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    if named.is_empty() {
        "none".to_owned()
    } else {
        named.join(", ")
    }
}

fn again(state_key: &str) -> String {
    if state_key == WHOLE_STATE_KEY {
        String::new()
    } else {
        format!(" of binding `{state_key}`")
    }
}

fn of_binding(state_key: &str) -> String {
    if state_key == WHOLE_STATE_KEY {
        String::new()
    } else {
        format!(" for binding `{state_key}`")
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
