//! Stopping the capture when a schedule comes round.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// How long the time of day is left unlooked at. A machine may sleep, and its clock be set, which no timer tells.
const LOOK: Duration = Duration::from_secs(30);

/// A binding that is read anew on a schedule.
#[derive(Debug)]
pub(crate) struct Scheduled {
    /// Its name for people.
    binding: String,
    /// When its schedule comes round for the first time since it was initialised. It may have already.
    due: Timestamp,
    /// Backfills in progress, during which its schedule is not acted upon.
    backfills: AtomicUsize,
    /// Told when the last of them has ended.
    ended: Arc<Notify>,
}

/// A backfill that is in progress, until this is dropped.
#[derive(Debug)]
pub(crate) struct InProgress(Arc<Scheduled>);

impl Scheduled {
    pub(crate) fn new(binding: &str, due: Timestamp, ended: &Arc<Notify>) -> Arc<Self> {
        Arc::new(Self {
            binding: binding.to_owned(),
            due,
            backfills: AtomicUsize::new(0),
            ended: Arc::clone(ended),
        })
    }

    /// Counts a backfill that begins.
    pub(crate) fn backfill(self: &Arc<Self>) -> InProgress {
        self.backfills.fetch_add(1, Ordering::AcqRel);
        InProgress(Arc::clone(self))
    }

    fn is_backfilling(&self) -> bool {
        self.backfills.load(Ordering::Acquire) > 0
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        if self.0.backfills.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.ended.notify_one();
        }
    }
}

/// Stops the capture once the schedule of a binding has come round. Whoever starts it again finds that the schedule was missed, and
/// begins the binding anew.
pub(crate) async fn watch(
    bindings: Vec<Arc<Scheduled>>,
    ended: Arc<Notify>,
    clock: Clock,
    stopping: CancellationToken,
) {
    loop {
        let now = clock.now();
        let Some(next) = next(&bindings) else {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = ended.notified() => continue,
            }
        };
        let Ok(wait) = Duration::try_from(next.due.duration_since(now)) else {
            return stop(next, &stopping);
        };
        if wait.is_zero() {
            return stop(next, &stopping);
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = ended.notified() => {}
            () = tokio::time::sleep(wait.min(LOOK)) => {}
        }
    }
}

/// The binding whose schedule is the next that may be acted upon.
fn next(bindings: &[Arc<Scheduled>]) -> Option<&Scheduled> {
    let idle = bindings.iter().filter(|binding| !binding.is_backfilling());
    idle.min_by_key(|binding| binding.due)
        .map(|binding| &**binding)
}

fn stop(due: &Scheduled, stopping: &CancellationToken) {
    tracing::info!(
        binding = due.binding,
        schedule_came_round = %due.due,
        "a schedule came round: the capture stops, and reads the binding anew when it opens again"
    );
    stopping.cancel();
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    const START: &str = "2026-03-01T12:00:00Z";

    struct Watched {
        binding: Arc<Scheduled>,
        stopping: CancellationToken,
        watch: tokio::task::JoinHandle<()>,
        began: Instant,
    }

    /// Begins at [`START`], in paused time.
    fn watched(due: &str) -> Watched {
        let ended = Arc::new(Notify::new());
        let began = Instant::now();
        let clock = Clock::Simulated(START.parse().unwrap(), began);
        let binding = Scheduled::new("orders", due.parse().unwrap(), &ended);
        let stopping = CancellationToken::new();
        let bindings = vec![Arc::clone(&binding)];
        let watch = tokio::spawn(watch(bindings, ended, clock, stopping.clone()));
        Watched {
            binding,
            stopping,
            watch,
            began,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_capture_stops_when_the_schedule_comes_round_however_far_away_that_is() {
        for (due, seconds) in [
            ("2026-03-01T12:02:00Z", 120),
            ("2026-03-04T12:00:00Z", 3 * 86_400), // Beyond any horizon of a day: quirk 11.
            ("2026-03-01T11:59:00Z", 0),
            (START, 0),
        ] {
            let watched = watched(due);
            watched.stopping.cancelled().await;
            assert_eq!(watched.began.elapsed().as_secs(), seconds, "{due}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_schedule_that_comes_round_during_a_backfill_stops_the_capture_when_that_ends() {
        let watched = watched("2026-03-01T12:02:00Z");
        let (one, other) = (watched.binding.backfill(), watched.binding.backfill());
        tokio::time::sleep(Duration::from_secs(600)).await;
        drop(one);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(!watched.stopping.is_cancelled(), "one is in progress");
        drop(other);
        watched.stopping.cancelled().await;
        assert_eq!(watched.began.elapsed().as_secs(), 1200);
    }

    #[tokio::test(start_paused = true)]
    async fn quirk_10_a_backfill_that_ends_before_the_schedule_comes_round_stops_nothing() {
        let watched = watched("2026-03-01T12:01:00Z");
        let backfill = watched.binding.backfill();
        tokio::time::sleep(Duration::from_secs(59)).await;
        drop(backfill);
        tokio::time::sleep(Duration::from_millis(900)).await;
        assert!(
            !watched.stopping.is_cancelled(),
            "it is about to come round"
        );
        watched.stopping.cancelled().await;
        assert_eq!(watched.began.elapsed().as_secs(), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn the_watch_ends_with_the_capture() {
        let watched = watched("2027-03-01T12:01:00Z");
        watched.stopping.cancel();
        watched.watch.await.unwrap();
        assert_eq!(watched.began.elapsed().as_secs(), 0);
    }
}
