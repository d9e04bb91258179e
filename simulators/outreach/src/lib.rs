//! A local stand-in for the Outreach API, for tests and demos.
//!
//! It answers as the real one is documented to: JSON:API documents, filters, sorting, cursors, tokens, hourly limits, errors. What
//! it answers depends on its seed, its scenario and its clock alone, so that the same requests get the same bytes. Besides the API
//! there is a [control plane](control) under `/__sim`, with which a test changes data, moves the clock, spoils answers, and reads
//! what was asked and what is true.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use outreach_simulator::{Scenario, Simulator};
//!
//! let simulator = Simulator::start(Scenario::default()).await.unwrap();
//! println!("{}/api/v2/accounts", simulator.url());
//! # });
//! ```
#![forbid(unsafe_code)]

mod api;
mod auth;
mod catalog;
mod control;
mod fault;
mod limit;
mod list;
mod query;
mod render;
mod scenario;
mod server;
mod store;
mod time;
mod world;

pub use catalog::{TYPES, Type};
pub use control::Served;
pub use fault::{Action, Rule};
pub use limit::Rendering;
pub use list::CursorMode;
pub use scenario::{Boundary, Delay, Rotation, Scenario};
pub use server::Simulator;
pub use simulator_common::Random;
pub use store::{Mutation, Operation, Version};
