//! What is asked of Shopify, and what is made of its answers and of old states, held against what is recorded and against the API's schema.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod migrations;
mod queries;
mod rows;
mod support;
