//! The names of entries.

use std::hash::{DefaultHasher, Hash, Hasher};

/// What the bytes from 128 on are in code page 437, in which names are that do not say otherwise.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// A name with nothing in it that leads out of a folder: no root, no drive, no `..`, no control characters; parts are divided by `/`.
pub(super) fn sanitised(raw: &[u8], is_utf8: bool) -> String {
    let text = match std::str::from_utf8(raw) {
        // Many writers have UTF-8 and do not say so. Text in code page 437 is hardly ever valid as that by chance.
        Ok(text) => text.to_owned(),
        Err(_) if is_utf8 => String::from_utf8_lossy(raw).into_owned(),
        Err(_) => raw.iter().map(|byte| cp437(*byte)).collect(),
    };
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = match text.as_bytes() {
        [drive, b':', ..] if drive.is_ascii_alphabetic() => &text[2..],
        _ => &text,
    };
    let parts = text
        .split(['/', '\\'])
        .filter(|part| !matches!(*part, "" | "." | ".."));
    parts.collect::<Vec<_>>().join("/")
}

fn cp437(byte: u8) -> char {
    match byte.checked_sub(128) {
        None => char::from(byte),
        Some(above) => CP437
            .chars()
            .nth(usize::from(above))
            .expect("it has 128 of them"),
    }
}

/// Stands for the name where two are compared: an archive's names may take more memory than there is.
pub(super) fn digest(raw: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    raw.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_nowhere() {
        assert_eq!(CP437.chars().count(), 128);
        for (raw, expected) in [
            (&b"a/b.csv"[..], "a/b.csv"),
            (b"/etc/passwd", "etc/passwd"),
            (b"../../x", "x"),
            (b"a/../b/./c", "a/b/c"),
            (b"..\\..\\x", "x"),
            (b"C:\\x\\y", "x/y"),
            (b"C:x", "x"),
            (b"a//b/", "a/b"),
            (b"a\0\n\x1b[1m", "a[1m"),
            ("größe".as_bytes(), "größe"),
            (b"gr\x94\xe1e", "größe"),
            (b"", ""),
        ] {
            assert_eq!(sanitised(raw, false), expected);
        }
        assert_eq!(sanitised(b"gr\x94e", true), "gr\u{fffd}e");
    }
}
