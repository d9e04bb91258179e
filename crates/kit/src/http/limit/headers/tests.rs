use proptest::prelude::*;
use reqwest::header::{HeaderName, HeaderValue};

use super::super::hints::Hints;
use super::*;

const NOW: &str = "2026-03-01T12:00:00Z";

fn hints(headers: &[(&str, &str)]) -> Hints {
    let headers = headers.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    Hints::of(&headers.collect(), NOW.parse().unwrap())
}

#[test]
fn a_retry_after_is_a_number_of_seconds_or_a_time_that_is_to_come() {
    let wait = |seconds: f64| Some(Duration::from_secs_f64(seconds));
    for (value, expected) in [
        ("120", wait(120.0)),
        ("0", wait(0.0)),
        ("1.5", wait(1.5)),
        ("Sun, 01 Mar 2026 12:00:30 GMT", wait(30.0)),
        ("2026-03-01T12:00:30Z", wait(30.0)),
        ("1772366430", wait(30.0)),
        ("1772366370", None),
        ("Sun, 01 Mar 2026 11:59:30 GMT", None),
        ("-5", None),
        ("1e3", None),
        ("NaN", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("99999999999999999999999999", None),
    ] {
        assert_eq!(
            hints(&[("retry-after", value)]).retry_after,
            expected,
            "{value}"
        );
    }
    let finer = hints(&[("retry-after", "1"), ("retry-after-ms", "250")]);
    assert_eq!(finer.retry_after, wait(0.25));
}

#[test]
fn a_date_is_held_against_the_date_of_the_answer() {
    let answer = [
        ("date", "Sun, 01 Mar 2026 13:00:00 GMT"),
        ("retry-after", "Sun, 01 Mar 2026 13:00:10 GMT"),
    ];
    assert_eq!(hints(&answer).retry_after, Some(Duration::from_secs(10)));
}

#[test]
fn what_is_left_of_a_window_is_read_in_every_form() {
    let forms: [&[(&str, &str)]; 9] = [
        &[
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-reset", "30"),
        ],
        &[
            ("x-rate-limit-limit", "100"),
            ("x-rate-limit-remaining", "7"),
            ("x-rate-limit-reset", "1772366430"),
        ],
        &[
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-reset", "1772366430000"),
        ],
        &[
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-reset", "2026-03-01T12:00:30Z"),
        ],
        &[
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-reset", "1"),
            ("x-ratelimit-reset-after", "30"),
        ],
        &[
            ("ratelimit-limit", "100, 100;w=60"),
            ("ratelimit-remaining", "7"),
            ("ratelimit-reset", "30"),
        ],
        &[("ratelimit", "limit=100, remaining=7, reset=30")],
        &[
            ("ratelimit-policy", "\"burst\";q=100;w=60"),
            ("ratelimit", "\"burst\";r=7;t=30"),
        ],
        &[
            (
                "ratelimit-policy",
                "\"burst\";q=100;w=60, \"day\";q=9000;w=86400",
            ),
            ("ratelimit", "\"day\";r=8000;t=4000, \"burst\";r=7;t=30"),
        ],
    ];
    for form in forms {
        let expected = Quota {
            limit: Some(100),
            remaining: 7,
            reset_after: Duration::from_secs(30),
        };
        assert_eq!(hints(form).quota, Some(expected), "{form:?}");
    }
}

#[test]
fn what_makes_no_sense_is_left_out() {
    let forms: [&[(&str, &str)]; 6] = [
        &[("x-ratelimit-remaining", "7")],
        &[("x-ratelimit-remaining", "7"), ("x-ratelimit-reset", "-1")],
        &[
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-reset", "1000000000"),
        ], // Long past.
        &[
            ("x-ratelimit-remaining", "many"),
            ("x-ratelimit-reset", "30"),
        ],
        &[("ratelimit", "\"burst\";r;t=x, ,;;==")],
        &[("ratelimit", "limit=100, remaining=, reset=")],
    ];
    for form in forms {
        assert_eq!(hints(form).quota, None, "{form:?}");
    }
    let beyond = hints(&[("x-ratelimit-remaining", "-3"), ("x-ratelimit-reset", "30")]);
    assert_eq!(beyond.quota.unwrap().remaining, 0);
}

proptest! {
    #[test]
    fn no_header_breaks_it(values in prop::collection::vec("[ -~]{0,40}|[0-9.e-]{0,30}|\"a\";r=[0-9]{0,25};t=[0-9]{0,25}", 8)) {
        let names = ["retry-after", "retry-after-ms", "ratelimit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "date"];
        let headers: Vec<(&str, &str)> = names.into_iter().zip(values.iter().map(String::as_str)).collect();
        hints(&headers);
    }
}
