//! What every task of an open capture is at, for whoever asks: an operator, or the report of a stop that took too long.
//!
//! A task writes a few atomics as it goes, and nobody reads them until somebody asks. Times are counted from when the capture opened.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use staunch_protocol::log::{Level, Record};
use tokio::time::Instant;

use crate::capture::OpenBinding;
use crate::progress::Progress;

/// How many characters of a name are told.
const NAME_CHARS: usize = 200;

/// How many tasks an error names. The log has all of them.
const NAMED_TASKS: usize = 20;

/// What a task is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Activity {
    Starting,
    Running,
    Slot,
    Interval,
    Writer,
    Acknowledgement,
    /// It waits for others to begin.
    Listening,
}

impl Activity {
    const ALL: [Activity; 7] = [
        Activity::Starting,
        Activity::Running,
        Activity::Slot,
        Activity::Interval,
        Activity::Writer,
        Activity::Acknowledgement,
        Activity::Listening,
    ];
}

/// How a task captures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Strategy {
    #[default]
    Incremental,
    Backfill,
    Snapshot,
    Roster,
    Webhook,
}

impl Strategy {
    const ALL: [Strategy; 5] = [
        Strategy::Incremental,
        Strategy::Backfill,
        Strategy::Snapshot,
        Strategy::Roster,
        Strategy::Webhook,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Strategy::Incremental => "incremental",
            Strategy::Backfill => "backfill",
            Strategy::Snapshot => "snapshot",
            Strategy::Roster => "roster",
            Strategy::Webhook => "webhook",
        }
    }
}

/// What one task tells of itself. Only the task writes; whoever reads may see the one number a moment before the other.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) binding: Arc<OpenBinding>,
    pub(crate) subtask: Option<Arc<str>>,
    strategy: AtomicU8,
    /// The [`Activity`], and above it since when, in milliseconds.
    activity: AtomicU64,
    /// When the interval ends for which it waits, in milliseconds.
    until: AtomicU64,
    /// A date-time cursor, in seconds since 1970; `i64::MIN` for none.
    cursor: AtomicI64,
    /// Documents and bytes that left with checkpoints.
    documents: AtomicU64,
    bytes: AtomicU64,
    /// Documents that wait for the next checkpoint.
    waiting: AtomicU64,
    /// Whether it is on the list of those that moved.
    pub(crate) has_moved: AtomicBool,
}

/// The tasks of an open capture.
#[derive(Debug)]
pub(crate) struct Tasks {
    opened: Instant,
    pub(crate) progress: Progress,
    enrolled: Mutex<Enrolment>,
}

#[derive(Debug, Default)]
struct Enrolment {
    next: u64,
    tasks: BTreeMap<u64, Arc<Task>>,
}

/// A task on the list, from which it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Enrolled {
    tasks: Arc<Tasks>,
    task: Arc<Task>,
    number: u64,
}

impl Tasks {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            opened: Instant::now(),
            progress: Progress::default(),
            enrolled: Mutex::default(),
        })
    }

    pub(crate) fn enrol(
        self: &Arc<Self>,
        binding: &Arc<OpenBinding>,
        subtask: Option<Arc<str>>,
    ) -> Enrolled {
        let task = Arc::new(Task {
            binding: Arc::clone(binding),
            subtask,
            strategy: AtomicU8::default(),
            activity: AtomicU64::new(self.elapsed() << 8),
            until: AtomicU64::default(),
            cursor: AtomicI64::new(i64::MIN),
            documents: AtomicU64::default(),
            bytes: AtomicU64::default(),
            waiting: AtomicU64::default(),
            has_moved: AtomicBool::default(),
        });
        let mut enrolled = self.lock();
        let number = enrolled.next;
        enrolled.next += 1;
        enrolled.tasks.insert(number, Arc::clone(&task));
        Enrolled {
            tasks: Arc::clone(self),
            task,
            number,
        }
    }

    /// Milliseconds since the capture opened.
    pub(crate) fn elapsed(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX) & (u64::MAX >> 8)
    }

    /// What every task is at. `pending` checkpoints wait for their acknowledgement.
    pub(crate) fn report(&self, now: Timestamp, pending: usize) -> Report {
        let tasks: Vec<_> = self.lock().tasks.values().map(Arc::clone).collect();
        Report {
            tasks,
            now,
            elapsed: self.elapsed(),
            pending,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Enrolment> {
        self.enrolled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Enrolled {
    pub(crate) fn is_a(&self, strategy: Strategy) {
        self.task.strategy.store(strategy as u8, Ordering::Relaxed);
    }

    pub(crate) fn strategy(&self) -> Strategy {
        self.task.strategy()
    }

    pub(crate) fn is_at(&self, activity: Activity) {
        let now = self.tasks.elapsed() << 8;
        self.task
            .activity
            .store(now | activity as u64, Ordering::Relaxed);
    }

    /// It rests for `time`.
    pub(crate) fn rests(&self, time: Duration) {
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let until = self.tasks.elapsed().saturating_add(time);
        self.task.until.store(until, Ordering::Relaxed);
        self.is_at(Activity::Interval);
    }

    pub(crate) fn has_cursor(&self, cursor: Option<Timestamp>) {
        let seconds = cursor.map_or(i64::MIN, Timestamp::as_second);
        self.task.cursor.store(seconds, Ordering::Relaxed);
    }

    /// So many documents wait for the next checkpoint.
    #[inline]
    pub(crate) fn captured(&self, waiting: u64) {
        self.task.waiting.store(waiting, Ordering::Relaxed);
        if !self.task.has_moved.load(Ordering::Relaxed) {
            self.tasks.progress.moved(&self.task);
        }
    }

    /// So much has left, with a checkpoint.
    pub(crate) fn checkpointed(&self, documents: u64, bytes: u64) {
        self.task.documents.fetch_add(documents, Ordering::Relaxed);
        self.task.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.task.waiting.store(0, Ordering::Relaxed);
        self.tasks.progress.checkpointed(documents, bytes);
        self.tasks.progress.moved(&self.task);
    }

    /// So much of it has left with a checkpoint that is not its alone.
    #[cfg(feature = "webhook")]
    pub(crate) fn captured_with_others(&self, documents: u64, bytes: u64) {
        self.task.documents.fetch_add(documents, Ordering::Relaxed);
        self.task.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tasks.progress.moved(&self.task);
    }

    pub(crate) fn elapsed(&self) -> u64 {
        self.tasks.elapsed()
    }
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        self.tasks.lock().tasks.remove(&self.number);
    }
}

impl Task {
    fn strategy(&self) -> Strategy {
        let strategy = self.strategy.load(Ordering::Relaxed);
        Strategy::ALL[usize::from(strategy) % Strategy::ALL.len()]
    }

    fn activity(&self) -> (Activity, u64) {
        let packed = self.activity.load(Ordering::Relaxed);
        let activity = (packed & 0xff) as usize % Activity::ALL.len();
        (Activity::ALL[activity], packed >> 8)
    }

    /// What it is, and how far it has come.
    pub(crate) fn fields(&self, now: Timestamp) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("binding".into(), clip(&self.binding.name).into());
        if let Some(subtask) = &self.subtask {
            fields.insert("subtask".into(), clip(subtask).into());
        }
        fields.insert("strategy".into(), self.strategy().as_str().into());
        for (name, number) in [("documents", &self.documents), ("bytes", &self.bytes)] {
            fields.insert(name.into(), number.load(Ordering::Relaxed).into());
        }
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting > 0 {
            fields.insert("waiting_documents".into(), waiting.into());
        }
        let cursor = self.cursor.load(Ordering::Relaxed);
        if cursor != i64::MIN {
            let lag = now.as_second().saturating_sub(cursor);
            fields.insert("lag_seconds".into(), lag.into());
        }
        fields
    }
}

/// What every task was at, at one moment.
pub(crate) struct Report {
    tasks: Vec<Arc<Task>>,
    now: Timestamp,
    elapsed: u64,
    pending: usize,
}

impl Report {
    /// One log record for each task.
    pub(crate) fn records(&self, level: Level) -> impl Iterator<Item = Record> {
        self.tasks.iter().map(move |task| {
            let (state, since) = self.state(task);
            let mut fields = task.fields(self.now);
            fields.insert("state".into(), state.into());
            fields.insert("since".into(), self.time(since).to_string().into());
            Record {
                ts: Some(self.now.to_string()),
                level,
                message: "task".into(),
                fields,
            }
        })
    }

    /// All in one line, or as many as a line should hold.
    pub(crate) fn line(&self) -> String {
        let mut parts: Vec<String> = self
            .tasks
            .iter()
            .take(NAMED_TASKS)
            .map(|task| {
                let (state, since) = self.state(task);
                let subtask = match &task.subtask {
                    Some(subtask) => format!(": {}", clip(subtask)),
                    None => String::new(),
                };
                let name = clip(&task.binding.name);
                let (strategy, since) = (task.strategy().as_str(), self.time(since));
                format!("`{name}{subtask}` ({strategy}), {state} since {since}")
            })
            .collect();
        if self.tasks.len() > NAMED_TASKS {
            parts.push(format!("and {} more", self.tasks.len() - NAMED_TASKS));
        }
        parts.join("; ")
    }

    fn state(&self, task: &Task) -> (String, u64) {
        let (activity, since) = task.activity();
        let state = match activity {
            Activity::Starting => "not begun yet".into(),
            Activity::Listening => "listening".into(),
            Activity::Running => "running its function".into(),
            Activity::Slot => "waiting for a slot".into(),
            Activity::Interval => {
                let until = self.time(task.until.load(Ordering::Relaxed));
                format!("waiting for its interval until {until}")
            }
            Activity::Writer => "waiting for the writer".into(),
            Activity::Acknowledgement => format!(
                "waiting for an acknowledgement of {} checkpoints",
                self.pending
            ),
        };
        (state, since)
    }

    /// The time of day at which the capture had been open for so many milliseconds.
    fn time(&self, elapsed: u64) -> Timestamp {
        let millis = i64::try_from(elapsed)
            .unwrap_or(i64::MAX)
            .saturating_sub(i64::try_from(self.elapsed).unwrap_or(i64::MAX));
        let time = self.now.checked_add(SignedDuration::from_millis(millis));
        let time = time.unwrap_or(Timestamp::MAX);
        time.round(jiff::Unit::Second).unwrap_or(time)
    }
}

fn clip(name: &str) -> &str {
    match name.char_indices().nth(NAME_CHARS) {
        Some((end, _)) => &name[..end],
        None => name,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::transactor::Await;

    pub(crate) fn binding(name: &str) -> Arc<OpenBinding> {
        Arc::new(OpenBinding {
            index: 0,
            name: name.into(),
            state_key: name.into(),
            key: Vec::new(),
            scheduled: None,
            interval: Duration::from_secs(300),
            until: Await::Written,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_says_what_each_task_waits_for_and_since_when() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let tasks = Tasks::new();
        let orders = tasks.enrol(&binding("orders"), None);
        let store = tasks.enrol(&binding("orders"), Some("store-1".into()));
        let gone = tasks.enrol(&binding("gone"), None);
        drop(gone);
        store.is_a(Strategy::Backfill);
        store.is_at(Activity::Slot);
        tokio::time::advance(Duration::from_secs(60)).await;
        orders.checkpointed(3, 70);
        orders.captured(2);
        orders.has_cursor("2026-03-01T11:59:30Z".parse().ok());
        orders.rests(Duration::from_secs(300));
        tokio::time::advance(Duration::from_secs(10)).await;
        let report = tasks.report(now, 4);
        let told: Vec<_> = report
            .records(Level::Info)
            .map(|record| serde_json::to_value(record.fields).unwrap())
            .collect();
        let expected = serde_json::json!([
            {"binding": "orders", "strategy": "incremental", "documents": 3, "bytes": 70, "waiting_documents": 2, "lag_seconds": 30,
             "state": "waiting for its interval until 2026-03-01T12:04:50Z", "since": "2026-03-01T11:59:50Z"},
            {"binding": "orders", "subtask": "store-1", "strategy": "backfill", "documents": 0, "bytes": 0,
             "state": "waiting for a slot", "since": "2026-03-01T11:58:50Z"},
        ]);
        assert_eq!(serde_json::to_value(told).unwrap(), expected);
        orders.is_at(Activity::Acknowledgement);
        assert_eq!(
            tasks.report(now, 4).line(),
            "`orders` (incremental), waiting for an acknowledgement of 4 checkpoints since 2026-03-01T12:00:00Z; \
             `orders: store-1` (backfill), waiting for a slot since 2026-03-01T11:58:50Z"
        );
    }

    #[tokio::test]
    async fn a_report_stays_small_however_many_tasks_there_are_and_however_long_their_names() {
        let tasks = Tasks::new();
        let name = "ü".repeat(5000);
        let all: Vec<_> = (0..1000)
            .map(|_| tasks.enrol(&binding(&name), Some(name.as_str().into())))
            .collect();
        let report = tasks.report(Timestamp::UNIX_EPOCH, 0);
        assert!(report.line().len() < 20_000);
        assert!(report.line().ends_with("and 980 more"));
        let longest = report
            .records(Level::Info)
            .map(|record| record.encode().len());
        assert!(longest.max().unwrap() < 2_000);
        drop(all);
        assert_eq!(tasks.report(Timestamp::UNIX_EPOCH, 0).line(), "");
    }
}
