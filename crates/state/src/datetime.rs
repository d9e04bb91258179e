//! A date-time that keeps the text it came as.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

/// An RFC 3339 date-time with its zone, and the text that it was written as.
///
/// The text is kept, because a source that speaks of seconds is not to be asked with microseconds, nor with
/// another offset. Equal when the texts are; [`timestamp`](DateTime::timestamp) compares instants.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DateTime {
    text: Arc<str>,
    timestamp: Timestamp,
    granularity: Granularity,
}

/// Digits of a second that a date-time is written with: 0 for whole seconds, 6 for microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Granularity(u8);

/// Why a text is no date-time. Does not quote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DateTimeError {
    /// Nothing says which instant it is.
    #[error("is a date-time without a zone; add `Z` or the offset that it was meant in")]
    NoZone,
    /// The fraction of the second is finer than can be held.
    #[error("is a date-time finer than a nanosecond; write at most nine digits of a second")]
    TooFine,
    /// It is something else.
    #[error("is no RFC 3339 date-time; write it as in `2025-06-10T08:00:00Z`")]
    Malformed,
}

impl Granularity {
    /// Whole seconds.
    pub const SECONDS: Granularity = Granularity(0);

    /// Digits behind the decimal point, 0 to 9.
    pub fn digits(self) -> u8 {
        self.0
    }

    /// So many digits of a second; nine at most.
    pub fn of_digits(digits: u8) -> Option<Granularity> {
        (digits <= 9).then_some(Granularity(digits))
    }

    /// The smallest step.
    pub(crate) fn unit(self) -> Duration {
        Duration::from_nanos(self.nanoseconds().unsigned_abs())
    }

    /// The smallest step, in nanoseconds.
    fn nanoseconds(self) -> i64 {
        10_i64.pow(9 - u32::from(self.0))
    }
}

impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("seconds"),
            3 => f.write_str("milliseconds"),
            6 => f.write_str("microseconds"),
            9 => f.write_str("nanoseconds"),
            digits => write!(f, "{digits} digits of a second"),
        }
    }
}

impl DateTime {
    /// Reads an RFC 3339 date-time.
    ///
    /// # Errors
    /// [`DateTimeError`]; a text without a zone is refused, because it names no instant.
    pub fn parse(text: &str) -> Result<DateTime, DateTimeError> {
        let granularity = shape(text)?;
        let timestamp = text.parse().map_err(|_| DateTimeError::Malformed)?;
        Ok(DateTime {
            text: Arc::from(text),
            timestamp,
            granularity,
        })
    }

    /// The text it came as.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The instant.
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// How finely it is written.
    pub fn granularity(&self) -> Granularity {
        self.granularity
    }

    /// Which of two instants is the earlier one, however they are written.
    pub fn compare(&self, other: &DateTime) -> Ordering {
        self.timestamp.cmp(&other.timestamp)
    }

    /// The date-time earlier by `lag`, written with the same granularity, offset and separator; rounded down where
    /// the lag is finer than it is written. `None` before the year 0.
    pub fn earlier_by(&self, lag: Duration) -> Option<DateTime> {
        let lag = SignedDuration::try_from(lag).ok()?;
        self.written(self.timestamp.checked_sub(lag).ok()?, self.granularity)
    }

    /// The date-time later by `time`, written as this one is; rounded down where the time is finer. `None` after the year 9999.
    pub fn later_by(&self, time: Duration) -> Option<DateTime> {
        let time = SignedDuration::try_from(time).ok()?;
        self.written(self.timestamp.checked_add(time).ok()?, self.granularity)
    }

    /// The same instant written with another granularity, rounded down, with the same offset and separator.
    pub fn with_granularity(&self, granularity: Granularity) -> Option<DateTime> {
        self.written(self.timestamp, granularity)
    }

    /// An instant, written with this one's offset and separator.
    fn written(&self, exact: Timestamp, granularity: Granularity) -> Option<DateTime> {
        let zone_at = zone_start(&self.text)?;
        let zone = &self.text[zone_at..];
        let local = offset(zone)?.to_datetime(floor(exact, granularity)?);
        if local.year() < 0 {
            return None;
        }
        let mut text = format!(
            "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}",
            local.year(),
            local.month(),
            local.day(),
            &self.text[10..11],
            local.hour(),
            local.minute(),
            local.second()
        );
        if granularity.0 > 0 {
            let digits = format!("{:09}", local.subsec_nanosecond());
            text.push('.');
            text.push_str(&digits[..usize::from(granularity.0)]);
        }
        text.push_str(zone);
        DateTime::parse(&text).ok()
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The largest instant of that granularity which is not after `exact`.
fn floor(exact: Timestamp, granularity: Granularity) -> Option<Timestamp> {
    let step = i128::from(granularity.nanoseconds());
    Timestamp::from_nanosecond(exact.as_nanosecond().div_euclid(step) * step).ok()
}

fn zone_start(text: &str) -> Option<usize> {
    text.get(19..)?.find(['Z', 'z', '+', '-']).map(|at| at + 19)
}

fn offset(zone: &str) -> Option<Offset> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(Offset::UTC);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let hours: i32 = zone.get(1..3)?.parse().ok()?;
    let minutes: i32 = zone.get(4..6)?.parse().ok()?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// Holds a text against RFC 3339's `date-time`; what the digits say is not looked at.
fn shape(text: &str) -> Result<Granularity, DateTimeError> {
    let bytes = text.as_bytes();
    let fits = |from: usize, pattern: &[u8]| {
        bytes.get(from..from + pattern.len()).is_some_and(|part| {
            part.iter().zip(pattern).all(|(byte, like)| match like {
                b'0' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b't' | b' '),
                _ => byte == like,
            })
        })
    };
    if !fits(0, b"0000-00-00T00:00:00") {
        return Err(DateTimeError::Malformed);
    }
    let mut at = 19;
    let mut digits = 0;
    if bytes.get(at) == Some(&b'.') {
        digits = bytes[at + 1..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        at += 1 + digits;
        if digits == 0 {
            return Err(DateTimeError::Malformed);
        }
    }
    match bytes.get(at) {
        None => return Err(DateTimeError::NoZone),
        Some(b'Z' | b'z') if bytes.len() == at + 1 => {}
        Some(b'+' | b'-') if bytes.len() == at + 6 && fits(at + 1, b"00:00") => {}
        Some(_) => return Err(DateTimeError::Malformed),
    }
    match u8::try_from(digits) {
        Ok(digits @ 0..=9) => Ok(Granularity(digits)),
        _ => Err(DateTimeError::TooFine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_date_time_with_a_zone_is_one() {
        for (text, want) in [
            ("2025-06-10T08:00:00Z", Ok(0)),
            ("2025-06-10 08:00:00.5+02:00", Ok(1)),
            ("2025-06-10t08:00:00.250000z", Ok(6)),
            ("2025-06-10T08:00:00.123456789-00:00", Ok(9)),
            ("2025-06-10T08:00:00", Err(DateTimeError::NoZone)),
            ("2025-06-10T08:00:00.25", Err(DateTimeError::NoZone)),
            (
                "2025-06-10T08:00:00.1234567890Z",
                Err(DateTimeError::TooFine),
            ),
            ("2025-06-10T08:00:00.Z", Err(DateTimeError::Malformed)),
            ("2025-06-10T08:00:00Z[UTC]", Err(DateTimeError::Malformed)),
            ("2025-06-10T08:00:00+0200", Err(DateTimeError::Malformed)),
            ("2025-06-10T08:00Z", Err(DateTimeError::Malformed)),
            ("20250610T080000Z", Err(DateTimeError::Malformed)),
            ("2025-02-30T08:00:00Z", Err(DateTimeError::Malformed)),
            ("2025-06-10", Err(DateTimeError::Malformed)),
            ("", Err(DateTimeError::Malformed)),
            ("2025-06-10T08:00:\u{e9}", Err(DateTimeError::Malformed)),
        ] {
            assert_eq!(
                DateTime::parse(text).map(|parsed| parsed.granularity().digits()),
                want,
                "{text}"
            );
        }
    }

    #[test]
    fn a_lag_keeps_granularity_offset_and_separator() {
        let hour = Duration::from_secs(3600);
        for (text, lag, want) in [
            ("2025-06-10T08:00:00Z", 6 * hour, "2025-06-10T02:00:00Z"),
            (
                "2025-06-10T08:00:00.250000Z",
                6 * hour,
                "2025-06-10T02:00:00.250000Z",
            ),
            (
                "2025-03-01 01:00:00.5+02:00",
                2 * hour,
                "2025-02-28 23:00:00.5+02:00",
            ),
            (
                "2025-06-10T08:00:00-05:30",
                hour,
                "2025-06-10T07:00:00-05:30",
            ),
            (
                "2025-06-10T08:00:01Z",
                Duration::from_millis(500),
                "2025-06-10T08:00:00Z",
            ),
            (
                "1969-12-31T23:59:59.00Z",
                Duration::from_millis(5),
                "1969-12-31T23:59:58.99Z",
            ),
        ] {
            let earlier = DateTime::parse(text).unwrap().earlier_by(lag).unwrap();
            assert_eq!(earlier.as_str(), want);
        }
        assert!(
            DateTime::parse("0000-01-01T00:00:00Z")
                .unwrap()
                .earlier_by(hour)
                .is_none()
        );
    }
}
