//! The rate limiter against simulated servers: how much of what is allowed it gets, and how much is refused.
#![allow(clippy::unwrap_used)]
#![forbid(unsafe_code)]

use std::path::Path;
use std::time::Duration;

use staunch::http::Limiter;
use staunch_net_tests::limits::{
    Rule, Run, Says, Scenario, Server, chart, row, run, scenarios, simulate, simulate_with,
};

fn named(name: &str) -> Run {
    let scenario = scenarios()
        .into_iter()
        .find(|scenario| scenario.name == name);
    simulate(&scenario.unwrap())
}

/// At least nine tenths of what is allowed from the thirtieth second on, and less than a twentieth refused from the first one on.
fn assert_found(what: &str, run: &Run, until: usize) {
    let (share, refused) = (run.share(30, until), run.refused(until));
    assert!(share >= 0.9, "{what}: {share:.3} of what is allowed");
    assert!(refused < 0.05, "{what}: {refused:.3} refused");
}

#[test]
fn nine_tenths_of_a_steady_limit_are_reached_within_thirty_seconds() {
    for name in [
        "no-limit",
        "bucket",
        "bucket-one-caller",
        "bucket-large",
        "bucket-far-away",
        "bucket-retry-after",
        "bucket-many-callers",
        "window-second",
        "window-second-fast",
        "window-second-retry-after",
        "window-ten",
        "window-sliding",
        "cost-told",
        "cost-not-told",
        "wrong-nonsense",
    ] {
        let run = named(name);
        assert_found(name, &run, run.seconds.len());
    }
}

#[test]
fn nine_tenths_of_a_limit_per_minute_are_reached_in_each_minute() {
    for name in [
        "window-minute",
        "window-minute-headers",
        "window-minute-draft",
    ] {
        let run = named(name);
        for minute in 0..5 {
            let share = run.share(60 * minute, 60 * (minute + 1));
            // Without headers the first minute is over before it is known that there are minutes.
            let least = if minute == 1 && name == "window-minute" {
                0.75
            } else {
                0.9
            };
            assert!(share >= least, "{name}: {share:.3} of minute {minute}");
        }
        assert!(run.refused(300) < 0.05, "{name}");
    }
}

#[test]
fn headers_that_tell_the_truth_spare_all_refusals() {
    for name in ["window-minute-headers", "window-minute-draft", "cost-told"] {
        assert_eq!(named(name).refused(300), 0.0, "{name}");
    }
}

/// Rates, callers and latencies, each with each, where the callers can ask for more than is allowed, and where the first burst (nobody knows
/// yet that there is a limit) is no twentieth of it all by itself.
#[test]
fn every_rate_is_found_by_any_number_of_callers_at_any_distance() {
    for (what, rule) in [
        ("bucket of a second", Rule::Bucket as fn(f64) -> Rule),
        ("window of a second", |_| Rule::Window(1.0)),
    ] {
        for rate in [20.0, 50.0, 200.0] {
            for callers in [1, 10, 50] {
                for latency in [0.02, 0.2, 2.0] {
                    if callers as f64 / latency < 1.2 * rate {
                        continue;
                    }
                    let server = Server::new(rule(rate), rate);
                    let run = simulate(&Scenario::new("", server, callers, latency));
                    let what = format!("{what}, {rate}/s, {callers} callers, {latency} s");
                    assert_found(&what, &run, 120);
                }
            }
        }
    }
}

/// However many ask, and however far away it is: once the first few answers are there, they wait for nothing.
#[test]
fn without_a_limit_next_to_nothing_waits() {
    for (callers, latency, least) in [
        (1, 0.1, 1.0),
        (10, 0.1, 0.99),
        (50, 0.02, 0.97),
        (200, 0.02, 0.94),
        (200, 0.2, 0.93),
    ] {
        let server = Server::new(Rule::Nothing, f64::INFINITY);
        let mut scenario = Scenario::new("", server, callers, latency);
        scenario.seconds = 30;
        let served = |run: &Run| -> f64 { run.seconds.iter().map(|second| second.served).sum() };
        let found = served(&simulate(&scenario));
        let unlimited = served(&simulate_with(&scenario, Limiter::unlimited()));
        assert!(
            found >= least * unlimited,
            "{callers} callers, {latency} s: {found} of {unlimited}"
        );
    }
}

#[test]
fn a_limit_that_is_cut_or_raised_fourfold_is_found_within_twenty_seconds() {
    for name in ["cut-and-raised", "window-cut-and-raised"] {
        let run = named(name);
        assert!(run.share(70, 120) >= 0.9, "{name}");
        let refused: u64 = run.seconds[80..120]
            .iter()
            .map(|second| second.refused)
            .sum();
        let answered: u64 = run.seconds[80..120]
            .iter()
            .map(|second| second.answered)
            .sum();
        assert!(
            refused * 20 < answered,
            "{name}: {refused} of {answered} are refused from twenty seconds after the cut on"
        );
        assert!(
            run.reached(120).unwrap() <= 140,
            "{name}: {:?}",
            run.reached(120)
        );
        assert!(run.refused(180) < 0.05, "{name}");
    }
}

#[test]
fn a_low_limit_that_is_raised_threefold_is_found_within_a_minute() {
    let run = named("slow-raised");
    assert!(run.reached(60).unwrap() <= 120, "{:?}", run.reached(60));
    assert!(run.refused(180) < 0.05);
}

/// Of few requests, those that it takes to find a limit are a larger share.
#[test]
fn a_low_limit_is_reached_by_many_callers_with_few_refusals() {
    for name in ["bucket-slow", "window-ten-many-callers", "bucket-of-one"] {
        let run = named(name);
        assert!(run.share(30, 120) >= 0.85, "{name}: {}", run.share(30, 120));
        assert!(run.refused(120) < 0.08, "{name}: {}", run.refused(120));
    }
}

#[test]
fn what_others_took_is_found_again_within_fifteen_seconds() {
    let run = named("others");
    assert!(run.share(70, 100) >= 0.9);
    assert!(run.reached(100).unwrap() <= 115, "{:?}", run.reached(100));
    assert!(run.refused(160) < 0.05);
}

#[test]
fn a_server_that_counts_requests_at_once_is_not_overrun() {
    let run = named("at-once");
    assert!(run.share(30, 120) >= 0.7);
    assert!(run.refused(120) < 0.02);
}

#[test]
fn a_retry_after_of_a_year_is_kept_for_five_minutes() {
    let run = named("wrong-year");
    let asked: Vec<usize> = (0..run.seconds.len())
        .filter(|second| run.seconds[*second].answered > 0)
        .collect();
    let longest = asked
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .max()
        .unwrap();
    assert!((299..=301).contains(&longest), "{longest}");
}

#[test]
fn a_server_that_says_that_nothing_is_left_and_serves_is_not_believed_for_longer_than_a_minute() {
    let run = named("wrong-nothing-left");
    assert!(run.share(61, 120) >= 0.9);
}

#[test]
fn a_limit_that_is_known_is_kept_to_from_the_first_request_on() {
    for (rule, rate) in [(Rule::Window(1.0), 20), (Rule::Bucket(1.0), 20)] {
        let mut scenario = Scenario::new("", Server::new(rule, f64::from(rate)), 10, 0.1);
        scenario.jitter = 0.0; // Requests that overtake each other are no limiter's fault.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let run = runtime.block_on(run(
            &scenario,
            Limiter::per(10 * rate, Duration::from_secs(10)),
        ));
        assert_eq!(run.refused(120), 0.0, "{:?}", scenario.server.rule);
        assert!(run.share(0, 120) >= 0.95, "{:?}", scenario.server.rule);
    }
}

#[test]
fn a_run_is_the_same_each_time() {
    assert_eq!(named("bucket"), named("bucket"));
    let mut scenario = Scenario::new("", Server::new(Rule::Bucket(10.0), 10.0), 10, 0.1);
    scenario.server.says = Says::RetryAfter;
    assert_eq!(simulate(&scenario), simulate(&scenario));
}

#[test]
fn the_plots_and_the_table_in_the_documentation_are_what_is_drawn_now() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let page = std::fs::read_to_string(docs.join("guide/rate-limits.md")).unwrap();
    for scenario in scenarios() {
        let run = simulate(&scenario);
        let drawn = std::fs::read_to_string(
            docs.join("limits")
                .join(scenario.name)
                .with_extension("svg"),
        )
        .unwrap();
        let remedy = "run `cargo run -p staunch-net-tests --example limits`, and put the table that it prints into the page";
        assert!(
            drawn == chart(&scenario, &run),
            "`{}.svg` is of another time; {remedy}",
            scenario.name
        );
        assert!(
            page.contains(&row(&scenario, &run)),
            "the row of `{}` is of another time; {remedy}",
            scenario.name
        );
    }
}
