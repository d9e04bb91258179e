//! No secret is in what is shown, logged or panicked with, whatever happens.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use staunch::auth::{
    AccessToken, Basic, ClientCredentials, Exchange, GoogleServiceAccount, Header, LongLivedOAuth2,
    Password, RefreshTokenOAuth2, RotatingOAuth2, Secret, Tokens,
};
use staunch::http::Client;
use staunch_net_tests::faults::{Answer, Asked, Fault};
use staunch_net_tests::provider::{
    self, ACCESS_TOKEN, Account, CLIENT_ID, CLIENT_SECRET, CODE, PASSWORD, Provider, REDIRECT_URI,
    REFRESH_TOKEN, Refresh, Rules, SECRET, Style, Turn, USERNAME,
};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{ask, client, shown};

/// All that is logged by anybody, at the finest level.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<String>>);

impl Subscriber for Logged {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.write(span.metadata(), |visit| span.record(visit));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Members(&mut self.0.lock().unwrap()));
    }

    fn event(&self, event: &Event<'_>) {
        self.write(event.metadata(), |visit| event.record(visit));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Logged {
    fn write(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Members<'_>)) {
        let mut text = self.0.lock().unwrap();
        write!(text, "\n{} {}:", metadata.target(), metadata.name()).unwrap();
        record(&mut Members(&mut text));
    }
}

struct Members<'a>(&'a mut String);

impl Visit for Members<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

/// Fails if there is a secret in it, however it is written.
fn search(what: &str, text: &str) {
    let encoded = STANDARD.encode(SECRET);
    for secret in [SECRET, &encoded[..9]] {
        let at = text.find(secret);
        let around = at.map(|at| text[..at].chars().rev().take(200).collect::<String>());
        let around = around.map(|around| around.chars().rev().collect::<String>());
        assert_eq!(around, None, "{what}: a secret stands after this");
    }
}

/// Repeats all that it was asked with, in all ways.
fn echo(status: u16) -> Turn {
    Turn::Instead(Box::new(move |asked| {
        Answer::new(status, repeated(asked)).header("content-type", "text/plain; charset=utf-8")
    }))
}

/// The same, as an error of OAuth2.
fn refusal_that_repeats(status: u16) -> Turn {
    Turn::Instead(Box::new(move |asked| {
        let repeated = repeated(asked);
        let body = json!({ "error": "invalid_grant", "error_description": repeated });
        Answer::new(status, body.to_string())
    }))
}

fn repeated(asked: &Asked) -> String {
    let body = String::from_utf8_lossy(&asked.body);
    let mut text = String::new();
    for (_, value) in url::form_urlencoded::parse(&asked.body) {
        writeln!(text, "no <{value}>").unwrap();
    }
    let authorization = asked.header("authorization").unwrap_or_default();
    let encoded = authorization.split(' ').next_back().unwrap_or_default();
    if let Ok(decoded) = STANDARD.decode(encoded) {
        let decoded = String::from_utf8_lossy(&decoded).into_owned();
        // As it stands, and each part of it by itself.
        let (user, password) = decoded.split_once(':').unwrap_or_default();
        let parts = [user, password].map(|part| {
            let pairs = url::form_urlencoded::parse(part.as_bytes());
            pairs.map(|(name, _)| name.into_owned()).collect::<String>()
        });
        writeln!(text, "no user {user} with {password}, nor {parts:?}").unwrap();
    }
    writeln!(text, "{authorization} {:?} {body}", asked.headers).unwrap();
    text
}

/// Each kind of exchange there is, each way it can be sent.
fn exchanges(provider: &Provider) -> Vec<Exchange> {
    let url = provider.token_url();
    let [id, secret] = provider::client();
    let account = Account::new();
    let key = account.key(&url);
    let credentials = json!({ "service_account": key });
    let credentials: GoogleServiceAccount = serde_json::from_value(credentials).unwrap();
    let [user, password, code] = [USERNAME, PASSWORD, CODE].map(Secret::from);
    let plain = [
        provider.refresh(),
        Exchange::client_credentials(&url, &id, &secret),
        Exchange::password(&url, &id, &secret, &user, &password),
        Exchange::authorization_code(&url, &id, &secret, &code, REDIRECT_URI),
    ];
    let of = |plain: &Exchange| {
        let plain = plain.clone().header("x-key", &ACCESS_TOKEN.into());
        let [json, in_header] = [plain.clone().as_json(), plain.clone().client_in_header()];
        [plain, json, in_header.clone(), in_header.as_json()]
    };
    let mut exchanges: Vec<_> = plain.iter().flat_map(of).collect();
    exchanges.push(credentials.exchange(&["a"], Some(USERNAME)).unwrap());
    exchanges
}

#[tokio::test]
async fn no_secret_is_in_an_error_a_log_or_a_debugged_value_through_every_flow_and_failure() {
    let logged = Logged::default();
    // One thread, so that all of it is seen.
    let _guard = tracing::subscriber::set_default(logged.clone());
    let provider = Provider::start(Rules::default()).await;
    let mut failures = 0;
    for exchange in exchanges(&provider) {
        let turns = [
            echo(200),
            echo(400),
            echo(404),
            echo(429),
            echo(500),
            refusal_that_repeats(200),
            refusal_that_repeats(400),
            refusal_that_repeats(401),
            refusal_that_repeats(422),
            refusal_that_repeats(503),
            Turn::instead(Answer::new(200, format!("{{\"access_token\": {SECRET}"))),
            Turn::instead(Answer::new(200, json!({ "token": SECRET }).to_string())),
            Turn::instead(Answer::new(
                200,
                json!({ "access_token": "hunter2\nx" }).to_string(),
            )),
            Turn::Spoilt(Fault::ResetAtOnce),
            Turn::Spoilt(Fault::HalfBody),
            Turn::Spoilt(Fault::Garbage),
            Turn::instead(
                Answer::new(302, "").header("location", "https://hunter2:x@127.0.0.1:1/?t=hunter2"),
            ),
        ];
        for turn in turns {
            provider.next([turn]);
            let client = client(&provider, exchange.clone());
            search("the client", &format!("{client:?} {client:#?}"));
            let error = ask(&client).await.unwrap_err();
            search("the error", &shown(&error));
            failures += 1;
        }
        search("the exchange", &format!("{exchange:?}"));
    }
    assert!(failures >= 17 * 17, "{failures}");

    // What goes well says nothing either, nor does a source that repeats its token.
    for style in [Style::Json, Style::Form] {
        for uses in [0, 1] {
            let rules = Rules {
                style,
                uses: Some(uses),
                refresh: Refresh::Rotates,
                ..Rules::default()
            };
            let provider = Provider::start(rules).await;
            let bare = provider.client();
            let tokens = Tokens::new(&bare, provider.refresh());
            search("the tokens", &format!("{tokens:?}"));
            let client = bare.scoped().credentials(tokens).build();
            for _ in 0..2 {
                if let Err(error) = ask(&client).await {
                    assert_eq!((uses, error.status()), (0, Some(401)));
                    search("the source's refusal", &shown(&error));
                }
            }
            search("the client", &format!("{client:?}"));
        }
    }
    let logged = logged.0.lock().unwrap();
    assert!(logged.contains("\nhyper"), "what others log is seen too");
    search("the logs", &logged);
}

#[tokio::test]
async fn a_source_that_repeats_what_it_was_sent_shows_nothing_of_it() {
    let server = staunch_net_tests::faults::FaultServer::start(|asked| {
        Answer::new(401, repeated(asked)).header("content-type", "text/plain")
    });
    let server = server.await;
    let client = Client::builder().base_url(server.url()).build();
    let short = "hun-7".to_owned(); // Shorter than any word that is searched for otherwise.
    for (header, secret) in [
        (Header::bearer(&ACCESS_TOKEN.into()), SECRET),
        (Header::new("x-key", "Key ", &ACCESS_TOKEN.into()), SECRET),
        (Header::basic(&USERNAME.into(), &PASSWORD.into()), SECRET),
        (
            Header::basic(&"somebody".into(), &short.as_str().into()),
            &short,
        ),
        (Header::bearer(&short.as_str().into()), &short),
    ] {
        search("the header", &format!("{header:?}"));
        let client = client.scoped().credentials(header).build();
        let error = client.get("").send().await.unwrap_err();
        let error = shown(&error);
        assert!(
            error.contains("[hidden]") && !error.contains(secret),
            "{error}"
        );
        search("the refusal", &error);
    }
}

#[test]
fn no_secret_is_in_debugged_credentials_or_in_what_is_said_of_wrong_ones() {
    let all = json!({
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN,
        "access_token": ACCESS_TOKEN, "username": USERNAME, "password": PASSWORD,
        "access_token_expires_at": "2026-03-01T12:00:00Z", "service_account": SECRET,
    });
    macro_rules! look {
        ($($form:ty),*) => {$(
            let form: $form = serde_json::from_value(all.clone()).unwrap();
            search(stringify!($form), &format!("{form:?} {form:#?}"));
            // Each member wrong in its turn, and the title too.
            let mut wrong = 0;
            for name in all.as_object().unwrap().keys().map(String::as_str).chain(["credentials_title"]) {
                let mut all = all.clone();
                all[name] = json!({ "hunter2": [SECRET] });
                let Err(error) = serde_json::from_value::<$form>(all.clone()) else {
                    continue;
                };
                wrong += 1;
                let error = error.to_string();
                search(stringify!($form), &error);
                all[name] = SECRET.into();
                if let Err(error) = serde_json::from_value::<$form>(all) {
                    // The kit shows none of `serde_json`'s own words about a value, which may have it.
                    assert!(name != "credentials_title" || !error.to_string().contains(SECRET), "{error}");
                }
            }
            assert!(wrong >= 2, "{wrong}");
        )*};
    }
    look!(
        AccessToken,
        Basic,
        RefreshTokenOAuth2,
        ClientCredentials,
        Password,
        LongLivedOAuth2,
        RotatingOAuth2,
        GoogleServiceAccount
    );
    for key in [
        SECRET.to_owned(),
        json!({ "client_email": SECRET, "private_key": SECRET }).to_string(),
    ] {
        let wrong = json!({ "service_account": key });
        let wrong: GoogleServiceAccount = serde_json::from_value(wrong).unwrap();
        let error = wrong.exchange(&["a"], None).unwrap_err();
        search("the key", &shown(&error));
    }
    let account = Account::new();
    let right = json!({ "service_account": account.key("https://example.com/token") });
    let right: GoogleServiceAccount = serde_json::from_value(right).unwrap();
    let exchange = right.exchange(&["a"], None).unwrap();
    let debugged = format!("{right:?} {exchange:?}");
    assert!(!debugged.contains(account.secret()), "{debugged}");
}

#[test]
fn a_panic_of_whoever_has_a_secret_does_not_tell_it() {
    let credentials = json!({ "username": USERNAME, "password": PASSWORD });
    let credentials: Basic = serde_json::from_value(credentials).unwrap();
    let panicked = std::panic::catch_unwind(|| panic!("this is how one panics: {credentials:?}"));
    let panicked = panicked.unwrap_err();
    let message = panicked.downcast_ref::<String>().unwrap();
    assert!(message.contains("[secret]"), "{message}");
    search("the panic", message);
}
