//! A provider of tokens, the source that takes them and the service that seals configs, all on one address.
//!
//! It keeps to the rules of OAuth2, judges what it is asked by them, and breaks them as a test says. What happened is kept.

mod account;
mod asked;
mod house;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use staunch::auth::{Exchange, Secret};
use staunch::http::{Client, Retry};

pub use account::Account;
pub use house::{Given, House, RECORDS};

use crate::faults::{Answer, Asked, Fault, FaultServer};

/// What all secrets here begin with.
pub const SECRET: &str = "hunter2";

/// The application. It has all characters that have to be written otherwise somewhere.
pub const CLIENT_ID: &str = "hunter2 client:+%";
/// Its secret.
pub const CLIENT_SECRET: &str = "hunter2&secret=\"ü\"";
/// A user.
pub const USERNAME: &str = "hunter2@example.com";
/// Their password, which is shorter than most.
pub const PASSWORD: &str = "hunter2:";
/// The refresh token that there is at first.
pub const REFRESH_TOKEN: &str = "hunter2-refresh-0";
/// The code that somebody's browser was given.
pub const CODE: &str = "hunter2-code";
/// A token that somebody made.
pub const ACCESS_TOKEN: &str = "hunter2-made";
/// Where the browser came back.
pub const REDIRECT_URI: &str = "https://example.com/back?x=1";

/// By which rules tokens are given.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What becomes of a refresh token that is spent.
    pub refresh: Refresh,
    /// How an answer is written.
    pub style: Style,
    /// What is told of an access token's life; `null` for nothing.
    pub expires_in: Value,
    /// How many requests of the source an access token is good for, if not for all.
    pub uses: Option<u32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            refresh: Refresh::Stays,
            style: Style::Json,
            expires_in: 3600.into(),
            uses: None,
        }
    }
}

/// What becomes of a refresh token that is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// It stays, and the answer has none.
    Stays,
    /// Each is good once, and each answer has the next.
    Rotates,
    /// Each stays good, and each answer has another.
    Branches,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As JSON.
    Json,
    /// As JSON after a byte order mark, with more members than there should be.
    Adorned,
    /// As a form.
    Form,
    /// As a form that is said to be JSON.
    FormSaidToBeJson,
}

/// What is done with one exchange, in place of what the rules say.
pub enum Turn {
    /// Nothing is given, and this is answered.
    Instead(Box<dyn Fn(&Asked) -> Answer + Send + Sync>),
    /// What is to be given is given, and this is done to the answer.
    Spoilt(Fault),
}

impl Turn {
    /// Nothing is given, and this is answered.
    pub fn instead(answer: Answer) -> Self {
        Turn::Instead(Box::new(move |_| answer.clone()))
    }

    /// An error in the words of OAuth2.
    pub fn refusal(status: u16, error: &str) -> Self {
        let body = serde_json::json!({ "error": error });
        Self::instead(Answer::new(status, body.to_string()))
    }
}

/// A provider that runs until it is dropped.
pub struct Provider {
    server: FaultServer,
    house: Arc<Mutex<House>>,
}

impl Provider {
    /// A provider with these rules.
    pub async fn start(rules: Rules) -> Self {
        let house = Arc::new(Mutex::new(House::new(rules)));
        let server = FaultServer::start({
            let house = Arc::clone(&house);
            move |asked| lock(&house).answer(asked)
        });
        Self {
            server: server.await,
            house,
        }
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// Where tokens are given.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}/token", self.url())
    }

    /// What happened, and what happens next.
    pub fn house(&self) -> MutexGuard<'_, House> {
        lock(&self.house)
    }

    /// Does this with the next exchanges, one after the other.
    pub fn next(&self, turns: impl IntoIterator<Item = Turn>) {
        self.house().turns.extend(turns);
    }

    /// How often it was asked for a token, whatever became of it.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        self.asked("/token").len()
    }

    /// What was asked of one place.
    #[must_use]
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.server.log().into_iter().map(|served| served.asked);
        asked.filter(|asked| asked.path() == path).collect()
    }

    /// A client for the source, without credentials, that asks everything once.
    #[must_use]
    pub fn client(&self) -> Client {
        let client = Client::builder().base_url(self.url());
        client.retry(Retry::never()).build()
    }

    /// A refresh token for an access token.
    pub fn refresh(&self) -> Exchange {
        let [id, secret] = client();
        Exchange::refresh_token(self.token_url(), &id, &secret, &REFRESH_TOKEN.into())
    }
}

/// The application that the provider knows.
#[must_use]
pub fn client() -> [Secret; 2] {
    [CLIENT_ID.into(), CLIENT_SECRET.into()]
}

type Turns = VecDeque<Turn>;

fn lock(house: &Mutex<House>) -> MutexGuard<'_, House> {
    house.lock().unwrap_or_else(PoisonError::into_inner)
}
