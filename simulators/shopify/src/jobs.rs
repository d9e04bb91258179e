//! Bulk jobs: how they get on, and what they result in.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::scenario::{JobPlan, Outcome};
use crate::time::{self, Micros};

/// How much older a job is for each time that somebody asks, where the clock stands.
pub(crate) const PER_POLL: Micros = 500_000;

/// For how long a result can be fetched.
pub(crate) const KEPT: Micros = 7 * time::DAY;

/// Jobs that an app may have at work in a store.
pub(crate) const MAX_JOBS: usize = 5;

/// A bulk job.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) store: String,
    pub(crate) query: String,
    pub(crate) root: String,
    pub(crate) created_at: Micros,
    pub(crate) plan: JobPlan,
    pub(crate) canceled_at: Option<Micros>,
    /// Whether rows of one root follow one another.
    pub(crate) is_grouped: bool,
    pub(crate) is_mutation: bool,
    /// Whether another task began it.
    pub(crate) is_foreign: bool,
    /// How often it was asked for where the clock stands.
    pub(crate) polls: Micros,
    /// The records of its beginning, if it reads them at its end.
    pub(crate) numbers: Option<Vec<u64>>,
    pub(crate) result: Option<Arc<ResultFile>>,
    pub(crate) is_denied: bool,
    pub(crate) downloads: u64,
}

/// What a job results in.
#[derive(Debug)]
pub(crate) struct ResultFile {
    pub(crate) rows: String,
    /// How deep each row lies.
    pub(crate) depths: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Created,
    Running,
    Completed,
    Canceling,
    Canceled,
    Failed(&'static str),
    Expired,
    Unheard,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Created => "CREATED",
            Status::Running => "RUNNING",
            Status::Completed => "COMPLETED",
            Status::Canceling => "CANCELING",
            Status::Canceled => "CANCELED",
            Status::Failed(_) => "FAILED",
            Status::Expired => "EXPIRED",
            Status::Unheard => "REBUILDING",
        }
    }

    /// Whether it takes one of the places that there are.
    pub(crate) fn is_at_work(self) -> bool {
        matches!(self, Status::Created | Status::Running | Status::Canceling)
    }
}

fn millis(count: u64) -> Micros {
    Micros::try_from(count).unwrap_or(Micros::MAX / 4000) * 1000
}

impl Job {
    pub(crate) fn gid(&self) -> String {
        format!("gid://shopify/BulkOperation/{}", self.number)
    }

    /// When it ends, as things stand.
    pub(crate) fn ends_at(&self) -> Micros {
        match self.canceled_at {
            Some(at) => at + millis(self.plan.canceling_for),
            None => self.created_at + millis(self.plan.created_for) + millis(self.plan.running_for),
        }
    }

    pub(crate) fn status(&self, now: Micros) -> Status {
        let now = now + self.polls * PER_POLL;
        let is_over = now >= self.ends_at();
        if self.canceled_at.is_some() {
            return match (is_over, self.plan.ignores_cancel) {
                (false, _) => Status::Canceling,
                (true, true) => Status::Completed,
                (true, false) => Status::Canceled,
            };
        }
        if now < self.created_at + millis(self.plan.created_for) {
            return Status::Created;
        }
        match self.plan.outcome {
            Outcome::Stuck => Status::Running,
            _ if !is_over => Status::Running,
            _ if self.is_denied => Status::Failed("ACCESS_DENIED"),
            Outcome::Completed => Status::Completed,
            Outcome::AccessDenied => Status::Failed("ACCESS_DENIED"),
            Outcome::InternalServerError => Status::Failed("INTERNAL_SERVER_ERROR"),
            Outcome::Timeout => Status::Failed("TIMEOUT"),
            Outcome::Expired => Status::Expired,
            Outcome::Canceled => Status::Canceled,
            Outcome::Unheard => Status::Unheard,
        }
    }

    /// As the API tells it.
    pub(crate) fn told(&self, now: Micros, address: &str) -> Map<String, Value> {
        let status = self.status(now);
        let rows = self.result.as_ref().map_or(0, |result| result.depths.len());
        let roots = self.result.as_ref();
        let roots = roots.map_or(0, |result| {
            result.depths.iter().filter(|depth| **depth == 0).count()
        });
        let has_rows = rows > 0;
        let is_complete = status == Status::Completed;
        let is_partial = matches!(
            status,
            Status::Failed(_) | Status::Expired | Status::Canceled
        );
        let bytes = self
            .result
            .as_ref()
            .map(|result| result.rows.len().to_string());
        let error = match status {
            Status::Failed(code) => Some(code),
            _ => None,
        };
        let count = |count: usize| match status {
            Status::Created => "0".to_owned(),
            Status::Running | Status::Canceling => (count / 2).to_string(),
            _ => count.to_string(),
        };
        let told = json!({
            "__typename": "BulkOperation",
            "id": self.gid(),
            "type": if self.is_mutation { "MUTATION" } else { "QUERY" },
            "status": status.name(),
            "createdAt": time::print(self.created_at),
            "completedAt": (!status.is_at_work()).then(|| time::print(self.ends_at())),
            "url": (is_complete && has_rows).then_some(address),
            "partialDataUrl": (is_partial && has_rows).then(|| format!("{address}?partial")),
            "errorCode": error,
            "query": self.query,
            "objectCount": count(rows),
            "rootObjectCount": count(roots),
            "fileSize": bytes.filter(|_| is_complete),
        });
        told.as_object().cloned().unwrap_or_default()
    }
}
