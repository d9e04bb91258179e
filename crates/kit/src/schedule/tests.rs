use jiff::civil::Weekday;
use proptest::prelude::*;

use super::*;

fn schedule(expression: &str) -> Schedule {
    expression
        .parse()
        .unwrap_or_else(|error| panic!("`{expression}` {error}"))
}

fn next(expression: &str, after: &str) -> String {
    let next = schedule(expression).next_after(after.parse().unwrap());
    next.expect("it comes round").to_string()
}

#[test]
fn what_comes_next_is_strictly_later() {
    for (expression, after, expected) in [
        ("* * * * *", "2026-03-01T12:00:00Z", "2026-03-01T12:01:00Z"),
        (
            "* * * * *",
            "2026-03-01T12:00:59.999999Z",
            "2026-03-01T12:01:00Z",
        ),
        (
            "0 12 * * *",
            "2026-03-01T11:59:59.999999Z",
            "2026-03-01T12:00:00Z",
        ),
        ("0 12 * * *", "2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z"),
        (
            "59 23 31 12 *",
            "2026-12-31T23:59:00Z",
            "2027-12-31T23:59:00Z",
        ),
        ("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("30 4 * * 1", "2026-03-01T12:00:00Z", "2026-03-02T04:30:00Z"),
        (
            "5,35 2-4 * 1-12 0-6",
            "2026-03-01T04:36:00Z",
            "2026-03-02T02:05:00Z",
        ),
        // Years without such a day, and a century that is no leap year.
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
        // A 29th of February that is a Sunday.
        (
            "0 0 29 2 */7",
            "2026-03-01T00:00:00Z",
            "2032-02-29T00:00:00Z",
        ),
    ] {
        assert_eq!(
            next(expression, after),
            expected,
            "{expression} after {after}"
        );
    }
}

#[test]
fn either_day_suffices_where_both_are_restricted_and_a_star_needs_both() {
    // The first of March 2026 is a Sunday.
    for (expression, expected) in [
        ("0 0 4 * 2", "2026-03-03T00:00:00Z"),
        ("0 0 3 * 4", "2026-03-03T00:00:00Z"),
        ("0 0 4 * *", "2026-03-04T00:00:00Z"),
        ("0 0 * * 4", "2026-03-05T00:00:00Z"),
        ("0 0 */2 * 2", "2026-03-03T00:00:00Z"),
        ("0 0 */2 * 3", "2026-03-11T00:00:00Z"),
        ("0 0 2 * */2", "2026-04-02T00:00:00Z"),
    ] {
        assert_eq!(
            next(expression, "2026-03-01T12:00:00Z"),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn quirk_12_a_rare_schedule_and_an_old_state_are_no_search() {
    let rare = schedule("0 0 29 2 */7");
    let since: Timestamp = "1900-03-01T00:00:00Z".parse().unwrap();
    let began = std::time::Instant::now();
    for _ in 0..1000 {
        let next = rare.next_after(since).unwrap().to_string();
        assert_eq!(next, "1920-02-29T00:00:00Z");
    }
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[test]
fn quirk_13_any_blanks_separate_fields() {
    assert_eq!(schedule("  0\t 4  1   *\t\t5 "), schedule("0 4 1 * 5"));
}

#[test]
fn quirk_14_ranges_wrap_and_steps_count_from_the_first_value() {
    for (expression, same) in [
        ("0 0 * * 5-1", "0 0 * * 5,6,0,1"),
        ("0 0 * * 5-7", "0 0 * * 5,6,0"),
        ("0 0 * * 7-2", "0 0 * * 0,1,2"),
        ("0 0 * * fri-mon/2", "0 0 * * 5,0"),
        (
            "50-10/5 22-2 28-3 11-2 *",
            "50,55,0,5,10 22,23,0,1,2 28,29,30,31,1,2,3 11,12,1,2 *",
        ),
        ("*/20 */8 1 */5 *", "0,20,40 0,8,16 1 1,6,11 *"),
        ("0 0 */10 * *", "0 0 1-31/10 * *"),
    ] {
        let (mut a, mut b) = (schedule(expression), schedule(same));
        (a.is_either_day, b.is_either_day) = (false, false); // Which depends on the `*`, not on the values.
        assert_eq!(a, b, "{expression}");
    }
    assert_eq!(schedule("0 0 * * 5-1").weekdays, 0b110_0011);
}

#[test]
fn names_are_values() {
    assert_eq!(
        schedule("0 0 * JAN,jun-Aug Mon-FRI"),
        schedule("0 0 * 1,6-8 1-5")
    );
}

#[test]
fn what_is_wrong_with_an_expression_is_said() {
    for (expression, expected) in [
        ("", "has 0 fields"),
        ("* * * *", "has 4 fields; write five: minute"),
        ("@daily", "has 1 fields"),
        ("* * * * * *", "has 6 fields"),
        (
            "60 * * * *",
            "cannot have in its minute; write `*`, values from 0 to 59",
        ),
        ("* 24 * * *", "in its hour"),
        (
            "* * 0 * *",
            "day of the month; write `*`, values from 1 to 31",
        ),
        ("* * * 13 *", "in its month"),
        ("* * * * 8", "day of the week"),
        ("* * * * mo", "day of the week"),
        ("*/0 * * * *", "a step that is none in its minute"),
        ("*/x * * * *", "a step"),
        ("5/15 * * * *", "a step"),
        ("1-2-3 * * * *", "minute"),
        ("-5 * * * *", "minute"),
        ("+5 * * * *", "minute"),
        ("1, * * * *", "minute"),
        ("99999999999 * * * *", "minute"),
        ("? * * * *", "minute"),
    ] {
        let error = expression.parse::<Schedule>().unwrap_err().to_string();
        assert!(error.contains(expected), "`{expression}`: {error}");
    }
}

#[test]
fn a_day_that_there_never_is_never_comes_round() {
    for expression in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "* * 31 2 */7"] {
        let never = schedule(expression);
        assert!(!never.comes_round(), "{expression}");
        assert_eq!(
            never.next_after("2026-01-01T00:00:00Z".parse().unwrap()),
            None
        );
    }
    for expression in ["0 0 29 2 *", "0 0 29 2 */7", "0 0 31 2 1"] {
        assert!(schedule(expression).comes_round(), "{expression}");
    }
}

#[test]
fn a_step_beyond_every_value_is_the_first_one() {
    assert_eq!(schedule("*/4000000000 0 1 1 *"), schedule("0 0 1 1 *"));
}

#[test]
fn at_the_end_of_time_nothing_comes_next() {
    assert_eq!(schedule("* * * * *").next_after(Timestamp::MAX), None);
    assert_eq!(schedule("0 0 1 1 *").next_after(Timestamp::MAX), None);
    assert!(schedule("* * * * *").next_after(Timestamp::MIN).is_some());
}

/// A field as it is written, and whether it has a value, asked of its text.
#[derive(Clone, Debug)]
struct Written(String);

impl Written {
    fn has(&self, value: u32, first: u32, last: u32) -> bool {
        self.0.split(',').any(|item| {
            let (range, step) = item.split_once('/').unwrap_or((item, "1"));
            let step: u32 = step.parse().unwrap();
            let (from, to) = match range.split_once('-') {
                None if range == "*" => (first, last),
                None => (range.parse().unwrap(), range.parse().unwrap()),
                Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
            };
            // Walk from the one end of the range to the other, as a finger on a clock does.
            let (mut at, mut steps) = (from, 0);
            loop {
                if at == value && steps % step == 0 {
                    return true;
                }
                if at == to {
                    return false;
                }
                at = if at == last { first } else { at + 1 };
                steps += 1;
            }
        })
    }
}

fn field(first: u32, last: u32) -> impl Strategy<Value = Written> {
    let item = prop_oneof![
        2 => (first..=last).prop_map(|value| value.to_string()),
        2 => (first..=last, first..=last).prop_map(|(from, to)| format!("{from}-{to}")),
        1 => (first..=last, first..=last, 1..=last).prop_map(|(from, to, step)| format!("{from}-{to}/{step}")),
        1 => (1..=last).prop_map(|step| format!("*/{step}")),
    ];
    prop_oneof![
        2 => Just(Written("*".to_owned())),
        3 => prop::collection::vec(item, 1..=3).prop_map(|items| Written(items.join(","))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 300 }))]

    /// The definition, minute by minute, with nothing clever about it. Days that have no match are passed over.
    #[test]
    fn what_comes_next_is_what_a_search_minute_by_minute_finds(
        minute in field(0, 59),
        hour in field(0, 23),
        day in field(1, 31),
        month in field(1, 12),
        weekday in field(0, 6),
        after in 946_684_800_i64..1_900_000_000,
    ) {
        let expression = format!("{} {} {} {} {}", minute.0, hour.0, day.0, month.0, weekday.0);
        let schedule: Schedule = expression.parse().unwrap();
        let after = Timestamp::from_second(after).unwrap();
        let is_day = |date: Date| {
            let of_month = day.has(date.day() as u32, 1, 31);
            let of_week = weekday.has(date.weekday().to_sunday_zero_offset() as u32, 0, 6);
            let is_either = !day.0.contains('*') && !weekday.0.contains('*');
            month.has(date.month() as u32, 1, 12)
                && if is_either { of_month || of_week } else { of_month && of_week }
        };
        let civil = TimeZone::UTC.to_datetime(after);
        let mut date = civil.date();
        let found = 'search: {
            // After so many days the calendar repeats itself: what did not come by then never does, as the 31st of a June.
            for _ in 0..=400 * 365 + 97 {
                if is_day(date) {
                    for of_day in 0..24 * 60 {
                        let (h, m) = (of_day / 60, of_day % 60);
                        let at = on(date, time(h, m)).unwrap();
                        if at > after && hour.has(h, 0, 23) && minute.has(m, 0, 59) {
                            break 'search Some(at);
                        }
                    }
                }
                date = date.tomorrow().unwrap();
            }
            None
        };
        prop_assert_eq!(schedule.next_after(after), found, "{} after {}", expression, after);
    }

    #[test]
    fn no_text_is_too_strange_to_be_refused(expression in "[-0-9*/, a-z]{0,40}") {
        if let Ok(schedule) = expression.parse::<Schedule>() {
            let next = schedule.next_after(Timestamp::UNIX_EPOCH);
            prop_assert_eq!(next.is_some(), schedule.comes_round());
            prop_assert!(next.is_none_or(|next| next > Timestamp::UNIX_EPOCH));
        }
    }
}

#[test]
fn sunday_is_zero_and_seven() {
    for expression in ["0 0 * * 0", "0 0 * * 7", "0 0 * * sun"] {
        let next: Timestamp = next(expression, "2026-03-03T00:00:00Z").parse().unwrap();
        assert_eq!(TimeZone::UTC.to_datetime(next).weekday(), Weekday::Sunday);
    }
}
