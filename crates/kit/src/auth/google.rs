//! Google's service accounts.

use std::fmt;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Exchange, Secret, title};
use crate::clock;

/// Where Google gives tokens, if a key does not say it.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// How long an assertion is good for: as long as Google takes one.
const ASSERTION_SECONDS: i64 = 3600;

/// A service account of Google's, by its key.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Google Service Account")]
pub struct GoogleServiceAccount {
    /// Which kind of credentials these are.
    #[serde(default)]
    pub credentials_title: title::GoogleServiceAccount,
    /// The key, as the file that Google gives: a JSON document.
    #[schemars(title = "Service Account", extend("multiline" = true))]
    pub service_account: Secret,
}

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is no JSON document of a service account.
    #[error(
        "the service account is not the JSON document that Google gives for a key; copy the whole file into the endpoint config"
    )]
    NotAKey,
    /// It holds no private key.
    #[error(
        "the service account has no RSA key in `private_key`; copy the whole file into the endpoint config, line breaks included"
    )]
    NotRsa,
    /// It cannot sign.
    #[error("the service account's key cannot sign; create another one")]
    CannotSign,
}

#[derive(Deserialize)]
struct Key {
    client_email: String,
    private_key: Secret,
    #[serde(default)]
    private_key_id: Option<String>,
    #[serde(default)]
    token_uri: Option<String>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    iat: i64,
    exp: i64,
}

/// What signs assertions: the key is read once, as that takes long.
#[derive(Clone)]
pub(super) struct Signer(Arc<Account>);

struct Account {
    email: String,
    key: EncodingKey,
    key_id: Option<String>,
    scope: String,
    subject: Option<String>,
}

impl GoogleServiceAccount {
    /// Fetches access tokens for these scopes, for the account itself or for the user that `subject` names, if the account may speak for
    /// them.
    ///
    /// # Errors
    /// [`KeyError`] if the key cannot be read.
    pub fn exchange(&self, scopes: &[&str], subject: Option<&str>) -> Result<Exchange, KeyError> {
        let key: Key =
            serde_json::from_str(self.service_account.expose()).map_err(|_| KeyError::NotAKey)?;
        crate::http::use_provider();
        let encoding = EncodingKey::from_rsa_pem(key.private_key.expose().as_bytes());
        let signer = Signer(Arc::new(Account {
            email: key.client_email,
            key: encoding.map_err(|_| KeyError::NotRsa)?,
            key_id: key.private_key_id,
            scope: scopes.join(" "),
            subject: subject.map(str::to_owned),
        }));
        let token_url = key.token_uri.unwrap_or_else(|| TOKEN_URL.to_owned());
        Ok(Exchange::signed(token_url, signer))
    }
}

impl Signer {
    pub(super) fn assertion(&self, token_url: &str) -> Result<Secret, KeyError> {
        let Account {
            email,
            key,
            key_id,
            scope,
            subject,
        } = &*self.0;
        let now = clock::now().as_second();
        let claims = Claims {
            iss: email,
            scope,
            aud: token_url,
            sub: subject.as_deref(),
            iat: now,
            exp: now + ASSERTION_SECONDS,
        };
        let header = Header {
            kid: key_id.clone(),
            ..Header::new(Algorithm::RS256)
        };
        let signed = jsonwebtoken::encode(&header, &claims, key);
        signed.map(Secret::from).map_err(|_| KeyError::CannotSign)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}
