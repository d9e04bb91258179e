//! A capture that listens.
#![expect(dead_code, reason = "the server is to come")]

mod pattern;
mod rules;

pub use rules::{Head, Route, Routed, Router, Rule, RuleError, Unrouted};
