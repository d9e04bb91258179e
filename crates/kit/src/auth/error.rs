//! Why there is no token.

use crate::http::{Asked, HttpError};

/// There is no token to ask with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The provider refused, and says why in the terms of OAuth2.
    #[error("{asked} gave no token: `{code}`{}; {}", Described(.description), remedy(.code))]
    Refused {
        /// What was asked.
        asked: Asked,
        /// The provider's word for it, as `invalid_grant`.
        code: String,
        /// What it says besides, without what it was sent; may be empty.
        description: String,
    },
    /// The provider could not be asked, or refused without saying why.
    #[error("fetching an access token")]
    Exchange(#[from] HttpError),
    /// The provider answered with something that has no token in it.
    #[error(
        "{asked} was answered with status {status} and no access token; see that it is the address of the provider's tokens"
    )]
    NoToken {
        /// What was asked.
        asked: Asked,
        /// The status code.
        status: u16,
    },
    /// What is to be asked with cannot be sent.
    #[error("the credentials cannot be sent")]
    Unsendable(#[source] crate::BoxError),
    /// A key cannot be read.
    #[error(transparent)]
    Key(#[from] super::KeyError),
}

struct Described<'a>(&'a str);

impl std::fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            "" => Ok(()),
            description => write!(f, " ({description})"),
        }
    }
}

/// What a person who has the account can do.
fn remedy(code: &str) -> &'static str {
    match code {
        "invalid_grant"
        | "invalid_refresh_token"
        | "bad_refresh_token"
        | "token_expired"
        | "expired_token"
        | "token_revoked" => {
            "what was authorised has expired or was revoked, or the user and password are wrong: authorise the capture again"
        }
        "invalid_client"
        | "unauthorized_client"
        | "incorrect_client_credentials"
        | "invalid_client_id"
        | "bad_client_secret" => {
            "check the client id and the client secret in the endpoint config, and that the application may ask in this way"
        }
        "invalid_scope" | "insufficient_scope" => {
            "the application may not ask for so much: check what it is allowed to see"
        }
        "access_denied" => "somebody refused it: authorise the capture again",
        "temporarily_unavailable" | "server_error" | "slow_down" => "try again later",
        _ => "look it up in the provider's documentation, or authorise the capture again",
    }
}
