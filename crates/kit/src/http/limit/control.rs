//! Whose turn is when. Decides only: it reads no clock, and waits for nothing.
//!
//! A turn comes when all of these allow it: the limit that the author knows, the rate that was found out, what the server says of its
//! window or its budget, and `Retry-After`.

use std::time::Duration;

use tokio::time::Instant;

use super::hints::Hints;
use super::search::Search;
use super::{MAX_PAUSE, Outcome, budget, fixed::Fixed, quota};

/// What decides for one limiter.
#[derive(Debug)]
pub(super) struct Control {
    fixed: Option<Fixed>,
    search: Search,
    quota: quota::Told,
    budget: budget::Told,
    /// What the server asked to wait for.
    not_before: Option<Instant>,
    /// The number of the next request.
    next: u64,
}

/// A request that was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) number: u64,
    pub(super) sent: Instant,
    pub(super) cost: f64,
    /// The rate that was found out until then.
    pub(super) pace: Option<f64>,
}

impl Control {
    pub(super) fn adaptive() -> Self {
        Self {
            fixed: None,
            search: Search::new(),
            quota: quota::Told::default(),
            budget: budget::Told::default(),
            not_before: None,
            next: 0,
        }
    }

    pub(super) fn fixed(requests: f64, window: Duration) -> Self {
        Self {
            fixed: Some(Fixed::new(requests, window)),
            search: Search::unbounded(),
            ..Self::adaptive()
        }
    }

    pub(super) fn set_burst(&mut self, requests: f64) {
        if let Some(fixed) = &mut self.fixed {
            fixed.set_burst(requests);
        }
    }

    /// In requests or cost per second; none while it is not known that there is a limit.
    pub(super) fn rate(&self) -> Option<f64> {
        let fixed = self.fixed.as_ref().map(Fixed::per_second);
        match (fixed, self.search.rate()) {
            (Some(fixed), Some(found)) => Some(fixed.min(found)),
            (fixed, found) => fixed.or(found),
        }
    }

    /// When a request of this cost may be sent, as far as is known now: not before `now`, and not later than [`MAX_PAUSE`] after it
    /// unless a fixed limit says so.
    pub(super) fn next_turn(&self, now: Instant, cost: f64) -> Instant {
        let found = [
            self.search.next_turn(now),
            self.quota.next_turn(now),
            self.budget.next_turn(now, cost),
            self.not_before.unwrap_or(now),
        ];
        let found = found
            .into_iter()
            .fold(now, Instant::max)
            .min(now + MAX_PAUSE);
        let fixed = self.fixed.as_ref().map(|fixed| fixed.next_turn(now));
        fixed.map_or(found, |fixed| fixed.max(found))
    }

    /// A request is sent now, whether it is its turn or not.
    pub(super) fn begin(&mut self, now: Instant, cost: f64) -> Ticket {
        let number = self.next;
        self.next += 1;
        if let Some(fixed) = &mut self.fixed {
            fixed.begin(now, cost);
        }
        let pace = self.search.begin(now, cost);
        self.quota.begin(now, number);
        self.budget.begin(cost);
        Ticket {
            number,
            sent: now,
            cost,
            pace,
        }
    }

    /// How a request went.
    pub(super) fn on_answer(&mut self, now: Instant, ticket: Ticket, outcome: &Outcome) {
        self.search.end();
        let (hints, is_served) = match outcome {
            Outcome::Served(hints) => (hints, true),
            Outcome::Throttled(hints) => (hints, false),
            Outcome::Failed => {
                self.budget.on_answer(now, ticket.cost, None);
                return;
            }
        };
        self.on_hints(now, ticket, hints, is_served);
        if is_served {
            self.search.on_served(now, ticket);
        } else if hints.budget.is_none() || !self.budget.is_some() {
            // Where there is a budget, it says all: the rate is its own.
            let wait = hints.retry_after.unwrap_or_default().min(MAX_PAUSE);
            self.search.on_refused(now, ticket, self.next, wait);
        }
    }

    fn on_hints(&mut self, now: Instant, ticket: Ticket, hints: &Hints, is_served: bool) {
        self.budget.on_answer(now, ticket.cost, hints.budget);
        if let Some(quota) = &hints.quota {
            self.quota
                .on_answer(now, ticket, is_served, quota, self.next);
        }
        if let (false, Some(wait)) = (is_served, hints.retry_after) {
            let until = now + wait.min(MAX_PAUSE);
            self.not_before = Some(self.not_before.map_or(until, |known| known.max(until)));
        }
    }
}

#[cfg(test)]
mod tests;
