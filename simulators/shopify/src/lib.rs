//! A local stand-in for the GraphQL Admin API of Shopify, for tests and demos.
//!
//! It serves any number of stores as the real one is documented to: queries with connections, searches and costs, bulk jobs with their
//! results, tokens, scopes, plans, errors. Queries are held against the schema of the API, and what they select is written by one walk,
//! be it a page or the rows of a bulk job. What is answered depends on the seed, the scenario and the clock alone. Besides the API there
//! is a control plane under `/__sim`, with which a test changes data and stores, moves the clock, spoils answers, and reads what was
//! asked and what is true.
//!
//! ```
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! use shopify_simulator::{Scenario, Simulator};
//!
//! let simulator = Simulator::start(Scenario::default()).await.unwrap();
//! println!("{}/alpha/admin/api/2026-01/graphql.json", simulator.url());
//! let orders = simulator.whole("alpha", "{ orders { edges { node { id name } } } }").unwrap();
//! assert_eq!(orders.len(), 20);
//! # });
//! ```
#![forbid(unsafe_code)]

mod api;
mod bulk;
mod catalog;
mod control;
mod faults;
mod jobs;
mod records;
mod scenario;
mod schema;
mod search;
mod server;
mod shown;
mod time;
mod walker;
mod world;

pub use control::{Served, StoreChange};
pub use faults::{Action, Kind, RowFault, Rule};
pub use records::{Mutation, Operation};
pub use scenario::{Boundary, JobPlan, Outcome, PlanFacts, Scenario, SnapshotAt, StoreFacts};
pub use schema::Schema;
pub use server::Simulator;
pub use simulator_common::Random;
