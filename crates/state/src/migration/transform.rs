//! Ready-made migrations for what connectors do in practice.
//!
//! | before | after | function |
//! | --- | --- | --- |
//! | `inc: {cursor}` | `inc: {realtime: {cursor}, lookback: {cursor - lag}}` | [`flat_to_subtasks`] |
//! | `inc: {cursor}` | `inc: {<id>: {cursor}}`, an unfinished backfill with it | [`flat_to_keyed`] |
//! | `inc: {a: …, b: …}` | `inc: {cursor}` | [`keyed_to_flat`], [`keyed_to_earliest`] |
//! | some ids absent | each id has its entry | [`ensure_subtasks`] |
//! | `inc: {old: …}` | `inc: {new: …}` | [`rename_subtask`], [`split_subtask`], [`merge_subtasks`] |
//! | state key `a` | state key `b` | [`move_state`] |
//! | one kind of cursor | another | [`convert_cursors`] |
//! | anything | nothing | [`reset`], [`retire`] |
//! | any member | set, removed, renamed, replaced | [`set`], [`remove`], [`rename`], [`replace`] |
//! | any shape | any other | [`custom`], [`custom_whole`] |
//!
//! Each has a name, which [`Transform::named`] changes, and is for all bindings, unless [`Transform::only`] says for which.
//!
//! ```
//! use std::time::Duration;
//! use staunch_state::Chain;
//! use staunch_state::transform::flat_to_subtasks;
//!
//! let lag = Duration::from_secs(6 * 3600);
//! let chain = Chain::new()
//!     .with(flat_to_subtasks([("realtime", Duration::ZERO), ("lookback", lag)]).named("realtime-and-lookback"));
//! # let _ = chain;
//! ```

mod binding;
mod cursor;
mod custom;
mod ensure;
mod flat;
mod join;
mod member;
mod names;
mod shape;

use std::fmt;
use std::sync::Arc;

use super::{Binding, Effects, Migration, MigrationError};
use crate::node::Object;

pub(crate) use binding::moved_key;
pub use binding::{MoveState, Remove as RemoveState, move_state, reset, retire};
pub use cursor::{ConvertCursors, convert_cursors};
pub use custom::{Custom, CustomWhole, custom, custom_whole};
pub use ensure::{EnsureSubtasks, ensure_subtasks};
pub use flat::{FlatToKeyed, KeyedToFlat, flat_to_keyed, keyed_to_flat};
pub use join::{Join, Split, flat_to_subtasks, keyed_to_earliest, merge_subtasks, split_subtask};
pub use member::{Edit, RootEdit, remove, rename, replace, set};
pub use names::{RenameSubtask, rename_subtask};

type Concerns = dyn Fn(&Binding) -> bool + Send + Sync;

/// A ready-made migration: what it does to a binding's state, under which name, for which bindings.
#[derive(Clone)]
pub struct Transform<R> {
    name: String,
    concerns: Option<Arc<Concerns>>,
    rule: R,
}

/// What a [`Transform`] does to the state of a binding. Not to be implemented outside: see [`custom`] and [`Migration`].
pub trait Rule: sealed::Sealed + Clone + Send + Sync + 'static {
    /// The rule that undoes it.
    type Reverse: Rule;

    /// As [`Migration::applies`].
    fn applies(&self, binding: &Binding, state: &Object) -> bool;

    /// As [`Migration::migrate`].
    ///
    /// # Errors
    /// [`MigrationError`], when the state is not what the rule can carry over.
    fn migrate(&self, binding: &Binding, state: Object) -> Result<Object, MigrationError>;

    /// As [`Migration::declares`].
    fn declares(&self) -> Effects {
        Effects::NONE
    }

    /// The rule that undoes this one, where there is one.
    fn reverse(&self) -> Option<Self::Reverse>;

    /// What it does, with all that it was made with, on one line.
    fn definition(&self) -> String;
}

mod sealed {
    pub trait Sealed {}
}

/// The reverse of what cannot be undone.
#[derive(Clone, Copy, Debug)]
pub enum Never {}

impl sealed::Sealed for Never {}

impl Rule for Never {
    type Reverse = Never;

    fn applies(&self, _: &Binding, _: &Object) -> bool {
        match *self {}
    }

    fn migrate(&self, _: &Binding, _: Object) -> Result<Object, MigrationError> {
        match *self {}
    }

    fn reverse(&self) -> Option<Never> {
        match *self {}
    }

    fn definition(&self) -> String {
        match *self {}
    }
}

impl<R> Transform<R> {
    fn new(name: &str, rule: R) -> Self {
        Transform {
            name: name.to_owned(),
            concerns: None,
            rule,
        }
    }

    /// Gives it a name of its own: what is recorded for ever, where the ready-made one says too little, or a chain has two of them.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Keeps it to the bindings of which this is true.
    ///
    /// A state key that has no binding any more has no resource: decide about it on purpose.
    #[must_use]
    pub fn only(mut self, concerns: impl Fn(&Binding) -> bool + Send + Sync + 'static) -> Self {
        self.concerns = Some(Arc::new(concerns));
        self
    }
}

impl<R: Rule> Migration for Transform<R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn concerns(&self, binding: &Binding) -> bool {
        self.concerns
            .as_ref()
            .is_none_or(|concerns| concerns(binding))
    }

    fn applies(&self, binding: &Binding, state: &Object) -> bool {
        self.rule.applies(binding, state)
    }

    fn migrate(&self, binding: &Binding, state: Object) -> Result<Object, MigrationError> {
        self.rule.migrate(binding, state)
    }

    fn declares(&self) -> Effects {
        self.rule.declares()
    }

    fn reverse(&self) -> Option<Box<dyn Migration>> {
        Some(Box::new(Transform {
            name: undoing(&self.name),
            concerns: self.concerns.clone(),
            rule: self.rule.reverse()?,
        }))
    }

    fn definition(&self) -> String {
        format!("{}: {}", self.name, self.rule.definition())
    }
}

impl<R: Rule> fmt::Debug for Transform<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.definition())
    }
}

fn undoing(name: &str) -> String {
    format!("undo-{name}")
}

#[cfg(test)]
mod tests;
