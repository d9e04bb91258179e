//! A kit for writing capture connectors: programs that read documents out of a system and emit them, with checkpoints.
//!
//! A connector is a type that implements [`Connector`]: it names its [`Resource`]s, and gives each the plain async functions that
//! capture it. The kit speaks the protocol, keeps the state, decides when which function runs, and writes every checkpoint with
//! its documents as one unbroken run. When a new version wants the state in another shape, its [migrations](Connector::migrations)
//! carry a running capture over: checked, in one checkpoint, before anything is captured.
//!
//! This is a whole one. It is `examples/shop.rs`, and tested.
//!
//! ```no_run
#![doc = include_str!("../examples/shop.rs")]
//! ```
//!
//! # Features
//!
//! - `http`, off by default: a client for a migration that must ask its source, in the module `http`; and what needs one besides:
//!   `Connector::update_config`, `Connector::rotate_tokens` and the module `auth`. It compiles a C library for TLS.
//! - `webhook`, off by default: captures that listen, in the module `webhook`. It compiles a C library for cryptography.
#![forbid(unsafe_code)]
#![deny(clippy::print_stdout)]

#[cfg(feature = "auth")]
pub mod auth;
mod buffered;
mod capture;
mod clock;
mod config;
mod config_update;
mod connector;
#[cfg(any(feature = "http", feature = "webhook"))]
mod decode;
mod discovery;
mod document;
mod duration;
#[cfg(feature = "http")]
pub mod http;
mod log;
mod migrate;
mod open;
mod output;
mod plan;
mod progress;
mod proposed;
mod requests;
mod resource;
mod resource_config;
mod schedule;
mod schema;
mod serve;
mod slots;
mod spool;
mod status;
mod stop;
#[cfg(feature = "stream")]
pub mod stream;
mod supervise;
mod tasks;
#[cfg(test)]
mod testing;
mod transactor;
mod unary;
#[cfg(feature = "webhook")]
pub mod webhook;

pub use buffered::{Buffered, buffered};
pub use capture::{
    Associated, BoxError, Changes, FetchResult, Opening, Pages, Roster, Rows, Subtask, TaskError,
};
pub use clock::{SimulatedTime, now};
#[cfg(feature = "http")]
pub use config_update::{ConfigUpdate, Rotating};
pub use connector::Connector;
pub use discovery::Reduction;
pub use duration::IsoDuration;
#[doc(hidden)]
pub use log::silence;
pub use migrate::{Migrating, Migration, SourceNeeded};
pub use proposed::{Bound, Previous, Proposed};
pub use requests::RequestError;
pub use resource::Resource;
pub use serve::{ServeError, main, serve, serve_messages};
pub use staunch_protocol::oauth2::OAuth2;
pub use staunch_state as state;
pub use staunch_state::{Cursor, Page};

// The examples of the README and of the guide are compiled with those of the crate.
#[cfg(doctest)]
mod pages {
    macro_rules! page {
        ($name:ident, $file:literal) => {
            #[doc = include_str!(concat!("../../../", $file))]
            struct $name;
        };
    }
    page!(Readme, "README.md");
    page!(FirstConnector, "docs/guide/first-connector.md");
    page!(Cursors, "docs/guide/cursors.md");
    page!(Backfills, "docs/guide/backfills.md");
    page!(Snapshots, "docs/guide/snapshots.md");
    page!(Subtasks, "docs/guide/subtasks.md");
    page!(Schedules, "docs/guide/schedules.md");
    page!(Acknowledgements, "docs/guide/acknowledgements.md");
    #[cfg(feature = "http")]
    page!(RateLimits, "docs/guide/rate-limits.md");
    #[cfg(all(feature = "auth", feature = "stream"))]
    page!(Http, "docs/guide/http.md");
    #[cfg(feature = "stream")]
    page!(Files, "docs/guide/files.md");
    #[cfg(feature = "auth")]
    page!(Authentication, "docs/guide/authentication.md");
    #[cfg(all(feature = "http", feature = "stream"))]
    page!(Streams, "docs/guide/streams.md");
    #[cfg(feature = "webhook")]
    page!(Webhooks, "docs/guide/webhooks.md");
}
