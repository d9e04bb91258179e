//! Other cursors of the same kind: all of a binding shifted alike, one a little later, one written otherwise.

use std::cmp::Ordering;
use std::time::Duration;

use staunch_state::{Cursor, CursorKind, CursorPart, CursorRule, DateTime, Granularity, Node};

use crate::random::Random;

const DAY: u64 = 86_400;

/// How far a converted cursor may be from what it is held against; beyond this its unit is another one.
const FURTHEST: Duration = Duration::from_secs(10 * 365 * DAY);

/// How far a binding's cursors are from those of the released state that they are made of.
///
/// All of one binding move by the same distance, so that what lies between them stays what a release would have written.
#[derive(Clone, Debug)]
pub(crate) struct Shift {
    seconds: i64,
    /// Of a thousand: integers move by this share of themselves.
    permille: i64,
    seed: u64,
}

impl Shift {
    pub(crate) fn random(random: &mut Random) -> Self {
        let days = random.below(800) as i64 - 400;
        Shift {
            seconds: days * DAY as i64 + random.below(DAY) as i64,
            permille: random.below(1_000) as i64 - 500,
            seed: random.next_u64(),
        }
    }

    /// The cursor of another capture of the same kind; itself where there is none.
    pub(crate) fn of(&self, cursor: &Cursor, least_integer: u64) -> Cursor {
        match cursor.kind() {
            CursorKind::DateTime { .. } => cursor.as_datetime().and_then(|at| self.datetime(at)),
            CursorKind::Integer => cursor
                .as_u64()
                .and_then(|at| self.integer(at, least_integer)),
            CursorKind::Tuple => self.tuple(cursor),
        }
        .unwrap_or_else(|| cursor.clone())
    }

    fn datetime(&self, at: &DateTime) -> Option<Cursor> {
        let by = Duration::from_secs(self.seconds.unsigned_abs());
        let shifted = if self.seconds < 0 {
            at.earlier_by(by)
        } else {
            at.later_by(by)
        };
        shifted.map(Cursor::from)
    }

    fn integer(&self, at: u64, least: u64) -> Option<Cursor> {
        let by = (i128::from(least.max(100)) * i128::from(self.permille) / 1_000)
            .max(-i128::from(least));
        let shifted = i128::from(at) + by;
        u64::try_from(shifted).ok().map(Cursor::integer)
    }

    fn tuple(&self, cursor: &Cursor) -> Option<Cursor> {
        let parts = cursor.parts()?.iter().map(|part| match part {
            CursorPart::String(text) => CursorPart::String(self.text(text)),
            CursorPart::Integer(value) => CursorPart::Integer(
                value.saturating_add(Random::of_text(self.seed, "integer").below(1_000)),
            ),
        });
        Cursor::tuple(parts).ok()
    }

    /// A text of the same form: a date-time, digits, hexadecimal digits; anything else stays, for only the source knows its form.
    fn text(&self, text: &str) -> String {
        if let Ok(at) = DateTime::parse(text) {
            let shifted = self.datetime(&at);
            return shifted.map_or_else(
                || text.to_owned(),
                |cursor| {
                    cursor
                        .to_node()
                        .as_str()
                        .map_or_else(|| text.to_owned(), |text| text.into_owned())
                },
            );
        }
        let is_all = |is: fn(&u8) -> bool| !text.is_empty() && text.bytes().all(|byte| is(&byte));
        let is_hex = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        let base = match (
            is_all(u8::is_ascii_digit),
            is_all(is_hex) && text.len() >= 8,
        ) {
            (true, _) => 10,
            (false, true) => 16,
            (false, false) => return text.to_owned(),
        };
        let mut random = Random::of_text(self.seed, text);
        let digit = |value: u64| char::from_digit(value as u32, base).unwrap_or('0');
        text.chars()
            .enumerate()
            .map(|(at, _)| match at {
                0 => digit(1 + random.below(u64::from(base) - 1)),
                _ => digit(random.below(u64::from(base))),
            })
            .collect()
    }
}

/// The cursor later by so many of its smallest units; of a tuple, another one. `None` where it cannot be told.
pub(crate) fn later(cursor: &Cursor, units: u64) -> Option<Cursor> {
    match cursor.kind() {
        CursorKind::DateTime { granularity } => {
            let by = unit(granularity).checked_mul(u32::try_from(units).ok()?)?;
            cursor.as_datetime()?.later_by(by).map(Cursor::from)
        }
        CursorKind::Integer => cursor.as_u64()?.checked_add(units).map(Cursor::integer),
        CursorKind::Tuple if units == 0 => Some(cursor.clone()),
        CursorKind::Tuple => another_tuple(cursor, units),
    }
}

/// A later cursor, by far: a month, or as much again.
pub(crate) fn much_later(cursor: &Cursor) -> Option<Cursor> {
    match cursor.kind() {
        CursorKind::DateTime { .. } => {
            let at = cursor
                .as_datetime()?
                .later_by(Duration::from_secs(30 * DAY))?;
            Some(Cursor::from(at))
        }
        CursorKind::Integer => later(cursor, cursor.as_u64()?.max(1_000)),
        _ => another_tuple(cursor, 1_000_000),
    }
}

/// An earlier cursor: by so much, and its smallest unit. Of a tuple, another one.
pub(crate) fn earlier(cursor: &Cursor, time: Duration, count: u64) -> Option<Cursor> {
    match cursor.kind() {
        CursorKind::DateTime { granularity } => {
            let by = time.checked_add(unit(granularity))?;
            cursor.as_datetime()?.earlier_by(by).map(Cursor::from)
        }
        CursorKind::Integer => {
            let at = cursor.as_u64()?.checked_sub(count.checked_add(1)?)?;
            Some(Cursor::integer(at))
        }
        _ => another_tuple(cursor, 7),
    }
}

fn another_tuple(cursor: &Cursor, units: u64) -> Option<Cursor> {
    let parts = cursor.parts()?;
    let last = parts.len().checked_sub(1)?;
    let parts = parts.iter().enumerate().map(|(at, part)| match part {
        CursorPart::String(text) if at == last => {
            CursorPart::String(format!("{}{units:x}", text.trim_end_matches('+')))
        }
        CursorPart::Integer(value) if at == last => {
            CursorPart::Integer(value.wrapping_add(units) & (u64::MAX >> 1))
        }
        other => other.clone(),
    });
    Cursor::tuple(parts).ok().filter(|other| other != cursor)
}

/// The smallest step of a granularity.
pub(crate) fn unit(granularity: Granularity) -> Duration {
    let nanoseconds = 10_u64.pow(9 - u32::from(granularity.digits().min(9)));
    Duration::from_nanos(nanoseconds)
}

/// The same instant written with a granularity that is none of these. `None` when it is no date-time.
pub(crate) fn regrained(cursor: &Cursor, not: &[CursorKind]) -> Option<Cursor> {
    let at = cursor.as_datetime()?;
    let finer = (at.granularity().digits() + 1..=9).filter_map(Granularity::of_digits);
    let mut others = finer.filter(|granularity| {
        !not.contains(&CursorKind::DateTime {
            granularity: *granularity,
        })
    });
    others
        .find_map(|granularity| at.with_granularity(granularity))
        .map(Cursor::from)
}

/// A cursor of a type that is none of these.
pub(crate) fn retyped(not: &[CursorKind]) -> Option<Cursor> {
    let is_datetime = |kind: &CursorKind| matches!(kind, CursorKind::DateTime { .. });
    if !not.contains(&CursorKind::Integer) {
        return Some(Cursor::integer(1));
    }
    if !not.contains(&CursorKind::Tuple) {
        return Cursor::tuple(["a"]).ok();
    }
    if not.iter().any(is_datetime) {
        return None;
    }
    Cursor::datetime("2000-01-01T00:00:00Z").ok()
}

/// The cursor that a member is, if it is one.
pub(crate) fn read(node: Option<&Node>) -> Option<Cursor> {
    Cursor::from_node(node?).ok()
}

/// How two cursors stand to each other on their line. An integer is held against a date-time as the seconds or the milliseconds
/// since 1970 that it may count; what is finer than it can say is cut off. `None` where there is no line.
pub(crate) fn order(ours: &Cursor, theirs: &Cursor) -> Option<Ordering> {
    match (ours.kind(), theirs.kind()) {
        (CursorKind::Integer, CursorKind::DateTime { .. }) => {
            ours.compare(&on_line_of(theirs, ours)?)
        }
        (CursorKind::DateTime { .. }, CursorKind::Integer) => {
            on_line_of(ours, theirs)?.compare(theirs)
        }
        _ if ours == theirs => Some(Ordering::Equal),
        _ => ours.compare(theirs),
    }
}

/// The cursor as one of the other's type: itself, or converted by the unit that brings the two nearer to each other.
pub(crate) fn on_line_of(cursor: &Cursor, other: &Cursor) -> Option<Cursor> {
    const SECOND: u128 = 1_000_000_000;
    const MILLISECOND: u128 = 1_000_000;
    // Each with the nanoseconds of what it counts.
    let rules = match (cursor.kind(), other.kind()) {
        (CursorKind::Integer, CursorKind::DateTime { .. }) => [
            (CursorRule::epoch_seconds_to_datetime(), 1),
            (CursorRule::epoch_millis_to_datetime(), 1),
        ],
        (CursorKind::DateTime { .. }, CursorKind::Integer) => [
            (CursorRule::datetime_to_epoch_seconds(), SECOND),
            (CursorRule::datetime_to_epoch_millis(), MILLISECOND),
        ],
        _ => return Some(cursor.clone()),
    };
    let near = rules.iter().filter_map(|(rule, unit)| {
        let converted = rule.apply(cursor).ok()??;
        Some((apart(&converted, other)?.saturating_mul(*unit), converted))
    });
    let (apart, nearest) = near.min_by_key(|(apart, _)| *apart)?;
    (apart <= FURTHEST.as_nanos()).then_some(nearest)
}

/// How far apart two cursors of one type are: in nanoseconds, or in counts.
fn apart(ours: &Cursor, theirs: &Cursor) -> Option<u128> {
    match (ours.timestamp(), theirs.timestamp()) {
        (Some(ours), Some(theirs)) => Some(ours.as_nanosecond().abs_diff(theirs.as_nanosecond())),
        _ => Some(u128::from(ours.as_u64()?.abs_diff(theirs.as_u64()?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(json: &str) -> Cursor {
        Cursor::from_node(&Node::parse(json).unwrap()).unwrap()
    }

    #[test]
    fn a_shifted_cursor_has_kind_granularity_and_form_of_the_one_it_is_made_of() {
        let mut random = Random::new(7);
        for json in [
            r#""2025-06-10T08:00:00.250000+02:00""#,
            r#""2025-06-10T08:00:00Z""#,
            "7",
            "1749542400",
            r#"["8c42b44c4655ab68ff395e227afea45eb5506495"]"#,
            r#"["0017",4]"#,
            r#"["2025-06-10T08:00:00Z"]"#,
        ] {
            let from = cursor(json);
            let shifted: Vec<Cursor> = (0..50)
                .map(|_| Shift::random(&mut random).of(&from, from.as_u64().unwrap_or(0)))
                .collect();
            for other in &shifted {
                assert_eq!(other.kind(), from.kind(), "{json} and {}", other.as_json());
                assert!(
                    other.as_json().len() <= json.len() + 3,
                    "{}",
                    other.as_json()
                );
            }
            assert!(shifted.iter().any(|other| *other != from), "{json}");
        }
    }

    #[test]
    fn cursors_of_one_binding_keep_their_distance() {
        let shift = Shift::random(&mut Random::new(3));
        let (early, late) = (
            cursor(r#""2025-06-10T02:00:00Z""#),
            cursor(r#""2025-06-10T08:00:00Z""#),
        );
        let six_hours = Duration::from_secs(6 * 3600);
        let moved = shift.of(&late, 0).earlier_by(six_hours).unwrap();
        assert_eq!(moved, shift.of(&early, 0));
    }

    #[test]
    fn cursors_stand_in_order_also_across_a_conversion() {
        for (ours, theirs, expected) in [
            ("7", "8", Some(Ordering::Less)),
            ("10", "9", Some(Ordering::Greater)),
            (
                "1749542400",
                r#""2025-06-10T08:00:00Z""#,
                Some(Ordering::Equal),
            ),
            (
                "1749542400",
                r#""2025-06-10T08:00:00.5Z""#,
                Some(Ordering::Equal),
            ),
            (
                "1749542401",
                r#""2025-06-10T08:00:00Z""#,
                Some(Ordering::Greater),
            ),
            (
                r#""2025-06-10T08:00:00.001Z""#,
                "1749542400000",
                Some(Ordering::Greater),
            ),
            ("7", r#""2025-06-10T08:00:00Z""#, None),
            (r#"["a"]"#, r#"["b"]"#, None),
        ] {
            assert_eq!(
                order(&cursor(ours), &cursor(theirs)),
                expected,
                "{ours} and {theirs}"
            );
        }
    }
}
