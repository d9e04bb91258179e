//! Credentials as parts of an endpoint config.
//!
//! The names of their members are a convention of the control plane, which fills them in after somebody has authorised a capture.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Exchange, Secret};

/// By what a form tells credentials apart. Each is read from its one text, and from nothing.
pub mod title {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde::{Deserialize, Deserializer, de};

    macro_rules! title {
        ($(#[$doc:meta])* $name:ident, $text:literal) => {
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            pub struct $name;

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    match Cow::<'de, str>::deserialize(deserializer)?.as_ref() {
                        $text => Ok(Self),
                        _ => Err(de::Error::custom(concat!("expected `", $text, "`"))),
                    }
                }
            }

            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    $text.into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({
                        "title": "Credentials Title",
                        "type": "string",
                        "const": $text,
                        "default": $text,
                    })
                }
            }
        };
    }

    title!(
        /// `OAuth Credentials`.
        OAuth,
        "OAuth Credentials"
    );
    title!(
        /// `Client Credentials`.
        Client,
        "Client Credentials"
    );
    title!(
        /// `Private App Credentials`.
        PrivateApp,
        "Private App Credentials"
    );
    title!(
        /// `Username & Password`.
        UsernamePassword,
        "Username & Password"
    );
    title!(
        /// `Google Service Account`.
        GoogleServiceAccount,
        "Google Service Account"
    );
}

/// A token that somebody made for the capture, and that lives until it is revoked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Private App Credentials")]
pub struct AccessToken {
    /// Which kind of credentials these are.
    #[serde(default)]
    pub credentials_title: title::PrivateApp,
    /// What the source is asked with.
    #[schemars(title = "Access Token")]
    pub access_token: Secret,
}

/// A user and a password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Username & Password")]
pub struct Basic {
    /// Which kind of credentials these are.
    #[serde(default)]
    pub credentials_title: title::UsernamePassword,
    /// The user.
    #[schemars(title = "Username")]
    pub username: Secret,
    /// Their password.
    #[schemars(title = "Password")]
    pub password: Secret,
}

/// OAuth2 credentials whose refresh token stays good, however often an access token is fetched with it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "OAuth")]
pub struct RefreshTokenOAuth2 {
    /// Which kind of credentials these are.
    #[serde(default)]
    pub credentials_title: title::OAuth,
    /// The application that was authorised.
    #[schemars(title = "Client Id")]
    pub client_id: Secret,
    /// The application's own secret.
    #[schemars(title = "Client Secret")]
    pub client_secret: Secret,
    /// What access tokens are fetched with.
    #[schemars(title = "Refresh Token")]
    pub refresh_token: Secret,
}

impl RefreshTokenOAuth2 {
    /// Fetches access tokens from this URL.
    pub fn exchange(&self, token_url: impl Into<String>) -> Exchange {
        let Self {
            client_id,
            client_secret,
            refresh_token,
            ..
        } = self;
        Exchange::refresh_token(token_url, client_id, client_secret, refresh_token)
    }
}

/// OAuth2 credentials of an application that asks for itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "OAuth")]
pub struct ClientCredentials {
    /// Which kind of credentials these are.
    #[serde(default)]
    pub credentials_title: title::OAuth,
    /// The application.
    #[schemars(title = "Client Id")]
    pub client_id: Secret,
    /// The application's own secret.
    #[schemars(title = "Client Secret")]
    pub client_secret: Secret,
}

impl ClientCredentials {
    /// Fetches access tokens from this URL.
    pub fn exchange(&self, token_url: impl Into<String>) -> Exchange {
        Exchange::client_credentials(token_url, &self.client_id, &self.client_secret)
    }
}

/// OAuth2 credentials of an application that asks for a user with their password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "OAuth")]
pub struct Password {
    /// Which kind of credentials these are.
    #[serde(default)]
    pub credentials_title: title::OAuth,
    /// The application.
    #[schemars(title = "Client Id")]
    pub client_id: Secret,
    /// The application's own secret.
    #[schemars(title = "Client Secret")]
    pub client_secret: Secret,
    /// The user.
    #[schemars(title = "Username")]
    pub username: Secret,
    /// Their password.
    #[schemars(title = "Password")]
    pub password: Secret,
}

impl Password {
    /// Fetches access tokens from this URL.
    pub fn exchange(&self, token_url: impl Into<String>) -> Exchange {
        let Self {
            client_id,
            client_secret,
            username,
            password,
            ..
        } = self;
        Exchange::password(token_url, client_id, client_secret, username, password)
    }
}

/// OAuth2 credentials whose access token does not expire.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "OAuth")]
pub struct LongLivedOAuth2 {
    /// Which kind of credentials these are.
    #[serde(default)]
    pub credentials_title: title::OAuth,
    /// The application that was authorised.
    #[schemars(title = "Client Id")]
    pub client_id: Secret,
    /// The application's own secret.
    #[schemars(title = "Client Secret")]
    pub client_secret: Secret,
    /// What the source is asked with.
    #[schemars(title = "Access Token")]
    pub access_token: Secret,
}
