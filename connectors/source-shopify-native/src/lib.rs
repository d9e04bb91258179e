//! What is asked of Shopify's GraphQL Admin API for each stream, and what is made of the answers: pure values and texts.
//!
//! - [`streams`]: the catalogue, and what a store has to allow for each
//! - [`selection`]: what is asked of a record, as a tree, out of `selections/*.graphql`
//! - [`query`]: the texts of queries, for a bulk job or a page
//! - [`rows`]: the rows of a bulk job, put together as documents
//! - [`migrations`]: the state of one store as that of many, and an entry for each store
//!
//! There is no connector yet that asks.
#![forbid(unsafe_code)]

pub mod migrations;
pub mod query;
pub mod rows;
pub mod selection;
pub mod streams;
