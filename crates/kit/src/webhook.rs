//! A capture that listens: documents that others post.
//!
//! A [resource](crate::Resource::webhook) with an [`Endpoint`] is fed by the one server of its capture, whose address and bounds its
//! [`Listener`] says. A request holds one document, or an array of them, perhaps of several resources. It is answered with 200 when the runtime has said
//! that all of them are durable, and with anything else if not: then it is to be sent again. So delivery is at-least-once, as senders expect.
//!
//! ```no_run
//! use staunch::webhook::{Endpoint, Listener, Rule};
//! use staunch::{BoxError, Connector, Resource};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! struct Config {
//!     /// The port to listen on.
//!     port: u16,
//! }
//!
//! struct Shop;
//!
//! impl Connector for Shop {
//!     type Config = Config;
//!     const DOCUMENTATION_URL: &'static str = "https://example.com/shop";
//!
//!     async fn resources(&self, _: &Config) -> Result<Vec<Resource>, BoxError> {
//!         let orders = Endpoint::new(Rule::path("/orders"));
//!         Ok(vec![Resource::new("orders").webhook(orders)])
//!     }
//!
//!     fn listener(&self, config: &Config) -> Listener {
//!         Listener::default().port(config.port)
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     staunch::main(Shop)
//! }
//! ```

mod body;
mod connection;
mod documents;
mod endpoint;
mod endpoints;
mod json;
mod listener;
mod meta;
mod openapi;
mod pattern;
mod pool;
mod refusal;
mod room;
mod rules;
mod server;
mod service;
mod signature;
mod state;

pub use endpoint::Endpoint;
pub use listener::Listener;
pub use rules::{Head, Route, Routed, Router, Rule, RuleError, Unrouted};
pub use signature::{Hmac, Signature, SignatureError, Unverified};

pub(crate) use endpoints::{Endpoints, conflicts};
pub(crate) use server::start;
