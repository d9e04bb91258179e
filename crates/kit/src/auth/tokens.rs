//! Tokens that are fetched, and renewed before they expire.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::exchange::Fetched;
use super::{AuthError, Exchange, Header};
use crate::BoxError;
use crate::http::{Authorization, BoxFuture, Client, Credentials};

/// The part of a token's life after which another one is fetched.
const RENEWED_AFTER: f64 = 0.75;

/// How long after a renewal has failed it is tried again, while the old token lives.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// Access tokens that are fetched when they are needed. Clones share them.
///
/// One fetch serves all who wait for it, and its error too. From three quarters of its life on a token is renewed beside the requests that
/// still go out with it, and one that the source does not take is fetched anew once. A token whose life is not told is used until it is
/// not taken.
///
/// ```
/// use staunch::auth::{Exchange, Secret, Tokens};
/// use staunch::http::Client;
///
/// let client = Client::builder().base_url("https://api.example.com").build();
/// let (id, secret) = (Secret::from("id"), Secret::from("hunter2"));
/// let exchange = Exchange::client_credentials("https://example.com/oauth/token", &id, &secret);
/// let client = client.scoped().credentials(Tokens::new(&client, exchange)).build();
/// # let _ = client;
/// ```
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

struct Shared {
    client: Client,
    name: String,
    prefix: String,
    standing: Mutex<Standing>,
    /// Held by whoever fetches.
    fetching: tokio::sync::Mutex<Exchange>,
}

#[derive(Default)]
struct Standing {
    token: Option<Token>,
    /// Fetches that have ended: the number of the token that was fetched last, or that could not be.
    fetches: u64,
    /// Why the last fetch failed, if it did.
    failed: Option<Arc<AuthError>>,
}

#[derive(Clone)]
struct Token {
    header: Header,
    generation: u64,
    /// `None` for a life without an end.
    life: Option<Life>,
}

#[derive(Clone, Copy)]
struct Life {
    renew_at: Instant,
    expires_at: Instant,
}

/// A fetch failed. Others waited for the same one.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
struct Failed(Arc<AuthError>);

impl Tokens {
    /// Tokens that are fetched in this way over the connections of `client`, and sent as `Authorization: Bearer …`.
    #[must_use]
    pub fn new(client: &Client, exchange: Exchange) -> Self {
        Self::sent_in(client, exchange, "authorization", "Bearer ")
    }

    /// Tokens that are sent in the header `name`, after `prefix`.
    #[must_use]
    pub fn sent_in(client: &Client, exchange: Exchange, name: &str, prefix: &str) -> Self {
        Self(Arc::new(Shared {
            client: client.clone(),
            name: name.to_owned(),
            prefix: prefix.to_owned(),
            standing: Mutex::default(),
            fetching: tokio::sync::Mutex::new(exchange),
        }))
    }

    async fn current(&self) -> Result<Authorization, BoxError> {
        let shared = &self.0;
        let seen = {
            let standing = shared.standing();
            if let Some(token) = standing.usable(Instant::now()) {
                if token.is_due(Instant::now()) {
                    self.renew_beside();
                }
                return token.header.authorization(token.generation);
            }
            standing.fetches
        };
        let mut exchange = shared.fetching.lock().await;
        {
            let standing = shared.standing();
            if let Some(token) = standing.usable(Instant::now()) {
                return token.header.authorization(token.generation);
            }
            // Somebody has asked while this waited, and was refused: it would be refused too.
            if let Some(failed) = &standing.failed
                && standing.fetches > seen
            {
                return Err(Failed(Arc::clone(failed)).into());
            }
        }
        let token = shared.fetch(&mut exchange).await?;
        token.header.authorization(token.generation)
    }

    /// Fetches the next token while this one goes on, unless somebody does already.
    fn renew_beside(&self) {
        let tokens = self.clone();
        tokio::spawn(async move {
            let shared = &tokens.0;
            let Ok(mut exchange) = shared.fetching.try_lock() else {
                return;
            };
            let now = Instant::now();
            let is_due = |token: &Token| token.is_due(now);
            if !shared.standing().token.as_ref().is_some_and(is_due) {
                return;
            }
            if let Err(error) = shared.fetch(&mut exchange).await {
                let error = crate::capture::error_chain(&error);
                tracing::warn!("the access token could not be renewed yet: {error}");
                if let Some(life) = shared.standing().life() {
                    life.renew_at = Instant::now() + RENEWAL_PAUSE;
                }
            }
        });
    }
}

impl Shared {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        // What is behind it is whole at any time.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, exchange: &mut Exchange) -> Result<Token, Failed> {
        let asked_at = Instant::now();
        let fetched = exchange.send(&self.client).await;
        let mut standing = self.standing();
        standing.fetches += 1;
        match fetched {
            Ok(fetched) => {
                if let Some(next) = &fetched.refresh_token {
                    exchange.replace_refresh_token(next);
                }
                let token = self.token(&fetched, standing.fetches, asked_at);
                standing.token = Some(token.clone());
                standing.failed = None;
                Ok(token)
            }
            Err(error) => {
                let error = Arc::new(error);
                standing.failed = Some(Arc::clone(&error));
                Err(Failed(error))
            }
        }
    }

    fn token(&self, fetched: &Fetched, generation: u64, asked_at: Instant) -> Token {
        let life = fetched.lives.map(|lives| Life {
            renew_at: asked_at + lives.mul_f64(RENEWED_AFTER),
            expires_at: asked_at + lives,
        });
        Token {
            header: Header::new(&self.name, &self.prefix, &fetched.access_token),
            generation,
            life,
        }
    }
}

impl Standing {
    fn usable(&self, now: Instant) -> Option<Token> {
        let token = self.token.as_ref()?;
        let is_alive = token.life.is_none_or(|life| now < life.expires_at);
        is_alive.then(|| token.clone())
    }

    fn life(&mut self) -> Option<&mut Life> {
        self.token.as_mut()?.life.as_mut()
    }
}

impl Token {
    fn is_due(&self, now: Instant) -> bool {
        self.life.is_some_and(|life| now >= life.renew_at)
    }
}

impl Credentials for Tokens {
    fn authorization(&self) -> BoxFuture<'_, Result<Authorization, BoxError>> {
        Box::pin(self.current())
    }

    fn refused(&self, authorization: &Authorization) -> bool {
        let mut standing = self.0.standing();
        let is_current = |token: &Token| token.generation == authorization.generation;
        // If it is not, another has been fetched since it was sent.
        if standing.token.as_ref().is_some_and(is_current) {
            standing.token = None;
        }
        true
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}
