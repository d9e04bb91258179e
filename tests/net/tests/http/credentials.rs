//! What requests are authorised with, where it is sent, and when it is renewed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use staunch::BoxError;
use staunch::http::{Authorization, BoxFuture, Client, Credentials, HttpError, Verdict};
use staunch_net_tests::faults::{Answer, FaultServer};

use crate::asking::{patient, serve, shown};
use crate::tokens::Tokens;

fn authorised(server: &FaultServer, tokens: &Tokens) -> Client {
    patient(server).scoped().credentials(tokens.clone()).build()
}

/// With what each request came.
fn authorizations(server: &FaultServer) -> Vec<Option<String>> {
    let log = server.log();
    let header = log
        .iter()
        .map(|served| served.asked.header("authorization"));
    header.map(|header| header.map(str::to_owned)).collect()
}

fn token(number: u64) -> Option<String> {
    Some(format!("Bearer token-{number}"))
}

#[tokio::test]
async fn a_request_is_authorised_unless_it_is_already_or_goes_elsewhere() {
    let other = serve([Answer::new(200, "")]).await;
    let server = serve([Answer::new(200, "")]).await;
    let client = authorised(&server, &Tokens::default());
    client.get("a").send().await.unwrap();
    client
        .get(format!("{}/b", server.url()))
        .send()
        .await
        .unwrap();
    client.get("c").bearer("mine").send().await.unwrap();
    client
        .get(format!("{}/d", other.url()))
        .send()
        .await
        .unwrap();
    let expected = [token(0), token(0), Some("Bearer mine".into())];
    assert_eq!(authorizations(&server), expected);
    assert_eq!(authorizations(&other), [None]);
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_renewed_once_and_whatever_was_asked_is_asked_again() {
    for is_streamed in [false, true] {
        let server = serve([Answer::new(401, "expired"), Answer::new(200, "")]).await;
        let client = authorised(&server, &Tokens::default());
        match is_streamed {
            true => drop(client.post("").body("x").stream().await.unwrap()),
            false => drop(client.post("").body("x").send().await.unwrap()),
        }
        assert_eq!(authorizations(&server), [token(0), token(1)]);
        assert!(server.log().iter().all(|served| served.asked.body == b"x"));
    }
    let server = serve([Answer::new(401, "no such user")]).await;
    let error = authorised(&server, &Tokens::default())
        .get("")
        .send()
        .await
        .unwrap_err();
    assert_eq!(
        (error.status(), authorizations(&server)),
        (Some(401), vec![token(0), token(1)])
    );
}

#[tokio::test]
async fn a_token_that_expires_while_something_is_asked_again_is_renewed_too() {
    let answers = [401, 503, 401, 200].map(|status| Answer::new(status, ""));
    let server = serve(answers).await;
    authorised(&server, &Tokens::default())
        .get("")
        .send()
        .await
        .unwrap();
    assert_eq!(
        authorizations(&server),
        [token(0), token(1), token(1), token(2)]
    );
}

#[tokio::test]
async fn a_judge_may_accept_what_is_not_authorised() {
    let server = serve([Answer::new(401, "guest")]).await;
    let client = authorised(&server, &Tokens::default())
        .scoped()
        .judge(|_| Verdict::Accept);
    let answer = client.build().get("").send().await.unwrap();
    assert_eq!((answer.text(), server.log().len()), ("guest".into(), 1));
}

/// None, and a reason that holds none either.
struct NoCredentials(Arc<AtomicBool>);

impl Credentials for NoCredentials {
    fn authorization(&self) -> BoxFuture<'_, Result<Authorization, BoxError>> {
        self.0.store(true, Ordering::SeqCst);
        Box::pin(async { Err("the refresh token was revoked".into()) })
    }

    fn refused(&self, _: &Authorization) -> bool {
        false
    }
}

#[tokio::test]
async fn nothing_is_asked_without_the_credentials_that_it_needs() {
    let server = serve([Answer::new(200, "")]).await;
    let was_asked = Arc::new(AtomicBool::new(false));
    let client = patient(&server)
        .scoped()
        .credentials(NoCredentials(Arc::clone(&was_asked)))
        .build();
    let error = client.get("orders?k=hunter2").send().await.unwrap_err();
    assert!(matches!(error, HttpError::Unauthorised { .. }), "{error:?}");
    let shown = shown(&error);
    assert!(
        shown.contains("the refresh token was revoked") && shown.contains("/orders"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(was_asked.load(Ordering::SeqCst));
    assert_eq!(server.log().len(), 0);
}
