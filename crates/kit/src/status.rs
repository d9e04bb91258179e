//! What the capture says of itself to those who watch it: log records which the runtime keeps the last of.
//!
//! Their texts, and when they are said, are those that the control plane and its users know: once it has started, and then every
//! second in which a backfill began or ended, what is backfilling. Backfills are counted as they begin and end; nobody goes through
//! the bindings.
//!
//! # Source
//! Capture protocol, events (6.2).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// How long a capture has to find out what it has to do, before it says what that is.
const FIRST_AFTER: Duration = Duration::from_secs(5);

const EVERY: Duration = Duration::from_secs(1);

/// Which bindings of an open capture are backfilling.
#[derive(Debug)]
pub(crate) struct Status {
    bindings: usize,
    backfills: Mutex<Backfills>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Backfills {
    /// Of each binding that has any.
    running: HashMap<u32, usize>,
}

/// A backfill that is in progress, until this is dropped.
#[derive(Debug)]
pub(crate) struct Backfilling {
    status: Arc<Status>,
    binding: u32,
}

impl Status {
    pub(crate) fn new(bindings: usize) -> Arc<Self> {
        Arc::new(Self {
            bindings,
            backfills: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// A backfill of this binding begins.
    pub(crate) fn backfills(self: &Arc<Self>, binding: u32) -> Backfilling {
        self.change(|running| *running.entry(binding).or_default() += 1);
        Backfilling {
            status: Arc::clone(self),
            binding,
        }
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<u32, usize>)) {
        let mut backfills = self
            .backfills
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        change(&mut backfills.running);
        drop(backfills);
        self.changed.notify_one();
    }

    /// What is said when the capture has started.
    pub(crate) fn started(&self) -> &'static str {
        match self.bindings {
            0 => "Capture started. No bindings are enabled.",
            _ => "Capture started.",
        }
    }

    fn text(&self) -> String {
        let backfills = self
            .backfills
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let bindings = self.bindings;
        match backfills.running.len() {
            0 => format!("Streaming change events (all {bindings} bindings are backfilled)"),
            backfilling => format!("Backfilling {backfilling} out of {bindings} bindings"),
        }
    }

    /// Hands each status to `say`, after the first. Goes on until it is dropped.
    pub(crate) async fn report(&self, mut say: impl FnMut(String)) {
        tokio::time::sleep(FIRST_AFTER).await;
        self.changed.notify_one(); // The first is said whether or not anything changed.
        loop {
            self.changed.notified().await;
            say(self.text());
            tokio::time::sleep(EVERY).await;
        }
    }
}

impl Drop for Backfilling {
    fn drop(&mut self) {
        self.status.change(|running| {
            if let Some(backfills) = running.get_mut(&self.binding) {
                *backfills -= 1;
                if *backfills == 0 {
                    running.remove(&self.binding);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_backfills_is_said_after_five_seconds_and_then_each_second_in_which_it_changed() {
        let status = Status::new(3);
        assert_eq!(status.started(), "Capture started.");
        let begin = Instant::now();
        let mut said = Vec::new();
        let work = async {
            let flat = status.backfills(0);
            let subtasks = [status.backfills(1), status.backfills(1)];
            sleep(Duration::from_millis(5300)).await;
            let [first, second] = subtasks;
            drop(first);
            sleep(Duration::from_millis(100)).await;
            drop(second);
            sleep(Duration::from_secs(7200)).await;
            drop(flat);
            sleep(Duration::from_secs(7200)).await;
        };
        let report = status.report(|text| said.push((begin.elapsed().as_secs(), text)));
        tokio::select! {
            () = work => {}
            () = report => {}
        }
        let expected = [
            (5, "Backfilling 2 out of 3 bindings"),
            (6, "Backfilling 1 out of 3 bindings"),
            (
                7205,
                "Streaming change events (all 3 bindings are backfilled)",
            ),
        ];
        assert_eq!(said, expected.map(|(at, text)| (at, text.to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_capture_that_backfills_nothing_says_so_once() {
        let status = Status::new(1);
        let mut said = Vec::new();
        let report = status.report(|text| said.push(text));
        let _ = tokio::time::timeout(Duration::from_secs(3600), report).await;
        assert_eq!(
            said,
            ["Streaming change events (all 1 bindings are backfilled)"]
        );
        assert_eq!(
            Status::new(0).started(),
            "Capture started. No bindings are enabled."
        );
    }
}
