//! A date-time that keeps the text it came as.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::leaf::{Leaf, LeafKind};

/// An RFC 3339 date-time with its zone, and the text that it was written as.
///
/// The text is kept, because a source that speaks of seconds is not to be asked with microseconds, nor with
/// another offset. Equal when the texts are; [`timestamp`](DateTime::timestamp) compares instants.
#[derive(Clone)]
pub struct DateTime {
    /// The text in quotes. Nothing of it is ever escaped, so that it is JSON too.
    json: Leaf,
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
        let (timestamp, granularity) = read(text)?;
        Ok(DateTime {
            json: Leaf::string(text),
            timestamp,
            granularity,
        })
    }

    /// Reads a string; `None` when the leaf is something else. Shares the text, unless it is written with escapes.
    pub(crate) fn of_leaf(leaf: &Leaf) -> Option<Result<DateTime, DateTimeError>> {
        if leaf.kind() != LeafKind::String {
            return None;
        }
        let text = match leaf.as_str()? {
            Cow::Borrowed(text) => text,
            Cow::Owned(text) => return Some(DateTime::parse(&text)),
        };
        Some(read(text).map(|(timestamp, granularity)| DateTime {
            json: leaf.clone(),
            timestamp,
            granularity,
        }))
    }

    /// As [`of_leaf`](DateTime::of_leaf), in UTC where no zone is written. Keeps the text, which then cannot be moved or refined.
    pub(crate) fn of_leaf_or_utc(leaf: &Leaf) -> Option<Result<DateTime, DateTimeError>> {
        match Self::of_leaf(leaf)? {
            Err(DateTimeError::NoZone) => {
                let in_utc = format!("{}Z", leaf.as_str()?);
                Some(read(&in_utc).map(|(timestamp, granularity)| DateTime {
                    json: Leaf::string(&in_utc[..in_utc.len() - 1]),
                    timestamp,
                    granularity,
                }))
            }
            read => Some(read),
        }
    }

    /// The text it came as.
    pub fn as_str(&self) -> &str {
        let json = self.json.as_json();
        &json[1..json.len() - 1]
    }

    /// The value, to put into a state.
    pub(crate) fn to_leaf(&self) -> Leaf {
        self.json.clone()
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
        let was = self.as_str();
        let zone = &was[zone_start(was)?..];
        let local = offset(zone)?.to_datetime(floor(exact, granularity)?);
        if local.year() < 0 {
            return None;
        }
        let mut text = format!(
            "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}",
            local.year(),
            local.month(),
            local.day(),
            &was[10..11],
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

impl PartialEq for DateTime {
    fn eq(&self, other: &Self) -> bool {
        self.json.as_json() == other.json.as_json()
    }
}

impl Eq for DateTime {}

impl Hash for DateTime {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.json.as_json().hash(hasher);
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
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
    Offset::from_seconds(offset_seconds(zone.as_bytes()).ok()?).ok()
}

/// Seconds east of Greenwich that `Z` or `+00:00` says.
fn offset_seconds(zone: &[u8]) -> Result<i32, DateTimeError> {
    match zone {
        [] => Err(DateTimeError::NoZone),
        [b'Z' | b'z'] => Ok(0),
        [sign @ (b'+' | b'-'), hours @ .., b':', _, _] if hours.len() == 2 => {
            let hours = digits(hours, 0, 25)?;
            let minutes = digits(&zone[4..], 0, 59)?;
            let sign = if *sign == b'-' { -1 } else { 1 };
            Ok(sign * (hours * 3600 + minutes * 60))
        }
        _ => Err(DateTimeError::Malformed),
    }
}

/// Reads RFC 3339's `date-time`. A leap second is the second before it, which has a timestamp.
fn read(text: &str) -> Result<(Timestamp, Granularity), DateTimeError> {
    let malformed = DateTimeError::Malformed;
    let bytes = text.as_bytes();
    let (civil, rest) = bytes.split_at_checked(19).ok_or(malformed)?;
    let separated = |byte| matches!(byte, b'T' | b't' | b' ');
    if !(civil[4] == b'-' && civil[7] == b'-' && separated(civil[10])) {
        return Err(malformed);
    }
    if !(civil[13] == b':' && civil[16] == b':') {
        return Err(malformed);
    }
    let year = digits(&civil[0..4], 0, 9999)?;
    let month = digits(&civil[5..7], 1, 12)?;
    let day = digits(&civil[8..10], 1, days_of_month(year, month))?;
    let hour = digits(&civil[11..13], 0, 23)?;
    let minute = digits(&civil[14..16], 0, 59)?;
    let second = digits(&civil[17..19], 0, 60)?.min(59);
    let (nanoseconds, granularity, zone) = fraction(rest)?;
    let seconds = i64::from(day_number(year, month, day)) * 86_400
        + i64::from(hour * 3600 + minute * 60 + second)
        - i64::from(offset_seconds(zone)?);
    let granularity = granularity.ok_or(DateTimeError::TooFine)?;
    // The end of the year 9999, by which states say "never", is partly beyond every timestamp, and nothing else is.
    let timestamp = Timestamp::new(seconds, nanoseconds).unwrap_or(Timestamp::MAX);
    Ok((timestamp, granularity))
}

/// The number that these digits, and nothing but digits, say.
fn digits(text: &[u8], least: i32, most: i32) -> Result<i32, DateTimeError> {
    let mut value = 0;
    for byte in text {
        if !byte.is_ascii_digit() {
            return Err(DateTimeError::Malformed);
        }
        value = value * 10 + i32::from(byte - b'0');
    }
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(DateTimeError::Malformed)
    }
}

/// Nanoseconds, how finely they are written (`None` when finer than one of them), and what follows.
type Fraction<'a> = (i32, Option<Granularity>, &'a [u8]);

fn fraction(text: &[u8]) -> Result<Fraction<'_>, DateTimeError> {
    let [b'.', text @ ..] = text else {
        return Ok((0, Some(Granularity::SECONDS), text));
    };
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let count = text.iter().take_while(|byte| is_digit(byte)).count();
    let (fraction, rest) = text.split_at(count);
    match u8::try_from(count) {
        Ok(0) => Err(DateTimeError::Malformed),
        Ok(count @ 1..=9) => {
            let value = digits(fraction, 0, 999_999_999)?;
            let missing = 9 - u32::from(count);
            Ok((value * 10_i32.pow(missing), Some(Granularity(count)), rest))
        }
        _ => Ok((0, None, rest)),
    }
}

fn days_of_month(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar.
///
/// Years are taken to begin in March, so that a leap day is the last of its year, and 400 of them have 146,097 days.
fn day_number(year: i32, month: i32, day: i32) -> i32 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let cycle = year.div_euclid(400);
    let year = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    cycle * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Node;

    #[test]
    fn the_end_of_the_calendar_is_a_date_time_after_all_others() {
        let end = DateTime::parse("9999-12-31T23:59:59.999999Z").unwrap();
        assert_eq!(end.as_str(), "9999-12-31T23:59:59.999999Z");
        for before in ["9999-12-30T21:59:59Z", "2026-01-01T00:00:00Z"] {
            let before = DateTime::parse(before).unwrap();
            assert_eq!(before.compare(&end), Ordering::Less);
        }
        let sooner = end.earlier_by(Duration::from_secs(3600)).unwrap();
        assert_eq!(sooner.compare(&end), Ordering::Less);
    }

    #[test]
    fn a_date_time_without_a_zone_can_be_read_as_utc_and_keeps_its_text() {
        let leaf = Leaf::string("2025-06-10 08:00:00.250");
        let at = DateTime::of_leaf_or_utc(&leaf).unwrap().unwrap();
        assert_eq!(at.as_str(), "2025-06-10 08:00:00.250");
        assert_eq!(at.timestamp().to_string(), "2025-06-10T08:00:00.25Z");
        assert_eq!(at.later_by(Duration::from_secs(1)), None);
        let zoned = Leaf::string("2025-06-10T08:00:00+02:00");
        let at = DateTime::of_leaf_or_utc(&zoned).unwrap().unwrap();
        assert_eq!(at.timestamp().to_string(), "2025-06-10T06:00:00Z");
        let wrong = DateTime::of_leaf_or_utc(&Leaf::string("2025-06-10")).unwrap();
        assert_eq!(wrong, Err(DateTimeError::Malformed));
    }

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
    fn every_date_time_is_the_instant_that_jiff_says() {
        let (mut seed, mut read) = (0x5eed_u64, 0);
        let mut next = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % (most + 1)
        };
        for _ in 0..50_000 {
            // Beyond what there is by one, now and then.
            let year = [next(9999), 1900 + next(200), 400 * next(24)][next(2) as usize];
            let (month, day) = (1 + next(12), next(32));
            let (hour, minute, second) = (next(24), next(60), next(61));
            let fraction = ["", ".5", ".000000001", ".999999"][next(3) as usize];
            let separator = ["T", "t", " "][next(2) as usize];
            let (sign, hours, minutes) = (["+", "-"][next(1) as usize], next(26), next(60));
            let zone = [
                "Z".to_owned(),
                "z".to_owned(),
                format!("{sign}{hours:02}:{minutes:02}"),
            ];
            let zone = &zone[next(2) as usize];
            let text = format!(
                "{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}{fraction}{zone}"
            );
            let ours = DateTime::parse(&text).ok().map(|at| at.timestamp());
            assert_eq!(ours, text.parse().ok(), "{text}");
            read += usize::from(ours.is_some());
        }
        assert!(read > 20_000, "{read} of them were date-times");
    }

    #[test]
    fn a_date_time_keeps_its_text_however_its_json_was_escaped() {
        for json in [
            r#""2025-06-10T08:00:00Z""#,
            r#""2025-06-1\u0030T08:00:00Z""#,
        ] {
            let node = Node::parse(json).unwrap();
            let at = DateTime::of_leaf(node.as_leaf().unwrap()).unwrap().unwrap();
            assert_eq!(at.as_str(), "2025-06-10T08:00:00Z");
            assert_eq!(Ok(at), DateTime::parse("2025-06-10T08:00:00Z"));
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
