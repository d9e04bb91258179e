//! A local stand-in for the GraphQL Admin API of Shopify, for tests and demos.
//!
//! So far it knows which queries the API understands, and answers none.
//!
//! ```
//! let schema = shopify_simulator::Schema::admin();
//! assert_eq!(schema.problems("{ shop { id } }"), Vec::<String>::new());
//! let problems = schema.problems("{ shop { owner } }");
//! assert!(problems[0].contains("owner"), "{problems:?}");
//! ```
#![forbid(unsafe_code)]

mod bulk;
mod schema;

pub use schema::Schema;
