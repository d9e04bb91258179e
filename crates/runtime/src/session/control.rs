//! Stopping a run: at the next checkpoint, or now.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How urgently a run is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// It may go on.
    None,
    /// It ends at a checkpoint.
    Drain,
    /// It ends now. What was captured since the last commit is captured again later.
    Now,
}

/// Asks runs to end. Clones are one and the same.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<(Mutex<StopState>, Condvar)>);

#[derive(Debug, Default)]
struct StopState {
    requests: u8,
    /// Wakes waiters for another reason: a session has ended.
    bell: u64,
}

impl Stop {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for an end at the next checkpoint; asked again, for an end now.
    pub fn request(&self) {
        let mut state = self.lock();
        state.requests = state.requests.saturating_add(1);
        self.0.1.notify_all();
    }

    /// What was asked for so far.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        match self.lock().requests {
            0 => Urgency::None,
            1 => Urgency::Drain,
            _ => Urgency::Now,
        }
    }

    /// How often the bell has rung. To be read before whatever a ring tells of is looked at, lest that ring is missed.
    pub(crate) fn rings(&self) -> u64 {
        self.lock().bell
    }

    /// Waits until more is asked for than `known`, or the bell has rung more often than `bell`, or for `time`. Says what is
    /// asked for by then.
    pub(crate) fn wait(&self, bell: u64, known: Urgency, time: Duration) -> Urgency {
        let state = self.lock();
        let is_unchanged =
            |state: &mut StopState| state.bell == bell && u8::min(state.requests, 2) <= known as u8;
        let waited = self.0.1.wait_timeout_while(state, time, is_unchanged);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.urgency()
    }

    /// Wakes all who wait.
    pub(crate) fn ring(&self) {
        self.lock().bell += 1;
        self.0.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, StopState> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_drains_and_the_second_ends_now() {
        let stop = Stop::new();
        assert_eq!(stop.urgency(), Urgency::None);
        stop.request();
        assert_eq!(
            stop.wait(stop.rings(), Urgency::None, Duration::from_secs(60)),
            Urgency::Drain
        );
        stop.clone().request();
        assert_eq!(
            stop.wait(stop.rings(), Urgency::Drain, Duration::from_secs(60)),
            Urgency::Now
        );
    }

    #[test]
    fn a_ring_between_the_look_and_the_wait_is_not_missed() {
        let stop = Stop::new();
        let rings = stop.rings();
        stop.ring();
        // Would wait for ever, but for the ring.
        assert_eq!(
            stop.wait(rings, Urgency::None, Duration::MAX),
            Urgency::None
        );
    }
}
