//! The bug museum: mistakes of migrations and checkpoints that happened to public connectors, each in a file of its
//! own, and why it cannot happen here.
//!
//! ```text
//! museum/m01.json: { "what":    what happened, in a sentence
//!                    "before":  the state before
//!                    "mistake": what became of it: a state, or a checkpoint {"updated", "mergePatch"} to the state before
//!                    "right":   what should have become of it
//!                    "update":  the merge patch that says so, byte for byte but for white space }
//! ```
//!
//! A test that begins with the name of a file shows that its mistake is refused, with words that a person can act on, or
//! that there is no way to express it; and that the right migration, made of the ready-made ones, passes.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

#[path = "museum/bindings.rs"]
mod bindings;
#[path = "museum/chains.rs"]
mod chains;
#[path = "museum/exhibit.rs"]
mod exhibit;
#[path = "museum/fixed_points.rs"]
mod fixed_points;
#[path = "museum/subtasks.rs"]
mod subtasks;
#[path = "museum/support.rs"]
mod support;
#[path = "museum/updates.rs"]
mod updates;
