//! What the examples stand on: programs that are built, a folder to run them in, and steps that say what they do.
#![forbid(unsafe_code)]

mod folder;
mod tools;

pub use folder::{Folder, committed_documents, filled};
pub use tools::{build, workspace};

/// Announces a step.
pub fn step(what: &str) {
    println!("\n==> {what}");
}
