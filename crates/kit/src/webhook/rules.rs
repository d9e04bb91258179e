//! Which resource a document is for.

use std::fmt;

use hyper::HeaderMap;
use serde_json::value::RawValue;

/// Which documents an endpoint takes.
#[derive(Clone, Debug)]
#[must_use]
pub struct Rule {
    path: String,
}

impl Rule {
    /// Those of requests whose path is this.
    pub fn path(pattern: impl Into<String>) -> Self {
        Self {
            path: pattern.into(),
        }
    }
}

/// What a request says before its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    /// As it was sent: percent-encoded.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) headers: &'a HeaderMap,
}

/// Where a document goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Routed {
    /// The position of the rule.
    pub(crate) index: usize,
    /// The parameters of its path, and what stood for them.
    pub(crate) parameters: Vec<(String, String)>,
}

/// Two rules that could match one document with none of them more specific, or one that can match nothing.
#[derive(Debug)]
pub(crate) struct Conflict(String);

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Rules by the names of their resources, most specific first.
#[derive(Debug)]
pub(crate) struct Router {
    rules: Vec<Rule>,
}

impl Router {
    pub(crate) fn new(rules: Vec<(String, Rule)>) -> Result<Self, Vec<Conflict>> {
        let mut paths = std::collections::BTreeMap::new();
        let mut conflicts = Vec::new();
        for (name, rule) in &rules {
            if let Some(other) = paths.insert(&rule.path, name) {
                conflicts.push(Conflict(format!(
                    "the rules of `{other}` and `{name}` match the same requests"
                )));
            }
        }
        match conflicts.is_empty() {
            true => Ok(Self {
                rules: rules.into_iter().map(|(_, rule)| rule).collect(),
            }),
            false => Err(conflicts),
        }
    }

    /// Whether any rule matches requests of this path: if not, its body need not be read.
    pub(crate) fn has_path(&self, path: &str) -> bool {
        self.rules.iter().any(|rule| rule.path == path)
    }

    pub(crate) fn route(&self, head: &Head<'_>, document: &RawValue) -> Option<Routed> {
        let _ = document;
        let index = self.rules.iter().position(|rule| rule.path == head.path)?;
        Some(Routed {
            index,
            parameters: Vec::new(),
        })
    }
}
