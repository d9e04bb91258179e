//! Tokens that change hands: whenever a process is killed, nothing was captured with a pair that was not announced, and no token that
//! was replaced by an announced one is spent again.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use staunch_net_tests::faults::{Answer, Fault};
use staunch_net_tests::provider::{
    CLIENT_ID, CLIENT_SECRET, Given, Provider, REFRESH_TOKEN, Refresh, Rules, SECRET, Turn,
};

use super::process::{Capture, Ended, PATIENCE};

/// Until the process is killed.
const FOR_EVER: Duration = Duration::from_secs(3600);

async fn start(refresh: Refresh) -> Provider {
    let rules = Rules {
        refresh,
        ..Rules::default()
    };
    Provider::start(rules).await
}

/// A config whose access token expires so many seconds from now.
fn config(provider: &Provider, expires_in: i64) -> Value {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(expires_in);
    json!({
        "url": provider.url(),
        "credentials": {
            "credentials_title": "OAuth Credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN, "access_token": "hunter2-old", "access_token_expires_at": at,
        },
    })
}

async fn open(provider: &Provider, config: &Value) -> Capture {
    Capture::open(config, &format!("{}/seal", provider.url())).await
}

/// The config that was sealed so.
fn unsealed(provider: &Provider, sealed: &Value) -> Value {
    provider.house().unsealed(sealed).unwrap().clone()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "it is never so that {what}");
}

/// Refresh tokens that were spent, in their order.
fn spent(provider: &Provider) -> Vec<String> {
    let given = provider.house().given.clone();
    given
        .into_iter()
        .filter_map(|given: Given| given.spent)
        .collect()
}

/// Nothing was asked of the source, nothing was captured, and nothing was announced.
fn came_to_nothing(provider: &Provider, ended: &Ended) {
    assert_eq!(ended.announced(), [Value::Null; 0], "{ended:?}");
    assert_eq!(ended.lines, [""; 0], "{ended:?}");
    assert_eq!(provider.house().used, [""; 0]);
    assert!(!format!("{ended:?}").contains(SECRET), "{ended:?}");
}

/// A capture that goes well: it announces one config, and captures with what that has.
async fn goes_well(provider: &Provider, config: &Value) -> Value {
    let mut capture = open(provider, config).await;
    let sealed = capture.announced().await;
    capture.captures().await;
    let ended = capture.stop().await;
    assert_eq!(
        (ended.code, ended.announced().len()),
        (Some(0), 1),
        "{ended:?}"
    );
    assert!(!format!("{ended:?}").contains(SECRET), "{ended:?}");
    let config = unsealed(provider, &sealed);
    let used: BTreeSet<String> = provider.house().used.iter().cloned().collect();
    let token = config["credentials"]["access_token"].as_str().unwrap();
    assert_eq!(used, BTreeSet::from([token.to_owned()]));
    config
}

/// A capture that goes on with a config that was announced: it asks nobody for tokens.
async fn goes_on(provider: &Provider, config: &Value) {
    let exchanges = provider.exchanges();
    let mut capture = open(provider, config).await;
    capture.captures().await;
    let ended = capture.stop().await;
    assert_eq!(
        (ended.code, ended.announced().len()),
        (Some(0), 0),
        "{ended:?}"
    );
    assert_eq!(provider.exchanges(), exchanges);
    let token = config["credentials"]["access_token"].as_str();
    assert_eq!(provider.house().used.last().map(String::as_str), token);
}

#[tokio::test]
async fn each_opening_spends_the_token_that_was_announced_last() {
    let provider = start(Refresh::Rotates).await;
    let mut config = config(&provider, 0);
    for nth in 1..=3 {
        provider.house().used.clear();
        config = goes_well(&provider, &config).await;
        goes_on(&provider, &config).await;
        let token = format!("hunter2-refresh-{nth}");
        assert_eq!(config["credentials"]["refresh_token"], token);
        config["credentials"]["access_token_expires_at"] = "2026-01-01T00:00:00Z".into();
    }
    let expected = [REFRESH_TOKEN, "hunter2-refresh-1", "hunter2-refresh-2"];
    assert_eq!(spent(&provider), expected);
}

#[tokio::test]
async fn a_provider_may_want_the_application_in_the_header_and_keep_its_refresh_token() {
    let provider = start(Refresh::Stays).await;
    let mut config = config(&provider, 200);
    config["is_in_header"] = true.into();
    let config = goes_well(&provider, &config).await;
    assert_eq!(config["credentials"]["refresh_token"], REFRESH_TOKEN);
    let asked = provider.asked("/token").pop().unwrap();
    assert!(asked.header("authorization").unwrap().starts_with("Basic "));
}

#[tokio::test]
async fn killed_before_the_exchange_nothing_is_spent() {
    let provider = start(Refresh::Rotates).await;
    provider.next([Turn::instead(
        Answer::new(200, "").fault(Fault::Silence(FOR_EVER)),
    )]);
    let config = config(&provider, 0);
    let capture = open(&provider, &config).await;
    until("the provider is asked", || provider.exchanges() == 1).await;
    came_to_nothing(&provider, &capture.kill().await);
    goes_well(&provider, &config).await;
    assert_eq!(spent(&provider), [REFRESH_TOKEN]);
}

/// Kills a process when the provider has given a pair that is not announced, and opens the capture anew.
async fn killed_with_a_pair(hold: impl Fn(&Provider), is_held: impl Fn(&Provider) -> bool) {
    for refresh in [Refresh::Rotates, Refresh::Branches] {
        let provider = start(refresh).await;
        hold(&provider);
        let config = config(&provider, 0);
        let capture = open(&provider, &config).await;
        until("it is held", || is_held(&provider)).await;
        came_to_nothing(&provider, &capture.kill().await);
        provider.house().sealing = Fault::None;
        if refresh == Refresh::Rotates {
            // What the provider takes back at once is lost, and that is said at once.
            let ended = open(&provider, &config).await.ended().await;
            let error = ended.error();
            for said in ["`invalid_grant`", "authorise the capture again"] {
                assert!(error.contains(said), "{error}");
            }
            came_to_nothing(&provider, &ended);
            assert_eq!(spent(&provider), [REFRESH_TOKEN]);
        } else {
            // What it lets live on mends itself: another pair is given, and that is the one which is announced.
            let config = goes_well(&provider, &config).await;
            assert_eq!(config["credentials"]["refresh_token"], "hunter2-refresh-2");
            goes_on(&provider, &config).await;
            assert_eq!(spent(&provider), [REFRESH_TOKEN; 2]);
        }
    }
}

#[tokio::test]
async fn killed_before_the_answer_arrives_nothing_is_captured() {
    let hold = |provider: &Provider| provider.next([Turn::Spoilt(Fault::Silence(FOR_EVER))]);
    killed_with_a_pair(hold, |provider| provider.house().given.len() == 1).await;
}

#[tokio::test]
async fn killed_while_the_config_is_encrypted_nothing_is_captured() {
    for fault in [Fault::Silence(FOR_EVER), Fault::SilenceInBody(FOR_EVER)] {
        let hold = |provider: &Provider| provider.house().sealing = fault;
        killed_with_a_pair(hold, |provider| provider.house().sealed().len() == 1).await;
    }
}

#[tokio::test]
async fn killed_in_the_middle_of_the_announcement_nothing_is_captured() {
    let provider = start(Refresh::Branches).await;
    // More than a pipe holds: as nobody reads the logs, the process cannot finish what it says.
    provider.house().sealed_bytes = 1 << 20;
    let config = config(&provider, 0);
    let mut capture = open(&provider, &config).await;
    until("the config is sealed", || {
        provider.house().sealed().len() == 1
    })
    .await;
    let output = tokio::time::timeout(Duration::from_millis(500), capture.line());
    assert!(
        output.await.is_err(),
        "nothing is written while the announcement is not"
    );
    let ended = capture.kill().await;
    assert!(
        ended.logged.iter().any(|line| line.contains("xxxxxxxx")),
        "it had begun"
    );
    came_to_nothing(&provider, &ended);
    provider.house().sealed_bytes = 0;
    let config = goes_well(&provider, &config).await;
    assert_eq!(config["credentials"]["refresh_token"], "hunter2-refresh-2");
}

#[tokio::test]
async fn killed_after_the_announcement_the_pair_is_good_and_is_not_asked_for_again() {
    for lines in [0, 1, 2, 4] {
        let provider = start(Refresh::Rotates).await;
        let mut capture = open(&provider, &config(&provider, 0)).await;
        let sealed = capture.announced().await;
        for _ in 0..lines {
            capture.line().await;
        }
        let ended = capture.kill().await;
        assert_eq!(ended.announced().len(), 1, "{ended:?}");
        let used: BTreeSet<String> = provider.house().used.iter().cloned().collect();
        let expected: BTreeSet<String> = ["hunter2-access-1".to_owned()].into();
        assert!(used.is_subset(&expected), "{used:?}");
        goes_on(&provider, &unsealed(&provider, &sealed)).await;
        assert_eq!(spent(&provider), [REFRESH_TOKEN]);
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_is_not_asked_for_again_and_what_may_have_happened_is_said() {
    for fault in [
        Fault::ResetAtOnce,
        Fault::ResetInHead,
        Fault::ResetInBody,
        Fault::HalfBody,
        Fault::ChunksWithoutEnd,
        Fault::Garbage,
        Fault::ShortLength,
    ] {
        let provider = start(Refresh::Rotates).await;
        provider.next([Turn::Spoilt(fault)]);
        let ended = open(&provider, &config(&provider, 0)).await.ended().await;
        let error = ended.error();
        let said = "may have been rotated";
        assert!(
            error.contains(said) && error.contains("authorise it anew"),
            "{fault:?}: {error}"
        );
        came_to_nothing(&provider, &ended);
        assert_eq!(provider.exchanges(), 1, "{fault:?}");
    }
    for (status, is_known) in [(500, false), (503, false), (400, true), (403, true)] {
        let provider = start(Refresh::Rotates).await;
        provider.next([Turn::refusal(status, "server_error")]);
        let ended = open(&provider, &config(&provider, 0)).await.ended().await;
        let error = ended.error();
        assert_eq!(
            error.contains("may have been rotated"),
            !is_known,
            "{status}: {error}"
        );
        came_to_nothing(&provider, &ended);
        assert_eq!(provider.exchanges(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_provider_that_asks_for_patience_is_asked_again_as_it_has_spent_nothing() {
    let provider = start(Refresh::Rotates).await;
    let patience = Answer::new(429, "").header("retry-after", 0);
    provider.next([Turn::instead(patience.clone()), Turn::instead(patience)]);
    goes_well(&provider, &config(&provider, 0)).await;
    assert_eq!((provider.exchanges(), spent(&provider).len()), (3, 1));
}
