//! What a connector sees when it may rotate its tokens.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

#[cfg(feature = "auth")]
use super::ConfigUpdate;
#[cfg(feature = "auth")]
use crate::auth::{Exchange, RotateError, RotatingOAuth2};
use crate::http::Client;

/// What [`Connector::rotate_tokens`](crate::Connector::rotate_tokens) sees.
///
/// Credentials that are not OAuth2 are rotated by hand: ask the provider, and answer with the whole new config.
///
/// ```
/// use jiff::ToSpan;
/// use staunch::{BoxError, ConfigUpdate, Rotating};
///
/// #[derive(serde::Deserialize)]
/// struct Config {
///     key_expires_at: jiff::Timestamp,
/// }
///
/// async fn rotate(rotating: &Rotating<'_, Config>) -> Result<Option<ConfigUpdate>, BoxError> {
///     if rotating.config.key_expires_at > rotating.now() + 1.hour() {
///         return Ok(None);
///     }
///     let answer = rotating.http().post("https://example.com/keys").send().await?;
///     let key: serde_json::Value = answer.json()?;
///     let mut config = rotating.json.clone();
///     config["key"] = key["key"].clone();
///     config["key_expires_at"] = key["expires_at"].clone();
///     Ok(Some(ConfigUpdate::new("Rotating the API key in the endpoint config.", config)))
/// }
/// ```
pub struct Rotating<'a, C> {
    /// The endpoint config, decoded.
    pub config: &'a C,
    /// The endpoint config as it is: only the members that were given, defaults left out.
    pub json: &'a Value,
    pub(super) now: Timestamp,
    pub(super) http: &'a Client,
    /// When a rotation is due again.
    pub(super) due: Mutex<Option<Timestamp>>,
}

impl<C> Rotating<'_, C> {
    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A client to ask the provider with.
    #[must_use]
    pub fn http(&self) -> &Client {
        self.http
    }

    /// When a rotation is due again, if that is known.
    pub(super) fn due(&self) -> Option<Timestamp> {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rotates the credentials that the config has at `pointer`, if their access token is about to expire.
    ///
    /// The provider is asked at `token_url`. What it answers takes the place of both tokens and of the time; a refresh token that
    /// it does not answer with stays as it is. All other members of the config are left alone. Shortly before the token expires that the
    /// capture goes on with, the capture ends in order, so that the next opening rotates again.
    ///
    /// # Errors
    /// When the provider refuses, or when there are no credentials at `pointer`.
    #[cfg(feature = "auth")]
    pub async fn oauth2(
        &self,
        credentials: &RotatingOAuth2,
        pointer: &str,
        token_url: &str,
    ) -> Result<Option<ConfigUpdate>, RotateError> {
        let as_it_is = std::convert::identity;
        self.oauth2_with(credentials, pointer, token_url, as_it_is)
            .await
    }

    /// The same, of a provider that wants to be asked in another way: `|exchange| exchange.client_in_header()`.
    ///
    /// # Errors
    /// As [`oauth2`](Self::oauth2).
    #[cfg(feature = "auth")]
    pub async fn oauth2_with(
        &self,
        credentials: &RotatingOAuth2,
        pointer: &str,
        token_url: &str,
        as_provider_wants: impl FnOnce(Exchange) -> Exchange,
    ) -> Result<Option<ConfigUpdate>, RotateError> {
        let is_next = |expires_at| {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            *due = Some(crate::auth::due_at(expires_at));
        };
        if !credentials.is_due(self.now) {
            is_next(credentials.expires_at());
            return Ok(None);
        }
        let mut config = self.json.clone();
        // Before anything is spent: where the tokens would have no place, none are asked for.
        let Some(Value::Object(place)) = config.pointer_mut(pointer) else {
            return Err(RotateError::NoCredentials {
                pointer: pointer.to_owned(),
            });
        };
        let (http, now) = (self.http, self.now);
        let tokens = credentials.exchange(http, token_url, as_provider_wants, now);
        let tokens = tokens.await?;
        is_next(tokens.expires_at);
        tokens.write_into(place);
        Ok(Some(ConfigUpdate::new(
            "Rotating OAuth2 tokens in endpoint config.",
            config,
        )))
    }
}
