//! The rate that a server allows, found out from what it serves and what it refuses.
//!
//! A server that refuses a request has served, until then, just as much as it allows: what it served from one refusal to the next is its
//! rate, whether it counts by windows, fills a bucket, or does something else. That is *measured*, so there is no need to fall far below
//! it and to climb back. Three states:
//!
//! - *free*: nothing was refused yet. Requests wait only for there to be fewer of them under way than were shown to be borne: four to
//!   begin with, and more with each that is served.
//! - *searching*: a limit was met, but too few requests were served between two refusals for a measurement; or what was measured has
//!   been exceeded for long without a refusal. The rate is cut at each refusal, and grows by a share of itself as long as there is none.
//! - *known*: the rate was measured. It begins a little below, comes up to what was measured, stays near it, and leaves it faster and
//!   faster: the curve of CUBIC (RFC 9438), whose time scale depends on what a refusal costs.
//!
//! One cut per round: what was sent before a cut cannot know of it, so its refusals cut nothing. While the newest request that was heard
//! of was refused, the server is *closed*: it is asked at growing intervals until it serves again.
//!
//! Refusals are a debt: if more than one request in fifty was refused of late, as after a start with many callers, the rate grows as much
//! more slowly.

mod edge;

use std::time::Duration;

use tokio::time::Instant;

use super::control::Ticket;
use super::meter::Meter;
use edge::{Edge, LOWER, MEASURED};

/// The slowest that is ever paced: a request per minute.
const MIN_PER_SECOND: f64 = 1.0 / 60.0;

/// How far apart requests are to a server that refuses all of them.
const MAX_PROBE: Duration = Duration::from_secs(5);

/// What is begun with, of what was measured.
const MARGIN: f64 = 0.97;

/// How far above what was measured one is, as long after reaching it as it took to reach it.
const EXCESS: f64 = 0.05;

/// After how many times as long as it took to reach what was measured that is not believed any more, for want of a refusal.
const BEYOND: f64 = 2.3;

/// What a search grows by, in the time of [`MEASURED`] requests, of two round trips, for which the server was closed, or of a second,
/// whichever is longest: a bucket that is full takes in a while of anything.
const GROWTH: f64 = 1.5;

/// How far the rate that was refused may be above what was measured, for that to be certain; and how much sooner one tries for more if it
/// is not.
const CERTAIN: f64 = 1.25;
const SOONER: f64 = 0.4;

/// The least and the most that is left of a rate that is cut without a measurement.
const CUT: (f64, f64) = (0.25, 0.7);

/// How long it takes to come back to what was measured: at least, and at most.
const SCALE: (f64, f64) = (5.0, 60.0);

/// How many requests may be under way before anything was answered.
const AT_ONCE: f64 = 4.0;

/// An answer lets in as much of one more request as it took of these seconds, and one at most: those under way double with each round trip
/// where answers are slow, and about as often where they are fast.
const DOUBLED: f64 = 0.5;

/// Which share of requests may be refused before tries become rarer, how much rarer at most, and of about how many requests it is reckoned.
const WORTH: f64 = 0.02;
const MAX_DEBT: f64 = 4.0;
const MEMORY: f64 = 1_000.0;

/// What a server asks to wait is rounded up by as much.
const ROUNDED: Duration = Duration::from_secs(1);

/// While nothing is heard, how soon after the last request one more is sent than may be under way.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far a request may be ahead of its turn, since timers are that coarse.
const TOLERANCE: Duration = Duration::from_millis(1);

#[derive(Debug)]
pub(super) struct Search {
    state: State,
    /// Requests that are not answered yet.
    under_way: u64,
    /// How many requests were refused of late, and how many were answered.
    answers: (f64, f64),
    /// Since a refusal was followed by a served request.
    meter: Option<Meter>,
    /// The refusal that a cut was made for, until the server serves again.
    edge: Option<Edge>,
    /// Requests before this one were sent before the last cut.
    cut_before: u64,
    /// The newest requests that were refused and served: one more than their numbers.
    refused: u64,
    served: u64,
    /// While closed: how far apart requests are.
    probe: Duration,
    /// When the last request's turn was, and what it cost.
    last: Option<(Instant, f64)>,
    /// How long an answer takes, and what a request costs, in the mean.
    round_trip: f64,
    cost: f64,
    /// For how long the server was closed lately.
    closed_for: f64,
}

#[derive(Debug)]
enum State {
    Free {
        /// How many requests may be under way.
        at_once: f64,
    },
    Searching {
        per_second: f64,
    },
    Known {
        /// What was measured.
        measured: f64,
        /// Seconds since then in which requests had to wait, and seconds until it is reached.
        paced: f64,
        scale: f64,
        /// That it was lowered for a single refusal that came early.
        is_lowered: bool,
    },
}

impl Search {
    /// For a server of which nothing is known.
    pub(super) fn new() -> Self {
        Self::beginning_with(AT_ONCE)
    }

    /// For a server whose limit is known, and kept by others.
    pub(super) fn unbounded() -> Self {
        Self::beginning_with(f64::INFINITY)
    }

    fn beginning_with(at_once: f64) -> Self {
        Self {
            state: State::Free { at_once },
            under_way: 0,
            answers: (0.0, 0.0),
            meter: None,
            edge: None,
            cut_before: 0,
            refused: 0,
            served: 0,
            probe: Duration::ZERO,
            last: None,
            round_trip: 0.0,
            cost: 0.0,
            closed_for: 0.0,
        }
    }

    pub(super) fn rate(&self) -> Option<f64> {
        match self.state {
            State::Free { .. } => None,
            State::Searching { per_second } => Some(per_second),
            State::Known {
                measured,
                paced,
                scale,
                ..
            } => {
                let beyond = (paced / scale - 1.0).powi(3);
                let share = if beyond < 0.0 { 1.0 - MARGIN } else { EXCESS };
                Some(measured * (1.0 + share * beyond))
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.refused > self.served
    }

    /// How far the next request is from the last.
    fn spacing(&self) -> Duration {
        let Some(per_second) = self.rate() else {
            return Duration::ZERO;
        };
        let cost = self.last.map_or(1.0, |(_, cost)| cost);
        let spacing = Duration::from_secs_f64((cost / per_second).min(1.0 / MIN_PER_SECOND));
        if self.is_closed() {
            spacing.max(self.probe)
        } else {
            spacing
        }
    }

    pub(super) fn next_turn(&self, now: Instant) -> Instant {
        match (&self.state, self.last) {
            (_, None) => now,
            (State::Free { at_once }, Some((last, _))) => {
                if (self.under_way as f64) < *at_once {
                    now
                } else {
                    last + PATIENCE
                }
            }
            (_, Some((last, _))) => {
                let turn = last + self.spacing();
                if turn <= now + TOLERANCE.min(self.spacing() / 2) {
                    now
                } else {
                    turn
                }
            }
        }
    }

    /// A request is sent. At which pace.
    pub(super) fn begin(&mut self, now: Instant, cost: f64) -> Option<f64> {
        self.under_way += 1;
        self.meter.get_or_insert_with(|| Meter::from(now));
        let spacing = self.spacing();
        let turn = match self.last {
            Some((last, _)) if !matches!(self.state, State::Free { .. }) => {
                let due = last + spacing;
                let late = now.saturating_duration_since(due);
                if late <= TOLERANCE.max(spacing) {
                    self.grow(spacing.as_secs_f64());
                } else if let Some(meter) = &mut self.meter {
                    meter.idle(late);
                }
                // A timer that is late does not slow down the whole.
                let behind = now.checked_sub(TOLERANCE).unwrap_or(now);
                due.clamp(behind, now + TOLERANCE)
            }
            _ => now,
        };
        self.last = Some((turn, cost));
        self.cost = if self.cost == 0.0 {
            cost
        } else {
            self.cost + (cost - self.cost) / 8.0
        };
        self.rate()
    }

    /// A request had to wait for its turn for so long: the rate is what holds it back, so it is worth a try whether there is more.
    fn grow(&mut self, seconds: f64) {
        if self.is_closed() {
            return;
        }
        let debt = self.debt();
        match &mut self.state {
            State::Free { .. } => {}
            State::Searching { per_second } => {
                let slowest = (2.0 * self.round_trip).max(self.closed_for).max(1.0);
                let share = (1.0 / MEASURED as f64).min(seconds / slowest);
                *per_second *= GROWTH.powf(share / debt);
            }
            State::Known {
                paced,
                scale,
                measured,
                ..
            } => {
                *paced += seconds / debt;
                if *paced > BEYOND * *scale {
                    // It allows more than was measured, nobody knows how much more.
                    let per_second = *measured * (1.0 + EXCESS * (BEYOND - 1.0).powi(3));
                    self.state = State::Searching { per_second };
                }
            }
        }
    }

    /// A request is not under way any more, whatever came of it.
    pub(super) fn end(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    pub(super) fn on_served(&mut self, now: Instant, ticket: Ticket) {
        self.heard(now, ticket, false);
        if let State::Free { at_once } = &mut self.state {
            let took = now.saturating_duration_since(ticket.sent).as_secs_f64();
            *at_once += (took / DOUBLED).min(1.0);
        }
        let was_closed = self.is_closed();
        self.served = self.served.max(ticket.number + 1);
        if was_closed && !self.is_closed() {
            self.open(ticket);
        }
        let span = match self.state {
            State::Known { scale, .. } => Duration::from_secs_f64(2.0 * scale),
            _ => Duration::from_secs(10),
        };
        if let Some(meter) = &mut self.meter {
            meter.count(ticket.sent, ticket.cost, span);
        }
    }

    /// A request was refused, and the server asks to wait; the next request will be number `next`.
    pub(super) fn on_refused(&mut self, now: Instant, ticket: Ticket, next: u64, wait: Duration) {
        self.heard(now, ticket, true);
        self.closed_for = self.closed_for.max(wait.as_secs_f64());
        self.refused = self.refused.max(ticket.number + 1);
        if ticket.number < self.cut_before {
            return;
        }
        self.cut_before = next;
        if self.edge.is_some() {
            self.probe = (2 * self.probe).min(MAX_PROBE);
            return;
        }
        let Some(reading) = self.meter.as_ref().map(Meter::read) else {
            return; // It was sent, so there is one.
        };
        let all = ticket.sent.saturating_duration_since(reading.since);
        let edge = Edge {
            sent: ticket.sent,
            asked: wait.min(ROUNDED).as_secs_f64(),
            served: reading.served,
            cost: reading.cost,
            open: all.saturating_sub(reading.idle).as_secs_f64(),
            all: all.as_secs_f64(),
            per_second: ticket.pace,
            is_first: !matches!(self.state, State::Known { .. }),
            is_early: matches!(self.state, State::Known { paced, scale, .. } if paced < scale / 2.0),
            is_single: matches!(
                self.state,
                State::Known {
                    is_lowered: false,
                    ..
                }
            ),
        };
        self.cut(edge, 0.0);
        if self.is_closed() {
            self.edge = Some(edge);
        } else {
            self.meter = Some(Meter::from(ticket.sent)); // A later one has been served already.
        }
        self.probe = Duration::ZERO; // The last one's, which has no part in the spacing.
        self.probe = Duration::from_secs_f64(self.round_trip.max(self.closed_for / 10.0))
            .max(self.spacing())
            .min(MAX_PROBE);
        // The server was full when it was asked, not when it answered.
        if let Some((last, _)) = &mut self.last {
            *last = ticket.sent.max(*last);
        }
    }

    /// The server serves again, from this request on.
    fn open(&mut self, ticket: Ticket) {
        let Some(edge) = self.edge.take() else {
            return;
        };
        let closed = ticket
            .sent
            .saturating_duration_since(edge.sent)
            .as_secs_f64();
        self.closed_for = closed.max(0.7 * self.closed_for);
        // It may have opened at any time since the last probe; or it said by a second too late when it would, which is much if it was
        // open for longer than that.
        let unasked = self.probe.as_secs_f64() / 2.0;
        let asked = edge.asked * edge.open / (edge.open + edge.asked).max(1e-3);
        self.cut(edge, (closed - unasked.max(asked)).max(0.0));
        self.meter = Some(Meter::from(ticket.sent));
    }

    /// Sets the rate to what was served until the edge, after which the server was closed for so many seconds.
    fn cut(&mut self, edge: Edge, closed: f64) {
        let floor = MIN_PER_SECOND * self.cost;
        self.state = match edge.per_second {
            Some(before) if edge.served >= MEASURED => {
                let served = edge.cost / edge.open.max(1e-3);
                let is_certain = !edge.is_first && before <= CERTAIN * served;
                let measured = edge
                    .measured(before, closed, self.round_trip, self.cost)
                    .max(floor);
                State::Known {
                    measured,
                    paced: 0.0,
                    scale: self.scale(measured) * if is_certain { 1.0 } else { SOONER },
                    is_lowered: false,
                }
            }
            Some(before) if edge.is_early && edge.is_single => {
                let measured = (LOWER * before).max(floor);
                State::Known {
                    measured,
                    paced: 0.0,
                    scale: self.scale(measured) * SOONER,
                    is_lowered: true,
                }
            }
            before => {
                // All may have been sent at once, so what was served until the refusal came counts by then.
                let seconds = (edge.open + closed).max(self.round_trip).max(1e-3);
                let seen = (edge.cost + self.cost) / seconds;
                let cut = before.map_or(seen, |before| seen.clamp(CUT.0 * before, CUT.1 * before));
                State::Searching {
                    per_second: cut.max(floor),
                }
            }
        };
    }

    /// The more a refusal costs, in requests, in time until it is heard of, and in time without service, the rarer they shall be.
    fn scale(&self, measured: f64) -> f64 {
        let requests = 50.0 * self.cost / measured;
        let seconds = requests
            .max(10.0 * self.round_trip)
            .max((15.0 * self.closed_for).min(20.0));
        seconds.clamp(SCALE.0, SCALE.1)
    }

    /// How many times as many requests were refused of late as should be; at least 1, at most 4.
    fn debt(&self) -> f64 {
        let (refused, all) = self.answers;
        (refused / all.max(1.0) / WORTH).clamp(1.0, MAX_DEBT)
    }

    fn heard(&mut self, now: Instant, ticket: Ticket, is_refused: bool) {
        let (refused, all) = &mut self.answers;
        *all += 1.0;
        *refused += if is_refused { 1.0 } else { 0.0 };
        if *all >= MEMORY {
            (*refused, *all) = (*refused / 2.0, *all / 2.0);
        }
        let took = now.saturating_duration_since(ticket.sent).as_secs_f64();
        self.round_trip = if self.round_trip == 0.0 {
            took
        } else {
            self.round_trip + (took - self.round_trip) / 8.0
        };
    }
}
