//! Instants in milliseconds, which is what Outreach keeps.

use jiff::Timestamp;

/// Milliseconds since the beginning of 1970, in UTC.
pub(crate) type Millis = i64;

pub(crate) const SECOND: Millis = 1000;

pub(crate) const HOUR: Millis = 3600 * SECOND;

/// As the API prints it: `2025-02-03T04:05:06.789Z`.
pub(crate) fn print(at: Millis) -> String {
    format!("{:.3}", instant(at))
}

/// A date with a time, as `2025-02-03T04:05:06Z` or with a fraction, or a date alone.
pub(crate) fn parse(text: &str) -> Option<Millis> {
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() == 10
    {
        let at = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        return Some(at.timestamp().as_millisecond());
    }
    if !text.ends_with('Z') {
        return None;
    }
    Some(text.parse::<Timestamp>().ok()?.as_millisecond())
}

/// The same instant.
pub(crate) fn instant(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_printed_and_read_as_the_api_does() {
        assert_eq!(print(1_738_555_506_789), "2025-02-03T04:05:06.789Z");
        assert_eq!(parse("2025-02-03T04:05:06.789Z"), Some(1_738_555_506_789));
        assert_eq!(parse("2025-02-03T04:05:06Z"), Some(1_738_555_506_000));
        assert_eq!(parse("2025-02-03"), Some(1_738_540_800_000));
        for wrong in [
            "",
            "2025-02-03T04:05:06",
            "2025-02-03T04:05:06+01:00",
            "now",
            "2025-13-01",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
