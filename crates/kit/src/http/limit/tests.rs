use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn served() -> Outcome {
    Outcome::Served(Hints::default())
}

fn refused(seconds: u64) -> Outcome {
    Outcome::Throttled(Hints {
        retry_after: Some(Duration::from_secs(seconds)),
        ..Hints::default()
    })
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_one_at_a_time_is_not_held_back_until_a_server_shows_a_limit() {
    let limiter = Limiter::default();
    let began = Instant::now();
    for _ in 0..400 {
        limiter.acquire().await.report(served());
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

/// The second caller's first request waits for no answer, the fifth's does; nobody waits for good.
#[tokio::test(start_paused = true)]
async fn a_server_of_which_nothing_is_known_gets_few_requests_at_once_and_more_with_each_answer() {
    let limiter = Limiter::default();
    let began = Instant::now();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(limiter.acquire().await);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    held.push(limiter.acquire().await);
    assert_eq!(began.elapsed(), Duration::from_secs(1), "none is answered");
    for permit in held.drain(..) {
        permit.report(served());
    }
    for _ in 0..7 {
        held.push(limiter.acquire().await);
    }
    assert_eq!(began.elapsed(), Duration::from_secs(1), "five are answered");
}

#[tokio::test(start_paused = true)]
async fn who_knows_the_limit_is_not_held_back_for_want_of_answers() {
    let limiter = Limiter::per_second(1_000).burst(100);
    let began = Instant::now();
    let held: Vec<Permit> = futures::future::join_all((0..100).map(|_| limiter.acquire())).await;
    assert_eq!((held.len(), began.elapsed()), (100, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_waited_for() {
    let limiter = Limiter::default();
    let permit = limiter.acquire().await;
    let began = Instant::now();
    permit.report(refused(7));
    limiter.acquire().await.report(served());
    assert_eq!(began.elapsed(), Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_of_ages_is_waited_for_until_the_bound() {
    let limiter = Limiter::default();
    for _ in 0..3 {
        let permit = limiter.acquire().await;
        let began = Instant::now();
        permit.report(refused(u64::MAX));
        limiter.acquire().await.report(served());
        assert_eq!(began.elapsed(), MAX_PAUSE);
    }
}

#[tokio::test(start_paused = true)]
async fn turns_are_given_in_the_order_of_asking() {
    let limiter = Limiter::per_second(10);
    let order = Arc::new(Mutex::new(Vec::new()));
    let callers: Vec<_> = (0..20)
        .map(|caller| {
            let (limiter, order) = (limiter.clone(), order.clone());
            tokio::spawn(async move {
                limiter.acquire().await.report(served());
                order.lock().unwrap().push(caller);
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn who_no_longer_waits_takes_no_turn() {
    let limiter = Limiter::per_second(1);
    let began = Instant::now();
    limiter.acquire().await.report(served());
    let given = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (limiter, given) = (limiter.clone(), given.clone());
            tokio::spawn(async move {
                limiter.acquire().await.report(served());
                given.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(10)).await;
    for caller in &callers[..9] {
        caller.abort(); // The one whose turn is next among them.
    }
    for caller in callers {
        let _ = caller.await;
    }
    assert_eq!(given.load(Ordering::SeqCst), 1);
    assert_eq!(began.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn who_waits_hears_of_an_answer_that_lets_the_turn_come_sooner() {
    let left = |available| {
        Outcome::Served(Hints {
            budget: Some(Budget {
                available,
                maximum: 1_000.0,
                restored_per_second: 10.0,
            }),
            ..Hints::default()
        })
    };
    let limiter = Limiter::default();
    let (first, second) = (limiter.acquire().await, limiter.acquire().await);
    first.report(left(0.0));
    let began = Instant::now();
    let waiting = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.acquire_cost(200.0).await }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!waiting.is_finished());
    second.report(left(1_000.0));
    waiting.await.unwrap().report(served());
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_is_dropped_changes_nothing() {
    let limiter = Limiter::default();
    let began = Instant::now();
    for _ in 0..100 {
        drop(limiter.acquire().await);
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(format!("{limiter:?}"), "Limiter { per_second: None }");
}

#[tokio::test(start_paused = true)]
async fn a_known_limit_spaces_requests_evenly_and_a_burst_comes_before() {
    for (burst, requests, milliseconds) in [(1, 11, 1_000), (5, 5, 0), (5, 11, 600)] {
        let limiter = Limiter::per_second(10).burst(burst);
        let began = Instant::now();
        for _ in 0..requests {
            limiter.acquire().await.report(served());
        }
        let took = Duration::from_millis(milliseconds);
        assert_eq!(began.elapsed(), took, "{burst}, {requests}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_known_limit_of_which_a_server_allows_less_is_lowered() {
    let limiter = Limiter::per_second(100);
    for _ in 0..50 {
        limiter.acquire().await.report(served());
    }
    limiter.acquire().await.report(refused(1));
    limiter.acquire().await.report(served());
    let shared = limiter.shared.as_ref().unwrap();
    assert!(shared.control().rate().unwrap() < 100.0);
}

#[tokio::test(start_paused = true)]
async fn numbers_that_are_none_do_no_harm() {
    for limiter in [
        Limiter::per_second(0),
        Limiter::per(1, Duration::ZERO),
        Limiter::per(u32::MAX, Duration::MAX),
    ] {
        let limiter = limiter.burst(0);
        limiter.acquire().await.report(served());
    }
    let limiter = Limiter::default();
    for cost in [
        0.0,
        -1.0,
        f64::NAN,
        f64::INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
    ] {
        limiter.acquire_cost(cost).await.report(refused(0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_waited_for_as_long_as_it_takes_to_be_restored() {
    let limiter = Limiter::default();
    let began = Instant::now();
    limiter
        .acquire_cost(100.0)
        .await
        .report(Outcome::Served(Hints {
            budget: Some(Budget {
                available: 150.0,
                maximum: 1_000.0,
                restored_per_second: 50.0,
            }),
            ..Hints::default()
        }));
    let first = limiter.acquire_cost(100.0).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    let _second = limiter.acquire_cost(100.0).await; // 50 are left: the first is still under way.
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    drop(first);
}
