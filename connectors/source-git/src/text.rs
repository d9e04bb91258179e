//! Bytes to text: a commit's encoding, and names that need not be text at all.

/// `bytes` as text, in the encoding that the commit declares; UTF-8 if it declares none.
///
/// Never fails. Known are UTF-8, ISO-8859-1, ISO-8859-15 and Windows-1252, under the names in use; anything
/// else is read as UTF-8, where what does not fit becomes U+FFFD.
pub(crate) fn decode(bytes: &[u8], encoding: Option<&[u8]>) -> String {
    match encoding.map(charset) {
        Some(Charset::Latin1) => bytes.iter().map(|&byte| char::from(byte)).collect(),
        Some(Charset::Latin9) => bytes.iter().map(|&byte| latin9(byte)).collect(),
        Some(Charset::Windows1252) => bytes.iter().map(|&byte| windows1252(byte)).collect(),
        Some(Charset::Utf8) | None => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// `bytes` with each byte that is not UTF-8 as `\xff`, so that two names stay two names: a ref name
/// cannot contain a backslash (`git check-ref-format`).
pub(crate) fn ref_name(bytes: &[u8]) -> String {
    let mut name = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        name.push_str(chunk.valid());
        for byte in chunk.invalid() {
            name.push_str(&format!("\\x{byte:02x}"));
        }
    }
    name
}

enum Charset {
    Utf8,
    Latin1,
    Latin9,
    Windows1252,
}

fn charset(label: &[u8]) -> Charset {
    let label: Vec<u8> = label
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(u8::to_ascii_lowercase)
        .collect();
    match label.as_slice() {
        b"iso88591" | b"iso885911987" | b"latin1" | b"l1" | b"cp819" | b"ibm819" => Charset::Latin1,
        b"iso885915" | b"iso8859151998" | b"latin9" => Charset::Latin9,
        b"windows1252" | b"cp1252" | b"mscp1252" => Charset::Windows1252,
        _ => Charset::Utf8,
    }
}

fn latin9(byte: u8) -> char {
    match byte {
        0xa4 => '€',
        0xa6 => 'Š',
        0xa8 => 'š',
        0xb4 => 'Ž',
        0xb8 => 'ž',
        0xbc => 'Œ',
        0xbd => 'œ',
        0xbe => 'Ÿ',
        other => char::from(other),
    }
}

/// Bytes 0x80 to 0x9f of Windows-1252, U+FFFD where it has no character.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{fffd}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{fffd}', 'Ž',
    '\u{fffd}', '\u{fffd}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{fffd}',
    'ž', 'Ÿ',
];

fn windows1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, ref_name};

    #[test]
    fn text_is_read_in_the_encoding_that_the_commit_declares() {
        for (bytes, encoding, expected) in [
            (&b"caf\xc3\xa9"[..], None, "café"),
            (b"caf\xe9", None, "caf\u{fffd}"),
            (b"caf\xe9", Some("ISO-8859-1"), "café"),
            (b"caf\xe9", Some("iso8859-1"), "café"),
            (b"caf\xe9", Some("latin1"), "café"),
            (b"\xa4", Some("ISO-8859-15"), "€"),
            (b"\x80\x93\x81", Some("CP1252"), "€“\u{fffd}"),
            (b"caf\xc3\xa9", Some("UTF-8"), "café"),
            (b"caf\xc3\xa9", Some("utf8"), "café"),
            (b"caf\xe9", Some("KOI8-R"), "caf\u{fffd}"),
            (b"", Some(""), ""),
        ] {
            assert_eq!(
                decode(bytes, encoding.map(str::as_bytes)),
                expected,
                "{encoding:?}"
            );
        }
    }

    #[test]
    fn two_ref_names_that_are_not_text_stay_two() {
        assert_eq!(
            ref_name(b"refs/heads/a\xff\xfeb"),
            "refs/heads/a\\xff\\xfeb"
        );
        assert_ne!(ref_name(b"refs/heads/\xff"), ref_name(b"refs/heads/\xfe"));
        assert_eq!(ref_name("refs/heads/é".as_bytes()), "refs/heads/é");
    }
}
