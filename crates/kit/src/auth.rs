//! Credentials whose tokens change hands.
//!
//! A provider that *rotates* gives a new refresh token for each one that is spent, and takes the old one back. So the new pair has to
//! reach the endpoint config, or nobody can ever ask again.
//!
//! # What can be lost
//!
//! The provider's answer is in the memory of one process until the encrypted config is in the logs. A process that is killed in
//! between (for the time of one call to the encryption service, mostly well under a second, and at most as long as that is tried)
//! has spent the old token and lost the new one. No order of these steps avoids that, as a token can be stored only once it exists.
//! Nothing is captured with a pair that was not announced, so what is lost is lost at once, and not a day later. Where a provider
//! lets the old token live on for a while, the next opening mends it; where it does not, a person authorises the capture anew.
//!
//! Tokens are never written to the connector state.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::http::{Client, HttpError};

/// How long before it expires an access token is rotated.
///
/// # Source
/// Capture protocol, timing of `configUpdate` (6.2).
pub const ROTATE_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// OAuth2 credentials whose refresh token is replaced each time it is spent.
///
/// A part of an endpoint config, mostly its `credentials`. A capture rotates them when it is opened, and goes on with that access token
/// for as long as it runs.
///
/// ```
/// use staunch::auth::RotatingOAuth2;
/// use staunch::{BoxError, ConfigUpdate, Connector, Resource, Rotating};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Config {
///     credentials: RotatingOAuth2,
/// }
///
/// struct Source;
///
/// impl Connector for Source {
///     type Config = Config;
///     const DOCUMENTATION_URL: &'static str = "https://example.com/source";
///
///     async fn rotate_tokens(&self, rotating: &Rotating<'_, Config>) -> Result<Option<ConfigUpdate>, BoxError> {
///         let credentials = &rotating.config.credentials;
///         Ok(rotating.oauth2(credentials, "/credentials", "https://example.com/oauth/token").await?)
///     }
///
///     async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
///         let token = config.credentials.access_token().to_owned(); // Good for this run.
///         # let _ = token;
///         Ok(Vec::new())
///     }
/// }
/// ```
#[derive(Clone, Deserialize, JsonSchema)]
#[schemars(title = "OAuth")]
pub struct RotatingOAuth2 {
    /// Which kind of credentials these are.
    #[serde(default)]
    #[schemars(
        title = "Credentials",
        extend("const" = "OAuth Credentials", "default" = "OAuth Credentials", "type" = "string")
    )]
    #[expect(dead_code, reason = "a form tells credentials apart by it")]
    credentials_title: String,
    /// The application that was authorised.
    #[schemars(title = "Client Id", extend("secret" = true))]
    client_id: String,
    /// The application's own secret.
    #[schemars(title = "Client Secret", extend("secret" = true))]
    client_secret: String,
    /// What a new pair of tokens is asked with.
    #[schemars(title = "Refresh Token", extend("secret" = true))]
    refresh_token: String,
    /// What the source is asked with.
    #[schemars(title = "Access Token", extend("secret" = true))]
    access_token: String,
    /// When the access token expires.
    #[schemars(title = "Access Token Expiration Time")]
    access_token_expires_at: Timestamp,
}

/// Nothing but the time, as all else is secret.
impl std::fmt::Debug for RotatingOAuth2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RotatingOAuth2")
            .field("access_token_expires_at", &self.access_token_expires_at)
            .finish_non_exhaustive()
    }
}

/// Credentials could not be rotated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotateError {
    /// The config has no such place.
    #[error(
        "the endpoint config has no credentials at `{pointer}`; authorise the capture, or correct the connector"
    )]
    NoCredentials {
        /// The place, a JSON pointer.
        pointer: String,
    },
    /// The provider did not answer with tokens.
    #[error("rotating the OAuth2 tokens")]
    Exchange(#[from] HttpError),
}

/// A provider's answer.
pub(crate) struct Tokens {
    access_token: String,
    /// None where the old one lives on.
    refresh_token: Option<String>,
    expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    /// A number, or one written as text. Whatever it is, the tokens are worth more than to be refused for it.
    #[serde(default)]
    expires_in: Value,
}

impl Answer {
    /// How long the access token lives. Zero if it does not say: then the next opening rotates again.
    fn lives(&self) -> SignedDuration {
        let seconds = match &self.expires_in {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_f64(),
        };
        let lives = seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
        lives.unwrap_or_default()
    }
}

impl RotatingOAuth2 {
    /// What the source is asked with. It is a secret.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
    }

    /// When the access token expires.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.access_token_expires_at
    }

    /// Whether the access token has expired, or is about to: within [`ROTATE_AHEAD`].
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.access_token_expires_at.duration_since(now) < ROTATE_AHEAD
    }

    /// Spends the refresh token.
    pub(crate) async fn exchange(
        &self,
        client: &Client,
        token_url: &str,
        now: Timestamp,
    ) -> Result<Tokens, RotateError> {
        let request = client.post(token_url).form(&[
            ("grant_type", "refresh_token"),
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
            ("refresh_token", &self.refresh_token),
        ]);
        let answer: Answer = request.send().await?.json()?;
        let expires_at = now.checked_add(answer.lives()).unwrap_or(now);
        Ok(Tokens {
            access_token: answer.access_token,
            refresh_token: answer.refresh_token.filter(|token| !token.is_empty()),
            expires_at,
        })
    }
}

impl Tokens {
    /// Writes them where the credentials are, and leaves the other members alone.
    pub(crate) fn write_into(self, credentials: &mut Map<String, Value>) {
        credentials.insert("access_token".into(), self.access_token.into());
        if let Some(token) = self.refresh_token {
            credentials.insert("refresh_token".into(), token.into());
        }
        let expires_at = self.expires_at.to_string();
        credentials.insert("access_token_expires_at".into(), expires_at.into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn credentials() -> RotatingOAuth2 {
        serde_json::from_value(json!({
            "client_id": "c", "client_secret": "s", "refresh_token": "r", "access_token": "hunter2",
            "access_token_expires_at": "2026-03-01T12:00:00Z",
        }))
        .expect("these are credentials")
    }

    #[test]
    fn tokens_are_rotated_five_minutes_before_they_expire() {
        for (now, is_due) in [
            ("2026-03-01T11:55:00Z", false),
            ("2026-03-01T11:55:01Z", true),
            ("2026-03-02T00:00:00Z", true),
        ] {
            let now = now.parse().expect("it is a time");
            assert_eq!(credentials().is_due(now), is_due, "{now}");
        }
    }

    #[test]
    fn a_life_that_is_not_told_is_over() {
        for (expires_in, seconds) in [
            (json!(7200), 7200),
            (json!("7200"), 7200),
            (json!(null), 0),
            (json!({}), 0),
            (json!(1e300), 0),
        ] {
            let answer = json!({ "access_token": "a", "expires_in": expires_in });
            let answer: Answer = serde_json::from_value(answer).expect("it is an answer");
            assert_eq!(answer.lives().as_secs(), seconds, "{expires_in}");
        }
    }

    #[test]
    fn what_is_secret_is_marked_so_and_never_shown() {
        assert!(!format!("{:?}", credentials()).contains("hunter2"));
        let schema = crate::schema::of::<RotatingOAuth2>();
        for secret in [
            "client_id",
            "client_secret",
            "refresh_token",
            "access_token",
        ] {
            assert_eq!(
                schema["properties"][secret]["secret"],
                json!(true),
                "{secret}"
            );
        }
        let title = &schema["properties"]["credentials_title"];
        assert_eq!(title["const"], json!("OAuth Credentials"), "{schema:#}");
        assert_eq!(title["type"], json!("string"));
    }
}
