//! JSON text of strings: what it means, and how a string is written.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Appends `text` as a JSON string, in quotes.
pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => write!(out, "\\u{byte:04x}").expect("writing to a string does not fail"),
        }
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// The bytes that [`write_string`] would append.
pub(crate) fn written_len(text: &str) -> usize {
    let escapes: usize = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 1,
            0..0x20 => 5,
            _ => 0,
        })
        .sum();
    text.len() + 2 + escapes
}

/// What the inside of a valid JSON string (without its quotes) says.
pub(crate) fn unescape(inside: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', inside.as_bytes()) else {
        return Cow::Borrowed(inside);
    };
    let mut said = String::with_capacity(inside.len());
    let mut rest = inside;
    let mut next = Some(first);
    while let Some(at) = next {
        said.push_str(&rest[..at]);
        let (character, used) =
            escaped(&rest[at + 1..]).expect("the string was validated when it was parsed");
        said.push(character);
        rest = &rest[at + 1 + used..];
        next = memchr::memchr(b'\\', rest.as_bytes());
    }
    said.push_str(rest);
    Cow::Owned(said)
}

/// Reads one escape, from behind its backslash: the character, and how many bytes it took.
///
/// `None` when it is no escape that RFC 8259 knows, or half of a surrogate pair.
pub(crate) fn escaped(after: &str) -> Option<(char, usize)> {
    let character = match after.as_bytes().first()? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return escaped_unit(after),
        _ => return None,
    };
    Some((character, 1))
}

fn escaped_unit(after: &str) -> Option<(char, usize)> {
    let first = unit(after)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, 5));
    }
    let second = unit(after.get(5..)?.strip_prefix('\\')?)?;
    if !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Some((char::from_u32(code)?, 11))
}

fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('u')?.get(..4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, 16).ok()
}
