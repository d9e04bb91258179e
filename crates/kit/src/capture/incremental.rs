//! Incremental capture: what changed since a cursor, again and again.
//!
//! How long to wait between invocations is a rule that captures in production rely on: not at all while there is more; the whole
//! interval after an invocation that found nothing; and for date-time cursors until the cursor is an interval old.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicBool};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use staunch_state::{Cursor, CursorKind, Page};

use super::lane::Loan;
use super::{
    Associated, BackfillFn, BackfillLane, Child, IncrementalFn, Lane, TaskError, state_patch,
};

/// What an incremental function pushes into: documents, and the cursor up to which they reach.
///
/// A function captures the documents that changed after the cursor it is given, and ends with a checkpoint. It may make several.
/// When it returns without having made any, nothing has changed, and it is invoked again after the binding's interval.
///
/// What a cursor says of the record that is exactly there is for the connector to say; beside a backfill both functions must mean the same, or
/// the record at the cutoff is lost, or captured twice. Here it is captured already, so the changes begin after it.
///
/// ```
/// use staunch::{Changes, Cursor, FetchResult};
///
/// async fn fetch_changes(cursor: Cursor, mut emit: Changes) -> FetchResult {
///     let since = cursor.as_u64().ok_or("the cursor of events is an integer")?;
///     for id in since + 1..=since + 3 {
///         emit.document(&serde_json::json!({ "id": id }))?;
///     }
///     emit.checkpoint(Cursor::integer(since + 3)).await?;
///     Ok(())
/// }
/// # let _ = staunch::Resource::new("events").incremental(fetch_changes);
/// ```
pub struct Changes(Loan<Box<IncrementalLane>>);

pub(crate) struct IncrementalLane {
    lane: Lane,
    fetch: IncrementalFn,
    cursor: Cursor,
    checkpoints: u64,
    /// Whether it asked for a backfill: nothing of it may follow.
    is_done: bool,
    backfill: Option<BackfillStart>,
}

/// What it takes to begin a backfill beside an incremental lane.
pub(crate) struct BackfillStart {
    pub(crate) fetch: BackfillFn,
    pub(crate) running: Arc<AtomicBool>,
    /// Whether the connector asked for the state with which the binding opened.
    pub(crate) is_connector_initiated: bool,
}

impl Changes {
    /// Captures a document. It leaves with the next checkpoint.
    ///
    /// # Errors
    /// When it does not serialise to a JSON object, or cannot be spooled.
    pub fn document<T: Serialize + ?Sized>(&mut self, document: &T) -> Result<(), TaskError> {
        let lane = &mut self.0.lane;
        lane.document(lane.binding.index, document)
    }

    /// Captures a document that is JSON already, as it is. Line breaks between its tokens become blanks.
    ///
    /// That the text is one valid JSON object is the caller's promise: only its first and last characters are looked at.
    ///
    /// # Errors
    /// When it cannot be an object, or cannot be spooled.
    pub fn raw(&mut self, document: impl AsRef<[u8]>) -> Result<(), TaskError> {
        let lane = &mut self.0.lane;
        lane.raw(lane.binding.index, document.as_ref())
    }

    /// Sends the documents captured since the last checkpoint, and then the checkpoint: all up to `cursor` is captured.
    ///
    /// The bytes leave as one unbroken run; other tasks wait their turn. Returns when they are written or, for a resource that
    /// asked for acknowledgements, when they are durable.
    ///
    /// # Errors
    /// When the cursor is of another kind than the last, or is not greater (string tuples have no order, and are not compared);
    /// [`TaskError::Closed`] when the runtime has gone.
    pub async fn checkpoint(&mut self, cursor: Cursor) -> Result<(), TaskError> {
        let this = &mut *self.0;
        if let Err(error) = advances(&this.lane, &this.cursor, &cursor) {
            return Err(this.lane.fail(error));
        }
        let value = format!("{{\"cursor\":{}}}", cursor.as_json());
        let patch = this.lane.patch("inc", &value);
        this.lane.is_captured_to(&cursor);
        this.lane.checkpoint(patch).await?;
        this.cursor = cursor;
        this.checkpoints += 1;
        Ok(())
    }

    /// Begins this task anew: a backfill of everything up to `cursor` starts at `page`, and incremental capture goes on from there.
    ///
    /// Documents that wait for a checkpoint are part of it. For a source that has lost the place where the cursor was.
    ///
    /// # Errors
    /// When a backfill of this task is in progress, or the resource has no function for it.
    pub async fn restart(&mut self, cursor: Cursor, page: Option<Page>) -> Result<(), TaskError> {
        let this = &mut *self.0;
        let task = this.lane.task();
        let Some(backfill) = &this.backfill else {
            return Err(this.lane.fail(TaskError::NoBackfill { task }));
        };
        if backfill.running.swap(true, atomic::Ordering::AcqRel) {
            return Err(this.lane.fail(TaskError::BackfillInProgress { task }));
        }
        let (fetch, running) = (Arc::clone(&backfill.fetch), Arc::clone(&backfill.running));
        let is_connector_initiated = backfill.is_connector_initiated;
        let patch = restart_patch(&this.lane, &cursor, page.as_ref());
        this.lane.checkpoint(patch).await?;
        this.checkpoints += 1;
        this.cursor = cursor.clone();
        let lane = Lane::new(
            &this.lane.session,
            &this.lane.binding,
            this.lane.subtask.clone(),
        );
        let name = format!("{task} (backfill)");
        let child = Child::new(
            name,
            BackfillLane::new(lane, fetch, (cursor, page), running, is_connector_initiated).run(),
        );
        this.lane
            .session
            .spawn
            .send(child)
            .await
            .map_err(|_| TaskError::Closed)
    }

    /// Whether a backfill of this task is in progress.
    #[must_use]
    pub fn is_backfilling(&self) -> bool {
        let backfill = self.0.backfill.as_ref();
        backfill.is_some_and(|backfill| backfill.running.load(atomic::Ordering::Acquire))
    }

    /// Says what the documents' schema is, as the source tells it. It takes effect with the next checkpoint.
    ///
    /// Every object in it that lists its properties is closed (`additionalProperties: false`).
    ///
    /// # Errors
    /// When it can be the schema of no document, or cannot be spooled.
    pub fn sourced_schema(&mut self, schema: &Value) -> Result<(), TaskError> {
        let lane = &mut self.0.lane;
        lane.sourced_schema(lane.binding.index, schema)
    }

    /// What captures for the binding of another resource. None if that is not bound in this capture: there is nobody to capture for.
    pub fn associated(&mut self, resource: &str) -> Option<Associated<'_>> {
        self.0.lane.associated(resource)
    }

    /// Asks for the binding to be backfilled anew, and stops the capture for it: it begins again from the resource's initial state
    /// when the capture is opened the next time.
    ///
    /// Documents that wait for a checkpoint leave with the request. Nothing can follow it, so the emitter is used up; running
    /// invocations of other functions finish, and the process ends with success.
    ///
    /// For a source that has lost the place where the cursor was, so that all must be read again. [`restart`](Self::restart) does
    /// so for one subtask while the capture runs on.
    ///
    /// # Errors
    /// [`TaskError::Closed`] when the runtime has gone.
    pub async fn request_backfill(mut self) -> Result<(), TaskError> {
        let this = &mut *self.0;
        let state_key = serde_json::Value::from(this.lane.binding.state_key.as_str());
        let request = format!("{{\"backfillRequests\":{{{state_key}:true}}}}");
        // First: what is captured beyond the request is captured twice.
        this.lane.session.stopping.cancel();
        this.is_done = true;
        this.lane.checkpoint(request).await?;
        tracing::info!(
            subtask = this.lane.subtask.as_deref(),
            "a backfill is requested; stopping, so that it begins"
        );
        Ok(())
    }

    /// Whether the capture is to stop. A function that runs for long should then end at its next checkpoint.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.lane.session.stopping.is_cancelled()
    }
}

impl IncrementalLane {
    pub(crate) fn new(
        lane: Lane,
        fetch: IncrementalFn,
        cursor: Cursor,
        backfill: Option<BackfillStart>,
    ) -> Self {
        Self {
            lane,
            fetch,
            cursor,
            checkpoints: 0,
            is_done: false,
            backfill,
        }
    }

    pub(crate) fn run(self) -> impl Future<Output = Result<(), TaskError>> + Send {
        // Boxed: it moves into each invocation and back, and the future would hold it once for each of these moves.
        Box::new(self).run_boxed()
    }

    async fn run_boxed(mut self: Box<Self>) -> Result<(), TaskError> {
        self.lane.is_captured_to(&self.cursor);
        let interval = self.lane.binding.interval;
        let mut wait = self.until_due();
        loop {
            if !self.lane.turn(wait).await {
                return Ok(());
            }
            self.checkpoints = 0;
            self = self.invoke().await?;
            if self.is_done {
                return Ok(());
            }
            wait = match self.checkpoints {
                0 => interval,
                _ => self.until_due(),
            };
        }
    }

    /// How long until there can be something after the cursor: a date-time must be an interval old, anything else is due at once.
    fn until_due(&self) -> Duration {
        let Some(at) = self.cursor.timestamp() else {
            return Duration::ZERO;
        };
        let now = self.lane.session.clock.now();
        until_due(at, self.lane.binding.interval, now)
    }

    async fn invoke(self: Box<Self>) -> Result<Box<Self>, TaskError> {
        let task = self.lane.task();
        let (fetch, cursor) = (Arc::clone(&self.fetch), self.cursor.clone());
        let binding = Arc::clone(&self.lane.binding);
        let (loan, home) = Loan::new(self);
        let result = binding.invoke(|| fetch(cursor, Changes(loan))).await;
        let mut this = home
            .take()
            .ok_or_else(|| TaskError::EmitterKept { task: task.clone() })?;
        this.lane.finish(result)?;
        match this.lane.documents {
            0 => Ok(this),
            documents => Err(TaskError::DocumentsWithoutCursor { task, documents }),
        }
    }
}

fn restart_patch(lane: &Lane, cursor: &Cursor, page: Option<&Page>) -> String {
    let page = page.map_or_else(|| "null".to_owned(), |page| page.to_node().to_json());
    let cursor = cursor.as_json();
    let inc = format!("{{\"cursor\":{cursor}}}");
    let backfill = format!("{{\"cutoff\":{cursor},\"next_page\":{page}}}");
    let nested = |value: String| match &lane.subtask {
        Some(subtask) => format!("{{{}:{value}}}", serde_json::Value::from(&**subtask)),
        None => value,
    };
    let value = format!(
        "{{\"inc\":{},\"backfill\":{}}}",
        nested(inc),
        nested(backfill)
    );
    state_patch(&[&lane.binding.state_key], &value)
}

/// Whether `next` may follow `previous`.
fn advances(lane: &Lane, previous: &Cursor, next: &Cursor) -> Result<(), TaskError> {
    let (task, was, is) = (
        || lane.task(),
        || previous.as_json().to_owned(),
        || next.as_json().to_owned(),
    );
    match (previous.kind(), next.kind()) {
        (CursorKind::Tuple, CursorKind::Tuple) => return Ok(()), // They have no order that could be told.
        (CursorKind::Integer, CursorKind::Integer)
        | (CursorKind::DateTime { .. }, CursorKind::DateTime { .. }) => {}
        _ => {
            return Err(TaskError::CursorKind {
                task: task(),
                previous: was(),
                next: is(),
            });
        }
    }
    match previous.compare(next) {
        Some(Ordering::Less) => Ok(()),
        _ => Err(TaskError::CursorNotIncreasing {
            task: task(),
            previous: was(),
            next: is(),
        }),
    }
}

/// How long until what is of the instant `at` is an interval old. If that is yet to come, until it has come, and is an interval old.
pub(super) fn until_due(at: Timestamp, interval: Duration, now: Timestamp) -> Duration {
    let age = now.duration_since(at);
    match Duration::try_from(age) {
        Ok(age) => interval.saturating_sub(age),
        Err(_) => interval.saturating_add(age.unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_an_instant_is_due_when_it_is_an_interval_old() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let minutes = |n: u64| Duration::from_secs(60 * n);
        for (what, at, expected) in [
            ("old", "2026-03-01T11:00:00Z", minutes(0)),
            ("recent", "2026-03-01T11:57:00Z", minutes(2)),
            ("present", "2026-03-01T14:00:00+02:00", minutes(5)),
            ("future", "2026-03-01T12:02:00Z", minutes(7)),
        ] {
            let at: Timestamp = at.parse().unwrap();
            assert_eq!(until_due(at, minutes(5), now), expected, "{what}");
        }
    }
}
