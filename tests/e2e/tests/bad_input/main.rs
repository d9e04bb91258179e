//! Bad input gets a clear error and the exit code of the documentation, and loses nothing.
//!
//! Each test types a command in a fresh project. Whatever it is about, it also looks at what is left: documents and state are
//! those of the last commit, a good run completes them, and the secret of the config is told nowhere.
#![forbid(unsafe_code)]

mod answers;
mod files;
mod projects;
mod sessions;
mod signals;
mod size;
mod stores;
mod support;
