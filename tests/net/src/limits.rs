//! Servers with limits, simulated, and a limiter that has to find them.
//!
//! Everything happens on Tokio's clock, which a test pauses, and chance is seeded: a run is the same each time. The clients here use the
//! kit's limiter as a connector does; only the network is left out.

mod chart;
mod run;
mod scenarios;
mod server;
mod sweep;

pub use chart::{chart, row};
pub use run::{Run, Second, run, simulate, simulate_with};
pub use scenarios::{Scenario, scenarios};
pub use server::{Others, Rule, Says, Server};
pub use sweep::{Finding, sweep, tally};
