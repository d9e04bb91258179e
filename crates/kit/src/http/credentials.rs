//! With what a request is authorised.

use std::future::Future;
use std::pin::Pin;

use reqwest::header::{HeaderName, HeaderValue};

use crate::BoxError;

/// What a request is authorised with: a header, and which of the credentials' tokens it holds.
#[derive(Clone)]
pub struct Authorization {
    /// The header, marked as sensitive.
    pub(crate) header: (HeaderName, HeaderValue),
    /// The token's number: each that is fetched has a higher one.
    pub(crate) generation: u64,
    /// What the header is made of, and no text to be shown.
    #[cfg(feature = "auth")]
    pub(crate) secrets: std::sync::Arc<[crate::auth::Secret]>,
}

impl Authorization {
    /// What is not to be shown, should the server repeat it.
    pub(crate) fn secrets(&self) -> Vec<String> {
        #[cfg(feature = "auth")]
        return self
            .secrets
            .iter()
            .map(|secret| secret.expose().to_owned())
            .collect();
        #[cfg(not(feature = "auth"))]
        Vec::new()
    }
}

/// A future that is told by its type alone.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What gives a request its authorisation.
pub trait Credentials: Send + Sync + 'static {
    /// What to send. It is fetched once for all who wait for it, and again before it expires.
    fn authorization(&self) -> BoxFuture<'_, Result<Authorization, BoxError>>;

    /// The server did not take it (401). Whether another can be had: then the request is sent once more.
    fn refused(&self, authorization: &Authorization) -> bool;
}
