//! What the benches of whole processes share: the documents that are emitted, and how a process tells what it took.
//!
//! The benches stand in `benches/whole`; `cargo bench -p staunch-bench` runs them. The programs that they start are the
//! binaries of this package: `bench-floor` does only the physical work, `bench-connector` is a connector of the kit, and
//! `bench-staunch` is the command as it is, but for a last line about what it took.
#![forbid(unsafe_code)]

pub mod document;
pub mod pages;
pub mod rows;
pub mod usage;

/// Documents from one checkpoint to the next.
pub const DOCUMENTS_PER_CHECKPOINT: u64 = 1_000;
