//! Whether bytes are one JSON value, byte by byte, in whatever chunks they come.
//!
//! A state machine over the grammar of RFC 8259. What it remembers between two chunks is a state, and a bit for each container
//! that is open. It looks at sixteen bytes of a string at once, and at eight of a number. UTF-8 is not its business: whoever has a whole value
//! asks for that once, which is far faster.

use wide::u8x16;

use super::MAX_DEPTH;

/// What is expected next, or in the middle of what the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    /// Right after `[`: a value, or `]`.
    FirstElement,
    /// Right after `{`: a name, or `}`.
    FirstName,
    Name,
    Colon,
    /// A value has ended within a container: a comma, or the container's end.
    After,
    InString,
    InName,
    Escape,
    Hex,
    /// After half of a surrogate pair: the backslash of the other.
    OtherBackslash,
    OtherU,
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    Power,
    Literal,
}

use State::{
    After, Colon, Escape, Exponent, ExponentSign, FirstElement, FirstName, Fraction, Hex, InName,
    InString, Integer, Literal, Minus, Name, OtherBackslash, OtherU, Point, Power, Value, Zero,
};

/// What is wrong, and where in the bytes that were given last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) problem: &'static str,
}

/// Reads one value, and then the next one.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    state: State,
    /// A one, and below it a bit for each open container, set for an object.
    stack: u128,
    /// The stack when no container of this value is open.
    floor: u128,
    /// What is left of `true`, `false` or `null`.
    literal: &'static [u8],
    escape: Unicode,
}

/// An escape `\uXXXX`, as far as it was read.
#[derive(Clone, Copy, Debug)]
struct Unicode {
    /// The string that it is in: [`InString`] or [`InName`].
    within: State,
    code: u32,
    digits: u8,
    is_second_half: bool,
}

/// Where a value ends, if it does.
pub(super) type End = Option<usize>;

const OBJECT: u128 = 1;
const ARRAY: u128 = 0;

/// The stack's bit that is set when [`MAX_DEPTH`] containers are open.
const FULL: u128 = 1 << MAX_DEPTH;

impl Scanner {
    /// Ready for a value that stands inside of so many containers.
    pub(super) fn new(depth: usize) -> Self {
        let floor = 1 << depth;
        Self {
            state: Value,
            stack: floor,
            floor,
            literal: b"",
            escape: Unicode {
                within: InString,
                code: 0,
                digits: 0,
                is_second_half: false,
            },
        }
    }

    /// Whether the value is whole if nothing follows: only a number is, as it has no end of its own.
    pub(super) fn is_whole_number(&self) -> bool {
        matches!(self.state, Zero | Integer | Fraction | Power) && self.stack == self.floor
    }

    /// Reads on, to the end of the value or of `bytes`. After a value's end it is ready for the next one.
    ///
    /// The end of a number is seen at the byte that follows it, which is not counted to it.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<End, Fault> {
        // Each arm goes straight to the next state, on copies in registers: an outer loop over a `step(state, byte)`, which would be
        // a page shorter, has half the speed.
        let (mut at, mut state, mut stack) = (0, self.state, self.stack);
        macro_rules! fault {
            ($problem:expr) => {
                return Err(Fault {
                    at,
                    problem: $problem,
                })
            };
        }
        macro_rules! byte {
            () => {
                match bytes.get(at) {
                    Some(byte) => *byte,
                    None => {
                        (self.state, self.stack) = (state, stack);
                        return Ok(None);
                    }
                }
            };
        }
        macro_rules! go {
            ($next:expr) => {{
                at += 1;
                state = $next;
            }};
        }
        macro_rules! open {
            ($container:expr, $next:expr) => {{
                if stack & FULL != 0 {
                    fault!("more than 127 objects and arrays inside each other");
                }
                stack = stack << 1 | $container;
                go!($next);
            }};
        }
        macro_rules! ended {
            () => {{
                state = After;
                if stack == self.floor {
                    (self.state, self.stack) = (Value, stack);
                    return Ok(Some(at));
                }
            }};
        }
        macro_rules! close {
            () => {{
                at += 1;
                stack >>= 1;
                ended!();
            }};
        }
        loop {
            match state {
                Value | FirstElement => match byte!() {
                    b'"' => go!(InString),
                    b'1'..=b'9' => go!(Integer),
                    b'{' => open!(OBJECT, FirstName),
                    b'[' => open!(ARRAY, FirstElement),
                    b'0' => go!(Zero),
                    b'-' => go!(Minus),
                    b']' if state == FirstElement => close!(),
                    b' ' | b'\n' | b'\r' | b'\t' => at = after_blanks(bytes, at),
                    first => match literal(first) {
                        Some(rest) => {
                            self.literal = rest;
                            go!(Literal);
                        }
                        None => fault!("a value is expected"),
                    },
                },
                InString => {
                    at = after_plain_text(bytes, at);
                    match byte!() {
                        b'"' => {
                            at += 1;
                            ended!();
                        }
                        b'\\' => {
                            self.escape.within = state;
                            go!(Escape);
                        }
                        _ => fault!("a control character stands in a string"),
                    }
                }
                InName => {
                    at = after_plain_text(bytes, at);
                    match byte!() {
                        b'"' => go!(Colon),
                        b'\\' => {
                            self.escape.within = state;
                            go!(Escape);
                        }
                        _ => fault!("a control character stands in a name"),
                    }
                }
                Colon => match byte!() {
                    b':' => go!(Value),
                    b' ' | b'\n' | b'\r' | b'\t' => at = after_blanks(bytes, at),
                    _ => fault!("a colon is expected"),
                },
                After => match byte!() {
                    b',' if stack & 1 == OBJECT => go!(Name),
                    b',' => go!(Value),
                    b'}' if stack & 1 == OBJECT => close!(),
                    b']' if stack & 1 == ARRAY => close!(),
                    b' ' | b'\n' | b'\r' | b'\t' => at = after_blanks(bytes, at),
                    _ if stack & 1 == OBJECT => fault!("a comma or `}` is expected"),
                    _ => fault!("a comma or `]` is expected"),
                },
                Name | FirstName => match byte!() {
                    b'"' => go!(InName),
                    b'}' if state == FirstName => close!(),
                    b' ' | b'\n' | b'\r' | b'\t' => at = after_blanks(bytes, at),
                    _ => fault!("a name in quotes is expected"),
                },
                Integer => {
                    at = after_digits(bytes, at);
                    match byte!() {
                        b'.' => go!(Point),
                        b'e' | b'E' => go!(Exponent),
                        _ => ended!(),
                    }
                }
                Fraction => {
                    at = after_digits(bytes, at);
                    match byte!() {
                        b'e' | b'E' => go!(Exponent),
                        _ => ended!(),
                    }
                }
                Power => {
                    at = after_digits(bytes, at);
                    let _ = byte!();
                    ended!();
                }
                Zero => match byte!() {
                    b'.' => go!(Point),
                    b'e' | b'E' => go!(Exponent),
                    b'0'..=b'9' => fault!("a number begins with a zero"),
                    _ => ended!(),
                },
                Minus => match byte!() {
                    b'0' => go!(Zero),
                    b'1'..=b'9' => go!(Integer),
                    _ => fault!("a digit is expected"),
                },
                Point => match byte!() {
                    b'0'..=b'9' => go!(Fraction),
                    _ => fault!("a digit is expected"),
                },
                Exponent => match byte!() {
                    b'+' | b'-' => go!(ExponentSign),
                    b'0'..=b'9' => go!(Power),
                    _ => fault!("a digit is expected"),
                },
                ExponentSign => match byte!() {
                    b'0'..=b'9' => go!(Power),
                    _ => fault!("a digit is expected"),
                },
                Literal => {
                    let wanted = self.literal;
                    let got = bytes.get(at..).unwrap_or_default();
                    let same = wanted.iter().zip(got).take_while(|(a, b)| a == b).count();
                    at += same;
                    self.literal = &wanted[same..];
                    if same == wanted.len() {
                        ended!();
                    } else {
                        let _ = byte!();
                        fault!("a value is expected");
                    }
                }
                Escape | Hex | OtherBackslash | OtherU => match self.escape.next(state, byte!()) {
                    Ok(next) => go!(next),
                    Err(problem) => fault!(problem),
                },
            }
        }
    }
}

impl Unicode {
    /// The state after this byte of an escape.
    fn next(&mut self, state: State, byte: u8) -> Result<State, &'static str> {
        const HALF: &str = "an escape is half of a surrogate pair";
        const NONE: &str = "an escape is none of JSON's";
        match (state, byte) {
            (Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(self.within),
            (Escape | OtherU, b'u') => {
                self.is_second_half = state == OtherU;
                (self.code, self.digits) = (0, 0);
                Ok(Hex)
            }
            (OtherBackslash, b'\\') => Ok(OtherU),
            (Hex, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(NONE)?;
                self.code = self.code << 4 | digit;
                self.digits += 1;
                match (self.digits, self.is_second_half, self.code) {
                    (..4, ..) => Ok(Hex),
                    (_, false, 0xD800..=0xDBFF) => Ok(OtherBackslash),
                    (_, true, 0xDC00..=0xDFFF) => Ok(self.within),
                    (_, false, 0xDC00..=0xDFFF) | (_, true, _) => Err(HALF),
                    (_, false, _) => Ok(self.within),
                }
            }
            (OtherBackslash | OtherU, _) => Err(HALF),
            _ => Err(NONE),
        }
    }
}

/// What follows the first byte of `true`, `false` or `null`.
fn literal(first: u8) -> Option<&'static [u8]> {
    match first {
        b't' => Some(b"rue"),
        b'f' => Some(b"alse"),
        b'n' => Some(b"ull"),
        _ => None,
    }
}

/// Where the white space that begins at `at` ends.
#[inline]
pub(super) fn after_blanks(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|byte| is_blank(*byte)) {
        at += 1;
    }
    at
}

/// Whether it is white space of JSON, which has less of that than ASCII.
#[inline]
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Where the plain text of a string ends that goes on at `at`: at a quote, a backslash or a control character, or with the bytes.
#[inline(always)]
fn after_plain_text(bytes: &[u8], mut at: usize) -> usize {
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let block = u8x16::new(*block);
        let is_control = block.min(u8x16::splat(0x1F)).simd_eq(block);
        let is_quote = block.simd_eq(u8x16::splat(b'"'));
        let is_backslash = block.simd_eq(u8x16::splat(b'\\'));
        let ends = (is_control | is_quote | is_backslash).to_bitmask();
        if ends != 0 {
            return at + ends.trailing_zeros() as usize;
        }
        at += 16;
    }
    let is_plain = |byte: &u8| !matches!(byte, 0..=0x1F | b'"' | b'\\');
    while bytes.get(at).is_some_and(is_plain) {
        at += 1;
    }
    at
}

/// One in each byte of a word.
const ONES: u64 = u64::from_ne_bytes([0x01; 8]);

/// The highest bit of each byte of a word.
const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);

/// Where the digits end that go on at `at`. Numbers are short: half of a block serves them better than a whole one.
#[inline(always)]
fn after_digits(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        // A digit is its value now, and at most nine; one more than that has the highest bit, as what was none before has.
        let digits = u64::from_le_bytes(*word) ^ (ONES * b'0' as u64);
        let ends = (((digits & !HIGHEST) + ONES * (0x80 - 10)) | digits) & HIGHEST;
        if ends != 0 {
            return at + (ends.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}
