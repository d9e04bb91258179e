//! Instants in microseconds, which is what Shopify keeps. It shows whole seconds.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Microseconds since the beginning of 1970, in UTC.
pub(crate) type Micros = i64;

pub(crate) const SECOND: Micros = 1_000_000;
pub(crate) const DAY: Micros = 86_400 * SECOND;

pub(crate) fn instant(at: Micros) -> Timestamp {
    Timestamp::from_microsecond(at).unwrap_or(Timestamp::MAX)
}

/// As the API prints it: `2025-02-03T04:05:06Z`. What is less than a second is cut off.
pub(crate) fn print(at: Micros) -> String {
    let whole = at.div_euclid(SECOND) * SECOND;
    instant(whole).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// As the control plane and cursors print it, with all that is kept.
pub(crate) fn print_exactly(at: Micros) -> String {
    instant(at).strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// A time with a zone: `2025-02-03T04:05:06Z`, or with a fraction or an offset.
pub(crate) fn parse(text: &str) -> Option<Micros> {
    Some(text.parse::<Timestamp>().ok()?.as_microsecond())
}

/// When a day begins in a zone.
pub(crate) fn midnight(date: &str, zone: &TimeZone) -> Option<Micros> {
    let date: Date = date.parse().ok()?;
    let at = date.to_zoned(zone.clone()).ok()?;
    Some(at.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_shown_in_whole_seconds_and_kept_in_more() {
        let at = parse("2025-02-03T04:05:06.789012Z").expect("it is a time");
        assert_eq!(print(at), "2025-02-03T04:05:06Z");
        assert_eq!(print_exactly(at), "2025-02-03T04:05:06.789012Z");
        assert_eq!(parse("2025-02-03T05:05:06.789012+01:00"), Some(at));
        for wrong in ["", "2025-02-03", "2025-02-03T04:05:06", "now"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_begins_when_it_does_in_its_zone() {
        let zone = TimeZone::get("America/New_York").expect("there is such a zone");
        assert_eq!(midnight("2025-02-03", &zone), parse("2025-02-03T05:00:00Z"));
        assert_eq!(midnight("soon", &zone), None);
    }
}
