//! Migrations: named steps from an old shape of a binding's state to the next, and the chain that runs them.
//!
//! A step sees the raw state, before any typed reading of it: a shape that the new version cannot read is what
//! a migration is for. It answers with a whole new state, never with a patch; the engine derives the update.

mod chain;
mod effects;
mod error;
mod rule;
pub mod transform;

use crate::node::{Node, Object};

pub use chain::{Applied, Chain, Migrated, StepInfo};
pub(crate) use effects::Span;
pub use effects::{Declared, Effects};
pub use error::MigrationError;
pub use rule::CursorRule;

/// The state key that stands for members of the connector state beside those of the bindings.
pub(crate) const WHOLE_STATE_KEY: &str = "";

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

    /// The step that undoes this one on a state that has gone on since. By default, there is none.
    ///
    /// Undone right away it gives back the state before; later, a state that is never ahead of what was captured.
    fn reverse(&self) -> Option<Box<dyn Migration>> {
        None
    }

    /// What the step is, as text. Its checksum is recorded with each commit, so that a step that changed under its old name can be
    /// told. By default its name and what it declares.
    fn definition(&self) -> String {
        format!("{}: {}", self.name(), self.declares())
    }
}

/// A named step that needs the whole connector state: one that moves state between bindings, or edits what belongs to none.
///
/// As pure as a [`Migration`], and asked once, at its place in the [`Chain`]. What it declares holds for each binding that it changes.
pub trait WholeMigration: Send + Sync {
    /// As [`Migration::name`].
    fn name(&self) -> &str;

    /// Whether `state` still has the old shape. Must be false of what `migrate` returns.
    fn applies(&self, bindings: &[Binding], state: &Object) -> bool;

    /// The whole new connector state.
    ///
    /// # Errors
    /// [`MigrationError::failed`], with a pointer from the connector state.
    fn migrate(&self, bindings: &[Binding], state: Object) -> Result<Object, MigrationError>;

    /// As [`Migration::declares`]; [`Effects::edits`] and [`Effects::moves`] are about the connector state.
    fn declares(&self) -> Effects {
        Effects::NONE
    }

    /// As [`Migration::reverse`].
    fn reverse(&self) -> Option<Box<dyn WholeMigration>> {
        None
    }

    /// As [`Migration::definition`].
    fn definition(&self) -> String {
        format!("{}: {}", self.name(), self.declares())
    }
}

impl<M: Migration + ?Sized> Migration for Box<M> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn concerns(&self, binding: &Binding) -> bool {
        (**self).concerns(binding)
    }

    fn applies(&self, binding: &Binding, state: &Object) -> bool {
        (**self).applies(binding, state)
    }

    fn migrate(&self, binding: &Binding, state: Object) -> Result<Object, MigrationError> {
        (**self).migrate(binding, state)
    }

    fn declares(&self) -> Effects {
        (**self).declares()
    }

    fn reverse(&self) -> Option<Box<dyn Migration>> {
        (**self).reverse()
    }

    fn definition(&self) -> String {
        (**self).definition()
    }
}

#[cfg(test)]
mod tests;
