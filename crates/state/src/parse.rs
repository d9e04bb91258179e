//! Reads JSON text into a [`Node`], in one pass.
//!
//! Objects become maps; everything else becomes a leaf that keeps its text, validated to the last digit and
//! escape, because it is going to be sent as it is. The grammar is RFC 8259, and what `serde_json` refuses is
//! refused here; but a number may be of any size, since nobody here makes a float of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::leaf::Leaf;
use crate::map::{Building, Key};
use crate::node::{Node, Object, push_pointer_token};
use crate::text;

/// Containers (objects and arrays) that may stand inside each other, the outermost one included.
pub const MAX_DEPTH: usize = 128;

/// Bytes of JSON text that a state document may have.
pub const MAX_BYTES: usize = 128 << 20;

/// Why a text is no state document.
///
/// The message never quotes the text, which may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{message}, at byte {offset}{}; send a JSON document as RFC 8259 defines it",
    at(pointer)
)]
#[non_exhaustive]
pub struct ParseError {
    /// RFC 6901 pointer of the innermost value that was being read, where that is known.
    pub pointer: Option<String>,
    /// Where in the text, in bytes from its start.
    pub offset: usize,
    /// What is wrong there.
    pub message: String,
}

fn at(pointer: &Option<String>) -> String {
    match pointer.as_deref() {
        None | Some("") => String::new(),
        Some(pointer) => format!(" (in `{pointer}`)"),
    }
}

impl ParseError {
    /// A stable name of this kind of error.
    pub fn code(&self) -> &'static str {
        "state-not-json"
    }

    pub(crate) fn new(offset: usize, message: &str) -> Self {
        ParseError {
            pointer: None,
            offset,
            message: message.to_owned(),
        }
    }
}

pub(crate) fn document(text: Cow<'_, [u8]>) -> Result<Node, ParseError> {
    if text.len() > MAX_BYTES {
        return Err(ParseError::new(
            MAX_BYTES,
            "the document is longer than 128 MiB",
        ));
    }
    let text = String::from_utf8(text.into_owned()).map_err(|error| {
        ParseError::new(error.utf8_error().valid_up_to(), "the text is not UTF-8")
    })?;
    let text = Arc::new(text);
    let mut scanner = Scanner {
        shared: Some(&text),
        ..Scanner::new(&text)
    };
    scanner.whole().map_err(|fault| fault.into_error())
}

/// The elements of an array that was parsed before; `None` when it was built deeper than what is read.
pub(crate) fn elements(array: &str) -> Option<Vec<Node>> {
    let mut scanner = Scanner::new(array);
    let mut elements = Vec::new();
    let read = scanner.list(1, &mut |scanner| {
        elements.push(scanner.value(1)?);
        Ok(())
    });
    read.is_ok().then_some(elements)
}

/// Whether two arrays that were parsed before have the same values in them; not when one was built deeper than what is
/// read.
///
/// Both texts are walked together and nothing is copied, so that comparing the largest documents needs no memory to
/// speak of.
pub(crate) fn same_arrays(left: &str, right: &str) -> bool {
    same_values(&mut Scanner::new(left), &mut Scanner::new(right), 0).unwrap_or(false)
}

fn same_values(
    left: &mut Scanner<'_>,
    right: &mut Scanner<'_>,
    depth: usize,
) -> Result<bool, Fault> {
    match (left.peek(), right.peek()) {
        (b'[', b'[') => same_elements(left, right, depth + 1),
        (b'{', b'{') => same_members(left, right, depth + 1),
        _ => {
            let (left, right) = (left.passed(depth)?, right.passed(depth)?);
            let is_null = left == "null" || right == "null";
            Ok(left == right || !is_null && Leaf::from_valid(left) == Leaf::from_valid(right))
        }
    }
}

fn same_elements(
    left: &mut Scanner<'_>,
    right: &mut Scanner<'_>,
    depth: usize,
) -> Result<bool, Fault> {
    left.open(depth)?;
    right.open(depth)?;
    loop {
        match (left.peek() == b']', right.peek() == b']') {
            (false, false) if same_values(left, right, depth)? => {}
            (true, true) => break,
            _ => return Ok(false),
        }
        left.pass_comma();
        right.pass_comma();
    }
    left.at += 1;
    right.at += 1;
    Ok(true)
}

/// Objects in arrays: a `null` member is a member there, and of two with one name the last one counts.
fn same_members(
    left: &mut Scanner<'_>,
    right: &mut Scanner<'_>,
    depth: usize,
) -> Result<bool, Fault> {
    let (left, right) = (
        left.texts_of_members(depth)?,
        right.texts_of_members(depth)?,
    );
    if left.len() != right.len() {
        return Ok(false);
    }
    for (key, ours) in left {
        let Some(theirs) = right.get(&key) else {
            return Ok(false);
        };
        if !same_values(&mut Scanner::new(ours), &mut Scanner::new(theirs), depth)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What went wrong, kept small: it is carried through every frame of the scanner.
type Fault = Box<FaultAt>;

#[derive(Debug)]
struct FaultAt {
    offset: usize,
    message: &'static str,
    /// Innermost first.
    path: Vec<String>,
}

impl FaultAt {
    fn into_error(self) -> ParseError {
        let mut pointer = String::new();
        for token in self.path.iter().rev() {
            push_pointer_token(&mut pointer, token);
        }
        ParseError {
            pointer: Some(pointer),
            offset: self.offset,
            message: self.message.to_owned(),
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    /// The same text, where leaves are to share it.
    shared: Option<&'a Arc<String>>,
    bytes: &'a [u8],
    at: usize,
    /// Whether whitespace was passed since this was last cleared.
    spaced: bool,
    keys: Recent,
    objects: Building<Node>,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Scanner {
            text,
            shared: None,
            bytes: text.as_bytes(),
            at: 0,
            spaced: false,
            keys: Recent::new(),
            objects: Building::new(),
        }
    }

    fn whole(&mut self) -> Result<Node, Fault> {
        self.space();
        let node = self.value(0)?;
        self.space();
        if self.at < self.bytes.len() {
            return self.fault("there is more after the end of the document");
        }
        Ok(node)
    }

    fn fault<T>(&self, message: &'static str) -> Result<T, Fault> {
        let message = if self.at >= self.bytes.len() {
            "the text ends too early"
        } else {
            message
        };
        Err(Box::new(FaultAt {
            offset: self.at,
            message,
            path: Vec::new(),
        }))
    }

    fn peek(&self) -> u8 {
        // A zero byte stands nowhere in valid JSON, so that it can say "end" as well.
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
            self.spaced = true;
        }
    }

    /// Reads a value that stands inside `depth` containers.
    fn value(&mut self, depth: usize) -> Result<Node, Fault> {
        let start = self.at;
        match self.peek() {
            b'{' => return self.object(depth + 1),
            b'n' => {
                self.word("null")?;
                return Ok(Node::Null);
            }
            b'[' => {
                self.spaced = false;
                self.skip_array(depth + 1)?;
                let leaf = if self.spaced {
                    Leaf::from_valid(compact(&self.text[start..self.at]))
                } else {
                    self.leaf(start)
                };
                return Ok(Node::Leaf(leaf));
            }
            b't' => {
                self.word("true")?;
            }
            b'f' => {
                self.word("false")?;
            }
            _ => self.skip(depth)?,
        }
        Ok(Node::Leaf(self.leaf(start)))
    }

    /// The leaf that was just passed.
    fn leaf(&self, start: usize) -> Leaf {
        match self.shared {
            Some(text) => Leaf::part_of(text, start..self.at),
            None => Leaf::from_valid(&self.text[start..self.at]),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Node, Fault> {
        let mut object = self.objects.open();
        self.members(depth, &mut |scanner, key, escaped| {
            let key = if escaped {
                Key::from(text::unescape(key))
            } else {
                scanner.keys.get(key)
            };
            let node = scanner.value(depth).map_err(|mut fault| {
                fault.path.push(key.to_string());
                fault
            })?;
            scanner.objects.put(&mut object, key, node);
            Ok(())
        })?;
        Ok(Node::Object(Object::from_map(self.objects.close(object))))
    }

    fn pass_comma(&mut self) {
        self.space();
        if self.peek() == b',' {
            self.at += 1;
            self.space();
        }
    }

    /// The text of a value, which is passed over.
    fn passed(&mut self, depth: usize) -> Result<&'a str, Fault> {
        let start = self.at;
        self.skip(depth)?;
        Ok(&self.text[start..self.at])
    }

    /// The texts of an object's members, by their names.
    fn texts_of_members(&mut self, depth: usize) -> Result<HashMap<Cow<'a, str>, &'a str>, Fault> {
        let mut texts = HashMap::new();
        self.members(depth, &mut |scanner, key, _| {
            texts.insert(text::unescape(key), scanner.passed(depth)?);
            Ok(())
        })?;
        Ok(texts)
    }

    /// Passes a value over, validating it.
    fn skip(&mut self, depth: usize) -> Result<(), Fault> {
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number(),
            b'{' => self.members(depth + 1, &mut |scanner, _, _| scanner.skip(depth + 1)),
            b'[' => self.skip_array(depth + 1),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.fault("a value is expected"),
        }
    }

    fn skip_array(&mut self, depth: usize) -> Result<(), Fault> {
        self.list(depth, &mut |scanner| scanner.skip(depth))
    }

    fn list(
        &mut self,
        depth: usize,
        element: &mut dyn FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.open(depth)?;
        if self.peek() == b']' {
            self.at += 1;
            return Ok(());
        }
        for index in 0_usize.. {
            element(self).map_err(|mut fault| {
                fault.path.push(index.to_string());
                fault
            })?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b']' => break,
                _ => return self.fault("`,` or `]` is expected"),
            }
            self.space();
        }
        self.at += 1;
        Ok(())
    }

    /// Reads an object: `member` is called behind each colon, with the inside of the key and whether it has escapes.
    fn members(
        &mut self,
        depth: usize,
        member: &mut dyn FnMut(&mut Self, &'a str, bool) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.open(depth)?;
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != b'"' {
                return self.fault("a member's name, in quotes, is expected");
            }
            let start = self.at + 1;
            let escaped = self.string()?;
            let key = &self.text[start..self.at - 1];
            self.space();
            if self.peek() != b':' {
                return self.fault("`:` is expected");
            }
            self.at += 1;
            self.space();
            member(self, key, escaped)?;
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return self.fault("`,` or `}` is expected"),
            }
            self.space();
        }
        self.at += 1;
        Ok(())
    }

    fn open(&mut self, depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return self.fault("the document is nested deeper than 128 containers");
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Fault> {
        for expected in word.bytes() {
            if self.peek() != expected {
                return self.fault("a value is expected");
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Passes a string and both its quotes; whether it has escapes.
    fn string(&mut self) -> Result<bool, Fault> {
        let mut escapes = false;
        self.at += 1;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escapes = true;
                    let Some((_, used)) = text::escaped(&self.text[self.at + 1..]) else {
                        return self
                            .fault("the escape is none of JSON's, or half of a surrogate pair");
                    };
                    self.at += 1 + used;
                }
                Some(0..0x20) => {
                    return self.fault("a control character stands in a string, not escaped");
                }
                Some(_) => self.at += 1,
                None => return self.fault("the string does not end"),
            }
        }
        self.at += 1;
        Ok(escapes)
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        // A zero in front of other digits makes no number: they are then what should not follow it.
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        if !self.peek().is_ascii_digit() {
            return self.fault("a digit is expected");
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }
}

/// Valid JSON without the whitespace between its tokens.
fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut inside = false;
    let mut escaped = false;
    for character in json.chars() {
        if !inside && matches!(character, ' ' | '\n' | '\r' | '\t') {
            continue;
        }
        if character == '"' && !escaped {
            inside = !inside;
        }
        escaped = inside && character == '\\' && !escaped;
        out.push(character);
    }
    out
}

/// Texts seen a moment ago, to share them: the bindings of a state have the same few keys.
///
/// Without room until the first is kept: many scanners see no key at all.
struct Recent(Vec<Option<Key>>);

impl Recent {
    /// Longer texts are rarely repeated, and would be compared for nothing.
    const LONGEST_BYTES: usize = 32;
    const COUNT: usize = 64;

    const fn new() -> Self {
        Recent(Vec::new())
    }

    fn get(&mut self, text: &str) -> Key {
        let bytes = text.as_bytes();
        let (Some(first), Some(last), true) = (
            bytes.first(),
            bytes.last(),
            bytes.len() <= Self::LONGEST_BYTES,
        ) else {
            return Key::from(text);
        };
        let middle = bytes[bytes.len() / 2];
        let mixed = usize::from(*first) * 31
            + usize::from(*last) * 7
            + usize::from(middle) * 3
            + bytes.len();
        if self.0.is_empty() {
            self.0.resize(Self::COUNT, None);
        }
        let slot = &mut self.0[mixed % Self::COUNT];
        match slot {
            Some(known) if **known == *text => Arc::clone(known),
            _ => Arc::clone(slot.insert(Key::from(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for (text, pointer, offset) in [
            ("", "", 0),
            (" ", "", 1),
            ("{", "", 1),
            (r#"{"a":}"#, "/a", 5),
            (r#"{"a":{"b/c":[1,x]}}"#, "/a/b~1c/1", 15),
            (r#"{"a":1,}"#, "", 7),
            (r#"{"a" 1}"#, "", 5),
            (r#"{a:1}"#, "", 1),
            ("{\"a\":\"\n\"}", "/a", 6),
            (r#"{"a":"\ud800"}"#, "/a", 6),
            (r#"{"a":"\ud800\u0041"}"#, "/a", 6),
            (r#"{"a":"\udc00"}"#, "/a", 6),
            (r#"{"a":"\u+123"}"#, "/a", 6),
            (r#"{"a":"\x"}"#, "/a", 6),
            ("01", "", 1),
            ("-", "", 1),
            ("1.", "", 2),
            ("1.e1", "", 2),
            ("1e", "", 2),
            ("+1", "", 0),
            (".5", "", 0),
            ("[1,]", "/1", 3),
            ("nul", "", 3),
            ("NaN", "", 0),
            ("{} {}", "", 3),
            ("\u{feff}{}", "", 0),
        ] {
            let error = Node::parse(text).unwrap_err();
            assert_eq!(
                (error.pointer.as_deref(), error.offset),
                (Some(pointer), offset),
                "{text}: {error}"
            );
            assert!(serde_json::from_str::<Value>(text).is_err(), "{text}");
        }
        assert_eq!(
            Node::parse_bytes(b"{\"a\":\"\xff\"}").unwrap_err().offset,
            6
        );
    }

    #[test]
    fn nesting_is_bounded_and_never_overflows_the_stack() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let node = Node::parse(&nested(MAX_DEPTH)).unwrap();
            assert_eq!(node.to_json(), nested(MAX_DEPTH));
            assert_eq!(node.clone(), node);
            assert!(Node::parse(&nested(MAX_DEPTH + 1)).is_err());
            assert!(Node::parse(&open.repeat(1_000_000)).is_err());
        }
        let mixed = format!(
            "{}{}1{}{}",
            "{\"a\":".repeat(64),
            "[".repeat(65),
            "]".repeat(65),
            "}".repeat(64)
        );
        assert!(Node::parse(&mixed).is_err(), "arrays count too");
    }

    #[test]
    fn a_member_that_stands_twice_keeps_its_last_value_and_first_place() {
        let node = Node::parse(r#"{"a":1,"b":2,"\u0061":3}"#).unwrap();
        assert_eq!(node.to_json(), r#"{"a":3,"b":2}"#);
    }

    #[test]
    fn leaves_keep_their_text_and_a_document_stays_on_one_line() {
        let text = " {\"n\" : 1.50e+02 , \"big\":123456789012345678901234567890,\n\"s\":\"\\u00e9 \\\" \\\\\", \"l\": [ 1 , \"a \\\" b\\\\\" ,\n{ \"x\" : null } ] , \"o\":{ } }\n";
        let node = Node::parse(text).unwrap();
        let want = r#"{"n":1.50e+02,"big":123456789012345678901234567890,"s":"\u00e9 \" \\","l":[1,"a \" b\\",{"x":null}],"o":{}}"#;
        assert_eq!(node.to_json(), want);
        assert_eq!(node.serialized_len(), want.len());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 25, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(".{0,4}", inner, 0..25)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Texts that are nearly JSON: tokens, in any order, and valid documents with a few bytes changed.
    fn nearly_json() -> impl Strategy<Value = String> {
        let token = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"a\"",
            "\"\"",
            "1",
            "-",
            "0",
            ".",
            "e",
            "+",
            "12.5e3",
            "true",
            "false",
            "null",
            " ",
            "\n",
            "\"\\u12",
            "\"\\ud83d\\ude00\"",
            "\\",
            "\"",
            "\u{e9}",
            "\u{1}",
            "nul",
        ]);
        let tokens = prop::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat());
        let damaged = (
            json(),
            any::<prop::sample::Index>(),
            prop::sample::select(b"{}[],:\"\\0e.- x\n".to_vec()),
        )
            .prop_map(|(value, place, byte)| {
                let mut bytes = value.to_string().into_bytes();
                let at = place.index(bytes.len());
                bytes[at] = byte;
                String::from_utf8_lossy(&bytes).into_owned()
            });
        prop_oneof![tokens, damaged]
    }

    proptest! {
        #[test]
        fn what_serde_json_reads_is_read_alike(value in json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let node = Node::parse(&text).unwrap();
            prop_assert_eq!(node.to_value(), value.clone());
            prop_assert_eq!(Node::from_value(&value), node.clone());
            let written = node.to_json();
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
            prop_assert_eq!(node.serialized_len(), written.len());
            prop_assert_eq!(Node::parse(&written).unwrap(), node);
        }

        #[test]
        fn what_serde_json_refuses_is_refused(text in nearly_json()) {
            // A number too large for a float is the one thing that is read here and not there.
            match (Node::parse(&text), serde_json::from_str::<Value>(&text)) {
                (Ok(node), Ok(value)) => prop_assert_eq!(node.to_value(), value),
                (Err(_), Err(_)) => {}
                (Ok(_), Err(error)) => prop_assert!(error.to_string().contains("out of range"), "{text}: {error}"),
                (Err(error), Ok(_)) => prop_assert!(false, "{text}: {error}"),
            }
        }
    }
}
