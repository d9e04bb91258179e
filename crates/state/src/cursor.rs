//! Cursors: positions in a log of changes, and how far they may be compared.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::datetime::{DateTime, DateTimeError, Granularity};
use crate::leaf::{Leaf, LeafKind};
use crate::node::Node;

/// A position in a log of changes: a date-time, a non-negative integer, or a tuple of strings and integers.
///
/// Keeps the JSON text it came as. Equal when the JSON values are; two texts of one instant are two values.
///
/// # Source
/// estuary-cdk, `LogCursor`.
#[derive(Clone)]
pub struct Cursor {
    leaf: Leaf,
    value: Value,
}

#[derive(Clone)]
enum Value {
    DateTime(DateTime),
    /// Its size is not bounded; the leaf has the digits.
    Integer,
    Tuple(Vec<CursorPart>),
}

/// Cursors of one kind that a migration must not turn into another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CursorKind {
    /// An instant, written as finely as this.
    DateTime {
        /// Digits of a second.
        granularity: Granularity,
    },
    /// A non-negative integer.
    Integer,
    /// Strings and integers whose order only the source knows.
    Tuple,
}

/// One part of a tuple.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CursorPart {
    /// A string.
    String(String),
    /// A non-negative integer.
    Integer(u64),
}

/// Why a value is no cursor. Reads on after the value's name; does not quote the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CursorError {
    /// The text names no instant.
    #[error(transparent)]
    DateTime(#[from] DateTimeError),
    /// A number, but not a position.
    #[error("is a number, but no integer from 0 up; a cursor counts, or is a date-time or a tuple")]
    NotCounting,
    /// A tuple with a part that is neither string nor integer, or with none.
    #[error(
        "is an array, but not one of at least one string or integer from 0 up; a tuple has such parts and no others"
    )]
    BadTuple,
    /// Something else altogether.
    #[error(
        "is {0}; a cursor is a date-time, an integer from 0 up, or an array of strings and integers"
    )]
    NoCursor(&'static str),
}

impl Cursor {
    /// Reads a cursor, strictly: no negative or fractional number, no boolean, no date-time without a zone.
    ///
    /// # Errors
    /// [`CursorError`].
    pub fn from_node(node: &Node) -> Result<Cursor, CursorError> {
        let leaf = match node {
            Node::Null => return Err(CursorError::NoCursor("null")),
            Node::Object(_) => return Err(CursorError::NoCursor("an object")),
            Node::Leaf(leaf) => leaf,
        };
        let value = match (DateTime::of_leaf(leaf), leaf.kind()) {
            (Some(read), _) => Value::DateTime(read?),
            (None, LeafKind::Number)
                if leaf.as_json().bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                Value::Integer
            }
            (None, LeafKind::Number) => return Err(CursorError::NotCounting),
            (None, LeafKind::Array) => Value::Tuple(parts(leaf).ok_or(CursorError::BadTuple)?),
            (None, _) => return Err(CursorError::NoCursor("a boolean")),
        };
        Ok(Cursor {
            leaf: leaf.clone(),
            value,
        })
    }

    /// An instant, from its RFC 3339 text.
    ///
    /// # Errors
    /// [`CursorError::DateTime`].
    pub fn datetime(text: &str) -> Result<Cursor, CursorError> {
        Ok(Cursor::from(DateTime::parse(text)?))
    }

    /// A non-negative integer.
    pub fn integer(value: u64) -> Cursor {
        Cursor {
            leaf: Leaf::integer(value),
            value: Value::Integer,
        }
    }

    /// A tuple.
    ///
    /// # Errors
    /// [`CursorError::BadTuple`] when it has no part.
    pub fn tuple(
        parts: impl IntoIterator<Item = impl Into<CursorPart>>,
    ) -> Result<Cursor, CursorError> {
        let nodes = parts.into_iter().map(|part| match part.into() {
            CursorPart::String(text) => Node::string(text),
            CursorPart::Integer(value) => Node::integer(value),
        });
        Cursor::from_node(&Node::array(nodes))
    }

    /// The kind of cursor, with the granularity of a date-time.
    pub fn kind(&self) -> CursorKind {
        match &self.value {
            Value::DateTime(at) => CursorKind::DateTime {
                granularity: at.granularity(),
            },
            Value::Integer => CursorKind::Integer,
            Value::Tuple(_) => CursorKind::Tuple,
        }
    }

    /// Which of two cursors is the earlier one: `None` for tuples that differ, and for cursors of different types.
    pub fn compare(&self, other: &Cursor) -> Option<Ordering> {
        match (&self.value, &other.value) {
            (Value::DateTime(ours), Value::DateTime(theirs)) => Some(ours.compare(theirs)),
            (Value::Integer, Value::Integer) => {
                let (ours, theirs) = (self.leaf.as_json(), other.leaf.as_json());
                Some(ours.len().cmp(&theirs.len()).then_with(|| ours.cmp(theirs)))
            }
            (Value::Tuple(_), Value::Tuple(_)) if self == other => Some(Ordering::Equal),
            _ => None,
        }
    }

    /// The JSON text.
    pub fn as_json(&self) -> &str {
        self.leaf.as_json()
    }

    /// The value, to put into a state.
    pub fn to_node(&self) -> Node {
        Node::Leaf(self.leaf.clone())
    }

    /// The date-time, when it is one.
    pub fn as_datetime(&self) -> Option<&DateTime> {
        match &self.value {
            Value::DateTime(at) => Some(at),
            _ => None,
        }
    }

    /// The instant, when it is one.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.as_datetime().map(DateTime::timestamp)
    }

    /// The integer, when it is one of at most 64 bits.
    pub fn as_u64(&self) -> Option<u64> {
        self.leaf.as_u64()
    }

    /// The parts of a tuple; `None` when it is none.
    pub fn parts(&self) -> Option<&[CursorPart]> {
        match &self.value {
            Value::Tuple(parts) => Some(parts),
            _ => None,
        }
    }

    /// The cursor earlier by `lag`, in the same text form; `None` when it is no date-time.
    pub fn earlier_by(&self, lag: Duration) -> Option<Cursor> {
        Some(Cursor::from(self.as_datetime()?.earlier_by(lag)?))
    }
}

fn parts(leaf: &Leaf) -> Option<Vec<CursorPart>> {
    let elements = leaf.elements()?;
    let parts = elements.iter().map(|element| {
        let leaf = element.as_leaf()?;
        let text = leaf.as_str().map(Cow::into_owned).map(CursorPart::String);
        text.or_else(|| leaf.as_u64().map(CursorPart::Integer))
    });
    parts
        .collect::<Option<Vec<_>>>()
        .filter(|parts| !parts.is_empty())
}

impl From<DateTime> for Cursor {
    fn from(at: DateTime) -> Self {
        Cursor {
            leaf: at.to_leaf(),
            value: Value::DateTime(at),
        }
    }
}

impl From<u64> for CursorPart {
    fn from(value: u64) -> Self {
        CursorPart::Integer(value)
    }
}

impl From<&str> for CursorPart {
    fn from(text: &str) -> Self {
        CursorPart::String(text.to_owned())
    }
}

impl From<String> for CursorPart {
    fn from(text: String) -> Self {
        CursorPart::String(text)
    }
}

impl PartialEq for Cursor {
    fn eq(&self, other: &Self) -> bool {
        self.leaf == other.leaf
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

/// For people: a date-time or an integer as it is, a tuple in parentheses.
impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Value::DateTime(at) => at.fmt(f),
            Value::Integer => f.write_str(self.as_json()),
            Value::Tuple(parts) => {
                f.write_str("(")?;
                for (at, part) in parts.iter().enumerate() {
                    f.write_str(if at > 0 { ", " } else { "" })?;
                    match part {
                        CursorPart::String(text) => f.write_str(text)?,
                        CursorPart::Integer(value) => value.fmt(f)?,
                    }
                }
                f.write_str(")")
            }
        }
    }
}

impl fmt::Display for CursorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CursorKind::DateTime { granularity } => write!(f, "date-time ({granularity})"),
            CursorKind::Integer => f.write_str("integer"),
            CursorKind::Tuple => f.write_str("tuple"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(json: &str) -> Result<Cursor, CursorError> {
        Cursor::from_node(&Node::parse(json).unwrap())
    }

    #[test]
    fn a_cursor_is_read_strictly_and_keeps_its_text() {
        for json in [
            r#""2025-06-10T08:00:00Z""#,
            r#""2025-06-10T08:00:00.250000+00:00""#,
            "0",
            "123456789012345678901234567890",
            r#"["abc",7]"#,
            r#"["only"]"#,
        ] {
            let read = cursor(json).unwrap();
            assert_eq!(read.as_json(), json);
            assert_eq!(read.to_node().to_json(), json);
        }
        for (json, because) in [
            ("-1", "no integer from 0 up"),
            ("-0", "no integer from 0 up"),
            ("1.0", "no integer from 0 up"),
            ("1e3", "no integer from 0 up"),
            ("true", "is a boolean"),
            ("null", "is null"),
            ("{}", "is an object"),
            ("[]", "at least one"),
            ("[-1]", "string or integer from 0 up"),
            ("[true]", "string or integer from 0 up"),
            ("[[1]]", "string or integer from 0 up"),
            (r#""2025-06-10T08:00:00""#, "without a zone"),
            (r#""tomorrow""#, "no RFC 3339 date-time"),
        ] {
            let error = cursor(json).unwrap_err().to_string();
            assert!(error.contains(because), "{json}: {error}");
            assert!(!error.contains("tomorrow"), "no value is quoted");
        }
    }

    #[test]
    fn only_cursors_of_one_ordered_type_are_compared() {
        use Ordering::{Equal, Greater, Less};
        for (a, b, order) in [
            ("9", "10", Some(Less)),
            ("99999999999999999999", "100000000000000000000", Some(Less)),
            (
                r#""2025-06-10T08:00:00Z""#,
                r#""2025-06-10T08:00:00.000001Z""#,
                Some(Less),
            ),
            (
                r#""2025-06-10T10:00:00+02:00""#,
                r#""2025-06-10T08:00:00.000Z""#,
                Some(Equal),
            ),
            (
                r#""2025-06-10T08:00:01Z""#,
                r#""2025-06-10T08:00:00Z""#,
                Some(Greater),
            ),
            ("[1]", "[2]", None),
            ("[1]", "[1]", Some(Equal)),
            ("1", r#""2025-06-10T08:00:00Z""#, None),
            ("1", "[1]", None),
        ] {
            assert_eq!(
                cursor(a).unwrap().compare(&cursor(b).unwrap()),
                order,
                "{a} and {b}"
            );
        }
    }

    #[test]
    fn a_cursor_is_shown_to_people_without_json() {
        let tuple = Cursor::tuple([CursorPart::from("a b"), CursorPart::from(7)]).unwrap();
        assert_eq!(tuple.as_json(), r#"["a b",7]"#);
        assert_eq!(tuple.to_string(), "(a b, 7)");
        assert_eq!(
            Cursor::datetime("2025-06-10T08:00:00Z")
                .unwrap()
                .to_string(),
            "2025-06-10T08:00:00Z"
        );
        assert_eq!(Cursor::integer(7).to_string(), "7");
        assert_eq!(cursor("5").unwrap().kind().to_string(), "integer");
    }
}
