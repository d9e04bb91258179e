//! The pace at which a server is asked, over the wire.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use staunch::http::{Budget, Hints, Limiter, Response};
use staunch_net_tests::faults::{Answer, FaultServer};

use crate::asking::{once, patient, serve};

/// A server that allows so many requests per second, and says nothing of it but 429.
async fn limited(per_second: f64, retry_after: Option<u64>) -> FaultServer {
    let left = Mutex::new((per_second, Instant::now()));
    FaultServer::start(move |_| {
        let mut left = left.lock().unwrap();
        let (tokens, since) = *left;
        let tokens = (tokens + since.elapsed().as_secs_f64() * per_second).min(per_second);
        *left = (tokens, Instant::now());
        match (tokens >= 1.0, retry_after) {
            (true, _) => {
                left.0 -= 1.0;
                Answer::new(200, "")
            }
            (false, None) => Answer::new(429, "slow down"),
            (false, Some(seconds)) => Answer::new(429, "").header("retry-after", seconds),
        }
    })
    .await
}

#[tokio::test]
async fn many_who_ask_at_once_all_get_their_answers_from_a_server_that_allows_few() {
    for retry_after in [None, Some(1)] {
        let server = limited(60.0, retry_after).await;
        let client = patient(&server)
            .scoped()
            .limiter(Limiter::default())
            .build();
        let asking: Vec<_> = (0..8)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move {
                    for _ in 0..30 {
                        client.post("").send().await.unwrap();
                    }
                })
            })
            .collect();
        for asking in asking {
            asking.await.unwrap();
        }
        let log = server.log();
        let served = log.iter().filter(|served| served.status == 200).count();
        assert_eq!(served, 240, "each once");
    }
}

#[tokio::test]
async fn who_shares_a_limit_waits_for_it_and_who_does_not_goes_on() {
    let busy = Answer::new(429, "").header("retry-after", 2);
    let server = serve([busy, Answer::new(200, "")]).await;
    let client = once(&server);
    let before = Instant::now();
    let error = client.get("first").send().await.unwrap_err();
    assert_eq!(error.status(), Some(429));
    let same_account = tokio::spawn(client.get("second").send());
    let other_account = client.scoped().build();
    other_account.get("other").send().await.unwrap();
    same_account.await.unwrap().unwrap();
    assert!(before.elapsed() >= Duration::from_secs(2));
    let log = server.log();
    let asked: Vec<_> = log.iter().map(|served| served.asked.path()).collect();
    assert_eq!(asked, ["/first", "/other", "/second"]);
}

#[tokio::test]
async fn a_budget_that_answers_tell_in_their_body_holds_requests_back() {
    let body = r#"{"throttle":{"available":0,"maximum":100,"rate":50}}"#;
    let server = serve([Answer::new(200, body)]).await;
    let hints = |answer: &Response| {
        let mut hints = Hints::default();
        let body: Option<serde_json::Value> = answer.json().ok();
        let number = |name: &str| body.as_ref()?["throttle"][name].as_f64();
        hints.budget = number("available")
            .zip(number("maximum"))
            .zip(number("rate"))
            .map(|((available, maximum), restored_per_second)| Budget {
                available,
                maximum,
                restored_per_second,
            });
        hints
    };
    let client = once(&server).scoped().hints(hints).build();
    client.post("").cost(50.0).send().await.unwrap();
    let before = Instant::now();
    client.post("").cost(50.0).send().await.unwrap();
    assert!(
        before.elapsed() >= Duration::from_millis(900),
        "50 of 50 per second"
    );
}

#[tokio::test]
async fn a_stream_gives_its_turn_on_when_it_begins() {
    let server = serve([Answer::new(200, vec![0; 4 << 20])]).await;
    let limiter = Limiter::per(1000, Duration::from_secs(1));
    let client = once(&server).scoped().limiter(limiter).build();
    let mut unread = Vec::new();
    for _ in 0..20 {
        unread.push(client.get("").stream().await.unwrap());
    }
    assert_eq!(server.log().len(), 20);
}
