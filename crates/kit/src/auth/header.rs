//! Credentials that stay the same for as long as a capture runs.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::Secret;
use crate::BoxError;
use crate::http::{Authorization, BoxFuture, Credentials};

/// A header that says the same on each request.
///
/// ```
/// use staunch::auth::{Header, Secret};
/// use staunch::http::Client;
///
/// let key = Secret::from("hunter2");
/// let client = Client::builder().credentials(Header::bearer(&key)).build();
/// let client = client.scoped().credentials(Header::new("x-shop-access-token", "", &key)).build();
/// let client = client.scoped().credentials(Header::new("authorization", "Token ", &key)).build();
/// # let _ = client;
/// ```
#[derive(Clone, Debug)]
pub struct Header {
    made: Result<(HeaderName, HeaderValue), &'static str>,
    /// What it is made of, and not to be repeated in an error.
    secrets: Arc<[Secret]>,
}

impl Header {
    /// `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(token: &Secret) -> Self {
        Self::new(AUTHORIZATION.as_str(), "Bearer ", token)
    }

    /// `Authorization: Basic …`. A user with a colon cannot be told from their password, which is said when something is asked.
    #[must_use]
    pub fn basic(username: &Secret, password: &Secret) -> Self {
        let both = Zeroizing::new(format!("{}:{}", username.expose(), password.expose()));
        let encoded = Zeroizing::new(STANDARD.encode(both.as_bytes()));
        let made = match username.expose().contains(':') {
            true => Err(
                "the user in the endpoint config has a colon, which no user can have here; see that it is the user alone",
            ),
            false => make(AUTHORIZATION.as_str(), "Basic ", &encoded),
        };
        Self {
            made,
            secrets: [username.clone(), password.clone()].into(),
        }
    }

    /// A header of this name, with the secret after this prefix. What no header can have is said when something is asked.
    #[must_use]
    pub fn new(name: &str, prefix: &str, secret: &Secret) -> Self {
        Self {
            made: make(name, prefix, secret.expose()),
            secrets: [secret.expose().trim().into()].into(),
        }
    }

    pub(super) fn authorization(&self, generation: u64) -> Result<Authorization, BoxError> {
        Ok(Authorization {
            header: self.made.clone()?,
            generation,
            secrets: Arc::clone(&self.secrets),
        })
    }
}

fn make(name: &str, prefix: &str, secret: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let name = name
        .parse()
        .map_err(|_| "credentials are sent in a header whose name no header can have; correct it in the connector")?;
    let value = Zeroizing::new(format!("{prefix}{}", secret.trim()));
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| "the credentials in the endpoint config have characters that no header can have, as a line break; copy them anew")?;
    value.set_sensitive(true);
    Ok((name, value))
}

impl Credentials for Header {
    fn authorization(&self) -> BoxFuture<'_, Result<Authorization, BoxError>> {
        let authorization = self.authorization(0);
        Box::pin(async { authorization })
    }

    fn refused(&self, _: &Authorization) -> bool {
        false // There is no other.
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

    use super::*;

    fn sent(header: &Header) -> (String, String) {
        let (name, value) = header.authorization(0).unwrap().header;
        assert!(value.is_sensitive());
        (name.to_string(), value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_secret_is_sent_as_the_source_wants_it() {
        let secret = Secret::from(" hunter2\n"); // As it is copied from a file.
        for (header, expected) in [
            (Header::bearer(&secret), ("authorization", "Bearer hunter2")),
            (Header::new("X-Key", "", &secret), ("x-key", "hunter2")),
            (
                Header::basic(&Secret::from("Aladdin"), &Secret::from("open sesame")),
                ("authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), // RFC 7617.
            ),
        ] {
            let (name, value) = sent(&header);
            assert_eq!((&*name, &*value), expected);
            assert!(!format!("{header:?}").contains("hunter2"), "{header:?}");
        }
    }

    #[test]
    fn what_no_header_can_have_is_said_without_it() {
        for header in [
            Header::bearer(&Secret::from("hunter2\nx")),
            Header::new("a b", "", &Secret::from("hunter2")),
            Header::basic(&Secret::from("hunter2:x"), &Secret::from("hunter2")),
        ] {
            let error = header.authorization(0).err().unwrap().to_string();
            assert!(
                !error.contains("hunter2") && error.contains("; "),
                "{error}"
            );
        }
    }
}
