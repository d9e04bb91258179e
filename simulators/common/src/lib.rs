//! What the simulators of APIs have in common.
//!
//! - [`Random`]: numbers that are the same for the same seed
//! - [`Clock`]: what tells the time, which a test may set
//! - [`serve`]: answers that are computed at once, and what a fault does to their way
#![forbid(unsafe_code)]

mod clock;
mod random;
mod serve;

pub use clock::Clock;
pub use random::Random;
pub use serve::{Answer, Call, Transport, serve};
