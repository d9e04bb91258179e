//! An HTTP client for sources: connections, pace, retries, encodings and errors that say what to do.
//!
//! A connector has one [`Client`]. What is asked for one account, store or tenant goes through a client of its own
//! ([`Client::scoped`]), with its own base URL, credentials and [`Limiter`], on the same connections.
//!
//! ```no_run
//! use staunch::http::{Client, HttpError};
//!
//! # async fn pages(token: &str) -> Result<(), HttpError> {
//! let client = Client::builder()
//!     .base_url("https://api.example.com/v2")
//!     .header("authorization", format!("Bearer {token}"))
//!     .build();
//! #[derive(serde::Deserialize)]
//! struct Page {
//!     orders: Vec<serde_json::Value>,
//! }
//! let page: Page = client.get("orders").query("limit", 500).send().await?.json()?;
//! # let _ = page.orders;
//! # Ok(())
//! # }
//! ```
//!
//! # What it does of itself
//!
//! - **Pace.** Each request waits for its turn at the client's [`Limiter`], which asks as fast as the server allows.
//! - **Retries.** What may pass is asked again after a while, as [`Retry`] says: a server that cannot be reached, a connection that
//!   breaks, an answer that is late or not whole, too many requests, a server that fails. A request that may have done something
//!   already, as a `POST` may, is asked again only where it was surely not carried out; say [`Request::as_read`] of one that only
//!   reads. A body that is [streamed](Request::stream) is whole or ends in an error: what was taken of it cannot be asked again here.
//! - **Credentials.** They are put on a request just before it is sent, and fetched anew once if the server does not take them. With a
//!   base URL they are for its host alone: another address is asked without them, and without the client's headers.
//! - **Encodings.** gzip, deflate, brotli and zstd are undone as bytes arrive, one around the other too.
//! - **Redirects** are followed, at most ten. To another host goes only a `GET`, without a header of the request and without
//!   credentials; nothing goes from `https` to `http`.
//! - **Bounds.** [`Timeouts`] for reaching a server, for its first byte, for silence in between and for the whole; and a number of
//!   bytes that a body may have.
//!
//! Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY` and so on), certificates are checked against those of the system.
//! Errors show a URL without user, password and query, and what a server says without what the request had of secrets.

mod body;
mod client;
mod connections;
mod credentials;
mod error;
mod hidden;
mod limit;
mod redirect;
mod request;
mod response;
mod retry;
mod send;
mod verdict;

pub use body::{Body, Lines};
pub use client::{Client, ClientBuilder, Timeouts};
pub(crate) use connections::use_provider;
pub use credentials::{Authorization, BoxFuture, Credentials};
pub use error::{Asked, HttpError, Refusal};
#[cfg(feature = "auth")]
pub(crate) use hidden::hide;
pub use limit::{Budget, Hints, Limiter, MAX_PAUSE, Outcome, Permit, Quota};
pub use request::Request;
/// The method of a request.
pub use reqwest::Method;
pub use response::{Response, Streamed};
pub use retry::Retry;
pub use verdict::Verdict;

/// Bytes that the body of an answer may have, decoded, unless [`ClientBuilder::max_body_bytes`] says another number. A body that is
/// [streamed](Request::stream) may have any number.
pub const MAX_BODY_BYTES: u64 = 64 << 20;

#[cfg(test)]
mod tests;
