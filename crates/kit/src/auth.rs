//! Credentials: what they look like in an endpoint config, and what puts them on requests.
//!
//! | in the config | on a request |
//! | --- | --- |
//! | [`AccessToken`], [`LongLivedOAuth2`] | [`Header::bearer`], or a header and prefix of the source's own |
//! | [`Basic`] | [`Header::basic`] |
//! | [`OAuth2`](RefreshTokenOAuth2), [`ClientCredentials`], [`Password`] | [`Tokens`] that are fetched, and renewed before they expire |
//! | [`RotatingOAuth2`] | [`RotatingOAuth2::header`], rotated when a capture is opened |
//! | [`GoogleServiceAccount`] | [`Tokens`] for a signed assertion |
//!
//! ```
//! use staunch::auth::{AccessToken, Header, RefreshTokenOAuth2, Tokens};
//! use staunch::http::Client;
//!
//! /// Either kind, told apart in a form by its title.
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(untagged)]
//! enum Credentials {
//!     #[schemars(extend("x-oauth2-provider" = "example"))]
//!     OAuth2(RefreshTokenOAuth2),
//!     Token(AccessToken),
//! }
//!
//! fn client(credentials: &Credentials) -> Client {
//!     let client = Client::builder().base_url("https://api.example.com/v2").build();
//!     let authorised = client.scoped();
//!     match credentials {
//!         Credentials::OAuth2(credentials) => {
//!             let exchange = credentials.exchange("https://api.example.com/oauth/token");
//!             authorised.credentials(Tokens::new(&client, exchange)).build()
//!         }
//!         Credentials::Token(credentials) => {
//!             authorised.credentials(Header::bearer(&credentials.access_token)).build()
//!         }
//!     }
//! }
//! ```
//!
//! # Several kinds
//!
//! In the schema of an endpoint config an enum like that is a choice between forms: `oneOf`, with the `discriminator` that is a constant
//! of its own in each form, which is required there and has itself as its default. Credentials have such a member: their title. Where two
//! kinds have the same title, the enum has a tag instead, which takes its place: `#[serde(tag = "credentials_title")]`, and
//! `#[serde(rename = "Client Credentials")]` for a variant.
//!
//! Members are those that the control plane fills in after somebody has authorised a capture by [`OAuth2`](crate::OAuth2), which
//! `x-oauth2-provider` names.
//!
//! # Tokens that are rotated
//!
//! A provider that *rotates* gives a new refresh token for each one that is spent, and takes the old one back. So the new pair has to
//! reach the endpoint config, or nobody can ever ask again: [`RotatingOAuth2`] is encrypted and announced before anything is asked
//! with it.
//!
//! The provider's answer is in the memory of one process until the encrypted config is in the logs. A process that is killed in
//! between (for the time of one call to the encryption service, mostly well under a second, and at most as long as that is tried)
//! has spent the old token and lost the new one. No order of these steps avoids that, as a token can be stored only once it exists.
//! Nothing is captured with a pair that was not announced, so what is lost is lost at once, and not a day later. Where a provider
//! lets the old token live on for a while, the next opening mends it; where it does not, a person authorises the capture anew.
//!
//! Tokens are never written to the connector state.
//!
//! # Secrets in memory
//!
//! A [`Secret`] is never shown, and wiped when it is dropped. Copies that are not wiped, as they are in other hands: the request of
//! `Open` that holds the config, headers and forms on their way to a server, answers as they arrive, a config that is to be announced, and
//! the buffers of TLS.

mod error;
mod exchange;
mod forms;
mod google;
mod header;
mod rotating;
mod secret;
mod tokens;

pub use error::AuthError;
pub use exchange::Exchange;
pub use forms::{
    AccessToken, Basic, ClientCredentials, LongLivedOAuth2, Password, RefreshTokenOAuth2, title,
};
pub use google::{GoogleServiceAccount, KeyError};
pub use header::Header;
pub(crate) use rotating::due_at;
pub use rotating::{ROTATE_AHEAD, RotateError, RotatingOAuth2};
pub use secret::Secret;
pub use tokens::Tokens;

#[cfg(test)]
mod tests;
