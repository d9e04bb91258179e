//! A leaf of a state document: JSON text that a merge patch never looks into.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::node::Node;
use crate::parse;
use crate::text;

/// What kind of value a [`Leaf`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeafKind {
    /// `true` or `false`.
    Boolean,
    /// A number, of any size.
    Number,
    /// A string.
    String,
    /// An array, of anything.
    Array,
}

/// A value that a merge patch replaces whole: an array, a number, a string or a boolean, as the JSON text it
/// came as.
///
/// The text is exact, but for whitespace between the tokens of an array: a checkpoint is one line on the wire.
/// Cheap to clone: the leaves of a document that was read share its text, which is there as long as one of them is. Two leaves are equal when their values are, whatever their text: `1`, `1.0` and `1e0` are;
/// numbers are compared exactly, however large.
#[derive(Clone)]
pub struct Leaf(Text);

#[derive(Clone)]
enum Text {
    /// A part of the text of a document.
    Part {
        of: Arc<String>,
        start: u32,
        len: u32,
    },
    /// A text of its own.
    Own(Arc<str>),
}

impl Leaf {
    /// Takes text that is known to be one valid leaf.
    pub(crate) fn from_valid(text: impl Into<Arc<str>>) -> Self {
        Leaf(Text::Own(text.into()))
    }

    /// Takes a part, known to be one valid leaf, of a text that is at most [`MAX_BYTES`](crate::MAX_BYTES) long.
    pub(crate) fn part_of(text: &Arc<String>, part: std::ops::Range<usize>) -> Self {
        let short = |length: usize| u32::try_from(length).expect("a document is far below 4 GiB");
        Leaf(Text::Part {
            of: Arc::clone(text),
            start: short(part.start),
            len: short(part.len()),
        })
    }

    /// A string.
    pub fn string(value: &str) -> Self {
        let mut json = String::with_capacity(value.len() + 2);
        text::write_string(value, &mut json);
        Leaf::from_valid(json)
    }

    /// A non-negative integer.
    pub fn integer(value: u64) -> Self {
        Leaf::from_valid(value.to_string())
    }

    pub(crate) fn signed(value: i64) -> Self {
        Leaf::from_valid(value.to_string())
    }

    /// `true` or `false`.
    pub fn boolean(value: bool) -> Self {
        Leaf::from_valid(if value { "true" } else { "false" })
    }

    /// The JSON text.
    pub fn as_json(&self) -> &str {
        match &self.0 {
            Text::Own(text) => text,
            Text::Part { of, start, len } => &of[*start as usize..][..*len as usize],
        }
    }

    /// The kind of the value.
    pub fn kind(&self) -> LeafKind {
        match self.as_json().as_bytes().first() {
            Some(b'"') => LeafKind::String,
            Some(b'[') => LeafKind::Array,
            Some(b't' | b'f') => LeafKind::Boolean,
            _ => LeafKind::Number,
        }
    }

    /// What a string says, its escapes undone; `None` when it is no string.
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        let inside = self.as_json().strip_prefix('"')?.strip_suffix('"')?;
        Some(text::unescape(inside))
    }

    /// The value of an integer written without fraction or exponent; `None` for anything else, and beyond 64 bits.
    pub fn as_u64(&self) -> Option<u64> {
        let digits = self.as_json().bytes().all(|byte| byte.is_ascii_digit());
        if digits {
            self.as_json().parse().ok()
        } else {
            None
        }
    }

    /// As [`as_u64`](Leaf::as_u64), with a sign.
    pub fn as_i64(&self) -> Option<i64> {
        let digits = self.as_json().strip_prefix('-').unwrap_or(self.as_json());
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            self.as_json().parse().ok()
        } else {
            None
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self.as_json() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// Arrays and objects nested in each other, this one included.
    pub(crate) fn depth(&self) -> usize {
        if self.kind() != LeafKind::Array {
            return 0;
        }
        let (mut open, mut deepest) = (0_usize, 0);
        let (mut quoted, mut escaped) = (false, false);
        for byte in self.as_json().bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = !quoted,
                b'[' | b'{' if !quoted => {
                    open += 1;
                    deepest = deepest.max(open);
                }
                b']' | b'}' if !quoted => open -= 1,
                _ => {}
            }
        }
        deepest
    }

    /// The elements of an array, parsed; `None` when it is no array, or was built nested deeper than
    /// [`MAX_DEPTH`](crate::MAX_DEPTH).
    pub fn elements(&self) -> Option<Vec<Node>> {
        if self.kind() != LeafKind::Array {
            return None;
        }
        parse::elements(self.as_json())
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

impl PartialEq for Leaf {
    fn eq(&self, other: &Self) -> bool {
        if self.as_json() == other.as_json() {
            return true;
        }
        if self.kind() != other.kind() {
            return false;
        }
        match self.kind() {
            LeafKind::Boolean => false,
            LeafKind::Number => number::equal(self.as_json(), other.as_json()),
            LeafKind::String => self.as_str() == other.as_str(),
            LeafKind::Array => parse::same_arrays(self.as_json(), other.as_json()),
        }
    }
}

/// Exact comparison of JSON numbers, by their digits.
mod number {
    /// A number as sign, significant digits and the power of ten of the last of them.
    #[derive(PartialEq)]
    struct Decimal {
        negative: bool,
        digits: Vec<u8>,
        exponent: i128,
    }

    pub(super) fn equal(a: &str, b: &str) -> bool {
        match (decimal(a), decimal(b)) {
            (Some(a), Some(b)) => a == b,
            // An exponent beyond 36 digits: then only the same text is known to be the same number.
            _ => false,
        }
    }

    fn decimal(text: &str) -> Option<Decimal> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let significant = whole
            .bytes()
            .chain(fraction.bytes())
            .skip_while(|digit| *digit == b'0');
        let mut digits: Vec<u8> = significant.collect();
        if digits.is_empty() {
            return Some(Decimal {
                negative: false,
                digits,
                exponent: 0,
            });
        }
        let mut exponent = exponent(power)? - fraction.len() as i128;
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent += 1;
        }
        Some(Decimal {
            negative,
            digits,
            exponent,
        })
    }

    fn exponent(text: &str) -> Option<i128> {
        let (negative, digits) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let digits = digits.trim_start_matches('0');
        if digits.len() > 36 {
            return None;
        }
        let value: i128 = if digits.is_empty() {
            0
        } else {
            digits.parse().ok()?
        };
        Some(if negative { -value } else { value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_equal_by_value_and_never_by_rounding() {
        for (a, b, same) in [
            ("1", "1.0", true),
            ("1", "1e0", true),
            ("100", "1E+2", true),
            ("0.001", "1e-3", true),
            ("-0", "0.0e9", true),
            ("0e99999999999999999999999999999999999999999", "0", true),
            ("1", "-1", false),
            ("9007199254740993", "9007199254740992", false),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890.0",
                true,
            ),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567891",
                false,
            ),
            ("1e400", "10e399", true),
            (r#""a\u0062""#, r#""ab""#, true),
            (r#""\ud83d\ude00""#, "\"\u{1f600}\"", true),
            (r#""a""#, r#""b""#, false),
            ("\"1\"", "1", false),
            ("[1, 2]", "[1.0,2e0]", true),
            (r#"[{"a":1,"b":[null]}]"#, r#"[{"b":[null],"a":1.0}]"#, true),
            (r#"[{"a":null}]"#, "[{}]", false),
            ("[null]", "[0]", false),
            ("[]", "[[]]", false),
            ("[[],1]", "[[],1,2]", false),
            (
                r#"[{"a":1,"a":[2]},"\u0061"]"#,
                r#"[{"\u0061":[2.0]},"a"]"#,
                true,
            ),
            (r#"[{"a":[]}]"#, r#"[{"a":{}}]"#, false),
            ("[1,2]", "[2,1]", false),
            ("true", "false", false),
        ] {
            let (left, right) = (Node::parse(a).unwrap(), Node::parse(b).unwrap());
            assert_eq!(left == right, same, "{a} and {b}");
            assert_eq!(right == left, same, "{b} and {a}");
        }
    }

    #[test]
    fn a_string_says_what_its_escapes_mean() {
        let leaf = Node::parse(r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z""#).unwrap();
        let Node::Leaf(leaf) = leaf else {
            panic!("a string is a leaf")
        };
        assert_eq!(
            leaf.as_str().as_deref(),
            Some("a\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1f600}z")
        );
        assert_eq!(
            Leaf::string("a\"\\\u{1}\n\u{e9}").as_json(),
            "\"a\\\"\\\\\\u0001\\n\u{e9}\""
        );
    }
}
