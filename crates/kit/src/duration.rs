//! How a span of time is written in a config.
//!
//! ISO 8601 is what is documented (`PT5M`, `P1DT12H`, `P2W`). Captures that ran on estuary-cdk may also have a number of seconds, or
//! a clock's time (`00:05:00`, `1 day, 00:00:30`), and go on having it. Not taken over: negative spans, which mean nothing; and
//! years and months, of which nobody can say how long they are.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A span of time in a config, as ISO 8601 writes it: `PT30S`, `PT6H`, `P1D`. A day has 24 hours.
///
/// Read as well, as captures that ran on estuary-cdk may have it: a number of seconds, and a clock's time (`00:05:00`).
///
/// ```
/// use std::time::Duration;
/// use staunch::IsoDuration;
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Advanced {
///     /// How long a span of time is read at once.
///     #[serde(default = "a_day")]
///     window_size: IsoDuration,
/// }
///
/// fn a_day() -> IsoDuration {
///     IsoDuration::new(Duration::from_secs(86_400))
/// }
///
/// let advanced: Advanced = serde_json::from_str(r#"{"window_size": "PT6H"}"#)?;
/// assert_eq!(advanced.window_size.get(), Duration::from_secs(6 * 3600));
/// assert_eq!(a_day().to_string(), "P1D");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IsoDuration(Duration);

impl IsoDuration {
    /// As long as this.
    #[must_use]
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// How long it is.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

/// As ISO 8601 writes it, in days, hours, minutes and seconds.
impl fmt::Display for IsoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        let rest = Duration::new(seconds % 60, self.0.subsec_nanos());
        f.write_str("P")?;
        if days > 0 {
            write!(f, "{days}D")?;
        }
        let has_time = self.0 > Duration::from_secs(days * 86_400);
        if has_time || days == 0 {
            f.write_str("T")?;
        }
        for (count, unit) in [(hours, 'H'), (minutes, 'M')] {
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        if !rest.is_zero() || self.0.is_zero() {
            write!(f, "{}S", rest.as_secs_f64())?;
        }
        Ok(())
    }
}

impl Serialize for IsoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IsoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        decode(&value)
            .map(Self)
            .map_err(|problem| D::Error::custom(format_args!("it {problem}")))
    }
}

impl JsonSchema for IsoDuration {
    fn schema_name() -> Cow<'static, str> {
        "IsoDuration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration" })
    }
}

const NONE: &str = "is no duration; write one of ISO 8601, as `PT30S`, `PT5M`, `PT1H30M` or `P1D`";
const NEGATIVE: &str = "is negative; write a duration of zero or more, as `PT5M`";
const OF_CALENDAR: &str =
    "has years or months, which differ in length; write it in days or weeks, as `P30D`";

/// Reads a span of time, or says what is wrong with it, and what to write.
pub(crate) fn decode(value: &Value) -> Result<Duration, &'static str> {
    match value {
        Value::Number(seconds) => match seconds.as_f64() {
            Some(seconds) if seconds < 0.0 => Err(NEGATIVE),
            Some(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| NONE),
            None => Err(NONE),
        },
        Value::String(text) => of_text(text.trim()),
        _ => Err(NONE),
    }
}

fn of_text(text: &str) -> Result<Duration, &'static str> {
    if let Some(rest) = text.strip_prefix('-') {
        return of_text(rest).and(Err(NEGATIVE));
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    match text.strip_prefix(['P', 'p']) {
        Some(text) => iso(text),
        None => clock(text).ok_or(NONE),
    }
}

/// What follows the `P`.
fn iso(text: &str) -> Result<Duration, &'static str> {
    let text = text.to_ascii_uppercase();
    let (date, time) = match text.split_once('T') {
        None => (text.as_str(), None),
        Some((date, time)) => (date, Some(time)),
    };
    if date.contains(['Y', 'M']) {
        return Err(OF_CALENDAR);
    }
    let mut total = 0.0;
    let mut components = 0;
    let parts = [
        (Some(date), &[('W', 604_800.0), ('D', 86_400.0)][..]),
        (time, &[('H', 3600.0), ('M', 60.0), ('S', 1.0)][..]),
    ];
    for (part, units) in parts {
        let Some(mut rest) = part else { continue };
        let mut units = units.iter();
        while !rest.is_empty() {
            let end = rest.find(|c: char| c.is_ascii_alphabetic()).ok_or(NONE)?;
            let designator = rest[end..].chars().next();
            // Each unit once, and from the longest to the shortest.
            let unit = units.find(|(name, _)| designator == Some(*name));
            let (_, seconds) = unit.ok_or(NONE)?;
            total += decimal(&rest[..end].replace(',', ".")).ok_or(NONE)? * seconds;
            components += 1;
            rest = &rest[end + 1..];
        }
    }
    let is_empty = components == 0 || time == Some("");
    match Duration::try_from_secs_f64(total) {
        Ok(duration) if !is_empty => Ok(duration),
        _ => Err(NONE),
    }
}

/// `HH:MM:SS`, `HH:MM`, and either after a number of days.
fn clock(text: &str) -> Option<Duration> {
    let (days, time) = match text.rsplit_once([' ', ',']) {
        None => (0.0, text),
        Some((days, time)) => {
            let days = days.trim_end_matches([' ', ',']);
            let end = days
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(days.len());
            let is_days = matches!(days[end..].trim_start(), "" | "d" | "day" | "days");
            (decimal(&days[..end]).filter(|_| is_days)?, time)
        }
    };
    let mut parts = time.split(':');
    let hours = decimal(parts.next()?)?;
    let minutes = decimal(parts.next()?)?;
    let seconds = parts.next().map_or(Some(0.0), decimal)?;
    let is_time = parts.next().is_none()
        && hours < 24.0
        && minutes < 60.0
        && seconds < 60.0
        && !time[..time.rfind(':')?].contains('.');
    let total = days * 86_400.0 + hours * 3600.0 + minutes * 60.0 + seconds;
    is_time
        .then(|| Duration::try_from_secs_f64(total).ok())
        .flatten()
}

/// Digits, with a fraction or without.
fn decimal(text: &str) -> Option<f64> {
    let is_decimal = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit());
    is_decimal.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quirk_19_an_interval_is_iso_8601_and_what_captures_in_production_have() {
        for (value, seconds) in [
            (json!("PT5M"), 300.0),
            (json!("PT1H30M"), 5400.0),
            (json!("P1DT1S"), 86_401.0),
            (json!("P2W"), 1_209_600.0),
            (json!("P1W1DT0S"), 691_200.0),
            (json!("PT0.5S"), 0.5),
            (json!("PT0,5S"), 0.5),
            (json!("PT36H"), 129_600.0),
            (json!("P0D"), 0.0),
            (json!("pt5m"), 300.0),
            (json!("+PT5M"), 300.0),
            (json!(300), 300.0),
            (json!(0), 0.0),
            (json!(0.25), 0.25),
            (json!("00:05:00"), 300.0),
            (json!("00:05"), 300.0),
            (json!("0:00:30.5"), 30.5),
            (json!("1 day, 00:00:30"), 86_430.0),
            (json!("2 days 01:00:00"), 176_400.0),
            (json!("2d 01:00:00"), 176_400.0),
            (json!("2 01:00:00"), 176_400.0),
        ] {
            assert_eq!(
                decode(&value).map(|interval| interval.as_secs_f64()),
                Ok(seconds),
                "{value}"
            );
        }
    }

    #[test]
    fn what_is_printed_is_read_as_the_same() {
        for (seconds, text) in [
            (0.0, "PT0S"),
            (0.25, "PT0.25S"),
            (59.0, "PT59S"),
            (300.0, "PT5M"),
            (5_400.0, "PT1H30M"),
            (86_400.0, "P1D"),
            (90_061.5, "P1DT1H1M1.5S"),
            (31_536_000.0, "P365D"),
        ] {
            let duration = IsoDuration::new(Duration::from_secs_f64(seconds));
            assert_eq!(duration.to_string(), text);
            let read: IsoDuration = serde_json::from_value(json!(duration)).unwrap();
            assert_eq!(read, duration, "{text}");
        }
    }

    #[test]
    fn quirk_19_what_is_no_interval_is_refused_with_what_to_write() {
        for (value, problem) in [
            (json!(-1), NEGATIVE),
            (json!("-PT5M"), NEGATIVE),
            (json!("-00:05:00"), NEGATIVE),
            (json!("P1M"), OF_CALENDAR),
            (json!("P1Y"), OF_CALENDAR),
            (json!("P1Y2M3DT4S"), OF_CALENDAR),
            (json!("P"), NONE),
            (json!("PT"), NONE),
            (json!("P1DT"), NONE),
            (json!("PT5"), NONE),
            (json!("PT5M5M"), NONE),
            (json!("PT5S5M"), NONE),
            (json!("PT5D"), NONE),
            (json!("PT.5S"), NONE),
            (json!("PT1e3S"), NONE),
            (json!("PTM"), NONE),
            (json!("P1ÄD"), NONE),
            (json!("5"), NONE),
            (json!("5m"), NONE),
            (json!("24:00:00"), NONE),
            (json!("00:60"), NONE),
            (json!("00:00.5:00"), NONE),
            (json!("one day, 00:00"), NONE),
            (json!("1 fortnight 00:00"), NONE),
            (json!("--PT5M"), NEGATIVE),
            (json!(""), NONE),
            (json!("soon"), NONE),
            (json!("-soon"), NONE),
            (json!(1e300), NONE),
            (json!(format!("PT{}S", "9".repeat(400))), NONE),
            (json!(true), NONE),
            (json!([]), NONE),
        ] {
            assert_eq!(decode(&value), Err(problem), "{value}");
        }
    }
}
