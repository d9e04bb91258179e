//! A commit's clock: seconds and an offset such as `+0200`, in any state of disrepair.

use jiff::{Timestamp, tz::Offset};

/// RFC 3339 with the commit's own offset, from the text behind the address: `1767315845 +0200`.
///
/// An offset that RFC 3339 cannot write (`+9999`, `+0260`, none at all) leaves the instant known and the
/// offset unknown, which that RFC writes as `Z`. None if there are no seconds, or their year is not 0 to 9999.
pub(crate) fn rfc3339(clock: &[u8]) -> Option<String> {
    let mut words = clock
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let seconds: i64 = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    let instant = Timestamp::from_second(seconds).ok()?;
    let offset = words.next().and_then(offset);
    let year = offset.unwrap_or(Offset::UTC).to_datetime(instant).year();
    if !(0..=9999).contains(&year) {
        return None;
    }
    Some(match offset {
        Some(offset) => instant.display_with_offset(offset).to_string(),
        None => instant.to_string(),
    })
}

/// `+hhmm`, or shorter: git reads the digits as one number, so `+30` is thirty minutes.
fn offset(text: &[u8]) -> Option<Offset> {
    let (sign, digits) = match text.split_first()? {
        (b'+', digits) => (1, digits),
        (b'-', digits) => (-1, digits),
        _ => return None,
    };
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0i32, |number, digit| number * 10 + i32::from(digit - b'0'));
    let (hours, minutes) = (number / 100, number % 100);
    if hours > 23 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn a_clock_keeps_its_offset_or_says_that_it_is_unknown() {
        for (clock, expected) in [
            ("1767315845 +0200", Some("2026-01-02T03:04:05+02:00")),
            ("1767315845 -0730", Some("2026-01-01T17:34:05-07:30")),
            ("1767315845 +0000", Some("2026-01-02T01:04:05+00:00")),
            ("1767315845 -0000", Some("2026-01-02T01:04:05+00:00")),
            ("1767315845 +2359", Some("2026-01-03T01:03:05+23:59")),
            ("1767315845 +30", Some("2026-01-02T01:34:05+00:30")),
            ("1767315845 +9999", Some("2026-01-02T01:04:05Z")),
            ("1767315845 +0260", Some("2026-01-02T01:04:05Z")),
            ("1767315845 +051800", Some("2026-01-02T01:04:05Z")),
            ("1767315845 +99999999999999", Some("2026-01-02T01:04:05Z")),
            ("1767315845 0200", Some("2026-01-02T01:04:05Z")),
            ("1767315845", Some("2026-01-02T01:04:05Z")),
            ("0 +0000", Some("1970-01-01T00:00:00+00:00")),
            ("-1 +0000", Some("1969-12-31T23:59:59+00:00")),
            ("253402207200 +0200", Some("9999-12-31T00:00:00+02:00")),
            ("253402300799 +0000", None),
            ("99999999999999 +0000", None),
            ("99999999999999999999999 +0000", None),
            ("-99999999999 +0000", None),
            ("yesterday +0000", None),
            ("", None),
        ] {
            assert_eq!(rfc3339(clock.as_bytes()).as_deref(), expected, "{clock}");
        }
    }
}
