//! What is said of a token that was refused, to a person who has the account.

use serde_json::json;
use staunch::auth::{AuthError, Exchange};
use staunch_net_tests::faults::{Answer, Fault};
use staunch_net_tests::provider::{self, Account, Provider, Rules, Turn};

use super::{ask, client, shown};

#[tokio::test]
async fn each_error_of_oauth2_says_what_to_do() {
    let provider = Provider::start(Rules::default()).await;
    for (code, remedy) in [
        (
            "invalid_grant",
            "has expired or was revoked: authorise the capture again",
        ),
        (
            "invalid_client",
            "check the client id and the client secret",
        ),
        ("unauthorized_client", "in the provider's settings"),
        ("unsupported_grant_type", "use another kind of credentials"),
        ("invalid_request", "copied whole"),
        ("invalid_scope", "check what it is allowed to see"),
        ("access_denied", "authorise the capture again"),
        ("server_error", "try again later"),
        ("temporarily_unavailable", "try again later"),
        (
            "something_else",
            "look it up in the provider's documentation",
        ),
    ] {
        for status in [400, 401, 403, 404, 405, 422, 200] {
            provider.next([Turn::refusal(status, code)]);
            let error = ask(&client(&provider, provider.refresh()))
                .await
                .unwrap_err();
            let Some(AuthError::Refused { code: said, .. }) = AuthError::of(&error) else {
                panic!("{error:?}");
            };
            assert_eq!(said, code);
            let error = shown(&error);
            let url = format!("`POST {}`", provider.token_url());
            assert!(
                error.contains(remedy) && error.contains(&url),
                "{status} {code}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn what_to_do_about_a_grant_that_is_not_good_depends_on_what_was_granted() {
    let provider = Provider::start(Rules::default()).await;
    let [id, secret] = provider::client();
    let url = provider.token_url();
    let account = json!({ "service_account": Account::new().key(&url) });
    let account: staunch::auth::GoogleServiceAccount = serde_json::from_value(account).unwrap();
    for (exchange, remedy) in [
        (
            Exchange::client_credentials(&url, &id, &secret),
            "check the client id",
        ),
        (
            Exchange::password(&url, &id, &secret, &"u".into(), &"p".into()),
            "the user or the password is wrong",
        ),
        (
            Exchange::authorization_code(&url, &id, &secret, &"c".into(), "r"),
            "the code has expired or was spent",
        ),
        (
            account.exchange(&["a"], None).unwrap(),
            "create another key",
        ),
    ] {
        provider.next([Turn::refusal(400, "invalid_grant")]);
        let error = ask(&client(&provider, exchange)).await.unwrap_err();
        let error = shown(&error);
        assert!(error.contains(remedy), "{error}");
    }
}

#[tokio::test]
async fn an_answer_without_a_token_and_without_an_error_says_where_to_look() {
    let provider = Provider::start(Rules::default()).await;
    for (status, body, expected) in [
        (
            200,
            json!({ "ok": true }),
            "the address of the provider's tokens",
        ),
        (
            200,
            json!({ "access_token": "" }),
            "the address of the provider's tokens",
        ),
        (
            200,
            json!({ "access_token": 7 }),
            "the address of the provider's tokens",
        ),
        (200, json!([]), "the address of the provider's tokens"),
        (
            404,
            json!("not here"),
            "the address of the provider's tokens",
        ),
        (401, json!(null), "check the credentials"),
        (
            403,
            json!({ "access_token": "hunter2" }),
            "check the credentials",
        ),
    ] {
        provider.next([Turn::instead(Answer::new(status, body.to_string()))]);
        let error = ask(&client(&provider, provider.refresh()))
            .await
            .unwrap_err();
        let error = shown(&error);
        assert!(error.contains(expected), "{status} {body}: {error}");
        assert!(error.contains(&format!("status {status}")), "{error}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_is_named() {
    let provider = Provider::start(Rules::default()).await;
    for (answer, expected) in [
        (Answer::new(500, "oh"), "status 500; try again later"),
        (Answer::new(429, ""), "status 429; try again later"),
        (
            Answer::new(200, "").fault(Fault::ResetAtOnce),
            "got no whole answer",
        ),
        (
            Answer::new(200, "{}").fault(Fault::HalfBody),
            "got no whole answer",
        ),
        (
            Answer::new(200, "").fault(Fault::Garbage),
            "got no whole answer",
        ),
        (
            Answer::new(307, "").header("location", "http://127.0.0.2:1/token"),
            "which is not followed",
        ),
    ] {
        let status = answer.status;
        provider.next([Turn::instead(answer)]);
        let error = ask(&client(&provider, provider.refresh()))
            .await
            .unwrap_err();
        let error = shown(&error);
        assert!(error.contains(expected), "{status}: {error}");
        assert!(error.contains("fetching an access token"), "{error}");
        assert!(error.contains(&provider.token_url()), "{error}");
    }
}
