//! Protobuf's wire format, as far as this protocol has it: varints, tags, lengths, fixed numbers.

use super::fault::Fault;

/// Bytes of the longest varint.
const MAX_VARINT_BYTES: usize = 10;

/// Wire types, the lowest three bits of a tag.
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const FIXED32: u32 = 5;

/// The value of one field, as the wire tells it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// The fields of a message, in the order in which they came.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    once: u64,
    seen: u64,
}

impl<'a> Fields<'a> {
    /// Of a message whose fields `once` may come once only; no writer repeats them, and which would count is not obvious.
    pub(super) fn new(message: &'a [u8], once: &[u32]) -> Self {
        let bits = once.iter().fold(0, |bits, tag| bits | bit(*tag));
        Self {
            rest: message,
            once: bits,
            seen: 0,
        }
    }

    /// The next field's number and value.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u32, Wire<'a>)>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| NO_TAG)?;
        let (tag, wire_type) = (key >> 3, key & 7);
        if tag == 0 {
            return Err(NO_TAG);
        }
        let twice = self.once & self.seen & bit(tag);
        if twice != 0 {
            return Err(Fault::wire("a member that is given twice").at_tag(tag));
        }
        self.seen |= bit(tag);
        let value = match wire_type {
            VARINT => self.varint().map(Wire::Varint),
            FIXED64 => self.fixed().map(Wire::Fixed64),
            FIXED32 => self.fixed().map(Wire::Fixed32),
            BYTES => self.bytes().map(Wire::Bytes),
            _ => Err(Fault::wire("a wire type that this protocol has not")),
        };
        Ok(Some((tag, value.map_err(|fault| fault.at_tag(tag))?)))
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let (value, rest) = take_varint(self.rest)?;
        self.rest = rest;
        Ok(value)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Fault> {
        let length = self.varint()?;
        let split = usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length));
        let (bytes, rest) = split.ok_or(Fault::wire("a length beyond the end of its message"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

const CUT_OFF: Fault = Fault::wire("a number that is cut off");
const NO_TAG: Fault = Fault::wire("a tag that cannot be");

/// Tags beyond 63 are never ours, and not looked at.
fn bit(tag: u32) -> u64 {
    1_u64.checked_shl(tag).unwrap_or(0)
}

/// Takes a varint from the front: seven bits a byte, the lowest first. Padded ones, with zeros on top, are legal.
#[inline]
pub(super) fn take_varint(bytes: &[u8]) -> Result<(u64, &[u8]), Fault> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(MAX_VARINT_BYTES) {
        // Of the tenth byte one bit fits; what readers elsewhere let overflow is refused here.
        if at == MAX_VARINT_BYTES - 1 && *byte > 1 {
            break;
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((value, &bytes[at + 1..]));
        }
    }
    Err(if bytes.len() < MAX_VARINT_BYTES {
        CUT_OFF
    } else {
        Fault::wire("a number of more than 64 bits")
    })
}

impl<'a> Wire<'a> {
    fn varint(self) -> Result<u64, Fault> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(Fault::wire("a wire type that is not that of a number")),
        }
    }

    /// Of a `uint32`. What does not fit is refused: a writer of these has nothing to be cut off.
    #[inline]
    pub(super) fn uint32(self) -> Result<u32, Fault> {
        u32::try_from(self.varint()?)
            .map_err(|_| Fault::shape("expected an integer from 0 to 4294967295"))
    }

    /// Of an `int64`, or an `int32`, which are the same on the wire.
    pub(super) fn int64(self) -> Result<i64, Fault> {
        Ok(self.varint()?.cast_signed())
    }

    pub(super) fn boolean(self) -> Result<bool, Fault> {
        Ok(self.varint()? != 0)
    }

    pub(super) fn fixed32(self) -> Result<u32, Fault> {
        match self {
            Self::Fixed32(bytes) => Ok(u32::from_le_bytes(bytes)),
            _ => Err(Fault::wire("a wire type that is not `fixed32`")),
        }
    }

    pub(super) fn double(self) -> Result<f64, Fault> {
        match self {
            Self::Fixed64(bytes) => Ok(f64::from_le_bytes(bytes)),
            _ => Err(Fault::wire("a wire type that is not `double`")),
        }
    }

    #[inline]
    pub(super) fn bytes(self) -> Result<&'a [u8], Fault> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Fault::wire("a wire type that has no length")),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Fault::not_utf8())
    }
}

/// Bytes that a varint of the value takes.
#[inline]
pub(super) fn varint_len(value: u64) -> usize {
    // The number of bits, divided by seven and rounded up, without a division: 9/64 is close enough up to 64.
    ((64 - (value | 1).leading_zeros()) as usize * 9 + 64) / 64
}

#[inline]
pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A tag and the length of what follows.
#[inline]
pub(super) fn put_head(tag: u32, length: usize, out: &mut Vec<u8>) {
    put_varint(u64::from(tag << 3 | BYTES), out);
    put_varint(length as u64, out);
}

pub(super) fn put_bytes(tag: u32, bytes: &[u8], out: &mut Vec<u8>) {
    put_head(tag, bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// A text, unless it is empty: the default is left out.
pub(super) fn put_text(tag: u32, text: &str, out: &mut Vec<u8>) {
    if !text.is_empty() {
        put_bytes(tag, text.as_bytes(), out);
    }
}

/// A list of texts, of which none is left out.
pub(super) fn put_texts(tag: u32, texts: &[String], out: &mut Vec<u8>) {
    for text in texts {
        put_bytes(tag, text.as_bytes(), out);
    }
}

/// A number, unless it is zero.
#[inline]
pub(super) fn put_number(tag: u32, value: u64, out: &mut Vec<u8>) {
    if value != 0 {
        put_varint(u64::from(tag << 3 | VARINT), out);
        put_varint(value, out);
    }
}

pub(super) fn put_boolean(tag: u32, value: bool, out: &mut Vec<u8>) {
    put_number(tag, u64::from(value), out);
}

/// A `fixed32`, also if it is zero.
pub(super) fn put_fixed32(tag: u32, value: u32, out: &mut Vec<u8>) {
    put_varint(u64::from(tag << 3 | FIXED32), out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A `double`, also if it is zero.
pub(super) fn put_double(tag: u32, value: f64, out: &mut Vec<u8>) {
    put_varint(u64::from(tag << 3 | FIXED64), out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A message inside another: its fields are written by `fields`, and its length is put before them.
pub(super) fn put_message(tag: u32, out: &mut Vec<u8>, fields: impl FnOnce(&mut Vec<u8>)) {
    put_varint(u64::from(tag << 3 | BYTES), out);
    let start = out.len();
    out.push(0); // Most messages are short: their length takes this one byte.
    fields(out);
    let length = out.len() - start - 1;
    put_length(start, 1, length, out);
}

/// Writes the varint of `length` where `room` bytes were left for it at `at`, and moves what follows as far as it must.
pub(super) fn put_length(at: usize, room: usize, length: usize, out: &mut Vec<u8>) {
    let need = varint_len(length as u64);
    let (from, end) = (at + room, out.len());
    if need > room {
        out.resize(end + need - room, 0);
    }
    if need != room {
        out.copy_within(from..end, at + need);
    }
    out.truncate(end - room + need);
    let mut value = length as u64;
    for byte in &mut out[at..at + need - 1] {
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    out[at + need - 1] = value as u8;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_takes_as_many_bytes_as_are_said() {
        for bits in 0..64 {
            for value in [(1_u64 << bits) - 1, 1 << bits, u64::MAX >> bits] {
                let mut out = Vec::new();
                put_varint(value, &mut out);
                assert_eq!(out.len(), varint_len(value), "{value}");
                assert_eq!(take_varint(&out).unwrap(), (value, &[][..]));
            }
        }
    }

    #[test]
    fn a_padded_varint_is_the_same_number_and_one_too_long_is_none() {
        assert_eq!(take_varint(b"\x83\x80\x00\x07").unwrap(), (3, &[7][..]));
        let longest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(take_varint(&longest).unwrap().0, u64::MAX);
        for bad in [&b""[..], b"\x80", &[0x80; 11], &[0xff; 10]] {
            assert!(take_varint(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_length_is_put_where_there_is_too_little_room_or_too_much() {
        for room in [1, 2, 3] {
            for length in [0, 1, 127, 128, 16_383, 16_384] {
                let mut out = vec![9; 4 + room];
                out.extend(std::iter::repeat_n(7, length));
                put_length(4, room, length, &mut out);
                assert_eq!(out[..4], [9; 4]);
                let (read, rest) = take_varint(&out[4..]).unwrap();
                assert_eq!(read, length as u64);
                assert!(rest.len() == length && rest.iter().all(|byte| *byte == 7));
            }
        }
    }

    #[test]
    fn what_is_not_known_can_be_stepped_over() {
        // A varint, 64 bits, three bytes, 32 bits; then the field.
        let message = b"\xf8\x3f\x01\xf9\x3f12345678\xfa\x3f\x03abc\xfd\x3f1234\x08\x05";
        let mut fields = Fields::new(message, &[1]);
        let mut last = None;
        while let Some(field) = fields.next().unwrap() {
            last = Some(field);
        }
        assert_eq!(last, Some((1, Wire::Varint(5))));
    }
}
