//! What a refusal says of a server's rate.
//!
//! A bucket has served its rate from one refusal to the next. A window has, too, if the time until the next one begins is counted. Neither
//! is exact: a bucket was fuller than empty, a rate that rose was lower before than it was in the end, a window began before that was
//! seen. So what was served is weighed against the rate that was refused, which was too high.

use tokio::time::Instant;

/// How many requests must have been served for a measurement.
pub(super) const MEASURED: u64 = 8;

/// What is left of a measurement if a request is refused before the rate has come up to it: at most, and if little was served until then.
const EARLY: f64 = 0.92;
pub(super) const LOWER: f64 = 0.85;

/// A refusal for which the rate is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) sent: Instant,
    /// For how many seconds it may have been closed only because the server asked to wait in whole seconds.
    pub(super) asked: f64,
    /// The rate that was too high; none where nothing was held back.
    pub(super) per_second: Option<f64>,
    /// That it was below what had been measured: that was too much.
    pub(super) is_early: bool,
    /// That it is the first of its kind: it may have been chance.
    pub(super) is_single: bool,
    /// That nothing had been measured yet.
    pub(super) is_first: bool,
    /// What was served until then.
    pub(super) served: u64,
    pub(super) cost: f64,
    /// In how many seconds: without those in which nothing was asked, and with them.
    pub(super) open: f64,
    pub(super) all: f64,
}

impl Edge {
    /// The rate that the server allows, which refused the rate `before` and then all requests for `closed` seconds. The last two are what a
    /// round trip takes and a request costs, in the mean.
    pub(super) fn measured(&self, before: f64, closed: f64, round_trip: f64, cost: f64) -> f64 {
        let served = self.cost / self.open.max(1e-3);
        let by_windows = closed > (5.0 * cost / served).max(2.0 * round_trip).max(2.0);
        let seen = if by_windows {
            1.15 * self.cost / (self.open + closed)
        } else if self.served >= 3 * MEASURED {
            (served * before.min(2.0 * served)).sqrt()
        } else {
            served
        };
        if self.is_early {
            let least = self.cost / (self.all + closed).max(1e-3);
            (seen * seen * least)
                .cbrt()
                .min(EARLY * before)
                .max(0.5 * before)
        } else {
            seen.clamp(0.75 * before, before)
        }
    }
}
