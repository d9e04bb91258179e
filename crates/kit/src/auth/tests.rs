//! Tokens from a provider on loopback, and a source that takes only the newest.

#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::*;
use crate::capture::error_chain;
use crate::http::{Client, HttpError, Retry};

const SECRET: &str = "hunter2-hunter2";

type Answer = dyn Fn(u64) -> Response + Send + Sync;

/// Gives the tokens `t1`, `t2` and so on, unless it is told to answer otherwise. The source beside it takes the newest alone.
struct Provider {
    url: String,
    heard: Arc<Heard>,
}

struct Heard {
    exchanges: AtomicU64,
    bodies: Mutex<Vec<(HeaderMap, String)>>,
    answer: Box<Answer>,
    pause: Duration,
}

impl Provider {
    async fn start(answer: impl Fn(u64) -> Response + Send + Sync + 'static) -> Self {
        let heard = Arc::new(Heard {
            exchanges: AtomicU64::new(0),
            bodies: Mutex::default(),
            answer: Box::new(answer),
            pause: Duration::from_millis(50),
        });
        let router = Router::new()
            .route("/token", post(token))
            .route("/source", get(source))
            .with_state(Arc::clone(&heard));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, heard }
    }

    fn exchanges(&self) -> u64 {
        self.heard.exchanges.load(Ordering::SeqCst)
    }

    fn token_url(&self) -> String {
        format!("{}/token", self.url)
    }

    fn exchange(&self) -> Exchange {
        let [id, secret, refresh] = [Secret::from("id"), SECRET.into(), "refresh-token-0".into()];
        Exchange::refresh_token(self.token_url(), &id, &secret, &refresh)
    }

    fn client(&self, exchange: Exchange) -> Client {
        let client = Client::builder().base_url(&self.url).retry(Retry::never());
        let client = client.build();
        let tokens = Tokens::new(&client, exchange);
        client.scoped().credentials(tokens).build()
    }

    fn last(&self) -> (HeaderMap, String) {
        self.heard.bodies.lock().unwrap().last().unwrap().clone()
    }
}

async fn token(State(heard): State<Arc<Heard>>, headers: HeaderMap, body: String) -> Response {
    heard.bodies.lock().unwrap().push((headers, body));
    let nth = heard.exchanges.fetch_add(1, Ordering::SeqCst) + 1;
    tokio::time::sleep(heard.pause).await;
    (heard.answer)(nth)
}

async fn source(State(heard): State<Arc<Heard>>, headers: HeaderMap) -> (StatusCode, String) {
    let newest = format!("Bearer t{}", heard.exchanges.load(Ordering::SeqCst));
    let sent = headers
        .get("authorization")
        .map(|value| value.to_str().unwrap());
    match sent == Some(&newest) {
        true => (StatusCode::OK, newest),
        false => (
            StatusCode::UNAUTHORIZED,
            "the token is not the newest".into(),
        ),
    }
}

fn tokens(nth: u64) -> Response {
    let body =
        json!({"access_token": format!("t{nth}"), "token_type": "bearer", "expires_in": 3600});
    axum::Json(body).into_response()
}

async fn ask(client: &Client) -> Result<String, HttpError> {
    let answer = client.get("source").send().await?;
    Ok(answer.text().into_owned())
}

#[tokio::test]
async fn one_exchange_serves_all_who_wait_for_it() {
    let provider = Provider::start(tokens).await;
    let client = provider.client(provider.exchange());
    let asked = (0..50).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { ask(&client).await.unwrap() })
    });
    for asked in asked.collect::<Vec<_>>() {
        assert_eq!(asked.await.unwrap(), "Bearer t1");
    }
    assert_eq!(provider.exchanges(), 1);
    let (_, body) = provider.last();
    let expected = "grant_type=refresh_token&client_id=id&client_secret=hunter2-hunter2&refresh_token=refresh-token-0";
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_failed_exchange_is_told_to_all_who_waited_and_tried_anew_by_the_next() {
    let provider = Provider::start(|nth| match nth {
        1 => StatusCode::BAD_GATEWAY.into_response(),
        nth => tokens(nth),
    })
    .await;
    let client = provider.client(provider.exchange());
    let asked = (0..20).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { ask(&client).await })
    });
    for asked in asked.collect::<Vec<_>>() {
        let error = asked.await.unwrap().unwrap_err();
        let shown = error_chain(&error);
        assert!(matches!(error, HttpError::Unauthorised { .. }), "{error:?}");
        assert!(
            shown.contains("502") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
    assert_eq!(provider.exchanges(), 1);
    assert_eq!(ask(&client).await.unwrap(), "Bearer t2");
}

#[tokio::test]
async fn a_caller_that_goes_away_in_the_middle_leaves_nobody_waiting() {
    let provider = Provider::start(tokens).await;
    let client = provider.client(provider.exchange());
    let first = tokio::spawn({
        let client = client.clone();
        async move { ask(&client).await }
    });
    while provider.exchanges() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    first.abort();
    assert_eq!(ask(&client).await.unwrap(), "Bearer t1");
    assert_eq!(provider.exchanges(), 1, "what was begun is not begun again");
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_fetched_anew_once() {
    let provider = Provider::start(tokens).await;
    let client = provider.client(provider.exchange());
    ask(&client).await.unwrap();
    // Somebody else has been given one since: ours is not taken any more.
    let other = provider.client(provider.exchange());
    ask(&other).await.unwrap();
    assert_eq!(ask(&client).await.unwrap(), "Bearer t3");

    let wrong =
        Provider::start(|_| axum::Json(json!({"access_token": "never-taken"})).into_response());
    let wrong = wrong.await;
    let error = ask(&wrong.client(wrong.exchange())).await.unwrap_err();
    assert_eq!((error.status(), wrong.exchanges()), (Some(401), 2));
}

#[tokio::test]
async fn a_token_is_renewed_from_three_quarters_of_its_life_on_while_the_old_one_goes_on() {
    let provider = Provider::start(tokens).await;
    let client = Client::builder().retry(Retry::never()).build();
    let tokens = Tokens::new(&client, provider.exchange());
    let current = || async {
        let authorization = crate::http::Credentials::authorization(&tokens)
            .await
            .unwrap();
        authorization.header.1.to_str().unwrap().to_owned()
    };
    assert_eq!(current().await, "Bearer t1");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2690)).await;
    tokio::time::resume();
    assert_eq!(current().await, "Bearer t1");
    assert_eq!(provider.exchanges(), 1, "2,700 s are three quarters");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(20)).await;
    tokio::time::resume();
    assert_eq!(current().await, "Bearer t1", "nobody waits");
    while current().await == "Bearer t1" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((&*current().await, provider.exchanges()), ("Bearer t2", 2));
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(4000)).await;
    tokio::time::resume();
    assert_eq!(current().await, "Bearer t3", "the old one has expired");
}

#[tokio::test]
async fn providers_may_answer_in_their_own_ways() {
    let form = "access_token=t1&expires_in=3600&token_type=Bearer";
    let answers: [Box<Answer>; 3] = [
        Box::new(move |_| form.into_response()),
        Box::new(|_| {
            axum::Json(json!({"access_token": "t1", "expires_in": "3600"})).into_response()
        }),
        Box::new(|_| axum::Json(json!({"access_token": "t1"})).into_response()),
    ];
    for answer in answers {
        let provider = Provider::start(answer).await;
        let client = provider.client(provider.exchange());
        assert_eq!(ask(&client).await.unwrap(), "Bearer t1");
    }
}

#[tokio::test]
async fn a_refresh_token_that_is_replaced_is_replaced_from_then_on() {
    let provider = Provider::start(|nth| {
        let body = json!({"access_token": format!("t{nth}"), "refresh_token": format!("refresh-token-{nth}")});
        axum::Json(body).into_response()
    })
    .await;
    let client = provider.client(provider.exchange());
    ask(&client).await.unwrap();
    let other = provider.client(provider.exchange());
    ask(&other).await.unwrap();
    ask(&client).await.unwrap();
    assert!(provider.last().1.ends_with("refresh_token=refresh-token-1"));
}

#[tokio::test]
async fn a_refusal_says_what_the_person_who_has_the_account_can_do() {
    let object = json!({"error": {"code": "invalid_client", "message": "no such id"}});
    for (status, body, expected) in [
        (
            400,
            json!({"error": "invalid_grant", "error_description": format!("{SECRET} is unknown")}),
            "authorise the capture again",
        ),
        (
            401,
            json!({"error": "invalid_client"}),
            "check the client id",
        ),
        (
            200,
            json!({"ok": false, "error": "token_revoked"}),
            "authorise the capture again",
        ),
        (403, object, "(no such id); check the client id"),
        (200, json!({"access_token": ""}), "no access token"),
        (404, json!("nothing here"), "status 404"),
    ] {
        let answer = body.clone();
        let provider = Provider::start(move |_| {
            let status = StatusCode::from_u16(status).unwrap();
            (status, axum::Json(answer.clone())).into_response()
        });
        let provider = provider.await;
        let error = ask(&provider.client(provider.exchange()))
            .await
            .unwrap_err();
        let shown = format!("{} {error:?}", error_chain(&error));
        assert!(shown.contains(expected), "{body}: {shown}");
        assert!(
            shown.contains("/token") && !shown.contains("hunter2"),
            "{shown}"
        );
        assert_eq!(provider.exchanges(), 1, "{body}");
    }
}

#[tokio::test]
async fn a_client_may_stand_in_the_header_and_fields_in_json() {
    let provider = Provider::start(tokens).await;
    let [id, secret] = [Secret::from("an id"), Secret::from("a+b:c")];
    let exchange = Exchange::client_credentials(provider.token_url(), &id, &secret)
        .client_in_header()
        .field("scope", "a b");
    ask(&provider.client(exchange.clone())).await.unwrap();
    let (headers, body) = provider.last();
    // `an+id:a%2Bb%3Ac`.
    assert_eq!(headers["authorization"], "Basic YW4raWQ6YSUyQmIlM0Fj");
    assert_eq!(body, "grant_type=client_credentials&scope=a+b");
    ask(&provider.client(exchange.as_json())).await.unwrap();
    let (headers, body) = provider.last();
    assert_eq!(headers["content-type"], "application/json");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body,
        json!({"grant_type": "client_credentials", "scope": "a b"})
    );
}

#[test]
fn forms_mark_what_is_secret_and_are_told_apart_by_their_titles() {
    let schema = crate::schema::of::<RefreshTokenOAuth2>();
    assert_eq!(schema["title"], "OAuth");
    for member in ["client_id", "client_secret", "refresh_token"] {
        let member = &schema["properties"][member];
        assert_eq!(
            (&member["type"], &member["secret"]),
            (&json!("string"), &json!(true))
        );
    }
    let title = &schema["properties"]["credentials_title"];
    assert_eq!(
        (&title["const"], &title["type"]),
        (&json!("OAuth Credentials"), &json!("string"))
    );
    let wrong = json!({"credentials_title": "hunter2", "access_token": "hunter2"});
    let error = serde_json::from_value::<AccessToken>(wrong)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`Private App Credentials`") && !error.contains("hunter2"),
        "{error}"
    );
}
