//! Why there is no token.

use std::sync::Arc;

use super::exchange::Grant;
use crate::http::{Asked, HttpError};

/// There is no token to ask with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The provider refused, and says why in the terms of OAuth2.
    #[error("{asked} gave no token: `{code}`{}; {remedy}", Described(.description))]
    Refused {
        /// What was asked.
        asked: Asked,
        /// The provider's word for it, as `invalid_grant`.
        code: String,
        /// What it says besides, without what it was sent; may be empty.
        description: String,
        /// What a person who has the account can do.
        remedy: &'static str,
    },
    /// The provider could not be asked, or refused without saying why.
    #[error("fetching an access token")]
    Exchange(#[from] HttpError),
    /// The provider answered with something that has no token in it.
    #[error(
        "{asked} was answered with status {status} and no access token; {}", without_reason(*.status)
    )]
    NoToken {
        /// What was asked.
        asked: Asked,
        /// The status code.
        status: u16,
    },
    /// A key cannot be read.
    #[error(transparent)]
    Key(#[from] super::KeyError),
}

impl AuthError {
    /// Why a request could not be authorised, if that is why it failed.
    ///
    /// ```
    /// use staunch::auth::AuthError;
    /// use staunch::http::{Client, HttpError};
    ///
    /// # async fn probe(client: &Client) -> Result<bool, HttpError> {
    /// match client.get("me").send().await {
    ///     Err(error) if matches!(AuthError::of(&error), Some(AuthError::Refused { .. })) => Ok(false),
    ///     answer => answer.map(|_| true),
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn of(error: &HttpError) -> Option<&Self> {
        match error {
            HttpError::Unauthorised { source, .. } => {
                let shared = source.downcast_ref().map(|Failed(error)| &**error);
                shared.or_else(|| source.downcast_ref())
            }
            HttpError::GivenUp { source, .. } => Self::of(source),
            _ => None,
        }
    }
}

/// There is no token. Others waited for the same one.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Failed(pub(super) Arc<AuthError>);

struct Described<'a>(&'a str);

impl std::fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            "" => Ok(()),
            description => write!(f, " ({description})"),
        }
    }
}

/// What a person who has the account can do about an answer that says nothing.
fn without_reason(status: u16) -> &'static str {
    match status {
        401 | 403 => "check the credentials in the endpoint config",
        _ => "see that it is the address of the provider's tokens",
    }
}

/// What a person who has the account can do.
///
/// # Source
/// RFC 6749, 4.1.2.1 and 5.2; RFC 8628 and those of some providers.
pub(super) fn remedy(code: &str, grant: Grant) -> &'static str {
    match code {
        "invalid_grant"
        | "invalid_refresh_token"
        | "bad_refresh_token"
        | "bad_verification_code"
        | "token_expired"
        | "expired_token"
        | "token_revoked" => not_good(grant),
        "invalid_client"
        | "incorrect_client_credentials"
        | "invalid_client_id"
        | "bad_client_secret" => NO_SUCH_CLIENT,
        "unauthorized_client" => match grant {
            Grant::Assertion => {
                "let the service account speak for that user, with these scopes, in the settings of the domain"
            }
            _ => {
                "let the application ask for tokens in this way, in the provider's settings for it; and check the client id in the endpoint config"
            }
        },
        "unsupported_grant_type" => {
            "the provider gives no tokens in this way: use another kind of credentials"
        }
        "invalid_request" => {
            "something is missing or malformed: check that each of the credentials in the endpoint config is copied whole"
        }
        "invalid_scope" | "insufficient_scope" => {
            "the application may not ask for so much: check what it is allowed to see, and authorise the capture again"
        }
        "access_denied" | "consent_required" | "interaction_required" => {
            "somebody has to consent: authorise the capture again"
        }
        "temporarily_unavailable" | "server_error" | "slow_down" => "try again later",
        _ => "look it up in the provider's documentation, or authorise the capture again",
    }
}

const NO_SUCH_CLIENT: &str = "check the client id and the client secret in the endpoint config, and that the application is still there";

/// What was given for the token is not good, or not any more.
fn not_good(grant: Grant) -> &'static str {
    match grant {
        Grant::RefreshToken => {
            "what was authorised has expired or was revoked: authorise the capture again"
        }
        Grant::AuthorizationCode => {
            "the code has expired or was spent before: authorise the capture again"
        }
        Grant::ClientCredentials => NO_SUCH_CLIENT,
        Grant::Password => {
            "the user or the password is wrong, or may not sign in like this: correct them in the endpoint config"
        }
        Grant::Assertion => {
            "the service account or its key was removed, or the clock of this machine is wrong: create another key, and put it into the endpoint config"
        }
    }
}
