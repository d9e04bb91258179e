//! What is asked of Shopify, and what is made of its answers and of old states, held against what is recorded, against the API's schema,
//! and against a simulator.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod captured;
mod errors;
mod hazards;
mod left_behind;
mod many;
mod migrations;
mod queries;
mod recorded;
mod rows;
mod stub;
mod support;
#[path = "../truth/mod.rs"]
mod truth;
mod upgrade;
