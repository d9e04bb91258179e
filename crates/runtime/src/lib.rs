//! Runs capture connectors: reads a catalog, drives their processes, and commits documents and state together.
#![forbid(unsafe_code)]

pub mod catalog;
pub mod crash;
pub mod files;
pub mod schema;
pub mod store;
