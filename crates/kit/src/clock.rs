//! The time of day, told by one clock so that tests can tell it too.
//!
//! Waits are Tokio's, which a test can pause. A simulated wall clock moves with Tokio's, so that a paused test sees both move together.

use std::cell::Cell;
use std::marker::PhantomData;
#[cfg(feature = "http")]
use std::sync::mpsc;

use jiff::{Timestamp, Unit};
use tokio::time::Instant;

thread_local! {
    /// When the simulated time of this thread began, if there is one.
    static SIMULATED: Cell<Option<(Timestamp, Instant)>> = const { Cell::new(None) };
}

/// The present, to the microsecond: connector states carry no more.
///
/// A connector asks here rather than the machine, so that a test can [simulate](SimulatedTime) a day of it in a moment.
///
/// ```
/// let horizon = staunch::now() - jiff::SignedDuration::from_hours(6);
/// # assert!(horizon < staunch::now());
/// ```
#[must_use]
pub fn now() -> Timestamp {
    Clock::of_thread().now()
}

/// Time on this thread begins when a test says, and moves with Tokio's clock, until this is dropped.
///
/// It is for a harness on a Tokio runtime of one thread whose clock is paused, with the connector and the server that it talks to on it.
/// Such a clock jumps to the next alarm when there is nothing else to do; while the kit's HTTP client waits for a server it stands still.
#[derive(Debug)]
#[must_use = "time is simulated until it is dropped"]
pub struct SimulatedTime {
    of_this_thread: PhantomData<*const ()>,
}

impl SimulatedTime {
    /// It is `start` now.
    pub fn begin(start: Timestamp) -> Self {
        SIMULATED.set(Some((start, Instant::now())));
        Self {
            of_this_thread: PhantomData,
        }
    }
}

impl Drop for SimulatedTime {
    fn drop(&mut self) {
        SIMULATED.set(None);
    }
}

/// Where a session reads the time of day.
#[derive(Clone, Debug)]
pub(crate) enum Clock {
    /// The machine's.
    System,
    /// Begins at a given time, and advances with Tokio's clock.
    Simulated(Timestamp, Instant),
}

impl Clock {
    /// That of the thread that asks.
    pub(crate) fn of_thread() -> Self {
        match SIMULATED.get() {
            None => Clock::System,
            Some((start, since)) => Clock::Simulated(start, since),
        }
    }

    /// The present, to the microsecond: connector states carry no more.
    pub(crate) fn now(&self) -> Timestamp {
        let now = match self {
            Clock::System => Timestamp::now(),
            Clock::Simulated(start, since) => {
                start.checked_add(since.elapsed()).unwrap_or(Timestamp::MAX)
            }
        };
        now.round(Unit::Microsecond).unwrap_or(now)
    }
}

/// Keeps simulated time from going on while somebody outside is waited for, who may take long by another clock. Of no effect otherwise.
#[cfg(feature = "http")]
#[derive(Debug)]
#[must_use = "time goes on when it is dropped"]
pub(crate) struct Held {
    _until_dropped: Option<mpsc::Sender<()>>,
}

#[cfg(feature = "http")]
impl Held {
    pub(crate) fn now() -> Self {
        let simulated = SIMULATED.get();
        let until_dropped = simulated.map(|_| {
            let (until_dropped, dropped) = mpsc::channel();
            // Tokio's clock does not jump while a blocking function runs, in which something may happen.
            tokio::task::spawn_blocking(move || dropped.recv());
            until_dropped
        });
        Self {
            _until_dropped: until_dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_moves_with_the_waits() {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let clock = Clock::Simulated(start, Instant::now());
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(clock.now().to_string(), "2026-03-01T12:01:30Z");
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_thread_is_simulated_until_the_guard_is_dropped() {
        let start: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let simulated = SimulatedTime::begin(start);
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(now().to_string(), "2026-03-01T13:00:00Z");
        let elsewhere = std::thread::spawn(now).join().unwrap();
        assert_ne!(elsewhere.to_string(), "2026-03-01T13:00:00Z");
        drop(simulated);
        assert_ne!(now().to_string(), "2026-03-01T13:00:00Z");
    }

    #[cfg(feature = "http")]
    #[tokio::test(start_paused = true)]
    async fn simulated_time_stands_still_while_it_is_held() {
        let _simulated = SimulatedTime::begin("2026-03-01T12:00:00Z".parse().unwrap());
        let held = Held::now();
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            let _ = tell.send(());
        });
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(1)) => panic!("it went on"),
            told = told => told.unwrap(),
        }
        drop(held);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(now().to_string(), "2026-03-01T12:00:00.001Z");
    }
}
