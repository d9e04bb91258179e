//! Tokens that are fetched, and renewed before they expire.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::error::Failed;
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
/// One exchange serves all who wait for it, and so does its error; whoever comes later begins another. It goes on if those who wait go
/// away. From three quarters of its life on a token is renewed beside the requests that still go out with it, and one that the source
/// does not take is fetched anew once. A token whose life is not told is used until it is not taken.
///
/// A refresh token that is replaced is replaced for as long as the capture runs. One that must outlive it belongs to
/// [`RotatingOAuth2`](super::RotatingOAuth2).
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
}

struct Standing {
    exchange: Exchange,
    token: Option<Token>,
    /// Tokens that there have been so far.
    generation: u64,
    under_way: Option<UnderWay>,
}

/// An exchange that is under way. It has a task of its own: whoever waits for it may go away in the middle, and what it spends is lost
/// unless its answer is read.
type UnderWay = futures::future::Shared<BoxFuture<'static, Result<Token, Failed>>>;

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
            standing: Mutex::new(Standing {
                exchange,
                token: None,
                generation: 0,
                under_way: None,
            }),
        }))
    }

    async fn current(&self) -> Result<Authorization, BoxError> {
        let under_way = {
            let now = Instant::now();
            let mut standing = self.0.standing();
            match standing.usable(now).cloned() {
                Some(token) => {
                    if token.is_due(now) {
                        drop(self.exchange(&mut standing)); // It is for those who ask later.
                    }
                    return token.authorization();
                }
                None => self.exchange(&mut standing),
            }
        };
        under_way.await?.authorization()
    }

    /// The exchange that is under way, or one that is begun now.
    fn exchange(&self, standing: &mut Standing) -> UnderWay {
        if let Some(under_way) = &standing.under_way {
            return under_way.clone();
        }
        let (exchange, client) = (standing.exchange.clone(), self.0.client.clone());
        let tokens = Arc::downgrade(&self.0);
        // It ends when nobody has the tokens any more: then nobody waits for it either.
        let exchanging = AbortOnDropHandle::new(tokio::spawn(async move {
            let asked_at = Instant::now();
            let fetched = exchange.send(&client).await;
            Some(tokens.upgrade()?.settle(fetched, asked_at))
        }));
        let ended = async {
            let ended = exchanging.await;
            ended
                .expect("an exchange does not panic")
                .expect("whoever waits for tokens has them")
        };
        let under_way: BoxFuture<'static, _> = Box::pin(ended);
        let under_way = under_way.shared();
        standing.under_way = Some(under_way.clone());
        under_way
    }
}

impl Shared {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        // What is behind it is whole at any time.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with what came of an exchange.
    fn settle(
        &self,
        fetched: Result<Fetched, AuthError>,
        asked_at: Instant,
    ) -> Result<Token, Failed> {
        let mut standing = self.standing();
        standing.under_way = None;
        match fetched {
            Ok(fetched) => {
                if let Some(next) = &fetched.refresh_token {
                    standing.exchange.go_on_with(next);
                }
                standing.generation += 1;
                let token = self.token(&fetched, standing.generation, asked_at);
                standing.token = Some(token.clone());
                Ok(token)
            }
            Err(error) => {
                let now = Instant::now();
                if standing.usable(now).is_some()
                    && let Some(life) = standing.life()
                {
                    life.renew_at = now + RENEWAL_PAUSE;
                    let error = crate::capture::error_chain(&error);
                    tracing::warn!("the access token could not be renewed yet: {error}");
                }
                Err(Failed(Arc::new(error)))
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
    fn usable(&self, now: Instant) -> Option<&Token> {
        let token = self.token.as_ref()?;
        let is_alive = token.life.is_none_or(|life| now < life.expires_at);
        is_alive.then_some(token)
    }

    fn life(&mut self) -> Option<&mut Life> {
        self.token.as_mut()?.life.as_mut()
    }
}

impl Token {
    fn is_due(&self, now: Instant) -> bool {
        self.life.is_some_and(|life| now >= life.renew_at)
    }

    fn authorization(&self) -> Result<Authorization, BoxError> {
        self.header.authorization(self.generation)
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
