//! Captures what is posted to it: each endpoint of its config is a resource.
//!
//! - `config`: what the connector needs to be told
//! - `proof`: how senders prove themselves, as the config says it
//! - `connector` ([`SourceWebhook`]): endpoints as resources, and where it listens
//!
//! What surprises: it listens on port 8080, which the image exposes and the gateway leads to; only the variable
//! `SOURCE_WEBHOOK_PORT` says otherwise, for runs without an image.
#![forbid(unsafe_code)]

mod config;
mod connector;
mod proof;

pub use config::{Advanced, Config, Endpoint, Header, Id, Member, Method};
pub use connector::SourceWebhook;
pub use proof::{Algorithm, Encoding, Proof};
