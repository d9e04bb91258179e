//! What to show of a line that is no message.

/// Characters of a line that [`excerpt`] shows.
const EXCERPT_CHARS: usize = 80;

/// The first 80 characters of a line, control characters escaped, with `…` if there were more.
///
/// Only for output that is no protocol at all (a connector printed to its standard output), where
/// seeing it is the remedy. What is a message, or might be one, is never shown.
pub fn excerpt(line: &[u8]) -> String {
    // No character has more than four bytes: what is beyond cannot be shown.
    let more = line.len() > 4 * EXCERPT_CHARS;
    let head = String::from_utf8_lossy(if more {
        &line[..4 * EXCERPT_CHARS]
    } else {
        line
    });
    let mut chars = head.chars();
    let mut shown = String::with_capacity(head.len().min(2 * EXCERPT_CHARS));
    for c in chars.by_ref().take(EXCERPT_CHARS) {
        if c.is_control() || is_direction_mark(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if more || chars.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Whether the character could make a terminal show the others in a misleading order.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn an_excerpt_is_short_and_cannot_move_the_cursor() {
        let long = "x".repeat(81);
        let exact = "é".repeat(80);
        for (line, expected) in [
            (&b"Starting up..."[..], "Starting up..."),
            (b"", ""),
            (b"a\x1b[2Jb\tc\r", "a\\u{1b}[2Jb\\tc\\r"),
            ("a\u{202e}b".as_bytes(), "a\\u{202e}b"),
            (b"\xff{", "\u{fffd}{"),
            (exact.as_bytes(), &exact),
            (long.as_bytes(), &format!("{}…", &long[..80])),
        ] {
            assert_eq!(excerpt(line), expected);
        }
    }

    #[test]
    fn an_excerpt_of_a_huge_line_looks_at_its_beginning_only() {
        let shown = excerpt(&vec![b'y'; 1 << 20]);
        assert_eq!(shown.chars().count(), 81);
        assert!(shown.ends_with('…'));
    }
}
