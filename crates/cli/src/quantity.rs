//! Counts, sizes and times, as people read them and as they type them.

use std::time::Duration;

/// `12,345`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 document`, `12,345 documents`.
pub(crate) fn counted(n: u64, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(n))
}

/// `512 B`, `1.5 MB`: powers of ten, as disks are sold.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1e3;
    let mut unit = 0;
    // A value that would be printed as 1000.0 belongs to the next unit.
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `400ms`, `1.5s`, `12s`, `3m 5s`, `2h 10m`, `4d 3h`.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        1..10 => format!("{}.{}s", seconds, time.subsec_millis() / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Reads `500ms`, `2s`, `5m`, `1h30m`, `1d`: numbers with their units, the largest unit first.
///
/// # Errors
/// What is wrong with the text, for the one who typed it.
pub(crate) fn parse_time(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 5] = [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let mut rest = text;
    let mut total: u64 = 0;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() {
            return Err("a duration is numbers with units; write `30s`, `5m` or `1h30m`".into());
        }
        let Some(&(_, size)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let problem = if unit.is_empty() {
                "has no unit"
            } else {
                "has a unit that is not known"
            };
            return Err(format!(
                "`{number}{unit}` {problem}; write `{number}s`, `{number}m` or `{number}h`"
            ));
        };
        if size >= last {
            return Err(format!(
                "`{number}{unit}` stands after a unit that is not larger; write `1h30m`, not `30m1h`"
            ));
        }
        last = size;
        let added = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(size)?.checked_add(total));
        total = added.ok_or("the duration is too long")?;
        rest = tail;
    }
    if total == 0 {
        return Err("a duration must be longer than nothing; write `30s`, `5m` or `1h30m`".into());
    }
    Ok(Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_it_is_meant() {
        for (text, milliseconds) in [
            ("2s", 2000),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("1d2h3m4s5ms", 93_784_005),
        ] {
            assert_eq!(
                parse_time(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_duration_that_could_mean_something_else_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "0s",
            "1.5s",
            "-1s",
            "1x",
            "30m1h",
            "1m1m",
            "5 s",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quantities_are_short() {
        for (n, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(n), expected);
        }
        for (n, expected) in [
            (0, "0 B"),
            (999, "999 B"),
            (1500, "1.5 kB"),
            (999_999, "1.0 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(n), expected);
        }
        for (ms, expected) in [
            (0, "0ms"),
            (450, "450ms"),
            (9_999, "9.9s"),
            (12_000, "12s"),
            (185_000, "3m 5s"),
            (7_800_000, "2h 10m"),
            (356_400_000, "4d 3h"),
        ] {
            assert_eq!(time(Duration::from_millis(ms)), expected);
        }
        assert_eq!(counted(1, "document"), "1 document");
        assert_eq!(counted(2, "document"), "2 documents");
    }
}
