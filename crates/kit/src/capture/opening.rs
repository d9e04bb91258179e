//! What may be said while a binding opens.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use staunch_state::Node;

use super::lane::Loan;
use super::{FetchResult, Lane, OpenBinding, Session, TaskError};
use crate::transactor::Await;

/// What a hook of [`Resource::on_open`](crate::Resource::on_open) is given: the state that the binding opens with, and a place to
/// say what its documents look like.
///
/// ```
/// use staunch::{FetchResult, Opening, Resource};
///
/// async fn opened(mut opening: Opening) -> FetchResult {
///     opening.sourced_schema(&serde_json::json!({ "properties": { "id": { "type": "integer" } } }))?;
///     Ok(())
/// }
/// # let _ = Resource::new("events").on_open(opened);
/// ```
pub struct Opening(Loan<OpeningLane>);

struct OpeningLane {
    lane: Lane,
    state: Arc<Node>,
    has_emitted: bool,
}

pub(crate) type OnOpenFuture = Pin<Box<dyn Future<Output = FetchResult> + Send>>;
/// Runs while a binding opens.
pub(crate) type OnOpen = Box<dyn FnOnce(Opening) -> OnOpenFuture + Send>;

impl Opening {
    /// The binding's state, migrated and initialised.
    #[must_use]
    pub fn state(&self) -> &Node {
        &self.0.state
    }

    /// Says what the documents' schema is, as the source tells it. A checkpoint that changes no state follows when the hook returns.
    ///
    /// Every object in it that lists its properties is closed (`additionalProperties: false`).
    ///
    /// # Errors
    /// When it can be the schema of no document, or cannot be spooled.
    pub fn sourced_schema(&mut self, schema: &Value) -> Result<(), TaskError> {
        let this = &mut *self.0;
        this.lane.sourced_schema(this.lane.binding.index, schema)?;
        this.has_emitted = true;
        Ok(())
    }
}

/// Runs the hook of a binding, and sends what it said.
pub(crate) async fn run_on_open(
    hook: OnOpen,
    session: &Arc<Session>,
    binding: &Arc<OpenBinding>,
    state: &Arc<Node>,
) -> Result<(), TaskError> {
    let lane = OpeningLane {
        lane: Lane::new(session, binding, None),
        state: Arc::clone(state),
        has_emitted: false,
    };
    let task = lane.lane.task();
    let (loan, home) = Loan::new(lane);
    let result = binding.invoke(|| hook(Opening(loan))).await;
    let mut this = home.take().ok_or(TaskError::EmitterKept { task })?;
    let outcome = this.lane.finish(result);
    if this.has_emitted && !matches!(outcome, Err(TaskError::Spool { .. })) {
        // Also if the hook failed after that: what the source says of its documents is no less true.
        this.lane
            .checkpoint_until("{}".to_owned(), Await::Turn)
            .await?;
    }
    outcome
}
