//! The formats that the pass over the bytes knows. Each accepts the ordinary spellings and leaves the odd ones (leap
//! seconds, the ends of months) to the full validator.

/// A `format` that the plan can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Date,
    DateTime,
    Uuid,
}

impl Format {
    pub(super) fn named(name: &str) -> Option<Format> {
        match name {
            "date" => Some(Format::Date),
            "date-time" => Some(Format::DateTime),
            "uuid" => Some(Format::Uuid),
            _ => None,
        }
    }

    /// Whether `text` certainly has the format.
    pub(super) fn admits(self, text: &str) -> bool {
        let text = text.as_bytes();
        match self {
            Format::Date => is_date(text),
            Format::DateTime => {
                text.len() >= 20
                    && is_date(&text[..10])
                    && matches!(text[10], b'T' | b't')
                    && is_time(&text[11..])
            }
            Format::Uuid => is_uuid(text),
        }
    }
}

fn is_date(text: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return false;
    };
    [y1, y2, y3, y4].iter().all(u8::is_ascii_digit)
        && within(m1, m2, 1, 12)
        && within(d1, d2, 1, 28)
        || is_late_in_a_long_month(text)
}

/// The 29th and 30th of every month but February, and the 31st of the long ones.
fn is_late_in_a_long_month(text: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else {
        return false;
    };
    let last = match (m1, m2) {
        (b'0', b'4' | b'6' | b'9') | (b'1', b'1') => 30,
        (b'0', b'1' | b'3' | b'5' | b'7' | b'8') | (b'1', b'0' | b'2') => 31,
        _ => return false,
    };
    [y1, y2, y3, y4].iter().all(u8::is_ascii_digit) && within(d1, d2, 29, last)
}

fn is_time(text: &[u8]) -> bool {
    let [h1, h2, b':', m1, m2, b':', s1, s2, rest @ ..] = text else {
        return false;
    };
    if !(within(*h1, *h2, 0, 23) && within(*m1, *m2, 0, 59) && within(*s1, *s2, 0, 59)) {
        return false;
    }
    let offset = match rest {
        [b'.', digits @ ..] => {
            let count = digits
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if count == 0 {
                return false;
            }
            &digits[count..]
        }
        _ => rest,
    };
    match *offset {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => within(h1, h2, 0, 23) && within(m1, m2, 0, 59),
        _ => false,
    }
}

fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Whether two digits make a number from `low` to `high`.
fn within(tens: u8, ones: u8, low: u8, high: u8) -> bool {
    tens.is_ascii_digit()
        && ones.is_ascii_digit()
        && (low..=high).contains(&((tens - b'0') * 10 + ones - b'0'))
}
