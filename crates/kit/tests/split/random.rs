//! Documents that are hard to split.
//!
//! Written as text, so that they have what no serializer writes: white space everywhere, names in escapes, names that are nearly
//! the path's, brackets and quotes in strings, and halves of everything once they are damaged.

use std::fmt;

/// SplitMix64: small, fast, and any seed will do.
pub(crate) struct Random(u64);

/// A document, and the tokens of a path that may lead to an array in it.
pub(crate) struct Case {
    pub(crate) tokens: &'static [&'static str],
    pub(crate) text: Vec<u8>,
}

impl Case {
    pub(crate) fn path(&self) -> String {
        let token = |token: &&str| format!("/{}", token.replace('~', "~0").replace('/', "~1"));
        self.tokens.iter().map(token).collect()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {}", self.path(), self.text.escape_ascii())
    }
}

const PATHS: [&[&str]; 8] = [
    &[],
    &["data"],
    &["data"],
    &["a", "b"],
    &["1"],
    &["a", "0"],
    &["a/b", "~", ""],
    &["é"],
];

/// Names as they are written, those of paths among them in several ways.
const NAMES: [&str; 18] = [
    "data",
    "dat\\u0061",
    "dat",
    "data ",
    "Data",
    "a",
    "\\u0061",
    "b",
    "0",
    "1",
    "",
    "é",
    "\\u00e9",
    "a/b",
    "a\\/b",
    "~",
    "\\\"",
    "\u{1f600}",
];

const STRINGS: [&str; 20] = [
    "",
    "a",
    "]",
    "}",
    "{\\\"data\\\":[",
    "\\\\",
    "\\\\\\\"",
    "\\u0000",
    "\\n\\r\\t\\b\\f\\/",
    "é",
    "\u{ffff}",
    "\u{1f600}",
    "\\ud83d\\ude00",
    "[1,2]",
    ":,",
    "\\u007f\u{7f}",
    "plain text of more than one word",
    "\\uD7FF\\uE000",
    "12345678",
    "1234567",
];

const NUMBERS: [&str; 14] = [
    "0",
    "-0",
    "7",
    "-12",
    "1234567890",
    "12345678",
    "0.5",
    "-0.25",
    "1e5",
    "2E-3",
    "3.25e+2",
    "0e0",
    "18446744073709551615",
    "100",
];

const BLANKS: [&str; 6] = [" ", "\n", "\t", "\r\n", "  \n    ", " \r"];

/// What damages most.
const DAMAGES: &[u8] = b"{}[],:\"\\0e.-+ xnu\n\x00\x1f\x7f\xc3\xa9\xff\xed\xf0";

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Sizes of chunks for a text of that length.
    pub(crate) fn sizes(&mut self, length: usize) -> Vec<usize> {
        let largest = self.of(&[2, 5, 17, length.max(1)]);
        (0..4).map(|_| 1 + self.below(largest)).collect()
    }

    pub(crate) fn document(&mut self) -> Case {
        self.case(4)
    }

    pub(crate) fn small_document(&mut self) -> Case {
        self.case(1)
    }

    fn case(&mut self, size: usize) -> Case {
        let tokens = self.of(&PATHS);
        let mut text = Vec::new();
        if self.below(16) == 0 {
            text.extend_from_slice("\u{feff}".as_bytes());
        }
        self.on_path(tokens, size, &mut text);
        self.blank(&mut text);
        Case { tokens, text }
    }

    /// Values on lines, and now and then blank lines, and none or several on a line.
    pub(crate) fn lines(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        for _ in 0..self.below(4) {
            let at = text.len();
            self.value(2, &mut text);
            if self.below(8) > 0 {
                // Within a value, white space is as good without line breaks.
                text[at..]
                    .iter_mut()
                    .filter(|byte| **byte == b'\n')
                    .for_each(|byte| *byte = b' ');
            }
            let between = self.of(&["\n", "\n", "\n", "\r\n", "\n\n", " \n \n", " ", ""]);
            text.extend_from_slice(between.as_bytes());
        }
        text
    }

    /// One to three bytes changed, added or left out, or the end.
    pub(crate) fn damage(&mut self, text: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(text.len().max(1));
            match self.below(4) {
                0 if at < text.len() => text[at] = self.of(DAMAGES),
                1 => text.truncate(at),
                2 if at < text.len() => drop(text.remove(at)),
                _ => text.insert(at.min(text.len()), self.of(DAMAGES)),
            }
        }
    }

    fn blank(&mut self, text: &mut Vec<u8>) {
        if self.below(4) == 0 {
            text.extend_from_slice(self.of(&BLANKS).as_bytes());
        }
    }

    /// What the path leads through or to, mostly.
    fn on_path(&mut self, tokens: &[&str], size: usize, text: &mut Vec<u8>) {
        self.blank(text);
        let Some((token, rest)) = tokens.split_first() else {
            return match self.below(24) {
                0 => text.extend_from_slice(b"null"),
                1 => self.value(1, text),
                _ => self.array(size, text),
            };
        };
        match (self.below(24), token.parse::<usize>()) {
            (0, _) => text.extend_from_slice(b"null"),
            (1, _) => self.value(2, text),
            (is_object, Ok(index)) if is_object > 3 => {
                text.push(b'[');
                for _ in 0..index {
                    self.value(1, text);
                    self.separator(b',', text);
                }
                self.on_path(rest, size, text);
                for _ in 0..self.below(2) {
                    self.separator(b',', text);
                    self.value(1, text);
                }
                text.push(b']');
            }
            _ => self.object_on_path(token, rest, size, text),
        }
    }

    fn object_on_path(&mut self, token: &str, rest: &[&str], size: usize, text: &mut Vec<u8>) {
        text.push(b'{');
        let members = 1 + self.below(size);
        let (on_path, twice) = (self.below(members), self.below(40) == 0);
        for member in 0..members {
            if member > 0 {
                self.separator(b',', text);
            }
            self.blank(text);
            text.push(b'"');
            let is_on_path = member == on_path || twice;
            if is_on_path {
                self.escaped(token, text);
            } else {
                text.extend_from_slice(self.of(&NAMES).as_bytes());
            }
            text.push(b'"');
            self.separator(b':', text);
            if is_on_path {
                self.on_path(rest, size, text);
            } else {
                self.value(2, text);
            }
            self.blank(text);
        }
        text.push(b'}');
    }

    /// A name, some of it as escapes.
    fn escaped(&mut self, name: &str, text: &mut Vec<u8>) {
        let in_escapes = self.below(4) == 0;
        for character in name.chars() {
            if in_escapes && self.below(2) == 0 {
                text.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
            } else {
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }

    fn separator(&mut self, separator: u8, text: &mut Vec<u8>) {
        self.blank(text);
        text.push(separator);
        self.blank(text);
    }

    fn array(&mut self, size: usize, text: &mut Vec<u8>) {
        text.push(b'[');
        self.blank(text);
        for index in 0..self.below(size + 2) {
            if index > 0 {
                self.separator(b',', text);
            }
            self.value(size.min(3), text);
        }
        self.blank(text);
        text.push(b']');
    }

    fn value(&mut self, size: usize, text: &mut Vec<u8>) {
        let kinds = if size == 0 { 5 } else { 8 };
        match self.below(kinds) {
            0 => text.extend_from_slice(self.of(&["true", "false", "null"]).as_bytes()),
            1 | 2 => text.extend_from_slice(self.of(&NUMBERS).as_bytes()),
            3 | 4 => self.string(text),
            5 => self.array(size - 1, text),
            6 if self.below(16) == 0 => self.nested(text),
            _ => self.object(size - 1, text),
        }
    }

    fn string(&mut self, text: &mut Vec<u8>) {
        text.push(b'"');
        for _ in 0..=self.below(2) {
            text.extend_from_slice(self.of(&STRINGS).as_bytes());
        }
        text.push(b'"');
    }

    fn object(&mut self, size: usize, text: &mut Vec<u8>) {
        text.push(b'{');
        self.blank(text);
        for index in 0..self.below(3) {
            if index > 0 {
                self.separator(b',', text);
            }
            text.push(b'"');
            text.extend_from_slice(self.of(&NAMES).as_bytes());
            text.push(b'"');
            self.separator(b':', text);
            self.value(size, text);
        }
        self.blank(text);
        text.push(b'}');
    }

    fn nested(&mut self, text: &mut Vec<u8>) {
        let open = self.of(&["[", "{\"data\":", "[ {\"a\" :"]);
        let depth = 1 + self.below(30);
        for _ in 0..depth {
            text.extend_from_slice(open.as_bytes());
        }
        text.extend_from_slice(b"[]");
        for _ in 0..depth {
            for bracket in open.bytes().rev() {
                match bracket {
                    b'[' => text.push(b']'),
                    b'{' => text.push(b'}'),
                    _ => {}
                }
            }
        }
    }
}
