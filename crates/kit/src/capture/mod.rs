//! How bindings are captured: one file per strategy.
//!
//! A *lane* is one running function: of a binding, or of one of its subtasks. It owns the spool in which its documents wait, lends
//! itself to the function as an emitter, and takes itself back when the function returns.

mod associated;
mod backfill;
mod error;
mod incremental;
mod lane;
mod opening;
mod roster;
mod snapshot;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use staunch_state::{Cursor, Page};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use tracing::instrument::Instrumented;

use crate::clock::Clock;
use crate::schedule::Scheduled;
use crate::slots::Slots;
use crate::spool::Budget;
use crate::status::Status;
use crate::stop::Limits;
use crate::tasks::{Report, Tasks};
use crate::transactor::{Await, Transactor};

pub use associated::Associated;
pub use backfill::Pages;
pub use error::TaskError;
pub(crate) use error::chain as error_chain;
pub use incremental::Changes;
pub use opening::Opening;
pub use roster::{Roster, Subtask};
pub use snapshot::Rows;

pub(crate) use backfill::BackfillLane;
pub(crate) use incremental::{BackfillStart, IncrementalLane};
pub(crate) use lane::{Lane, state_patch};
pub(crate) use opening::{OnOpen, OnOpenFuture, run_on_open};
pub(crate) use roster::RosterLane;
pub(crate) use snapshot::{SnapshotLane, deletion};

/// Any error: what a fetch function may fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a fetch function returns. `?` takes any error, and a string will do: `Err("the list is empty".into())`.
pub type FetchResult = Result<(), BoxError>;

pub(crate) type FetchFuture = Pin<Box<dyn Future<Output = FetchResult> + Send>>;
pub(crate) type IncrementalFn = Arc<dyn Fn(Cursor, Changes) -> FetchFuture + Send + Sync>;
pub(crate) type BackfillFn = Arc<dyn Fn(Option<Page>, Cursor, Pages) -> FetchFuture + Send + Sync>;
pub(crate) type SnapshotFn = Arc<dyn Fn(Rows) -> FetchFuture + Send + Sync>;
pub(crate) type RosterFn = Arc<dyn Fn(Roster) -> FetchFuture + Send + Sync>;

/// A lane on its way to the session that runs it.
pub(crate) struct Child {
    /// What it is, for people.
    pub(crate) name: String,
    pub(crate) future: Pin<Box<dyn Future<Output = Result<(), TaskError>> + Send>>,
}

impl Child {
    pub(crate) fn new(
        name: String,
        future: impl Future<Output = Result<(), TaskError>> + Send + 'static,
    ) -> Self {
        Self {
            name,
            future: Box::pin(future),
        }
    }
}

/// What all lanes of an open capture share.
pub(crate) struct Session {
    /// The index of each binding, by the name of its resource.
    pub(crate) bindings: BTreeMap<String, u32>,
    pub(crate) transactor: Transactor,
    pub(crate) clock: Clock,
    pub(crate) budget: Arc<Budget>,
    /// Set when running invocations are to finish and no further ones to begin.
    pub(crate) stopping: CancellationToken,
    /// Set when running invocations are not even to finish.
    pub(crate) cancelling: CancellationToken,
    pub(crate) limits: Limits,
    /// How many subtasks run at once.
    pub(crate) slots: Slots,
    /// What every lane is at.
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) status: Arc<Status>,
    /// Takes lanes that begin while others run.
    pub(crate) spawn: mpsc::Sender<Child>,
}

impl Session {
    /// What every lane is at.
    pub(crate) fn report(&self) -> Report {
        let pending = self.transactor.pending();
        self.tasks.report(self.clock.now(), pending)
    }

    /// Waits for `time`. False if the capture is to stop: at once, if it was so already.
    pub(crate) async fn pause(&self, time: Duration) -> bool {
        if self.stopping.is_cancelled() {
            return false;
        }
        if time.is_zero() {
            tokio::task::yield_now().await; // A busy lane must not starve its siblings.
            return !self.stopping.is_cancelled();
        }
        tokio::select! {
            biased; // A stop that came with the alarm wins: nothing further begins.
            () = self.stopping.cancelled() => false,
            () = tokio::time::sleep(time) => true,
        }
    }
}

/// A binding of the open capture.
#[derive(Debug)]
pub(crate) struct OpenBinding {
    /// Its position in `Open`, which the wire uses. It changes from one session to the next.
    pub(crate) index: u32,
    /// Its name for people.
    pub(crate) name: String,
    /// Its name for ever.
    pub(crate) state_key: String,
    /// The key of its collection, of a snapshot and of what is posted; nothing else asks for it.
    pub(crate) key: Vec<String>,
    pub(crate) interval: Duration,
    /// When it is to be read anew, if it has a schedule.
    pub(crate) scheduled: Option<Arc<Scheduled>>,
    /// For what its checkpoints are waited.
    pub(crate) until: Await,
}

impl OpenBinding {
    /// The span by which a log record says of which binding it is.
    ///
    /// It is made for each invocation: kept, it would be the largest part of what a binding takes that rests.
    pub(crate) fn span(&self) -> tracing::Span {
        tracing::info_span!("binding", binding = %self.name, state_key = %self.state_key)
    }

    /// Invokes a function of the binding, within its span.
    pub(crate) fn invoke(
        &self,
        function: impl FnOnce() -> FetchFuture,
    ) -> Instrumented<FetchFuture> {
        let span = self.span();
        span.in_scope(function).instrument(span)
    }
}
