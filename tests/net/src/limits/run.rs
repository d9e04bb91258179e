//! Clients that ask a simulated server through a limiter.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use staunch::http::{Budget, Hints, Limiter, Outcome};
use tokio::time::Instant;

use super::scenarios::Scenario;
use super::server::{Says, Server};

/// What happened in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Second {
    /// What was allowed: what the limit leaves to these clients, or what they can ask for at most.
    pub allowed: f64,
    /// What was served.
    pub served: f64,
    /// Requests that were refused.
    pub refused: u64,
    /// Requests that were answered.
    pub answered: u64,
}

/// What came of a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Second by second.
    pub seconds: Vec<Second>,
}

impl Run {
    /// What was served of what was allowed, in these seconds.
    #[must_use]
    pub fn share(&self, from: usize, until: usize) -> f64 {
        let seconds = &self.seconds[from.min(self.seconds.len())..until.min(self.seconds.len())];
        let served: f64 = seconds.iter().map(|second| second.served).sum();
        served / seconds.iter().map(|second| second.allowed).sum::<f64>()
    }

    /// Requests that were refused, of all that were answered until then.
    #[must_use]
    pub fn refused(&self, until: usize) -> f64 {
        let seconds = &self.seconds[..until.min(self.seconds.len())];
        let refused: u64 = seconds.iter().map(|second| second.refused).sum();
        refused as f64
            / seconds
                .iter()
                .map(|second| second.answered)
                .sum::<u64>()
                .max(1) as f64
    }

    /// From which second on, beginning with `from`, ten seconds have at least nine tenths of what is allowed.
    #[must_use]
    pub fn reached(&self, from: usize) -> Option<usize> {
        (from..self.seconds.len().saturating_sub(9))
            .find(|second| self.share(*second, second + 10) >= 0.9)
    }
}

/// Runs it on a clock of its own, with a limiter that knows nothing.
#[must_use]
pub fn simulate(scenario: &Scenario) -> Run {
    simulate_with(scenario, Limiter::default())
}

/// Runs it on a clock of its own, with this limiter.
#[must_use]
pub fn simulate_with(scenario: &Scenario, limiter: Limiter) -> Run {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    runtime
        .expect("a runtime without I/O takes nothing that could be missing")
        .block_on(run(scenario, limiter))
}

/// Runs it on Tokio's clock, which must be paused.
pub async fn run(scenario: &Scenario, limiter: Limiter) -> Run {
    let began = Instant::now();
    let mut seconds = vec![Second::default(); scenario.seconds];
    for (second, at) in seconds.iter_mut().zip(0_u32..) {
        let limit = scenario.server.rate_for_us(f64::from(at));
        let can = scenario.callers as f64 * scenario.cost.1 / scenario.latency;
        second.allowed = limit.min(can);
    }
    let shared = Arc::new(Shared {
        scenario: scenario.clone(),
        began,
        limiter,
        world: Mutex::new(World {
            server: scenario.server.clone(),
            seconds,
            chance: 0x5eed,
        }),
    });
    let callers: Vec<_> = (0..scenario.callers)
        .map(|_| tokio::spawn(shared.clone().call()))
        .collect();
    tokio::time::sleep(Duration::from_secs(scenario.seconds as u64)).await;
    for caller in callers {
        caller.abort();
    }
    let world = shared.world.lock().expect("no caller has panicked");
    Run {
        seconds: world.seconds.clone(),
    }
}

struct Shared {
    scenario: Scenario,
    began: Instant,
    limiter: Limiter,
    world: Mutex<World>,
}

struct World {
    server: Server,
    seconds: Vec<Second>,
    chance: u64,
}

impl World {
    /// Between 0 and 1.
    fn chance(&mut self) -> f64 {
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Shared {
    async fn call(self: Arc<Self>) {
        let (requested, actual) = self.scenario.cost;
        loop {
            let permit = self.limiter.acquire_cost(requested).await;
            let half = self
                .world()
                .chance()
                .mul_add(self.scenario.jitter, 1.0 - self.scenario.jitter / 2.0)
                * self.scenario.latency
                / 2.0;
            tokio::time::sleep(Duration::from_secs_f64(half)).await;
            let is_served = self.ask(requested, actual);
            if is_served && matches!(self.scenario.server.rule, super::Rule::AtOnce(_)) {
                tokio::time::sleep(Duration::from_secs_f64(half)).await; // It works on it for that long.
                self.world().server.done(0.0);
            }
            let hints = self.hints(is_served, requested - actual);
            tokio::time::sleep(Duration::from_secs_f64(half)).await;
            permit.report(if is_served {
                Outcome::Served(hints)
            } else {
                Outcome::Throttled(hints)
            });
        }
    }

    fn ask(&self, requested: f64, actual: f64) -> bool {
        let at = self.began.elapsed().as_secs_f64();
        let mut world = self.world();
        let is_served = world.server.ask(at, requested);
        if let Some(second) = world.seconds.get_mut(at as usize) {
            second.answered += 1;
            if is_served {
                second.served += actual;
            } else {
                second.refused += 1;
            }
        }
        is_served
    }

    fn hints(&self, is_served: bool, refund: f64) -> Hints {
        let at = self.began.elapsed().as_secs_f64();
        let mut world = self.world();
        if is_served && refund > 0.0 {
            world.server.done(refund);
        }
        let mut hints = Hints::of(
            &world.server.headers(at, is_served),
            jiff::Timestamp::UNIX_EPOCH,
        );
        if world.server.says == Says::Budget {
            let (available, maximum, _) = world.server.left(at);
            let restored_per_second = world.server.rate(at);
            hints.budget = Some(Budget {
                available,
                maximum,
                restored_per_second,
            });
        }
        hints
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().expect("no caller has panicked")
    }
}
