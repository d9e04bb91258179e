//! How much has been captured, in the log: at most once a second, and only while something moves.
//!
//! Who moves puts itself on a list, once for each record; so a record costs as much as tasks moved, and ten thousand that rest cost
//! nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::tasks::Task;

/// The least time between two records.
const EVERY: Duration = Duration::from_secs(1);

/// How many tasks a record tells of.
const LISTED_TASKS: usize = 100;

/// What moved in an open capture.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    documents: AtomicU64,
    bytes: AtomicU64,
    checkpoints: AtomicU64,
    moved: Mutex<Vec<Arc<Task>>>,
    wake: Notify,
}

impl Progress {
    /// So much has left with a checkpoint.
    pub(crate) fn checkpointed(&self, documents: u64, bytes: u64) {
        self.documents.fetch_add(documents, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts a task on the list, unless it is there.
    pub(crate) fn moved(&self, task: &Arc<Task>) {
        if task.has_moved.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.push(Arc::clone(task));
        if moved.len() == 1 {
            self.wake.notify_one();
        }
    }

    /// Hands each record to `write`. Goes on until it is dropped.
    pub(crate) async fn report(&self, clock: &Clock, mut write: impl FnMut(Map<String, Value>)) {
        loop {
            self.wake.notified().await;
            tokio::time::sleep(EVERY).await; // What moves together is told together.
            if let Some(fields) = self.record(clock.now()) {
                write(fields);
            }
        }
    }

    /// What has been captured so far, and of which tasks any since the last record.
    fn record(&self, now: Timestamp) -> Option<Map<String, Value>> {
        let moved = {
            let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *moved)
        };
        if moved.is_empty() {
            return None;
        }
        for task in &moved {
            // Before its numbers are read: what moves from here on is told next time.
            task.has_moved.swap(false, Ordering::AcqRel);
        }
        let mut fields = self.totals();
        let tasks = moved.iter().take(LISTED_TASKS);
        let tasks: Vec<_> = tasks.map(|task| Value::Object(task.fields(now))).collect();
        fields.insert("tasks".into(), tasks.into());
        if moved.len() > LISTED_TASKS {
            fields.insert("more_tasks".into(), (moved.len() - LISTED_TASKS).into());
        }
        Some(fields)
    }

    /// What has been captured so far.
    pub(crate) fn totals(&self) -> Map<String, Value> {
        let totals = [
            ("documents", &self.documents),
            ("bytes", &self.bytes),
            ("checkpoints", &self.checkpoints),
        ];
        let totals = totals.map(|(name, number)| (name.to_owned(), number.load(Ordering::Relaxed)));
        totals
            .into_iter()
            .map(|(name, number)| (name, number.into()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::Instant;

    use super::*;
    use crate::tasks::Tasks;
    use crate::tasks::tests::binding;

    fn clock() -> Clock {
        Clock::Simulated("2026-03-01T12:00:00Z".parse().unwrap(), Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_tells_what_moved_since_the_last_and_how_far_everything_has_come() {
        let (tasks, clock) = (Tasks::new(), clock());
        let orders = tasks.enrol(&binding("orders"), None);
        let store = tasks.enrol(&binding("users"), Some("store".into()));
        assert_eq!(tasks.progress.record(clock.now()), None);
        orders.has_cursor("2026-03-01T11:00:00Z".parse().ok());
        orders.checkpointed(10, 1000);
        store.captured(1);
        store.captured(2);
        let told = json!({"documents": 10, "bytes": 1000, "checkpoints": 1, "tasks": [
            {"binding": "orders", "strategy": "incremental", "documents": 10, "bytes": 1000, "lag_seconds": 3600},
            {"binding": "users", "subtask": "store", "strategy": "incremental", "documents": 0, "bytes": 0, "waiting_documents": 2},
        ]});
        assert_eq!(
            tasks.progress.record(clock.now()).map(Value::Object),
            Some(told)
        );
        assert_eq!(tasks.progress.record(clock.now()), None);
        store.checkpointed(2, 50);
        let told = json!({"documents": 12, "bytes": 1050, "checkpoints": 2, "tasks": [
            {"binding": "users", "subtask": "store", "strategy": "incremental", "documents": 2, "bytes": 50},
        ]});
        assert_eq!(
            tasks.progress.record(clock.now()).map(Value::Object),
            Some(told)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn records_are_a_second_apart_and_none_comes_while_nothing_moves() {
        let (tasks, clock) = (Tasks::new(), clock());
        let orders = tasks.enrol(&binding("orders"), None);
        let begin = Instant::now();
        let mut at = Vec::new();
        let work = async {
            for _ in 0..25 {
                orders.checkpointed(1, 10);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tokio::time::sleep(Duration::from_secs(3600)).await;
            orders.checkpointed(1, 10);
            tokio::time::sleep(Duration::from_secs(3600)).await;
        };
        let report = tasks.progress.report(&clock, |fields| {
            at.push((
                begin.elapsed().as_millis(),
                fields["documents"].as_u64().unwrap(),
            ));
        });
        tokio::select! {
            () = work => {}
            () = report => {}
        }
        let apart: Vec<_> = at.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!(apart.iter().all(|&apart| apart >= 1000), "{at:?}");
        assert_eq!(at.last().map(|last| last.1), Some(26));
        assert!(at.len() == 4, "{at:?}");
    }

    #[tokio::test]
    async fn a_record_lists_a_hundred_tasks_and_counts_the_others() {
        let (tasks, clock) = (Tasks::new(), clock());
        let all: Vec<_> = (0..250)
            .map(|n| tasks.enrol(&binding(&n.to_string()), None))
            .collect();
        all.iter().for_each(|task| task.checkpointed(1, 1));
        let told = tasks.progress.record(clock.now()).unwrap();
        assert_eq!(told["tasks"].as_array().unwrap().len(), 100);
        assert_eq!(
            (&told["more_tasks"], &told["documents"]),
            (&json!(150), &json!(250))
        );
    }
}
