//! Captures one store of Shopify, or many, over the GraphQL Admin API.
//!
//! The connector ([`SourceShopify`]) is `connector`, with
//!
//! - `config`: the endpoint config, and that of a single store as one of many
//! - `validate`: whether keys of collections go with the stores, and with what they were
//! - [`migrations`]: the state of one store as that of many, and an entry for each store
//! - `resources`: what there is to capture, each store a subtask, and `fetch`: the functions that do
//! - `api`: how a store is asked, and what its errors mean; `pages` and `bulk`: what it is asked for at once, and in a job
//! - `place`: where the stores are, which tests and demos change
//!
//! and pure values and texts:
//!
//! - [`streams`]: the catalogue, and what a store has to allow for each
//! - [`selection`]: what is asked of a record, as a tree, out of `selections/*.graphql`
//! - [`query`]: the texts of queries, for a bulk job or a page
//! - [`rows`]: the rows of a bulk job, put together as documents
//!
//! What surprises: times of records are whole seconds, and Shopify compares with finer ones. See `fetch`.
#![forbid(unsafe_code)]

mod api;
mod bulk;
mod config;
mod connector;
mod fetch;
pub mod migrations;
mod pages;
mod place;
pub mod query;
mod resources;
pub mod rows;
pub mod selection;
pub mod streams;
mod validate;

pub use config::{Advanced, ClientCredentials, Config, Credentials, StoreConfig};
pub use connector::SourceShopify;
pub use place::Place;
