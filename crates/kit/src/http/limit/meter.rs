//! How much a server has served of late.

use std::time::Duration;

use tokio::time::Instant;

/// What was served since a moment that is not too long ago, told by when it was asked for, not when it was answered: how long answers
/// take has no part in it.
#[derive(Debug)]
pub(super) struct Meter {
    /// The older part, and the one that is being filled.
    parts: [Part; 2],
}

#[derive(Clone, Copy, Debug)]
struct Part {
    since: Instant,
    idle: Duration,
    served: u64,
    cost: f64,
}

/// What was served in a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) since: Instant,
    /// For how long nothing was asked, though it might have been.
    pub(super) idle: Duration,
    pub(super) served: u64,
    pub(super) cost: f64,
}

impl Meter {
    /// Begins with a request that was sent then.
    pub(super) fn from(since: Instant) -> Self {
        let part = Part {
            since,
            idle: Duration::ZERO,
            served: 0,
            cost: 0.0,
        };
        Self {
            parts: [part, part],
        }
    }

    /// Counts a request; what is older than one to two times `span` is forgotten.
    pub(super) fn count(&mut self, sent: Instant, cost: f64, span: Duration) {
        let [old, new] = &mut self.parts;
        if sent < old.since {
            return; // Of a time that is not measured any more.
        }
        if sent.saturating_duration_since(new.since) > span {
            *old = *new;
            *new = Part {
                since: sent,
                idle: Duration::ZERO,
                served: 0,
                cost: 0.0,
            };
        }
        let part = if sent < new.since { old } else { new };
        part.served += 1;
        part.cost += cost;
    }

    /// Nothing was asked for so long.
    pub(super) fn idle(&mut self, time: Duration) {
        let [_, new] = &mut self.parts;
        new.idle += time;
    }

    pub(super) fn read(&self) -> Reading {
        let [old, new] = &self.parts;
        let same = old.since == new.since;
        Reading {
            since: old.since,
            idle: new.idle + if same { Duration::ZERO } else { old.idle },
            served: new.served + if same { 0 } else { old.served },
            cost: new.cost + if same { 0.0 } else { old.cost },
        }
    }
}
