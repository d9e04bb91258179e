//! Bulk jobs of a store: begun, waited for, and canceled.
//!
//! A store has five of an app at work at a time. Those that an earlier process of this capture left behind are canceled before the first
//! one is begun; until they have ended they take their places.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::api::{Refused, Store};
use crate::query;

/// Jobs that are at work at a time.
const PLACES: usize = 5;

/// How long is waited until a job is asked after: the first time, and each time then.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(2);

/// How often a job is asked after that is to end.
const ENDING_PAUSE: Duration = Duration::from_secs(5);

/// How long is waited for a place that others have, at first and at most.
const SHORTEST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// After how long it is said of a job that it takes its time, and each time then.
const LONG: Duration = Duration::from_secs(6 * 3600);
const LONGER: Duration = Duration::from_secs(3600);

/// The bulk jobs of a store.
#[derive(Debug)]
pub(crate) struct Jobs {
    store: Store,
    places: Arc<Semaphore>,
    /// Whether those are canceled that were left behind.
    is_open: OnceCell<()>,
    /// Waits for the ends of those. None outlives the capture.
    ending: Mutex<JoinSet<()>>,
}

/// What a job results in.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Where its rows are; nowhere if there are none.
    pub(crate) url: Option<String>,
    /// How many bytes they have.
    pub(crate) bytes: Option<u64>,
}

/// A job has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// It had too much to do, or Shopify failed at it: less of it may be done.
    #[error("a bulk operation ended as {0}")]
    TooMuch(String),
    #[error(transparent)]
    Refused(#[from] Refused),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    id: String,
    status: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    url: Option<String>,
    error_code: Option<String>,
    file_size: Option<String>,
}

impl Job {
    fn is_at_work(&self) -> bool {
        matches!(self.status.as_str(), "CREATED" | "RUNNING" | "CANCELING")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Submitted {
    bulk_operation_run_query: Payload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Canceled {
    bulk_operation_cancel: Option<Payload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    bulk_operation: Option<Job>,
    #[serde(default)]
    user_errors: Vec<UserError>,
}

#[derive(Deserialize)]
struct UserError {
    #[serde(default)]
    message: String,
    #[serde(default)]
    code: Option<String>,
}

#[derive(Deserialize)]
struct Polled {
    node: Option<Job>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    bulk_operations: Edges,
}

#[derive(Deserialize)]
struct Edges {
    edges: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    node: Job,
}

impl Jobs {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            places: Arc::new(Semaphore::new(PLACES)),
            is_open: OnceCell::new(),
            ending: Mutex::default(),
        }
    }

    /// Runs a query to its end.
    pub(crate) async fn run(&self, query: &str) -> Result<Finished, JobError> {
        self.is_open.get_or_try_init(|| self.clear()).await?;
        let _place = Arc::clone(&self.places).acquire_owned().await;
        let mut job = self.submit(query).await?;
        let since = Instant::now();
        let (mut pause, mut long) = (FIRST_PAUSE, LONG);
        loop {
            match job.status.as_str() {
                "COMPLETED" => {
                    return Ok(Finished {
                        url: job.url,
                        bytes: job.file_size.and_then(|bytes| bytes.parse().ok()),
                    });
                }
                "CREATED" | "RUNNING" => {}
                status => return Err(self.failed(status, job.error_code.as_deref())),
            }
            sleep(pause).await;
            if since.elapsed() >= long {
                tracing::warn!(
                    store = &*self.store.name,
                    job = job.id,
                    "a bulk operation has been at work for {} hours",
                    long.as_secs() / 3600
                );
                long += LONGER;
            }
            pause = PAUSE;
            job = self.poll(&job.id).await?;
        }
    }

    /// Begins a job, as soon as there is a place for it.
    async fn submit(&self, query: &str) -> Result<Job, Refused> {
        let store = &self.store;
        let mutation = query::submit(query);
        let mut wait = SHORTEST_WAIT;
        loop {
            let answer: Submitted = store.get(&mutation).await?;
            let Payload {
                bulk_operation,
                user_errors,
            } = answer.bulk_operation_run_query;
            if let Some(job) = bulk_operation {
                return Ok(job);
            }
            let messages: Vec<&str> = user_errors.iter().map(|error| &*error.message).collect();
            let messages = messages.join("; ");
            let passes = |error: &UserError| {
                matches!(
                    error.code.as_deref(),
                    Some("OPERATION_IN_PROGRESS" | "LIMIT_REACHED")
                )
            };
            if !user_errors.iter().any(passes) {
                return Err(Refused::new(
                    &store.name,
                    format!(
                        "it does not run a bulk operation ({messages}); tell whoever maintains this connector"
                    ),
                ));
            }
            tracing::info!(
                store = &*store.name,
                "waiting for a bulk operation of another task to end: {messages}"
            );
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn poll(&self, id: &str) -> Result<Job, Refused> {
        let answer: Polled = self.store.get(&query::poll(id)).await?;
        let gone = || {
            Refused::new(
                &self.store.name,
                "a bulk operation is gone before it ended; open the capture again",
            )
        };
        answer.node.ok_or_else(gone)
    }

    fn failed(&self, status: &str, code: Option<&str>) -> JobError {
        let refused = |problem: &str| JobError::Refused(Refused::new(&self.store.name, problem));
        match (status, code) {
            ("FAILED", Some("ACCESS_DENIED")) => refused(
                "a bulk operation was denied access; grant the app the scopes that it lacks, or disable the bindings that need them",
            ),
            ("FAILED", code) => JobError::TooMuch(code.unwrap_or("FAILED").to_owned()),
            ("CANCELED" | "CANCELING", _) => refused(
                "a bulk operation was canceled by somebody else; see that no other capture of the same app asks this store, and open the capture again",
            ),
            ("EXPIRED", _) => refused(
                "the result of a bulk operation is gone before it was read; open the capture again",
            ),
            (status, _) => refused(&format!(
                "a bulk operation ended as `{status}`, which nobody here has heard of; tell whoever maintains this connector"
            )),
        }
    }

    /// Cancels what is at work already. Answers as soon as there is a place.
    async fn clear(&self) -> Result<(), Refused> {
        let listed: Listed = self.store.get(&query::running()).await?;
        let jobs = listed
            .bulk_operations
            .edges
            .into_iter()
            .map(|edge| edge.node);
        let left = jobs.filter(|job| job.is_at_work() && job.kind.as_deref() != Some("MUTATION"));
        for job in left {
            tracing::info!(
                store = &*self.store.name,
                job = job.id,
                "canceling a bulk operation that was left behind"
            );
            if job.status != "CANCELING" {
                let answer: Canceled = self.store.get(&query::cancel(&job.id)).await?;
                let payload = answer.bulk_operation_cancel;
                // One that is gone, or over, by now takes no place.
                if payload.and_then(|payload| payload.bulk_operation).is_none() {
                    continue;
                }
            }
            if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
                let mut all = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
                all.spawn(ending(self.store.clone(), job.id, place));
            }
        }
        drop(self.places.acquire().await);
        Ok(())
    }
}

/// Holds a place until a job has ended that was canceled.
async fn ending(store: Store, id: String, place: OwnedSemaphorePermit) {
    let mut polls = 0_u64;
    loop {
        let polled: Result<Polled, Refused> = store.get(&query::poll(&id)).await;
        match polled {
            Ok(Polled { node: Some(job) }) if job.is_at_work() => {}
            Ok(_) => break,
            Err(error) => {
                tracing::warn!(
                    store = &*store.name,
                    job = id,
                    "a bulk operation that was canceled cannot be asked after: {error}"
                );
                break;
            }
        }
        polls += 1;
        if polls.is_multiple_of(60) {
            tracing::warn!(
                store = &*store.name,
                job = id,
                "a bulk operation that was canceled has not ended yet"
            );
        }
        sleep(ENDING_PAUSE).await;
    }
    drop(place);
}
