//! How an interval is written.
//!
//! ISO 8601 is what is documented (`PT5M`, `P1DT12H`, `P2W`). Captures that ran on estuary-cdk may also have a number of seconds, or
//! a clock's time (`00:05:00`, `1 day, 00:00:30`), and go on having it. Not taken over: negative intervals, which mean nothing; and
//! years and months, of which nobody can say how long they are.

use std::time::Duration;

use serde_json::Value;

const NONE: &str = "is no duration; write one of ISO 8601, as `PT30S`, `PT5M`, `PT1H30M` or `P1D`";
const NEGATIVE: &str = "is negative; write a duration of zero or more, as `PT5M`";
const OF_CALENDAR: &str =
    "has years or months, which differ in length; write it in days or weeks, as `P30D`";

/// Reads an interval, or says what is wrong with it, and what to write.
pub(super) fn decode(value: &Value) -> Result<Duration, &'static str> {
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
