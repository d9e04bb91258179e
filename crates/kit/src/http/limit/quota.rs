//! A number of requests per window of which the server says how many are left.

use std::time::Duration;

use tokio::time::Instant;

use super::MAX_PAUSE;
use super::control::Ticket;
use super::hints::Quota;

/// How long a wait may be for a window that is said to be used up. A wrong clock or a wrong header costs no more than that at a time.
const PATIENCE: Duration = Duration::from_secs(60);

/// How far apart requests are at most while there are said to be some left.
const MAX_SPACING: Duration = Duration::from_secs(10);

/// Windows that are shorter are found out: most servers tell of them in whole seconds, and half a second too much is too much.
const SHORTEST: Duration = Duration::from_secs(5);

/// What is left of a window, as told last, less what was sent since.
#[derive(Debug, Default)]
pub(super) struct Told {
    window: Option<Window>,
    /// The longest that a window was said to last.
    longest: Duration,
    /// Requests were served that should not have been: what is said is not so.
    is_wrong: bool,
}

#[derive(Debug)]
struct Window {
    /// The newest request of which the answer told of it.
    number: u64,
    /// What that answer said, and what is left of it now.
    told: u64,
    left: u64,
    limit: u64,
    ends: Instant,
    /// When a request was last sent, or else when it was first told of.
    last: Instant,
    /// From which request on nothing was left.
    used_up_by: Option<u64>,
}

impl Told {
    /// That a request is sent: the number `number`.
    pub(super) fn begin(&mut self, now: Instant, number: u64) {
        if let Some(window) = &mut self.window {
            if window.left == 0 {
                window.used_up_by.get_or_insert(number);
            }
            window.left = window.left.saturating_sub(1);
            window.last = now;
        }
    }

    /// A request was answered; the next one will be number `next`.
    pub(super) fn on_answer(
        &mut self,
        now: Instant,
        ticket: Ticket,
        is_served: bool,
        quota: &Quota,
        next: u64,
    ) {
        let Ticket { number, sent, .. } = ticket;
        self.longest = self.longest.max(quota.reset_after);
        let limit = quota.limit.unwrap_or(0).max(quota.remaining);
        // The server said so somewhere between. Where it says it in whole seconds, it is too late by up to one: the earliest is the
        // nearest.
        let ends =
            sent + now.saturating_duration_since(sent) / 2 + quota.reset_after.min(MAX_PAUSE);
        if let Some(window) = &mut self.window {
            if is_served
                && quota.remaining == 0
                && window.used_up_by.is_some_and(|first| number >= first)
                && now < window.ends
            {
                self.is_wrong = true;
            }
            if number < window.number {
                return;
            }
        }
        if quota.remaining > 0 {
            self.is_wrong = false;
        }
        let left = quota
            .remaining
            .saturating_sub(next.saturating_sub(number + 1));
        let same = self
            .window
            .as_ref()
            .filter(|window| quota.remaining <= window.told && window.ends > now);
        self.window = Some(Window {
            number,
            told: quota.remaining,
            left,
            limit: same.map_or(limit, |window| window.limit.max(limit)),
            ends: same.map_or(ends, |window| window.ends.min(ends)),
            last: self.window.as_ref().map_or(now, |window| window.last),
            used_up_by: same.and_then(|window| window.used_up_by),
        });
    }

    /// Freely while at least half is left; then evenly over the rest of the window, so that no long wait is at its end.
    pub(super) fn next_turn(&self, now: Instant) -> Instant {
        let Some(window) = self
            .window
            .as_ref()
            .filter(|window| !self.is_wrong && self.longest >= SHORTEST && window.ends > now)
        else {
            return now;
        };
        if window.left == 0 {
            return window.ends.min(window.last + PATIENCE).max(now);
        }
        if window.left >= window.limit.div_ceil(2) {
            return now;
        }
        let rest = window.ends.saturating_duration_since(window.last);
        let parts = u32::try_from(window.left.saturating_add(1)).unwrap_or(u32::MAX); // The last one comes before the end.
        (window.last + (rest / parts).min(MAX_SPACING)).max(now)
    }
}
