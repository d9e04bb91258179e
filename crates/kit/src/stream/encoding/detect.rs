//! Which encoding a text is in.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};

use super::Encoding;

/// What the first bytes of a text say outright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A byte order mark of so many bytes.
    Of(Encoding, usize),
    /// That of UTF-32, which nothing here decodes. UTF-16 would take it for its own, and a NUL.
    Utf32,
    None,
}

/// How many bytes [`mark`] needs.
pub(crate) const MARK_BYTES: usize = 4;

pub(crate) fn mark(start: &[u8]) -> Mark {
    match start {
        [0xef, 0xbb, 0xbf, ..] => Mark::Of(Encoding::UTF_8, 3),
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Mark::Utf32,
        [0xff, 0xfe, ..] => Mark::Of(Encoding::UTF_16LE, 2),
        [0xfe, 0xff, ..] => Mark::Of(Encoding::UTF_16BE, 2),
        _ => Mark::None,
    }
}

pub(super) fn detect(start: &[u8], whole: bool) -> Encoding {
    if let Mark::Of(encoding, _) = mark(start) {
        return encoding;
    }
    unmarked_utf16(start)
        .or_else(|| is_utf8(start, whole).then_some(Encoding::UTF_8))
        .unwrap_or_else(|| guess(start, whole))
}

/// UTF-16 of a text that is ASCII for the most part: it has a zero in one byte of most pairs, and none in the other.
///
/// That is valid UTF-8 too, but no text.
fn unmarked_utf16(start: &[u8]) -> Option<Encoding> {
    let pairs = start.len() / 2;
    let zeros = |offset: usize| {
        start
            .iter()
            .skip(offset)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    match (zeros(0), zeros(1)) {
        (0, low) if pairs > 0 && low * 2 > pairs => Some(Encoding::UTF_16LE),
        (high, 0) if pairs > 0 && high * 2 > pairs => Some(Encoding::UTF_16BE),
        _ => None,
    }
}

/// Whether this is UTF-8; its last character may be cut, unless it is the whole text.
fn is_utf8(start: &[u8], whole: bool) -> bool {
    match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && !whole,
    }
}

fn guess(start: &[u8], whole: bool) -> Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(start, whole);
    Encoding(detector.guess(None, Utf8Detection::Deny))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Encoding {
        Encoding::named(name).unwrap()
    }

    #[test]
    fn a_mark_decides_then_zeros_then_utf_8_then_what_it_looks_like() {
        let czech = "Příliš žluťoučký kůň úpěl ďábelské ódy; zvlášť když pršelo";
        let russian = "Съешь же ещё этих мягких французских булок да выпей чаю";
        let japanese = "これは日本語の文章です。文字コードを判定します。";
        let in_encoding = |text: &str, name: &str| named(name).0.encode(text).0.into_owned();
        let utf16 =
            |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        for (what, bytes, expected) in [
            ("nothing", vec![], "utf-8"),
            ("ascii", b"id,name\n".to_vec(), "utf-8"),
            ("a mark", b"\xef\xbb\xbfid".to_vec(), "utf-8"),
            ("a mark", b"\xff\xfei\0".to_vec(), "utf-16le"),
            ("a mark", b"\xfe\xff\0i".to_vec(), "utf-16be"),
            ("zeros", utf16("id,name\n1,größer\n"), "utf-16le"),
            ("zeros", b"\0i\0d".to_vec(), "utf-16be"),
            ("a few zeros", b"id,name\n1,a\0b\n2,c\n".to_vec(), "utf-8"),
            ("czech", czech.as_bytes().to_vec(), "utf-8"),
            ("czech", in_encoding(czech, "windows-1250"), "windows-1250"),
            (
                "russian",
                in_encoding(russian, "windows-1251"),
                "windows-1251",
            ),
            ("russian", in_encoding(russian, "koi8-u"), "koi8-u"),
            ("japanese", in_encoding(japanese, "shift_jis"), "shift_jis"),
            ("japanese", in_encoding(japanese, "euc-jp"), "euc-jp"),
        ] {
            assert_eq!(Encoding::detect(&bytes, true), named(expected), "{what}");
        }
        assert_eq!(mark(b"\xff\xfe\0\0i\0\0\0"), Mark::Utf32);
    }

    #[test]
    fn a_character_may_be_cut_by_the_end_of_the_sample_but_not_by_that_of_the_text() {
        let text = "größer".as_bytes();
        assert_eq!(Encoding::detect(&text[..3], false), Encoding::UTF_8);
        assert_ne!(Encoding::detect(&text[..3], true), Encoding::UTF_8);
    }
}
