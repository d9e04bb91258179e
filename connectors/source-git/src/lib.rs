//! Captures the history and the refs of a git repository that lies on this machine's disk.
//!
//! The connector ([`SourceGit`], and its first release [`SourceGitV1`]) is `connector`, with `config`, `resources` (what there
//! is to capture), `branches` (which commits are whose), `place` (cursors and pages) and `migrations`.
//!
//! The git side is plain synchronous code over [`Repository`]; it knows of no capture, state or clock:
//!
//! - `repository`: opening, and the door to everything else
//! - `refs`: what the names point at ([`Head`], [`Tips`], [`RefDocument`])
//! - `graph`: which commits a tip has that others have not ([`Walk`])
//! - `commits`: one commit as a document ([`CommitReader`]), from `raw` (its bytes), `text` (its
//!   encoding), `time` (its clock) and `stats` (its files)
//! - `models`: the documents
//! - `fixture`: builds repositories for tests, with the `git` command
//!
//! What surprises: `refs/replace/*` and grafts are ignored, because a commit's parents must never
//! change under a cursor; `.gitattributes` and the repository's configuration are ignored too, so a
//! commit gives the same bytes wherever it is read.
#![forbid(unsafe_code)]

mod branches;
mod commits;
mod config;
mod connector;
mod error;
#[doc(hidden)]
pub mod fixture;
mod graph;
mod migrations;
mod models;
mod place;
mod raw;
mod refs;
mod repository;
mod resources;
mod stats;
mod text;
mod time;

pub use commits::CommitReader;
pub use config::{Advanced, Config};
pub use connector::{SourceGit, SourceGitV1};
pub use error::GitError;
pub use gix::ObjectId;
pub use graph::{Order, Walk};
pub use migrations::chain;
pub use models::{CommitDocument, FileChange, Person, RefDocument};
pub use refs::{Head, SkippedRef, Tip, Tips};
pub use repository::{Repository, parse_id};
