//! Why bytes are not a message, and where: found deep inside, told from the outside.

use std::fmt::Write;

use super::error::{DecodeError, EncodeError};
use crate::json::Malformed;

/// What is wrong, and the way to it, the innermost member first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    problem: Problem,
    way: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
enum Problem {
    Wire(&'static str),
    NotUtf8,
    NotJson(String),
    Shape(String),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Member(&'static str),
    /// An item of a list, whose name is empty where the step before says it.
    Item(&'static str, usize),
    /// A member whose name is not known yet; only the innermost can be.
    Tag(u32),
}

impl Fault {
    /// The bytes are no protobuf.
    pub(super) const fn wire(problem: &'static str) -> Self {
        Self {
            problem: Problem::Wire(problem),
            way: Vec::new(),
        }
    }

    pub(super) const fn not_utf8() -> Self {
        Self {
            problem: Problem::NotUtf8,
            way: Vec::new(),
        }
    }

    pub(super) fn not_json(error: &serde_json::Error) -> Self {
        Self {
            problem: Problem::NotJson(crate::json::problem(error)),
            way: Vec::new(),
        }
    }

    /// A member is missing, or not what it is to be.
    pub(super) fn shape(problem: impl Into<String>) -> Self {
        Self {
            problem: Problem::Shape(problem.into()),
            way: Vec::new(),
        }
    }

    pub(super) fn missing(name: &'static str) -> Self {
        Self::shape(format!("missing field `{name}`"))
    }

    /// Inside the field of this number, of which nobody may tell the name.
    pub(super) fn at_tag(mut self, tag: u32) -> Self {
        self.way.push(Step::Tag(tag));
        self
    }

    pub(super) fn within(mut self, name: &'static str) -> Self {
        self.way.push(Step::Member(name));
        self
    }

    pub(super) fn within_item(mut self, name: &'static str, index: usize) -> Self {
        self.way.push(Step::Item(name, index));
        self
    }

    /// Where it is, in the protocol's names.
    fn path(&self) -> String {
        let mut path = String::new();
        for step in self.way.iter().rev() {
            if !path.is_empty() && !matches!(step, Step::Item("", _)) {
                path.push('.');
            }
            // Writing to a string cannot fail.
            let _ = match step {
                Step::Member(name) => write!(path, "{name}"),
                Step::Item(name, index) => write!(path, "{name}[{index}]"),
                Step::Tag(tag) => write!(path, "<tag {tag}>"),
            };
        }
        path
    }

    /// Of a message that was read.
    pub(super) fn of(self, what: Malformed) -> DecodeError {
        let path = self.path();
        match self.problem {
            Problem::Wire(problem) => DecodeError::NotProto {
                what,
                path,
                problem,
            },
            Problem::NotUtf8 => DecodeError::NotUtf8 { what, path },
            Problem::NotJson(problem) => DecodeError::NotJson {
                what,
                path,
                problem,
            },
            Problem::Shape(problem) => DecodeError::Shape {
                what,
                path,
                problem,
            },
        }
    }

    /// Of a message that was to be written.
    pub(super) fn unwritable(self) -> EncodeError {
        let path = self.path();
        let problem = match self.problem {
            Problem::Wire(problem) => problem.to_owned(),
            Problem::NotUtf8 => "it is not UTF-8".to_owned(),
            Problem::NotJson(problem) | Problem::Shape(problem) => problem,
        };
        EncodeError::Shape { path, problem }
    }
}

/// Names the member that a value is of, for the error there may be.
pub(super) trait Within<T> {
    fn within(self, name: &'static str) -> Result<T, Fault>;
    fn within_item(self, name: &'static str, index: usize) -> Result<T, Fault>;
}

impl<T> Within<T> for Result<T, Fault> {
    #[inline]
    fn within(self, name: &'static str) -> Result<T, Fault> {
        self.map_err(|fault| fault.within(name))
    }

    #[inline]
    fn within_item(self, name: &'static str, index: usize) -> Result<T, Fault> {
        self.map_err(|fault| fault.within_item(name, index))
    }
}
