//! Subtasks that come to be while a capture runs: a store that is added, a branch that is pushed.

use std::collections::BTreeSet;
use std::sync::Arc;

use staunch_state::{Cursor, Page, check_subtask_name};

use super::lane::Loan;
use super::{Lane, RosterFn, TaskError, state_patch};
use crate::open::Lanes;
use crate::tasks::{Activity, Strategy};

/// What a roster function pushes into: the subtasks that there are by now, and are not known yet.
///
/// It is invoked when the binding opens, before any of its other functions, and then at each interval. Every subtask that the
/// state has is known, also those which the source has no more: what they captured stays captured.
///
/// ```
/// use std::sync::Arc;
/// use staunch::{Changes, Cursor, FetchResult, Resource, Roster, Subtask};
///
/// async fn find_stores(mut emit: Roster) -> FetchResult {
///     for store in ["berlin", "paris"] {
///         if !emit.is_known(store) {
///             let cursor = Cursor::integer(0); // From the beginning: there is nothing to backfill.
///             emit.begin(store, Subtask { cursor, backfill: None }).await?;
///         }
///     }
///     Ok(())
/// }
///
/// async fn fetch_orders(store: Arc<str>, since: Cursor, mut emit: Changes) -> FetchResult {
///     // …
///     # let _ = (store, since, &mut emit);
///     Ok(())
/// }
///
/// let orders = Resource::new("orders")
///     .key(["/store", "/id"])
///     .roster(find_stores)
///     .incremental_each(fetch_orders);
/// # let _ = orders;
/// ```
pub struct Roster(Loan<RosterLane>);

/// The state with which a subtask begins.
///
/// ```
/// use staunch::{Cursor, Page, Subtask};
///
/// let cursor = Cursor::integer(70);
/// let anew = Subtask { cursor: cursor.clone(), backfill: None }; // Only what comes after the cursor.
/// let whole = Subtask { cursor: cursor.clone(), backfill: Some(None) }; // And all that is up to it.
/// let rest = Subtask { cursor, backfill: Some(Some(Page::Integer(3))) }; // And that from the third page on.
/// # let _ = (anew, whole, rest);
/// ```
#[derive(Clone, Debug)]
pub struct Subtask {
    /// From where it reads incrementally. Also the cutoff of its backfill.
    pub cursor: Cursor,
    /// How it reads what exists already: not at all, or from the given page on (none for the very beginning).
    pub backfill: Option<Option<Page>>,
}

pub(crate) struct RosterLane {
    lane: Lane,
    fetch: RosterFn,
    known: BTreeSet<String>,
    lanes: Lanes,
}

impl Roster {
    /// Whether the state has this subtask already.
    #[must_use]
    pub fn is_known(&self, subtask: &str) -> bool {
        self.0.known.contains(subtask)
    }

    /// Begins a subtask. Returns when its state is written; its functions begin after that.
    ///
    /// # Errors
    /// When the name is reserved or known already; [`TaskError::Closed`] when the runtime has gone.
    pub async fn begin(&mut self, subtask: &str, state: Subtask) -> Result<(), TaskError> {
        let this = &mut *self.0;
        let problem = match check_subtask_name(subtask) {
            Err(error) => Some(error.to_string()),
            Ok(()) if this.known.contains(subtask) => {
                Some("it is known already; ask `is_known` first".to_owned())
            }
            Ok(()) => None,
        };
        if let Some(problem) = problem {
            let binding = this.lane.binding.name.clone();
            return Err(this.lane.fail(TaskError::Subtask {
                binding,
                subtask: subtask.to_owned(),
                problem,
            }));
        }
        let patch = begin_patch(&this.lane.binding.state_key, subtask, &state);
        this.lane.checkpoint(patch).await?;
        this.known.insert(subtask.to_owned());
        let begun = this
            .lanes
            .of_subtask(&this.lane.session, &this.lane.binding, subtask, state);
        for child in begun {
            this.lane
                .session
                .spawn
                .send(child)
                .await
                .map_err(|_| TaskError::Closed)?;
        }
        Ok(())
    }

    /// Whether the capture is to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.lane.session.stopping.is_cancelled()
    }
}

fn begin_patch(state_key: &str, subtask: &str, state: &Subtask) -> String {
    let name = serde_json::Value::from(subtask);
    let cursor = state.cursor.as_json();
    let mut value = format!("{{\"inc\":{{{name}:{{\"cursor\":{cursor}}}}}");
    if let Some(page) = &state.backfill {
        let page = page.as_ref().map_or_else(String::new, |page| {
            format!(",\"next_page\":{}", page.to_node().to_json())
        });
        value.push_str(&format!(
            ",\"backfill\":{{{name}:{{\"cutoff\":{cursor}{page}}}}}"
        ));
    }
    value.push('}');
    state_patch(&[state_key], &value)
}

impl RosterLane {
    pub(crate) fn new(lane: Lane, fetch: RosterFn, known: BTreeSet<String>, lanes: Lanes) -> Self {
        Self {
            lane,
            fetch,
            known,
            lanes,
        }
    }

    /// Invokes the function once.
    pub(crate) async fn call(self) -> Result<Self, TaskError> {
        let task = self.lane.task();
        self.lane.task.is_a(Strategy::Roster);
        self.lane.task.is_at(Activity::Running);
        let fetch = Arc::clone(&self.fetch);
        let binding = Arc::clone(&self.lane.binding);
        let (loan, home) = Loan::new(self);
        let result = binding.invoke(|| fetch(Roster(loan))).await;
        let mut this = home.take().ok_or(TaskError::EmitterKept { task })?;
        this.lane.finish(result)?;
        Ok(this)
    }

    /// Invokes the function at each interval, from one interval on.
    pub(crate) async fn run(mut self) -> Result<(), TaskError> {
        while self.lane.turn(self.lane.binding.interval).await {
            self = self.call().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subtask_begins_in_one_update() {
        let mut state = Subtask {
            cursor: Cursor::tuple(["x"]).unwrap(),
            backfill: None,
        };
        let begun = |state: &Subtask| begin_patch("k", "refs/heads/a", state);
        assert_eq!(
            begun(&state),
            r#"{"bindingStateV1":{"k":{"inc":{"refs/heads/a":{"cursor":["x"]}}}}}"#
        );
        state.backfill = Some(Some(Page::Integer(3)));
        assert_eq!(
            begun(&state),
            r#"{"bindingStateV1":{"k":{"inc":{"refs/heads/a":{"cursor":["x"]}},"backfill":{"refs/heads/a":{"cutoff":["x"],"next_page":3}}}}}"#
        );
    }
}
