//! A state to be migrated, and the chain that it is migrated by.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use staunch_state::{
    Binding, Budget, Chain, Consent, Declared, Migrated, MigrationError, Node, Terms,
};

use crate::law::{Law, Violation};

/// The chain, with all that can be known of it once and for all.
pub(crate) struct Subject {
    pub(crate) chain: Arc<Chain>,
    pub(crate) declared: Declared,
    pub(crate) names: Vec<String>,
    /// For each step, the chain that undoes it and all that follow; none where one of them cannot be undone.
    pub(crate) back_before: Vec<Option<Chain>>,
    pub(crate) budget: Budget,
}

/// A state, and what a migration may know and do of it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Where it is from, for people.
    pub(crate) origin: String,
    pub(crate) state: Node,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) consents: Vec<Consent>,
}

impl Subject {
    pub(crate) fn new(chain: Chain, budget: Budget) -> Self {
        let names: Vec<String> = chain.names().map(str::to_owned).collect();
        let back_before = (0..names.len())
            .map(|at| {
                let last_kept = at.checked_sub(1).map(|kept| names[kept].as_str());
                chain.back_to(last_kept).ok()
            })
            .collect();
        Subject {
            declared: chain.declared(),
            chain: Arc::new(chain),
            names,
            back_before,
            budget,
        }
    }

    /// Why this step and those behind it cannot be undone.
    pub(crate) fn why_not_back_before(&self, first: usize) -> String {
        let mut behind = self.chain.steps().skip(first);
        let one_way = behind.find(|step| !step.is_reversible);
        let one_way =
            one_way.map_or_else(|| "a step".to_owned(), |step| format!("`{}`", step.name));
        format!(
            "undoing `{}` and what is behind it: {one_way} declares no reverse",
            self.names[first]
        )
    }

    pub(crate) fn terms(&self, consents: &[Consent]) -> Terms {
        Terms {
            declared: self.declared.clone(),
            consents: consents.to_vec(),
            budget: self.budget,
        }
    }

    pub(crate) fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|theirs| theirs == name)
    }

    /// Runs the chain on a state.
    pub(crate) fn run(&self, state: &Node, bindings: &[Binding]) -> Result<Ran, Violation> {
        run(&self.chain, state, bindings)
    }
}

/// What a chain came to.
pub(crate) type Ran = Result<Migrated, MigrationError>;

/// Runs a chain; a panic of one of its steps is a broken law, and nothing else.
pub(crate) fn run(chain: &Chain, state: &Node, bindings: &[Binding]) -> Result<Ran, Violation> {
    // Steps are pure by contract: whatever one was at when it panicked is gone with it.
    catch_unwind(AssertUnwindSafe(|| chain.run(state, bindings))).map_err(|panic| {
        let message = panic
            .downcast_ref::<&str>()
            .map(|message| (*message).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Violation::new(
            Law::NoPanic,
            format!("a panic: {message}"),
            "answer `MigrationError::failed` where a state is not what the step can carry over",
        )
    })
}
