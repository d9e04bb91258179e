//! Backfills: what exists already, page by page, up to a cutoff.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use staunch_state::{Cursor, Node, Page, StateUpdate};

use super::lane::Loan;
use super::{Associated, BackfillFn, Lane, TaskError};
use crate::schedule::{InProgress, Scheduled};

/// What a backfill function pushes into: documents, and the page that comes next.
///
/// A function is given the page to begin with (none at first) and the cutoff. It captures documents and checkpoints the page that
/// follows; it may do so several times. When it returns right after a checkpoint it is invoked again with that page. When it
/// returns without, having captured the last documents or none, the backfill is complete.
///
/// A record at exactly the cutoff is for one of the two, the backfill or the [changes](super::Changes) that begin there: say once which, and
/// mean the same by a cursor in both. Here it is captured up to a cursor and with it, so the backfill takes that record.
///
/// ```
/// use staunch::{Cursor, FetchResult, Page, Pages};
///
/// async fn fetch_page(page: Option<Page>, cutoff: Cursor, mut emit: Pages) -> FetchResult {
///     let last = cutoff.as_u64().ok_or("the cutoff of events is an integer")?;
///     let from = match page {
///         Some(Page::String(id)) => id.parse()?,
///         _ => 0,
///     };
///     for id in from..=last.min(from + 99) {
///         emit.document(&serde_json::json!({ "id": id }))?;
///     }
///     if from + 100 <= last {
///         emit.checkpoint(Page::String((from + 100).to_string())).await?;
///     }
///     Ok(())
/// }
/// # let _ = staunch::Resource::new("events").backfill(fetch_page);
/// ```
pub struct Pages(Loan<BackfillLane>);

pub(crate) struct BackfillLane {
    lane: Lane,
    fetch: BackfillFn,
    cutoff: Cursor,
    page: Option<Page>,
    /// Whether the invocation has said that there is another page. Documents captured after that are the last.
    has_page: bool,
    is_connector_initiated: bool,
    running: Arc<AtomicBool>,
    /// Puts the binding's schedule off until the lane ends.
    _in_progress: Option<InProgress>,
}

impl Pages {
    /// Captures a document. It leaves with the next checkpoint.
    ///
    /// # Errors
    /// When it does not serialise to a JSON object, or cannot be spooled.
    pub fn document<T: Serialize + ?Sized>(&mut self, document: &T) -> Result<(), TaskError> {
        let lane = &mut self.0.lane;
        lane.document(lane.binding.index, document)
    }

    /// Captures a document that is JSON already, as [`Changes::raw`](super::Changes::raw) does.
    ///
    /// # Errors
    /// When it cannot be an object, or cannot be spooled.
    pub fn raw(&mut self, document: impl AsRef<[u8]>) -> Result<(), TaskError> {
        let lane = &mut self.0.lane;
        lane.raw(lane.binding.index, document.as_ref())
    }

    /// Sends the documents captured since the last checkpoint, and then the checkpoint: what comes next is at `page`.
    ///
    /// A page that is an object is the whole page if there was none, and otherwise a merge patch of the one before. No page at all
    /// is an error, not the end: a function returns when there is nothing more.
    ///
    /// # Errors
    /// When there is no page, or an object follows a page that is none; [`TaskError::Closed`] when the runtime has gone.
    pub async fn checkpoint(&mut self, page: impl Into<Option<Page>>) -> Result<(), TaskError> {
        let page = page.into();
        let this = &mut *self.0;
        let task = this.lane.task();
        let Some(page) = page else {
            return Err(this.lane.fail(TaskError::NullPage { task }));
        };
        let value = format!(
            "{{\"cutoff\":{},\"next_page\":{}}}",
            this.cutoff.as_json(),
            page.to_node().to_json()
        );
        let Some(next) = advance(this.page.take(), page) else {
            return Err(this.lane.fail(TaskError::PageKind { task }));
        };
        let patch = this.lane.patch("backfill", &value);
        this.lane.checkpoint(patch).await?;
        this.page = Some(next);
        this.has_page = true;
        Ok(())
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

    /// Whether the connector had the backfill begin, on its schedule; false if it is the first, or if a person asked for it.
    ///
    /// A backfill that recurs may then read less than the first one did.
    #[must_use]
    pub fn is_connector_initiated(&self) -> bool {
        self.0.is_connector_initiated
    }

    /// Whether the capture is to stop. A function that runs for long should then end at its next checkpoint.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.lane.session.stopping.is_cancelled()
    }
}

impl BackfillLane {
    pub(crate) fn new(
        lane: Lane,
        fetch: BackfillFn,
        (cutoff, page): (Cursor, Option<Page>),
        running: Arc<AtomicBool>,
        is_connector_initiated: bool,
    ) -> Self {
        running.store(true, Ordering::Release);
        Self {
            _in_progress: lane.binding.scheduled.as_ref().map(Scheduled::backfill),
            lane,
            fetch,
            cutoff,
            page,
            has_page: false,
            is_connector_initiated,
            running,
        }
    }

    pub(crate) async fn run(mut self) -> Result<(), TaskError> {
        let _backfilling = self.lane.is_backfill();
        while self.lane.turn(Duration::ZERO).await {
            self = self.invoke().await?;
            let is_continued = self.has_page && self.lane.documents == 0;
            if !is_continued {
                // Null removes the entry: the incremental cursor tells that this is not new.
                let patch = self.lane.patch("backfill", "null");
                self.lane.checkpoint(patch).await?;
                self.running.store(false, Ordering::Release);
                let subtask = self.lane.subtask.as_deref();
                let span = self.lane.binding.span();
                span.in_scope(|| tracing::info!(subtask, "backfill is complete"));
                return Ok(());
            }
        }
        Ok(())
    }

    async fn invoke(mut self) -> Result<Self, TaskError> {
        let task = self.lane.task();
        self.has_page = false;
        let (fetch, page, cutoff) = (
            Arc::clone(&self.fetch),
            self.page.clone(),
            self.cutoff.clone(),
        );
        let binding = Arc::clone(&self.lane.binding);
        let (loan, home) = Loan::new(self);
        let result = binding.invoke(|| fetch(page, cutoff, Pages(loan))).await;
        let mut this = home.take().ok_or(TaskError::EmitterKept { task })?;
        this.lane.finish(result)?;
        Ok(this)
    }
}

/// The page after `next` was checkpointed: an object patches the one before. None if there is an object to be patched and is none.
///
/// The same patch is applied here as the runtime applies, so that a page is the same before and after a restart.
fn advance(previous: Option<Page>, next: Page) -> Option<Page> {
    let patch = match next {
        Page::Object(patch) => patch,
        whole => return Some(whole),
    };
    let base = match previous {
        None => Node::Null,
        Some(Page::Object(object)) => Node::Object(object),
        Some(_) => return None,
    };
    StateUpdate::merge(Node::Object(patch))
        .apply(base)
        .into_object()
        .map(Page::Object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_page_is_patched_as_the_runtime_patches_it() {
        for (what, previous, next, expected) in [
            (
                "first",
                None,
                r#"{"a":1,"b":null}"#,
                Some(object_page(r#"{"a":1}"#)),
            ),
            (
                "patch",
                Some(object_page(r#"{"a":{"n":1},"b":2}"#)),
                r#"{"a":null,"c":{"d":null}}"#,
                Some(object_page(r#"{"b":2,"c":{}}"#)),
            ),
            ("after a scalar", Some(Page::String("x".into())), "{}", None),
        ] {
            assert_eq!(advance(previous, object_page(next)), expected, "{what}");
        }
    }

    fn object_page(json: &str) -> Page {
        Page::Object(Node::parse(json).unwrap().into_object().unwrap())
    }
}
