//! Names of captures and collections, and interval texts: the small grammars of a catalog.

use std::time::Duration;

/// Characters of the longest name that peers accept.
const MAX_NAME_CHARS: usize = 512;

/// Which rule of catalog names `name` breaks, if any.
///
/// Components of letters, numbers and `-_.=`, joined by `/`. Names become paths of files, so `.` and `..`
/// are refused as components.
///
/// # Source
/// Flow's catalog: a token of 1 to 512 characters.
pub(super) fn broken_rule(name: &str) -> Option<&'static str> {
    let allowed = |character: char| character.is_alphanumeric() || "-_.=/".contains(character);
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Some("it is longer than 512 characters");
    }
    if !name.chars().all(allowed) {
        return Some("only letters, numbers, `-`, `_`, `.`, `=` and `/` are allowed");
    }
    if name.split('/').any(str::is_empty) {
        return Some("a component between slashes is empty");
    }
    if name
        .split('/')
        .any(|component| component == "." || component == "..")
    {
        return Some("`.` and `..` are not allowed as components");
    }
    None
}

/// Reads a duration as people write it: `5m`, `1h 30m`, `90s`, `1 day`, `0s`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest
            .find(|character: char| !character.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        total = total.checked_add(amount(count, &rest[..letters])?)?;
        rest = rest[letters..].trim_start();
    }
    Some(total)
}

fn amount(count: u64, unit: &str) -> Option<Duration> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = |each: u64| count.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ns" | "nsec" => Some(Duration::from_nanos(count)),
        "us" | "usec" => Some(Duration::from_micros(count)),
        "ms" | "msec" => Some(Duration::from_millis(count)),
        "s" | "sec" | "secs" | "second" | "seconds" => seconds(1),
        "m" | "min" | "mins" | "minute" | "minutes" => seconds(MINUTE),
        "h" | "hr" | "hrs" | "hour" | "hours" => seconds(HOUR),
        "d" | "day" | "days" => seconds(DAY),
        "w" | "week" | "weeks" => seconds(7 * DAY),
        _ => None,
    }
}

/// What is wrong with `pointer` as one of a collection's key, if anything.
pub(super) fn broken_pointer(pointer: &str) -> Option<&'static str> {
    if pointer.is_empty() {
        return Some("the empty pointer names the whole document");
    }
    if !pointer.starts_with('/') {
        return Some("a pointer begins with `/`");
    }
    let mut characters = pointer.chars();
    while let Some(character) = characters.next() {
        if character == '~' && !matches!(characters.next(), Some('0' | '1')) {
            return Some("in a pointer, `~` is followed by `0` or `1`");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tokens_joined_by_slashes() {
        for good in [
            "acme/shop",
            "a",
            "ACME_co/v1.2/x=y-z",
            "日本/注文",
            "a/.hidden",
            "a/...",
        ] {
            assert_eq!(broken_rule(good), None, "{good}");
        }
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            "a b",
            "a/../b",
            ".",
            "a/.",
            "a:b",
            "a\0",
            "a\\b",
            "a+b",
            &"n".repeat(513),
        ] {
            assert!(broken_rule(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("5m", 300),
            ("1h 30m", 5400),
            ("1h30m", 5400),
            ("30s", 30),
            ("1 day", 86_400),
            ("2 weeks 1 sec", 1_209_601),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        for bad in [
            "",
            " ",
            "5",
            "m",
            "5x",
            "-5m",
            "1.5h",
            "5m,",
            "99999999999999999999s",
            "18446744073709551615w",
            "5 m é",
        ] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn key_pointers_are_those_of_rfc_6901() {
        for good in ["/id", "/a/b", "/a~0b/~1", "/"] {
            assert_eq!(broken_pointer(good), None, "{good}");
        }
        for bad in ["", "id", "/a~", "/a~2"] {
            assert!(broken_pointer(bad).is_some(), "{bad}");
        }
    }
}
