//! A budget of which the server says how much is left.

use std::time::Duration;

use tokio::time::Instant;

use super::hints::Budget;

/// How long one believes in a budget that does not suffice.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is left of a budget, as told last, restored since, and less what is under way.
#[derive(Debug, Default)]
pub(super) struct Told {
    last: Option<(Instant, Budget)>,
    /// What those requests cost whose answers are not there yet: what was told may be from before them.
    under_way: f64,
    requests: u64,
}

impl Told {
    pub(super) fn is_some(&self) -> bool {
        self.last.is_some()
    }

    pub(super) fn begin(&mut self, cost: f64) {
        self.under_way += cost;
        self.requests += 1;
    }

    /// A request has been answered. A budget that cannot be is not believed.
    pub(super) fn on_answer(&mut self, now: Instant, cost: f64, budget: Option<Budget>) {
        self.requests = self.requests.saturating_sub(1);
        self.under_way = match self.requests {
            0 => 0.0, // Exactly: what is added and taken away need not come to nothing.
            _ => (self.under_way - cost).max(0.0),
        };
        if let Some(budget) = budget.filter(is_possible) {
            self.last = Some((now, budget));
        }
    }

    pub(super) fn next_turn(&self, now: Instant, cost: f64) -> Instant {
        let Some((told, budget)) = self.last else {
            return now;
        };
        let restored =
            now.saturating_duration_since(told).as_secs_f64() * budget.restored_per_second;
        let left = (budget.available + restored).min(budget.maximum) - self.under_way;
        // What costs more than there can ever be is let through when all is there, for the server to refuse.
        let missing = cost.min(budget.maximum) - left;
        if missing <= 0.0 {
            return now;
        }
        let wait = (missing / budget.restored_per_second).min(PATIENCE.as_secs_f64());
        let wait = Duration::from_secs_f64(wait).max(Duration::from_millis(1));
        // Counted from when it was told, so that asking again and again does not put it off.
        (now + wait).min((told + PATIENCE).max(now))
    }
}

fn is_possible(budget: &Budget) -> bool {
    let Budget {
        available,
        maximum,
        restored_per_second: restored,
    } = budget;
    available.is_finite()
        && maximum.is_finite()
        && restored.is_finite()
        && *maximum > 0.0
        && *restored > 0.0
        && available <= maximum
}
