//! The fast way for documents: their envelope as bytes, with nothing parsed or copied.

use memchr::memchr2;

const ENVELOPE: &[u8] = b"{\"captured\":{";
const BINDING: &[u8] = b"\"binding\":";
const DOC: &[u8] = b"\"doc\":";
const END: &[u8] = b"}}";

/// Appends `{"captured":{"binding":3,"doc":`; the document's JSON text comes next, on the same line.
#[inline]
pub fn begin_captured(binding: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"captured\":{\"binding\":");
    push_decimal(binding, out);
    out.extend_from_slice(b",\"doc\":");
}

/// Appends `}}` and the line feed, which end what [`begin_captured`] began.
#[inline]
pub fn end_captured(out: &mut Vec<u8>) {
    out.extend_from_slice(b"}}\n");
}

/// Appends a document that is JSON text already, as one line.
///
/// Line breaks between its tokens become spaces. That it is one JSON object is the caller's promise.
#[inline]
pub fn append_captured(binding: u32, document: &[u8], out: &mut Vec<u8>) {
    begin_captured(binding, out);
    append_on_one_line(document, out);
    end_captured(out);
}

/// JSON has line breaks between tokens only, never inside one, so that a space in place of each leaves the same document.
#[inline]
fn append_on_one_line(document: &[u8], out: &mut Vec<u8>) {
    let mut rest = document;
    while let Some(at) = memchr2(b'\n', b'\r', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b' ');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Takes the binding and the document out of a `captured` line of the common form.
///
/// `{"captured":{"binding":N,"doc":…}}`, without any space up to the document, and the form without
/// `binding`, are recognised by their first and last bytes. **The document is not checked.** If it
/// parses as exactly one JSON value, then the line is that message; if not, the line may be anything,
/// and [`decode_response`](super::decode_response) tells what. `None` says nothing about the line.
#[inline]
pub fn split_captured(line: &[u8]) -> Option<(u32, &[u8])> {
    let rest = line.strip_prefix(ENVELOPE)?.strip_suffix(END)?;
    let (binding, rest) = match rest.strip_prefix(BINDING) {
        None => (0, rest),
        Some(rest) => {
            let (binding, rest) = take_decimal(rest)?;
            (binding, rest.strip_prefix(b",")?)
        }
    };
    Some((binding, rest.strip_prefix(DOC)?))
}

/// Takes a JSON integer that fits: no sign, no leading zero, no fraction.
fn take_decimal(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    if digits == 0 || (digits > 1 && number[0] == b'0') {
        return None;
    }
    let value = number.iter().try_fold(0_u32, |value, digit| {
        value.checked_mul(10)?.checked_add(u32::from(digit - b'0'))
    })?;
    Some((value, rest))
}

#[inline]
fn push_decimal(value: u32, out: &mut Vec<u8>) {
    match value {
        0..=9 => out.push(b'0' + value as u8), // As in most captures; it is there in every document.
        _ => push_digits(value, out),
    }
}

fn push_digits(mut value: u32, out: &mut Vec<u8>) {
    let mut digits = [0; 10];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use super::append_captured;

    #[test]
    fn a_binding_is_written_with_all_its_digits() {
        for binding in [0, 9, 10, 4_294_967_295] {
            let mut out = Vec::new();
            append_captured(binding, b"{}", &mut out);
            let line = format!("{{\"captured\":{{\"binding\":{binding},\"doc\":{{}}}}}}\n");
            assert_eq!(String::from_utf8(out).unwrap(), line);
        }
    }

    #[test]
    fn line_breaks_between_tokens_become_spaces() {
        let mut out = Vec::new();
        append_captured(7, b"{\n  \"a\": 1,\r\n  \"b\": \"x\\ny\"\n}", &mut out);
        let line = r#"{"captured":{"binding":7,"doc":{   "a": 1,    "b": "x\ny" }}}"#;
        assert_eq!(String::from_utf8(out).unwrap(), format!("{line}\n"));
    }
}
