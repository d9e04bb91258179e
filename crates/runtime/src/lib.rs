//! Runs capture connectors: reads a catalog, drives their processes, and commits documents and state together.
//!
//! Nothing here knows in which language a connector is written. What it may assume of one is what the protocol says.
#![forbid(unsafe_code)]

pub mod catalog;
pub mod control;
mod conversation;
pub mod crash;
pub mod doctor;
pub mod edit;
mod error;
mod events;
pub mod export;
pub mod files;
pub mod inspect;
pub mod observe;
mod process;
mod project;
pub mod rollback;
mod run;
pub mod schema;
mod session;
pub mod sink;
pub mod store;
pub mod upgrade;

pub use error::{ConnectorError, RunError};
pub use events::{Event, Observer, Unobserved};
pub use process::{ConnectorCommand, LogSink, kill_connectors, short_version};
pub use project::Project;
pub use run::{Opening, Run, RunOptions, Summary};
pub use session::{BindingProgress, Place, Progress, SessionEnd, Stop, Totals, Urgency};
