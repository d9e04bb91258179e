//! With what a request is authorised.

use std::future::Future;
use std::pin::Pin;
#[cfg(feature = "auth")]
use std::sync::Arc;

use reqwest::header::{HeaderName, HeaderValue};

use crate::BoxError;

/// What a request is authorised with: a header, and which of the credentials' tokens it holds.
#[derive(Clone)]
pub struct Authorization {
    /// The header, marked as sensitive.
    pub(crate) header: (HeaderName, HeaderValue),
    pub(crate) generation: u64,
    /// What the header is made of, and no text to be shown.
    #[cfg(feature = "auth")]
    pub(crate) secrets: Arc<[crate::auth::Secret]>,
}

impl Authorization {
    /// A header, and the number of the token that it holds.
    ///
    /// # Errors
    /// What is wrong with a name or a value that no header can have, without the value.
    pub fn new(name: &str, value: &str, generation: u64) -> Result<Self, BoxError> {
        let header = super::client::header(name, value)?;
        Ok(Self {
            header,
            generation,
            #[cfg(feature = "auth")]
            secrets: Arc::default(),
        })
    }

    /// The token's number: each that is fetched has a higher one.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What is not to be shown, should the server repeat it: the header's value, that without the word before it, and what it is made
    /// of.
    pub(super) fn secrets(&self) -> Vec<String> {
        let value = self.header.1.to_str().unwrap_or_default();
        let whole_and_bare = [value, value.split(' ').next_back().unwrap_or_default()];
        let secrets = whole_and_bare.into_iter();
        #[cfg(feature = "auth")]
        let secrets = secrets.chain(self.secrets.iter().map(crate::auth::Secret::expose));
        secrets.map(str::to_owned).collect()
    }
}

/// A future that is told by its type alone.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What gives a request its authorisation. Most of what sources want is in the module `auth`, with that feature.
///
/// ```
/// use staunch::BoxError;
/// use staunch::http::{Authorization, BoxFuture, Client, Credentials};
///
/// struct Key(String);
///
/// impl Credentials for Key {
///     fn authorization(&self) -> BoxFuture<'_, Result<Authorization, BoxError>> {
///         Box::pin(async { Authorization::new("x-key", &self.0, 0) })
///     }
///
///     fn refused(&self, _: &Authorization) -> bool {
///         false // There is no other.
///     }
/// }
///
/// let client = Client::builder().credentials(Key("hunter2".into())).build();
/// # let _ = client;
/// ```
pub trait Credentials: Send + Sync + 'static {
    /// What to send. It is fetched once for all who wait for it, and again before it expires.
    fn authorization(&self) -> BoxFuture<'_, Result<Authorization, BoxError>>;

    /// The server did not take it (401). Whether another can be had: then the request is sent once more.
    fn refused(&self, authorization: &Authorization) -> bool;
}
