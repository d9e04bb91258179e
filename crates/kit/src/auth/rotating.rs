//! Credentials whose tokens change hands.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{AuthError, Exchange, Secret, title};
use crate::http::{Client, HttpError};

/// How long before it expires an access token is rotated.
///
/// # Source
/// Capture protocol, timing of `configUpdate` (6.2).
pub const ROTATE_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// When a token that expires then is rotated.
pub(crate) fn due_at(expires_at: Timestamp) -> Timestamp {
    expires_at
        .checked_sub(ROTATE_AHEAD)
        .unwrap_or(Timestamp::MIN)
}

/// OAuth2 credentials whose refresh token is replaced each time it is spent.
///
/// A part of an endpoint config, mostly its `credentials`. A capture rotates them when it is opened, goes on with that access token for
/// as long as it runs, and ends in order before it expires, so that the next opening rotates anew.
///
/// ```
/// use staunch::auth::RotatingOAuth2;
/// use staunch::http::Client;
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
    pub credentials_title: title::OAuth,
    /// The application that was authorised.
    #[schemars(title = "Client Id")]
    client_id: Secret,
    /// The application's own secret.
    #[schemars(title = "Client Secret")]
    client_secret: Secret,
    /// What a new pair of tokens is asked with.
    #[schemars(title = "Refresh Token")]
    refresh_token: Secret,
    /// What the source is asked with.
    #[schemars(title = "Access Token")]
    access_token: Secret,
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
    /// The provider gave no tokens, and took none back.
    #[error("rotating the OAuth2 tokens")]
    Exchange(#[source] AuthError),
    /// The provider's answer was not understood, or never came: it may have given tokens that nobody has.
    #[error(
        "the OAuth2 tokens may have been rotated, but the new ones did not arrive; open the capture again, and authorise it anew if the provider refuses then"
    )]
    Unknown(#[source] AuthError),
}

impl From<AuthError> for RotateError {
    fn from(error: AuthError) -> Self {
        let may_have_rotated = match &error {
            AuthError::Exchange(error) => may_have_been_answered(error),
            AuthError::NoToken { status, .. } => *status < 400,
            _ => false,
        };
        match may_have_rotated {
            true => RotateError::Unknown(error),
            false => RotateError::Exchange(error),
        }
    }
}

/// Whether the provider may have done what it was asked, as far as the error tells.
fn may_have_been_answered(error: &HttpError) -> bool {
    match error {
        HttpError::Malformed { .. }
        | HttpError::Client { .. }
        | HttpError::Unauthorised { .. }
        | HttpError::Unreached { .. }
        | HttpError::Redirected { .. } => false,
        HttpError::Refused(refusal) => refusal.status() >= 500,
        HttpError::GivenUp { source, .. } => may_have_been_answered(source),
        _ => true,
    }
}

/// A new pair, and until when the access token lives.
pub(crate) struct Pair {
    access_token: Secret,
    /// None where the old one lives on.
    refresh_token: Option<Secret>,
    pub(crate) expires_at: Timestamp,
}

impl RotatingOAuth2 {
    /// What the source is asked with.
    #[must_use]
    pub fn access_token(&self) -> &Secret {
        &self.access_token
    }

    /// What puts the access token on requests, as `Authorization: Bearer …`.
    #[must_use]
    pub fn header(&self) -> super::Header {
        super::Header::bearer(&self.access_token)
    }

    /// When the access token expires.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.access_token_expires_at
    }

    /// Whether the access token has expired, or is about to: within [`ROTATE_AHEAD`].
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        due_at(self.access_token_expires_at) < now
    }

    /// Spends the refresh token. It is asked for once: an answer that was lost on its way may have been the only one.
    pub(crate) async fn exchange(
        &self,
        client: &Client,
        token_url: &str,
        as_provider_wants: impl FnOnce(Exchange) -> Exchange,
        now: Timestamp,
    ) -> Result<Pair, RotateError> {
        let exchange = as_provider_wants(Exchange::refresh_token(
            token_url,
            &self.client_id,
            &self.client_secret,
            &self.refresh_token,
        ));
        let tokens = exchange.once().send(client).await?;
        // A life that is not told is over: then the next opening rotates again.
        let lives = tokens.lives.unwrap_or_default();
        let lives = SignedDuration::try_from(lives).unwrap_or_default();
        Ok(Pair {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            expires_at: now.checked_add(lives).unwrap_or(now),
        })
    }
}

impl Pair {
    /// Writes it where the credentials are, and leaves the other members alone.
    pub(crate) fn write_into(self, credentials: &mut Map<String, Value>) {
        let access_token = self.access_token.expose();
        credentials.insert("access_token".into(), access_token.into());
        if let Some(token) = self.refresh_token {
            credentials.insert("refresh_token".into(), token.expose().into());
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
