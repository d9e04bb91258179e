//! What forms show, and what is said of a form that is filled in wrongly.

use std::io::Read as _;

use serde_json::{Value, json};
use staunch::auth::{
    AccessToken, Basic, ClientCredentials, GoogleServiceAccount, LongLivedOAuth2, Password,
    RefreshTokenOAuth2, RotatingOAuth2,
};
use staunch::{BoxError, Connector, Resource};

/// Told apart by the titles of the credentials themselves.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only which of them it is is looked at")]
enum Untagged {
    #[schemars(extend("x-oauth2-provider" = "example"))]
    OAuth2(RotatingOAuth2),
    Token(AccessToken),
    Password(Basic),
    Google(GoogleServiceAccount),
}

/// Told apart by a tag, with titles of the connector's own.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(tag = "credentials_title")]
#[expect(dead_code, reason = "only which of them it is is looked at")]
enum Tagged {
    #[serde(rename = "OAuth Credentials")]
    #[schemars(extend("x-oauth2-provider" = "example"))]
    OAuth2(RefreshTokenOAuth2),
    #[serde(rename = "Client Credentials")]
    #[schemars(title = "Client Credentials")]
    Application(ClientCredentials),
    #[serde(rename = "Password")]
    Password(Password),
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "only whether it can be read is looked at")]
struct Config {
    /// How the source is asked.
    #[schemars(title = "Authentication")]
    credentials: Untagged,
    /// One for each store.
    #[serde(default)]
    stores: Vec<Store>,
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "only whether it can be read is looked at")]
struct Store {
    credentials: Tagged,
}

struct Shop;

impl Connector for Shop {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/shop";

    async fn resources(&self, _: &Config) -> Result<Vec<Resource>, BoxError> {
        Ok(Vec::new())
    }
}

/// What a connector answers to one request, or its error.
async fn answer(request: Value) -> Result<Value, String> {
    let (mut answers, out) = std::io::pipe().unwrap();
    let input = std::io::Cursor::new(request.to_string().into_bytes());
    let served = staunch::serve(&Shop, input, Box::new(out)).await;
    served.map_err(|error| super::shown(&error))?;
    let mut answer = String::new();
    answers.read_to_string(&mut answer).unwrap();
    Ok(serde_json::from_str(&answer).unwrap())
}

fn forms(choice: &Value) -> Vec<&Value> {
    assert_eq!(
        choice["discriminator"],
        json!({ "propertyName": "credentials_title" })
    );
    assert!(choice.get("anyOf").is_none(), "{choice:#}");
    let forms: Vec<_> = choice["oneOf"].as_array().unwrap().iter().collect();
    for form in &forms {
        assert_eq!(form["type"], "object");
        let title = &form["properties"]["credentials_title"];
        assert_eq!(title["type"], "string");
        assert_eq!(title["const"], title["default"]);
        let required = form["required"].as_array().unwrap();
        let count = required
            .iter()
            .filter(|name| *name == "credentials_title")
            .count();
        assert_eq!(count, 1, "{form:#}");
        assert_ne!(form.get("additionalProperties"), Some(&json!(false)));
    }
    forms
}

fn title(form: &Value) -> &str {
    form["properties"]["credentials_title"]["const"]
        .as_str()
        .unwrap()
}

#[tokio::test]
async fn credentials_of_several_kinds_are_a_choice_that_forms_can_show() {
    let spec = answer(json!({ "spec": { "connectorType": "LOCAL", "config": {} } }))
        .await
        .unwrap();
    let properties = &spec["spec"]["configSchema"]["properties"];
    let untagged = forms(&properties["credentials"]);
    let titles: Vec<_> = untagged.iter().map(|form| title(form)).collect();
    let expected = [
        "OAuth Credentials",
        "Private App Credentials",
        "Username & Password",
        "Google Service Account",
    ];
    assert_eq!(titles, expected);
    assert_eq!(untagged[0]["x-oauth2-provider"], "example");
    assert_eq!(properties["credentials"]["title"], "Authentication");
    let tagged = forms(&properties["stores"]["items"]["properties"]["credentials"]);
    let titles: Vec<_> = tagged.iter().map(|form| title(form)).collect();
    assert_eq!(
        titles,
        ["OAuth Credentials", "Client Credentials", "Password"]
    );
    assert_eq!(tagged[0]["x-oauth2-provider"], "example");
    assert_eq!(tagged[1]["title"], "Client Credentials");
}

#[test]
fn each_member_has_a_title_and_a_description_and_what_is_secret_says_so() {
    fn look<T: schemars::JsonSchema>(secrets: &[&str]) {
        let schema = schemars::schema_for!(T).to_value();
        assert!(schema["title"].is_string(), "{schema:#}");
        let properties = schema["properties"].as_object().unwrap();
        let is_secret = |member: &Value| member["secret"] == true && member["type"] == "string";
        for (name, member) in properties {
            assert!(member["title"].is_string(), "{name}: {member:#}");
            let description = member["description"].as_str().unwrap();
            assert!(description.ends_with('.'), "{name}: {description}");
            assert_eq!(
                is_secret(member),
                secrets.contains(&name.as_str()),
                "{name}"
            );
            let is_required = schema["required"]
                .as_array()
                .unwrap()
                .contains(&json!(name));
            assert_eq!(is_required, name != "credentials_title", "{name}");
        }
        assert!(secrets.iter().all(|name| properties.contains_key(*name)));
    }
    let [id, secret] = ["client_id", "client_secret"];
    look::<AccessToken>(&["access_token"]);
    look::<Basic>(&["username", "password"]);
    look::<RefreshTokenOAuth2>(&[id, secret, "refresh_token"]);
    look::<ClientCredentials>(&[id, secret]);
    look::<Password>(&[id, secret, "username", "password"]);
    look::<LongLivedOAuth2>(&[id, secret, "access_token"]);
    look::<RotatingOAuth2>(&[id, secret, "refresh_token", "access_token"]);
    look::<GoogleServiceAccount>(&["service_account"]);
    let rotating = schemars::schema_for!(RotatingOAuth2).to_value();
    let expires_at = &rotating["properties"]["access_token_expires_at"];
    assert_eq!(
        (&expires_at["type"], &expires_at["format"]),
        (&json!("string"), &json!("date-time"))
    );
    let google = schemars::schema_for!(GoogleServiceAccount).to_value();
    assert_eq!(google["properties"]["service_account"]["multiline"], true);
}

#[test]
fn a_config_is_read_as_what_its_title_says_and_without_one_by_its_members() {
    let of = |json: Value| format!("{:?}", serde_json::from_value::<Untagged>(json).unwrap());
    let kind = |json: Value| of(json).split('(').next().unwrap().to_owned();
    let token = json!({ "access_token": "a" });
    assert_eq!(kind(token), "Token");
    let oauth2 = json!({
        "client_id": "i", "client_secret": "s", "refresh_token": "r", "access_token": "a",
        "access_token_expires_at": "2026-03-01T12:00:00+00:00",
    });
    assert_eq!(kind(oauth2.clone()), "OAuth2");
    let mut titled = oauth2;
    titled["credentials_title"] = "Private App Credentials".into();
    assert_eq!(kind(titled), "Token", "the title counts");
    let password =
        json!({ "credentials_title": "Username & Password", "username": "u", "password": "p" });
    assert_eq!(kind(password), "Password");
    let tagged = json!({ "credentials_title": "Client Credentials", "client_id": "i", "client_secret": "s" });
    let tagged: Tagged = serde_json::from_value(tagged).unwrap();
    assert!(matches!(tagged, Tagged::Application(_)), "{tagged:?}");
}

#[tokio::test]
async fn wrong_credentials_are_said_with_the_member_that_is_wrong_and_no_value() {
    let rotating = |member: &str, value: Value| {
        let mut credentials = json!({
            "credentials_title": "OAuth Credentials", "client_id": "hunter2", "client_secret": "hunter2",
            "refresh_token": "hunter2", "access_token": "hunter2", "access_token_expires_at": "2026-03-01T12:00:00Z",
        });
        match value.is_null() {
            true => drop(credentials.as_object_mut().unwrap().remove(member)),
            false => credentials[member] = value,
        }
        json!({ "credentials": credentials })
    };
    let of_store = |credentials: Value| {
        let token =
            json!({ "credentials_title": "Private App Credentials", "access_token": "hunter2" });
        json!({ "credentials": token, "stores": [{ "credentials": credentials }] })
    };
    for (config, expected) in [
        (json!({}), "`/credentials` is missing"),
        (
            json!({ "credentials": "hunter2" }),
            "`/credentials` has none of the forms",
        ),
        (
            json!({ "credentials": { "credentials_title": "hunter2" } }),
            "`/credentials/credentials_title` is none of `OAuth Credentials`, `Private App Credentials`",
        ),
        (
            json!({ "credentials": { "username": "hunter2" } }),
            "`/credentials/credentials_title` is missing; give it one of `OAuth Credentials`",
        ),
        (
            json!({ "credentials": { "credentials_title": "Username & Password", "username": "hunter2" } }),
            "`/credentials/password` is missing",
        ),
        (
            rotating("refresh_token", json!(null)),
            "`/credentials/refresh_token` is missing",
        ),
        (
            rotating("refresh_token", json!(17)),
            "`/credentials/refresh_token` is a number, expected string",
        ),
        (
            rotating("access_token_expires_at", json!("hunter2")),
            "`/credentials/access_token_expires_at` is no time",
        ),
        (
            of_store(
                json!({ "credentials_title": "Client Credentials", "client_id": ["hunter2"] }),
            ),
            "`/stores/0/credentials/client_secret` is missing; `/stores/0/credentials/client_id` is an array, expected string",
        ),
        (
            of_store(
                json!({ "credentials_title": "Private App Credentials", "client_id": "hunter2" }),
            ),
            "`/stores/0/credentials/credentials_title` is none of `OAuth Credentials`, `Client Credentials`, `Password`",
        ),
    ] {
        let request = json!({ "discover": { "connectorType": "LOCAL", "config": config } });
        let error = answer(request).await.unwrap_err();
        assert!(error.contains(expected), "{config}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
