//! Each way to a token, judged by a provider that keeps to the rules.

use serde_json::{Value, json};
use staunch::auth::{
    AccessToken, Basic, ClientCredentials, Exchange, GoogleServiceAccount, Header, LongLivedOAuth2,
    Password, RefreshTokenOAuth2, Secret, Tokens,
};
use staunch::http::Client;
use staunch_net_tests::faults::{Answer, Asked, Fault};
use staunch_net_tests::provider::{
    self, ACCESS_TOKEN, Account, CLIENT_ID, CLIENT_SECRET, CODE, PASSWORD, Provider, RECORDS,
    REDIRECT_URI, REFRESH_TOKEN, Refresh, Rules, Style, Turn, USERNAME,
};

use super::{ask, client, patient_client};

fn read<T: serde::de::DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).unwrap()
}

fn body(asked: &Asked) -> String {
    String::from_utf8(asked.body.clone()).unwrap()
}

#[tokio::test]
async fn credentials_of_a_config_put_on_requests_what_the_source_takes() {
    let provider = Provider::start(Rules::default()).await;
    let bare = provider.client();
    let made: AccessToken = read(json!({ "access_token": ACCESS_TOKEN }));
    let long_lived: LongLivedOAuth2 = read(json!({
        "credentials_title": "OAuth Credentials", "client_id": "a", "client_secret": "b", "access_token": ACCESS_TOKEN,
    }));
    let basic: Basic = read(json!({ "username": USERNAME, "password": PASSWORD }));
    for (path, header) in [
        ("records", Header::bearer(&made.access_token)),
        ("records", Header::bearer(&long_lived.access_token)),
        ("basic", Header::basic(&basic.username, &basic.password)),
        ("key", Header::new("X-Shop-Key", "", &made.access_token)),
        (
            "prefix",
            Header::new("Authorization", "Token ", &made.access_token),
        ),
    ] {
        let client = bare.scoped().credentials(header).build();
        client.get(path).send().await.unwrap();
        assert_eq!(bare.get(path).send().await.unwrap_err().status(), Some(401));
    }
    assert_eq!(provider.exchanges(), 0);
}

#[tokio::test]
async fn a_token_is_asked_for_as_the_standard_says_for_each_grant() {
    let provider = Provider::start(Rules::default()).await;
    let refresh: RefreshTokenOAuth2 = read(json!({
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "refresh_token": REFRESH_TOKEN,
    }));
    let application: ClientCredentials =
        read(json!({ "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET }));
    let password: Password = read(json!({
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "username": USERNAME, "password": PASSWORD,
    }));
    let [id, secret] = provider::client();
    let url = provider.token_url();
    let code = || {
        let code = Secret::from(CODE);
        Exchange::authorization_code(&url, &id, &secret, &code, REDIRECT_URI)
    };
    let exchanges = [
        ("refresh_token", refresh.exchange(&url)),
        ("client_credentials", application.exchange(&url)),
        ("password", password.exchange(&url)),
    ];
    for (grant, exchange) in exchanges {
        for exchange in [
            exchange.clone(),
            exchange.clone().client_in_header(),
            exchange.clone().as_json(),
            exchange.as_json().client_in_header(),
        ] {
            ask(&client(&provider, exchange)).await.unwrap();
            let given = provider.house().given.pop().unwrap();
            assert_eq!(given.grant, grant);
        }
    }
    ask(&client(&provider, code().client_in_header()))
        .await
        .unwrap();
    let error = ask(&client(&provider, code())).await.unwrap_err();
    assert!(
        super::shown(&error).contains("`invalid_grant`"),
        "a code is good once"
    );
}

#[tokio::test]
async fn an_application_in_the_header_is_encoded_as_in_a_form_first_and_is_nowhere_else() {
    let provider = Provider::start(Rules::default()).await;
    let exchange = provider.refresh().client_in_header().field("scope", "a b");
    ask(&client(&provider, exchange)).await.unwrap();
    let asked = provider.asked("/token").pop().unwrap();
    // `hunter2+client%3A%2B%25:hunter2%26secret%3D%22%C3%BC%22`.
    let expected =
        "Basic aHVudGVyMitjbGllbnQlM0ElMkIlMjU6aHVudGVyMiUyNnNlY3JldCUzRCUyMiVDMyVCQyUyMg==";
    assert_eq!(asked.header("authorization"), Some(expected));
    let expected = "grant_type=refresh_token&refresh_token=hunter2-refresh-0&scope=a+b";
    assert_eq!(body(&asked), expected);
    assert_eq!(asked.header("accept"), Some("application/json"));
}

#[tokio::test]
async fn what_a_provider_wants_besides_is_sent_besides() {
    let provider = Provider::start(Rules::default()).await;
    let exchange = provider
        .refresh()
        .field("audience", "https://api.example.com")
        .header("x-tenant", &"hunter2-tenant".into());
    let client = provider.client();
    let tokens = Tokens::sent_in(&client, exchange, "x-shop-key", "");
    let client = client.scoped().credentials(tokens).build();
    let error = client.get("key").send().await.unwrap_err();
    assert_eq!(
        error.status(),
        Some(401),
        "that is no token which the shop knows"
    );
    let asked = provider.asked("/token");
    assert_eq!(asked.len(), 2, "it was fetched anew once");
    assert_eq!(asked[0].header("x-tenant"), Some("hunter2-tenant"));
    assert!(body(&asked[0]).ends_with("&audience=https%3A%2F%2Fapi.example.com"));
    let keys = provider.asked("/key");
    let keys: Vec<_> = keys
        .iter()
        .map(|asked| asked.header("x-shop-key"))
        .collect();
    assert_eq!(keys, [Some("hunter2-access-1"), Some("hunter2-access-2")]);
}

#[tokio::test]
async fn a_service_account_signs_for_itself_or_for_a_user() {
    for subject in [None, Some("somebody@example.com")] {
        let provider = Provider::start(Rules::default()).await;
        let account = Account::new();
        let key = account.key(&provider.token_url());
        let credentials: GoogleServiceAccount = read(json!({ "service_account": key }));
        let claims =
            json!({ "aud": provider.token_url(), "scope": "a.readonly b", "sub": subject });
        provider.house().account = Some((account, claims));
        let exchange = credentials.exchange(&["a.readonly", "b"], subject);
        let client = client(&provider, exchange.unwrap());
        ask(&client).await.unwrap();
        provider.house().take_all_back();
        ask(&client).await.unwrap();

        let asked = provider.asked("/token");
        let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
        assert!(
            asked.iter().all(|asked| body(asked).starts_with(grant)),
            "{asked:?}"
        );
        assert_eq!(provider.house().given.len(), 2);
    }
    let provider = Provider::start(Rules::default()).await;
    let key = Account::new().key(&provider.token_url());
    provider.house().account = Some((Account::new(), json!({})));
    let credentials: GoogleServiceAccount = read(json!({ "service_account": key }));
    let exchange = credentials.exchange(&["a"], None).unwrap();
    let error = ask(&client(&provider, exchange)).await.unwrap_err();
    assert!(
        super::shown(&error).contains("create another key"),
        "it is another's key"
    );
}

#[tokio::test]
async fn a_code_is_spent_once_and_its_refresh_token_from_then_on() {
    let rules = Rules {
        refresh: Refresh::Rotates,
        ..Rules::default()
    };
    let provider = Provider::start(rules).await;
    let ([id, secret], code) = (provider::client(), Secret::from(CODE));
    let exchange =
        Exchange::authorization_code(provider.token_url(), &id, &secret, &code, REDIRECT_URI);
    let client = client(&provider, exchange.field("audience", "x"));
    for _ in 0..3 {
        ask(&client).await.unwrap();
        provider.house().take_all_back();
    }
    let given = provider.house().given.clone();
    let spent: Vec<_> = given.iter().map(|given| given.spent.as_deref()).collect();
    assert_eq!(
        spent,
        [None, Some("hunter2-refresh-1"), Some("hunter2-refresh-2")]
    );
    let asked = provider.asked("/token");
    assert!(body(&asked[1]).ends_with("&refresh_token=hunter2-refresh-1&audience=x"));
}

#[tokio::test]
async fn a_code_whose_answer_is_lost_is_not_sent_again() {
    for turn in [
        Turn::Spoilt(Fault::ResetAtOnce),
        Turn::instead(Answer::new(503, "")),
    ] {
        let provider = Provider::start(Rules::default()).await;
        provider.next([turn]);
        let ([id, secret], code) = (provider::client(), Secret::from(CODE));
        let exchange =
            Exchange::authorization_code(provider.token_url(), &id, &secret, &code, REDIRECT_URI);
        ask(&patient_client(&provider, exchange)).await.unwrap_err();
        assert_eq!(provider.exchanges(), 1);
    }
}

#[tokio::test]
async fn an_answer_is_understood_however_it_is_written_and_whatever_it_says_of_its_life() {
    for style in [
        Style::Json,
        Style::Adorned,
        Style::Form,
        Style::FormSaidToBeJson,
    ] {
        for expires_in in [
            json!(3600),
            json!("3600"),
            json!(0),
            json!(null),
            json!("soon"),
        ] {
            let rules = Rules {
                style,
                expires_in: expires_in.clone(),
                ..Rules::default()
            };
            let provider = Provider::start(rules).await;
            let client = client(&provider, provider.refresh());
            for _ in 0..3 {
                let asked = ask(&client).await;
                assert!(asked.is_ok(), "{style:?}, {expires_in}: {asked:?}");
            }
            assert_eq!(provider.exchanges(), 1, "{style:?}, {expires_in}");
        }
    }
}

#[tokio::test]
async fn a_provider_that_fails_for_a_while_is_asked_again() {
    let provider = Provider::start(Rules::default()).await;
    let failures = [
        Turn::instead(Answer::new(500, "<html>oh</html>")),
        Turn::instead(Answer::new(503, "").fault(Fault::HalfBody)),
        Turn::instead(Answer::new(429, "").header("retry-after", 0)),
        Turn::Spoilt(Fault::ResetAtOnce),
        Turn::Spoilt(Fault::ResetInBody),
    ];
    let tries = failures.len() + 1;
    provider.next(failures);
    ask(&patient_client(&provider, provider.refresh()))
        .await
        .unwrap();
    assert_eq!(provider.exchanges(), tries);
}

/// Reads all pages, and says which records came, in their order.
async fn read_all(client: &Client) -> Vec<u64> {
    let mut ids = Vec::new();
    loop {
        let after = ids.last().copied().unwrap_or(0);
        let answer = client.get("records").query("after", after).send().await;
        let page: Value = answer.unwrap().json().unwrap();
        let records = page["records"].as_array().unwrap();
        ids.extend(records.iter().map(|record| record["id"].as_u64().unwrap()));
        if page["more"] == false {
            return ids;
        }
    }
}

#[tokio::test]
async fn tokens_that_expire_in_the_middle_of_paging_are_fetched_anew_and_nothing_is_lost_or_repeated()
 {
    for (uses, refresh) in [
        (1, Refresh::Stays),
        (3, Refresh::Rotates),
        (4, Refresh::Branches),
    ] {
        let rules = Rules {
            uses: Some(uses),
            refresh,
            ..Rules::default()
        };
        let provider = Provider::start(rules).await;
        let client = client(&provider, provider.refresh());
        let all: Vec<u64> = (1..=RECORDS).collect();
        assert_eq!(read_all(&client).await, all);
        let pages = RECORDS as usize / 5;
        let tokens = pages.div_ceil(uses as usize);
        assert_eq!(provider.exchanges(), tokens, "one for each token");
        let asked = provider.asked("/records").len();
        assert_eq!(
            asked,
            pages + tokens - 1,
            "and each refused request once more"
        );
    }
}
