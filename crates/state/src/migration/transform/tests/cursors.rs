//! Other kinds of cursors.

use super::super::{convert_cursors, flat_to_keyed};
use super::{becomes, keeps, one, refuses};
use crate::cursor::Cursor;
use crate::datetime::Granularity;
use crate::migration::CursorRule;

fn digits(digits: u8) -> CursorRule {
    CursorRule::granularity(Granularity::of_digits(digits).unwrap())
}

#[test]
fn epochs_become_date_times() {
    let noted = "REWRITE: cursors are converted: epoch seconds to date-time";
    let seconds = one(convert_cursors(CursorRule::epoch_seconds_to_datetime()));
    becomes(
        &seconds,
        &[
            (
                r#"{"inc":{"cursor":1749542400,"mark":[1]}}"#,
                r#"{"inc":{"cursor":"2025-06-10T08:00:00Z","mark":[1]}}"#,
                noted,
            ),
            (
                r#"{"inc":{"cursor":0}}"#,
                r#"{"inc":{"cursor":"1970-01-01T00:00:00Z"}}"#,
                noted,
            ),
            (
                r#"{"inc":{"a":{"cursor":1749542400},"b":null},"backfill":{"a":{"cutoff":1749542399,"next_page":7}}}"#,
                r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:00Z"},"b":null},"backfill":{"a":{"cutoff":"2025-06-10T07:59:59Z","next_page":7}}}"#,
                noted,
            ),
            // Half of it had been done.
            (
                r#"{"inc":{"a":{"cursor":1749542400},"b":{"cursor":"2025-06-10T08:00:00Z"}}}"#,
                r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:00Z"},"b":{"cursor":"2025-06-10T08:00:00Z"}}}"#,
                noted,
            ),
        ],
    );
    keeps(
        &seconds,
        &[
            "null",
            "{}",
            r#"{"inc":{"cursor":["a",7]}}"#,
            r#"{"inc":{"cursor":"2025-06-10T08:00:00.5+02:00"}}"#,
        ],
    );
    refuses(
        &seconds,
        &[
            (
                r#"{"inc":{"cursor":1749542400000}}"#,
                "/inc/cursor",
                "too large for an instant",
                "the unit",
            ),
            (
                r#"{"inc":{"cursor":7},"backfill":{"a/b":{"cutoff":123456789012345678901234567890}}}"#,
                "/backfill/a~1b/cutoff",
                "too large for an instant",
                "the unit",
            ),
        ],
    );
    becomes(
        &one(convert_cursors(CursorRule::epoch_millis_to_datetime())),
        &[(
            r#"{"inc":{"cursor":1749542400007}}"#,
            r#"{"inc":{"cursor":"2025-06-10T08:00:00.007Z"}}"#,
            "REWRITE: cursors are converted: epoch milliseconds to date-time",
        )],
    );
}

#[test]
fn date_times_become_epochs_and_what_is_finer_is_read_again() {
    let noted = "REWRITE: cursors are converted: date-time to epoch seconds";
    let seconds = one(convert_cursors(CursorRule::datetime_to_epoch_seconds()));
    becomes(
        &seconds,
        &[
            (
                r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#,
                r#"{"inc":{"cursor":1749542400}}"#,
                noted,
            ),
            (
                r#"{"inc":{"cursor":"2025-06-10T10:00:00.999999+02:00"}}"#,
                r#"{"inc":{"cursor":1749542400}}"#,
                "REWIND: the cursor moves back by 999999 µs, and reads that again; cursors are converted: date-time to epoch seconds",
            ),
            (
                r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:01Z"}},"backfill":{"a":{"cutoff":"2025-06-10T08:00:00Z","next_page":"p"}}}"#,
                r#"{"inc":{"a":{"cursor":1749542401}},"backfill":{"a":{"cutoff":1749542400,"next_page":"p"}}}"#,
                noted,
            ),
        ],
    );
    keeps(
        &seconds,
        &[
            "null",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"cursor":["2025-06-10T08:00:00Z"]}}"#,
        ],
    );
    refuses(
        &seconds,
        &[
            (
                r#"{"inc":{"cursor":"1969-12-31T23:59:59Z"}}"#,
                "/inc/cursor",
                "is before 1970",
                "a later one",
            ),
            (
                r#"{"inc":{"a":{"cursor":"1970-01-01T00:00:00+02:00"}}}"#,
                "/inc/a/cursor",
                "is before 1970",
                "a later one",
            ),
        ],
    );
    becomes(
        &one(convert_cursors(CursorRule::datetime_to_epoch_millis())),
        &[(
            r#"{"inc":{"cursor":"2025-06-10T08:00:00.0079Z"}}"#,
            r#"{"inc":{"cursor":1749542400007}}"#,
            "REWIND: the cursor moves back by 900 µs, and reads that again; cursors are converted: date-time to epoch milliseconds",
        )],
    );
}

#[test]
fn another_granularity_keeps_offset_and_separator_and_rounds_down() {
    let finer = one(convert_cursors(digits(6)));
    let noted = "REWRITE: cursors are converted: date-time to microseconds";
    becomes(
        &finer,
        &[
            (
                r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#,
                r#"{"inc":{"cursor":"2025-06-10T08:00:00.000000Z"}}"#,
                noted,
            ),
            (
                r#"{"inc":{"cursor":"2025-06-10 08:00:00.25+05:30"}}"#,
                r#"{"inc":{"cursor":"2025-06-10 08:00:00.250000+05:30"}}"#,
                noted,
            ),
        ],
    );
    let coarser = one(convert_cursors(digits(0)));
    becomes(
        &coarser,
        &[
            (
                r#"{"inc":{"cursor":"2025-06-10T08:00:00.750Z"},"backfill":{"cutoff":"1969-12-31T23:59:59.500Z"}}"#,
                r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"},"backfill":{"cutoff":"1969-12-31T23:59:59Z"}}"#,
                "REWIND: the cursor moves back by 750000 µs, and reads that again; cursors are converted: date-time to seconds",
            ),
            (
                r#"{"inc":{"cursor":"2025-06-10T08:00:00.000Z"}}"#,
                r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#,
                "REWRITE: cursors are converted: date-time to seconds",
            ),
        ],
    );
    keeps(
        &coarser,
        &[
            r#"{"inc":{"cursor":"2025-06-10T08:00:00+02:00"}}"#,
            r#"{"inc":{"cursor":7}}"#,
        ],
    );
}

#[test]
fn a_rule_of_an_authors_own_is_held_to_its_word() {
    let offset = CursorRule::new("offsets of two topics to one", |cursor| {
        let Some(parts) = cursor.parts() else {
            return Ok(None);
        };
        match parts {
            [crate::CursorPart::Integer(at)] => Ok(Some(Cursor::integer(*at))),
            _ => Err("has more parts than one; read the other topic to its end first".to_owned()),
        }
    });
    let chain = one(convert_cursors(offset));
    let noted = "REWRITE: cursors are converted: offsets of two topics to one";
    becomes(
        &chain,
        &[(
            r#"{"inc":{"cursor":[7]}}"#,
            r#"{"inc":{"cursor":7}}"#,
            noted,
        )],
    );
    refuses(
        &chain,
        &[(
            r#"{"inc":{"cursor":[7,8]}}"#,
            "/inc/cursor",
            "more parts than one",
            "to its end first",
        )],
    );

    let back = |by: u64| {
        CursorRule::new("an hour back, once", move |cursor| {
            let at = cursor
                .as_datetime()
                .filter(|at| at.granularity() == Granularity::SECONDS);
            let earlier = at.and_then(|at| at.earlier_by(std::time::Duration::from_secs(by)));
            let fine = earlier.and_then(|at| at.with_granularity(Granularity::of_digits(3)?));
            Ok(fine.map(Cursor::from))
        })
    };
    let before = r#"{"inc":{"cursor":"2025-06-10T08:00:00Z"}}"#;
    let after = r#"{"inc":{"cursor":"2025-06-10T07:00:00.000Z"}}"#;
    let moved = "the cursor moves back by 1 h, and reads that again; cursors are converted: an hour back, once";
    becomes(
        &one(convert_cursors(back(3600))),
        &[(before, after, &format!("REWIND needs rewind: {moved}"))],
    );
    let declared = back(3600).rewinding(super::HOUR);
    becomes(
        &one(convert_cursors(declared)),
        &[(before, after, &format!("REWIND: {moved}"))],
    );
}

#[test]
fn a_conversion_goes_together_with_a_change_of_shape() {
    let chain =
        one(flat_to_keyed("a")).with(convert_cursors(CursorRule::epoch_seconds_to_datetime()));
    becomes(
        &chain,
        &[(
            r#"{"inc":{"cursor":1749542400},"backfill":{"cutoff":1749542400,"next_page":"p"}}"#,
            r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:00Z"}},"backfill":{"a":{"cutoff":"2025-06-10T08:00:00Z","next_page":"p"}}}"#,
            "REWRITE: cursors are converted: epoch seconds to date-time",
        )],
    );
}
