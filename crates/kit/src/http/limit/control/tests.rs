use proptest::prelude::*;

use super::super::hints::{Budget, Quota};
use super::*;

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    /// Time passes, in milliseconds.
    Pass(u64),
    /// A request is sent when its turn has come, with this cost.
    Send(f64),
    /// One of those that are under way is answered.
    Answer(prop::sample::Index, Outcome),
}

fn event() -> impl Strategy<Value = Event> {
    let number = prop_oneof![any::<f64>(), -10.0..1e4];
    let budget = (number.clone(), number.clone(), number).prop_map(
        |(available, maximum, restored_per_second)| Budget {
            available,
            maximum,
            restored_per_second,
        },
    );
    let seconds = prop_oneof![0_u64..120, any::<u64>()];
    let quota = (
        prop::option::of(any::<u64>()),
        prop_oneof![0_u64..50, any::<u64>()],
        seconds.clone(),
    )
        .prop_map(|(limit, remaining, reset)| Quota {
            limit,
            remaining,
            reset_after: Duration::from_secs(reset),
        });
    let hints = (
        prop::option::weighted(0.1, seconds.prop_map(Duration::from_secs)),
        prop::option::weighted(0.1, quota),
        prop::option::weighted(0.1, budget),
    );
    let hints = hints.prop_map(|(retry_after, quota, budget)| Hints {
        retry_after,
        quota,
        budget,
    });
    let outcome = prop_oneof![
        5 => hints.clone().prop_map(Outcome::Served),
        2 => hints.prop_map(Outcome::Throttled),
        1 => Just(Outcome::Failed),
    ];
    prop_oneof![
        (0_u64..20_000).prop_map(Event::Pass),
        prop_oneof![Just(1.0), 0.001..1e6].prop_map(Event::Send),
        (any::<prop::sample::Index>(), outcome)
            .prop_map(|(which, outcome)| Event::Answer(which, outcome)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_turn_is_further_away_than_the_bound_and_no_rate_below_the_floor(events in prop::collection::vec(event(), 1..200)) {
        let mut control = Control::adaptive();
        let mut now = Instant::now();
        let mut under_way = Vec::new();
        for event in events {
            match event {
                Event::Pass(milliseconds) => now += Duration::from_millis(milliseconds),
                Event::Send(cost) => {
                    let turn = control.next_turn(now, cost);
                    prop_assert!(turn >= now && turn <= now + MAX_PAUSE);
                    now = turn;
                    under_way.push(control.begin(now, cost));
                }
                Event::Answer(which, outcome) if !under_way.is_empty() => {
                    let ticket = under_way.swap_remove(which.index(under_way.len()));
                    control.on_answer(now, ticket, &outcome);
                }
                Event::Answer(..) => {}
            }
            prop_assert!(control.rate().is_none_or(|rate| rate.is_finite() && rate > 0.0));
        }
    }

    #[test]
    fn who_waits_for_a_turn_gets_it(events in prop::collection::vec(event(), 1..100)) {
        let mut control = Control::adaptive();
        let mut now = Instant::now();
        let mut under_way = Vec::new();
        for event in events {
            match event {
                Event::Pass(milliseconds) => now += Duration::from_millis(milliseconds),
                Event::Send(cost) => under_way.push(control.begin(now, cost)),
                Event::Answer(which, outcome) if !under_way.is_empty() => {
                    let ticket = under_way.swap_remove(which.index(under_way.len()));
                    control.on_answer(now, ticket, &outcome);
                }
                Event::Answer(..) => {}
            }
        }
        // All are answered, and then nothing happens but that one waits.
        for ticket in under_way {
            control.on_answer(now, ticket, &Outcome::Failed);
        }
        let mut waits = 0;
        let began = now;
        while control.next_turn(now, 1.0) > now {
            now = control.next_turn(now, 1.0);
            waits += 1;
            prop_assert!(waits < 10, "{waits} waits");
        }
        prop_assert!(now <= began + MAX_PAUSE);
    }
}

#[test]
fn refusals_of_requests_from_before_a_cut_cut_nothing() {
    let mut control = Control::adaptive();
    let began = Instant::now();
    let tickets: Vec<Ticket> = (0..50).map(|_| control.begin(began, 1.0)).collect();
    let now = began + Duration::from_millis(100);
    for ticket in &tickets[..10] {
        control.on_answer(now, *ticket, &Outcome::Served(Hints::default()));
    }
    control.on_answer(now, tickets[10], &Outcome::Throttled(Hints::default()));
    let cut = control.rate().unwrap();
    for ticket in &tickets[11..] {
        control.on_answer(now, *ticket, &Outcome::Throttled(Hints::default()));
    }
    assert_eq!(control.rate(), Some(cut));
}

#[test]
fn a_window_of_which_less_than_half_is_left_is_spread_over_its_rest() {
    let mut control = Control::adaptive();
    let mut now = Instant::now();
    let end = now + Duration::from_secs(60);
    let mut left = 100_u64;
    while left > 0 {
        now = control.next_turn(now, 1.0);
        assert!(now < end);
        let ticket = control.begin(now, 1.0);
        left -= 1;
        let hints = Hints {
            quota: Some(Quota {
                limit: Some(100),
                remaining: left,
                reset_after: end - now,
            }),
            ..Hints::default()
        };
        control.on_answer(now, ticket, &Outcome::Served(hints));
        if left == 50 {
            assert_eq!(control.next_turn(now, 1.0), now, "half of it is free");
        }
    }
    assert!(now > end - Duration::from_secs(3));
    assert_eq!(control.next_turn(now, 1.0), end);
}
