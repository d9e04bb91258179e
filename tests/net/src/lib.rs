//! Servers on loopback that misbehave on request, and what the kit makes of them.
#![forbid(unsafe_code)]

pub mod faults;
pub mod limits;
pub mod provider;
pub mod random;
