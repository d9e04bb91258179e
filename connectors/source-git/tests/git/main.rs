//! The git side against git itself, on repositories that git built.

#![allow(clippy::unwrap_used)] // Helpers outside a test function are test code too.

mod documents;
mod history;
mod names;
mod opening;
mod scale;

use source_git::{ObjectId, Repository, parse_id};

fn id(hex: &str) -> ObjectId {
    parse_id(hex).unwrap()
}

fn ids(hex: &[String]) -> Vec<ObjectId> {
    hex.iter().map(|hex| id(hex)).collect()
}

fn sorted(ids: &[ObjectId]) -> Vec<String> {
    let mut hex: Vec<String> = ids.iter().map(ToString::to_string).collect();
    hex.sort_unstable();
    hex
}

fn open(fixture: &source_git::fixture::GitFixture) -> Repository {
    Repository::open(fixture.path()).unwrap()
}
