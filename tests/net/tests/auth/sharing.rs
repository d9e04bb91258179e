//! One exchange for all who wait for it, and tokens that are renewed in time.

use std::time::Duration;

use serde_json::json;
use staunch::auth::Tokens;
use staunch::http::{Client, HttpError};
use staunch_net_tests::faults::{Answer, Fault};
use staunch_net_tests::provider::{Provider, Refresh, Rules, Turn};

use super::{ask, client, shown};

/// Long enough that all callers come before it is over.
const SLOWLY: Fault = Fault::Silence(Duration::from_millis(300));

const CALLERS: usize = 50;

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    assert!(waited.is_ok(), "it is never so that {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_callers_make_one_exchange() {
    let provider = Provider::start(Rules::default()).await;
    provider.next([Turn::Spoilt(SLOWLY)]);
    let client = client(&provider, provider.refresh());
    let callers: Vec<_> = (0..CALLERS).map(|_| caller(&client)).collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(provider.exchanges(), 1);
    assert_eq!(provider.asked("/records").len(), CALLERS);

    // All of them are refused at once, and still there is one exchange.
    provider.house().take_all_back();
    provider.next([Turn::Spoilt(SLOWLY)]);
    let callers: Vec<_> = (0..CALLERS).map(|_| caller(&client)).collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(provider.exchanges(), 2);
}

fn caller(client: &Client) -> tokio::task::JoinHandle<Result<(), HttpError>> {
    let client = client.clone();
    tokio::spawn(async move { ask(&client).await })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_exchange_is_told_to_all_who_waited_and_tried_anew_by_the_next() {
    let provider = Provider::start(Rules::default()).await;
    let refusal = json!({ "error": "invalid_client" }).to_string();
    let refused = Answer::new(401, refusal).fault(SLOWLY);
    provider.next([Turn::instead(refused)]);
    let client = client(&provider, provider.refresh());
    let callers: Vec<_> = (0..CALLERS).map(|_| caller(&client)).collect();
    for caller in callers {
        let error = shown(&caller.await.unwrap().unwrap_err());
        assert!(error.contains("`invalid_client`"), "{error}");
    }
    assert_eq!(provider.exchanges(), 1);
    assert_eq!(provider.asked("/records").len(), 0);
    ask(&client).await.unwrap();
    assert_eq!(provider.exchanges(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_goes_on_if_all_who_wait_for_it_go_away() {
    // Were it begun anew, the refresh token would be spent already.
    let rules = Rules {
        refresh: Refresh::Rotates,
        ..Rules::default()
    };
    let provider = Provider::start(rules).await;
    provider.next([Turn::Spoilt(SLOWLY)]);
    let client = client(&provider, provider.refresh());
    let callers: Vec<_> = (0..CALLERS).map(|_| caller(&client)).collect();
    until("the provider is asked", || provider.exchanges() > 0).await;
    for caller in &callers {
        caller.abort();
    }
    for caller in callers {
        assert!(caller.await.unwrap_err().is_cancelled());
    }
    for _ in 0..3 {
        ask(&client).await.unwrap();
    }
    assert_eq!(provider.exchanges(), 1);
}

#[tokio::test]
async fn an_exchange_ends_when_nobody_has_the_tokens_any_more() {
    let provider = Provider::start(Rules::default()).await;
    provider.next([Turn::Spoilt(Fault::Silence(Duration::from_secs(3600)))]);
    let client = client(&provider, provider.refresh());
    let caller = caller(&client);
    until("the provider is asked", || provider.exchanges() > 0).await;
    caller.abort();
    let alive = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let before = alive();
    drop(client);
    until("the exchange has ended", || alive() < before).await;
}

/// Lets so much time go by, with the network standing still.
async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_token_is_renewed_at_three_quarters_of_its_life_and_nobody_waits_for_it() {
    let provider = Provider::start(Rules {
        expires_in: json!("1000"),
        ..Rules::default()
    })
    .await;
    let bare = provider.client();
    let tokens = Tokens::new(&bare, provider.refresh());
    let client = bare.scoped().credentials(tokens).build();
    let used = || provider.house().used.last().cloned().unwrap();
    ask(&client).await.unwrap();
    pass(740).await;
    ask(&client).await.unwrap();
    assert_eq!((provider.exchanges(), &*used()), (1, "hunter2-access-1"));
    pass(11).await;
    ask(&client).await.unwrap();
    assert_eq!(used(), "hunter2-access-1", "it is renewed beside");
    until("it is renewed", || provider.house().given.len() == 2).await;
    while used() != "hunter2-access-2" {
        ask(&client).await.unwrap();
    }
    assert_eq!(provider.exchanges(), 2);
    // From then on three quarters of the second one's life.
    pass(740).await;
    ask(&client).await.unwrap();
    assert_eq!(provider.exchanges(), 2);
    // One that has expired is waited for.
    pass(300).await;
    ask(&client).await.unwrap();
    assert_eq!((provider.exchanges(), &*used()), (3, "hunter2-access-3"));
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_token_and_is_tried_again_after_a_while() {
    let provider = Provider::start(Rules {
        expires_in: json!(1000),
        ..Rules::default()
    })
    .await;
    let client = client(&provider, provider.refresh());
    ask(&client).await.unwrap();
    provider.next([
        Turn::refusal(400, "temporarily_unavailable"),
        Turn::refusal(400, "temporarily_unavailable"),
    ]);
    pass(760).await;
    for _ in 0..20 {
        ask(&client).await.unwrap();
    }
    until("it was tried", || provider.exchanges() == 2).await;
    for _ in 0..20 {
        ask(&client).await.unwrap();
    }
    assert_eq!(provider.exchanges(), 2, "not with each request");
    pass(11).await;
    ask(&client).await.unwrap();
    until("it was tried again", || provider.exchanges() == 3).await;
    assert_eq!(provider.house().given.len(), 1);
    // Now it has to succeed.
    pass(300).await;
    ask(&client).await.unwrap();
    assert_eq!(provider.house().given.len(), 2);
}

#[tokio::test]
async fn a_token_that_is_never_taken_is_fetched_anew_once_for_each_request() {
    let provider = Provider::start(Rules {
        uses: Some(0),
        ..Rules::default()
    })
    .await;
    let client = client(&provider, provider.refresh());
    for exchanges in [2, 3] {
        let error = ask(&client).await.unwrap_err();
        assert_eq!(
            (error.status(), provider.exchanges()),
            (Some(401), exchanges)
        );
    }
}
