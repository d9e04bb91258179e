//! Which requests are meant: rules, and the router that finds the most specific one.
//!
//! A rule says what a request must have: a method, a path, headers, members of the body. Of the rules that a request meets, the most
//! specific one takes it. Rules are compared by their paths, then by their headers, then by their bodies, and the first of these in
//! which they differ decides: the rule is more specific that asks for more there.
//!
//! | | asks for more |
//! | --- | --- |
//! | paths | a literal more than a parameter, and that more than the rest: `/orders/new`, `/orders/{id}`, `/orders/{id...}`, any path |
//! | headers | all that the other one asks for, and something besides: another header, or a value where that takes any |
//! | bodies | as for headers, of members |
//!
//! Two rules that some request meets, and of which neither asks for all that the other does, *conflict*: `/{shop}/orders` and
//! `/acme/{topic}`, or one that asks for header `x-a` and one that asks for `x-b`. There the order in which they were written would
//! decide, so they are refused, both by name. A method is no matter of more or less: rules for different methods never meet.
//!
//! Nothing here is tried rule by rule. Paths are looked up in a tree; and rules of one path that ask for the same headers and members
//! are one table of the values that they ask for.

mod condition;
mod conflicts;
mod lookup;
mod router;
mod scalar;

use std::fmt;

use hyper::Method;
use serde_json::Value;

use super::pattern::Pattern;

pub use router::{Head, Route, Routed, Router, Unrouted};

/// Which requests are meant, by their path, headers and body. See the order of rules at [`Router`].
///
/// ```
/// use staunch::webhook::Rule;
///
/// let created = Rule::path("/shops/{shop}/orders")
///     .header("x-topic", "orders/create")
///     .body("/order/test", false);
/// let others = Rule::path("/shops/{shop}/{topic...}"); // Less specific: it takes what the first one does not.
/// # let _ = (created, others);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Rule {
    path: Option<String>,
    method: String,
    headers: Vec<(String, Option<String>)>,
    members: Vec<(String, Option<Value>)>,
}

impl Rule {
    /// `POST` requests of this path: `/orders`, `/orders/{id}`, `/files/{name...}`.
    ///
    /// A parameter is a whole segment, and takes one that is not empty; with three dots it stands last, and takes all that is left, or
    /// nothing. Parameters are percent-decoded. A slash at the end of the pattern or of the path means nothing.
    pub fn path(pattern: impl Into<String>) -> Self {
        Self {
            path: Some(pattern.into()),
            ..Self::any_path()
        }
    }

    /// `POST` requests of any path.
    pub fn any_path() -> Self {
        Self {
            path: None,
            method: Method::POST.to_string(),
            headers: Vec::new(),
            members: Vec::new(),
        }
    }

    /// Requests of this method, instead of `POST`.
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = method.into();
        self
    }

    /// With this header, of this very value. The name may be in any case. The values of a header that is repeated are joined by a comma
    /// and a space.
    ///
    /// The value is no secret, and may be shown: what senders prove themselves with is a [`Signature`](super::Signature).
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Some(value.into())));
        self
    }

    /// With this header, whatever its value.
    pub fn header_present(mut self, name: impl Into<String>) -> Self {
        self.headers.push((name.into(), None));
        self
    }

    /// With this value at a JSON pointer into the document: a string, a number, `true`, `false` or `null`. Numbers are compared by what
    /// they are worth, whichever way they are written. Of members of the same name the last one counts.
    pub fn body(mut self, pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        self.members.push((pointer.into(), Some(value.into())));
        self
    }

    /// With something at a JSON pointer into the document, be it `null`.
    pub fn body_present(mut self, pointer: impl Into<String>) -> Self {
        self.members.push((pointer.into(), None));
        self
    }
}

/// What it says, for those who show it.
impl Rule {
    pub(crate) fn pattern(&self) -> Option<Pattern> {
        match &self.path {
            None => Some(Pattern::any()),
            Some(path) => Pattern::parse(path).ok(),
        }
    }

    /// Whether its path has a parameter of this name.
    pub(crate) fn has_parameter(&self, name: &str) -> bool {
        let pattern = self.pattern();
        pattern.is_some_and(|pattern| pattern.parameters().any(|(other, _)| other == name))
    }

    pub(crate) fn method_name(&self) -> &str {
        &self.method
    }

    /// The headers that it asks for, each with its value if there must be one.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// The members that it asks for, by their pointers.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, Option<&Value>)> {
        let members = self.members.iter();
        members.map(|(pointer, value)| (pointer.as_str(), value.as_ref()))
    }
}

/// Without the values: one may be there that should not.
impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn names<T>(conditions: &[(String, T)]) -> Vec<&str> {
            conditions.iter().map(|(name, _)| name.as_str()).collect()
        }
        f.debug_struct("Rule")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("headers", &names(&self.headers))
            .field("members", &names(&self.members))
            .finish()
    }
}

/// What is wrong with a set of rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// A rule that no request can meet, or that is none.
    #[error("the rule of `{rule}` is wrong: {problem}")]
    Invalid {
        /// Whose rule it is.
        rule: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// Two rules that would take the same request.
    #[error(
        "the rules of `{first}` and `{second}` conflict: both take {overlap}, and neither is more specific; {}",
        if *.is_same { "bind one of them only, or have one ask for something more" }
        else { "have one of them ask for all that the other does, or for a value that the other excludes" }
    )]
    Conflict {
        /// The one that was given first.
        first: String,
        /// The other.
        second: String,
        /// A request that both take.
        overlap: String,
        /// Whether they take exactly the same requests.
        is_same: bool,
    },
    /// There are more than were told.
    #[error("there are further rules that conflict; correct these first")]
    Others,
}

#[cfg(test)]
mod tests;
