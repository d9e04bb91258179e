//! What a run tells those who watch it.

use crate::session::{SessionEnd, Totals};
use crate::sink::SinkError;

/// Something that happened in a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A file was longer than what was committed of it, and was cut: a run before this one did not come to its end.
    Recovered {
        /// Relative to the output folder.
        path: &'a str,
        /// How much was cut. It will be captured again.
        dropped_bytes: u64,
    },
    /// The connector made the endpoint ready.
    Applied {
        /// What it did, in its words. Empty for nothing.
        description: &'a str,
    },
    /// The connector has opened the capture.
    Opened {
        /// How many bindings there are.
        bindings: usize,
    },
    /// Documents and state are durable.
    Committed {
        /// The capture's revision by now.
        revision: u64,
        /// Documents of this transaction.
        documents: u64,
        /// Checkpoints of this transaction.
        checkpoints: u64,
        /// Whether the state was carried into another shape.
        is_migration: bool,
    },
    /// A candidate has captured something, which waits until it has shown itself.
    OnProbation {
        /// Its checkpoints so far.
        checkpoints: u64,
        /// How many it takes at most.
        of: u64,
    },
    /// A candidate has shown itself, and what it captured is committed: it is the capture's connector now.
    Passed {
        /// Its checkpoints by then.
        checkpoints: u64,
        /// The capture's revision by now.
        revision: u64,
    },
    /// A candidate has failed, and the state of before is back.
    TakenBack {
        /// The revision that this made, or the one of before if nothing had to be put back.
        revision: u64,
        /// How many documents the next session will capture again.
        documents: u64,
    },
    /// The database went away that documents go into. What is under way is committed once it is back.
    SinkDown {
        /// What it is called in `staunch.yaml`.
        sink: &'a str,
        /// What is the matter.
        problem: &'a SinkError,
        /// How long until it is tried again.
        next_in: std::time::Duration,
    },
    /// It is back.
    SinkUp {
        /// What it is called in `staunch.yaml`.
        sink: &'a str,
    },
    /// A session is over.
    Ended {
        /// Why.
        end: SessionEnd,
        /// What the run has committed so far.
        totals: Totals,
        /// How long until the next session, if there is one.
        next_in: Option<std::time::Duration>,
    },
}

/// Watches a run. Called from several threads, at most a few times for each commit; it should not take long.
pub trait Observer: Send + Sync {
    /// Takes note.
    fn event(&self, event: Event<'_>);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn event(&self, _: Event<'_>) {}
}
