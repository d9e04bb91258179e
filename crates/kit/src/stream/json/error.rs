//! What can be wrong with JSON that streams by.

use std::fmt;

/// Why there is no further item.
///
/// No message quotes the JSON. After any of these but [`Shape`](Self::Shape) and [`Read`](Self::Read) nothing more is read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The text is no JSON.
    #[error("{problem} at byte {offset}, {place}; what was sent is no JSON")]
    Syntax {
        /// What is wrong there.
        problem: &'static str,
        /// Where, in bytes from the start of the input.
        offset: u64,
        /// In which item.
        place: Place,
    },
    /// The input ended too early: most likely the other side broke off.
    #[error("the input ends at byte {offset}, {place}, before its JSON does; ask for it again")]
    Truncated {
        /// The length of the input.
        offset: u64,
        /// In which item.
        place: Place,
    },
    /// An item, or the remainder, is larger than allowed.
    #[error(
        "more than {limit} bytes {place}; allow more with `{allow}` if it is meant to be so large"
    )]
    TooLarge {
        /// Bytes that are allowed.
        limit: usize,
        /// What is so large.
        place: Place,
        /// What allows more.
        allow: &'static str,
    },
    /// The document has nothing at the path.
    #[error(
        "there is nothing at `{path}`; correct the path, or add `or_absent()` if an empty array may be left out"
    )]
    Missing {
        /// The path to the array.
        path: String,
    },
    /// The document has `null` where the array should be, or on the way to it.
    #[error(
        "{} is null, so there is no array at `{path}`; add `or_absent()` if that stands for an empty one",
        named(pointer)
    )]
    Null {
        /// The path to the array.
        path: String,
        /// Where `null` stands.
        pointer: String,
    },
    /// The path leads to something else than an array, or through something that has no members.
    #[error(
        "{} is {found}, so there is no array at `{path}`; correct the path",
        named(pointer)
    )]
    NotAnArray {
        /// The path to the array.
        path: String,
        /// What is something else.
        pointer: String,
        /// What it is: `an object`, `a string`, `a number` or `a boolean`.
        found: &'static str,
    },
    /// A member on the path to the array is there twice, and which one is meant cannot be known.
    #[error(
        "`{pointer}` is there twice, the second time at byte {offset}; ask whoever sends it which one counts"
    )]
    Duplicate {
        /// The member.
        pointer: String,
        /// Where its second name begins, in bytes from the start of the input.
        offset: u64,
    },
    /// An item, or the remainder, is JSON but not of the type that was asked for. The next item can be read.
    #[error("{problem}, {place}; the type it is read as has another shape")]
    Shape {
        /// What does not fit, without a value.
        problem: String,
        /// Where.
        place: Place,
    },
    /// The path is no RFC 6901 pointer, or has more than 126 tokens.
    #[error(
        "`{pointer}` is no path to an array; write `/a/b`, with `~1` for a slash in a name and `~0` for a tilde"
    )]
    Pointer {
        /// What was given.
        pointer: String,
    },
    /// The remainder was asked for before the end.
    #[error("the remainder is not known yet; read the elements until there is none")]
    Unread,
    /// Something was read on after an error.
    #[error("nothing can be read after the error before; begin the whole input again")]
    Failed,
    /// The reader failed.
    #[error("the input cannot be read on")]
    Read(#[from] std::io::Error),
}

fn named(pointer: &str) -> String {
    if pointer.is_empty() {
        "the document".to_owned()
    } else {
        format!("`{pointer}`")
    }
}

/// Where in the input something is. Elements and values are counted from zero, lines from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// In this element of the array.
    Element(u64),
    /// After this element of the array.
    After(u64),
    /// In this line.
    Line(u64),
    /// In this value.
    Value(u64),
    /// In what surrounds the array.
    Around,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Element(index) => write!(f, "in element {index}"),
            Place::After(index) => write!(f, "after element {index}"),
            Place::Line(number) => write!(f, "in line {number}"),
            Place::Value(index) => write!(f, "in value {index}"),
            Place::Around => f.write_str("around the array"),
        }
    }
}
