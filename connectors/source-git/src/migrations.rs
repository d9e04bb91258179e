//! From the first release to this one.
//!
//! ```text
//! 1   inc: {cursor: ["<tip>"]}                           HEAD alone
//! 2   inc: {"refs/heads/main": {cursor: ["<tip>"]}, …}   every branch, a subtask each
//! ```

use staunch::state::{Chain, Node, transform};
use staunch::{BoxError, Migrating, Migration};

use crate::Config;
use crate::branches::HEAD;
use crate::resources::{self, COMMITS};

/// Gives the place of `HEAD` to the branch that it names. The other branches begin when they are found.
///
/// Only the repository knows which branch that is; it is asked only where there is something to be carried over.
pub(crate) fn flat_to_branches(migrating: &Migrating<'_, Config>) -> Result<Migration, BoxError> {
    if !migrating
        .bindings
        .iter()
        .any(|binding| is_flat(migrating.state, &binding.state_key))
    {
        return Ok(Migration::Unchanged);
    }
    migrating.ask_source()?;
    let head = resources::open(migrating.config)?.head()?;
    let branch = head.branch.unwrap_or_else(|| HEAD.to_owned());
    Ok(migrating.run(&chain(branch))?)
}

/// The steps from the first release to this one, where `HEAD` names this branch.
pub fn chain(branch: impl Into<String>) -> Chain {
    Chain::new().with(transform::flat_to_keyed(branch))
}

/// Whether the commits of a binding have the state of the first release.
fn is_flat(state: &Node, state_key: &str) -> bool {
    let is_of_commits = state_key == COMMITS || state_key.starts_with(&format!("{COMMITS}.v"));
    let cursor = || {
        state
            .pointer("/bindingStateV1")?
            .as_object()?
            .get(state_key)?
            .pointer("/inc/cursor")
    };
    is_of_commits && cursor().is_some_and(|cursor| cursor.as_leaf().is_some())
}
