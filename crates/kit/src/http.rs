//! An HTTP client for a migration that must ask the source something first, and for tokens that are rotated.
//!
//! Small on purpose: one request, one whole answer, no retries, no rate limits and no knowledge of a way to log in. A migration gets
//! it from [`Migrating::http`](crate::Migrating::http), the rotation of tokens from [`Rotating::http`](crate::Rotating::http), and
//! nobody else gets one: where the source may not be asked there is no client.
//!
//! Every wait and every buffer has a bound. Encoded answers are not asked for, since an encoded body that is cut short may look
//! whole. Redirects are followed on the same host only: another one has no business with the credentials of this one.
//!
//! ```
//! use staunch::state::{Chain, transform};
//! use staunch::{BoxError, Migrating, Migration};
//!
//! struct Config {
//!     token: String,
//! }
//!
//! /// The account became a part of the state, and only the source knows which one it is.
//! async fn migrate_state(migrating: &Migrating<'_, Config>) -> Result<Migration, BoxError> {
//!     let states = migrating.state.pointer("/bindingStateV1").and_then(|states| states.as_object());
//!     let is_flat = states.is_some_and(|states| states.iter().any(|(_, state)| state.pointer("/inc/cursor").is_some()));
//!     if !is_flat {
//!         return Ok(Migration::Unchanged); // It is asked once, not at each opening.
//!     }
//!     let account = migrating.http()?.get("https://api.example.com/account").bearer(&migrating.config.token);
//!     let id: String = account.send().await?.json()?;
//!     Ok(migrating.run(&Chain::new().with(transform::flat_to_keyed(id)))?)
//! }
//! ```

mod credentials;
mod error;
mod limit;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, LOCATION,
};
use reqwest::redirect::{Action, Attempt, Policy};
use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config;
pub use credentials::{Authorization, BoxFuture, Credentials};
use error::Secrets;
pub use error::{Asked, HttpError};
pub use limit::{Budget, Hints, Limiter, MAX_PAUSE, Outcome, Permit, Quota};

/// Bytes that an answer's body may have.
pub const MAX_BODY_BYTES: usize = 64 << 20;

/// How long it may take to reach a server.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request may take, from reaching the server to the last byte of its answer, redirects included.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How many redirects are followed, one after the other.
const MAX_REDIRECTS: usize = 10;

/// Bytes of a refusal's body that are read.
const REFUSAL_BYTES: usize = 8 << 10;

/// Asks a source over HTTP. Clones share their connections.
///
/// Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY` and so on), certificates are checked against those of the system.
#[derive(Clone, Default)]
pub struct Client {
    /// Made when it is first needed: most captures are opened without a question.
    connections: Arc<OnceLock<Result<reqwest::Client, String>>>,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A `GET` of this absolute `http` or `https` URL.
    pub fn get(&self, url: impl AsRef<str>) -> Request {
        Request::new(self, Method::GET, url.as_ref())
    }

    /// A `POST` to this absolute `http` or `https` URL.
    pub fn post(&self, url: impl AsRef<str>) -> Request {
        Request::new(self, Method::POST, url.as_ref())
    }

    fn connections(&self) -> Result<&reqwest::Client, HttpError> {
        let made = self.connections.get_or_init(|| {
            use_provider();
            let client = reqwest::Client::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(REQUEST_TIMEOUT)
                .redirect(Policy::custom(follow))
                .referer(false) // It would hand the query on, in which there may be a secret.
                .user_agent(concat!("staunch/", env!("CARGO_PKG_VERSION")));
            client
                .build()
                .map_err(|error| crate::capture::error_chain(&error))
        });
        made.as_ref().map_err(|problem| HttpError::Client {
            problem: problem.clone(),
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client") // A proxy's address may hold a password.
    }
}

/// Says by whom TLS is spoken, unless somebody has said it: two providers in one program make it fail at its first handshake.
pub(crate) fn use_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Follows on the same host, and from `http` to `https` there.
fn follow(attempt: Attempt<'_>) -> Action {
    let Some(from) = attempt.previous().last() else {
        return attempt.stop();
    };
    let to = attempt.url();
    let is_upgrade = from.scheme() == "http"
        && to.scheme() == "https"
        && from.host() == to.host()
        && from.port().is_none()
        && to.port().is_none();
    if attempt.previous().len() <= MAX_REDIRECTS && (is_upgrade || from.origin() == to.origin()) {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// A question that is being put together. What is wrong with it is said when it is [sent](Self::send).
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    client: Client,
    draft: Result<Draft, HttpError>,
}

struct Draft {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Vec<u8>,
    /// What of the body is no text to be shown, should the answer repeat it.
    secrets: Vec<String>,
}

impl Request {
    fn new(client: &Client, method: Method, url: &str) -> Self {
        let draft = match Url::parse(url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Draft {
                method,
                url,
                headers: HeaderMap::from_iter([(
                    ACCEPT_ENCODING,
                    HeaderValue::from_static("identity"),
                )]),
                body: Vec::new(),
                secrets: Vec::new(),
            }),
            // The URL itself is not shown: where it is malformed, so is what would be left out of it.
            Ok(_) => Err(HttpError::malformed(
                "the URL is neither `http` nor `https`",
            )),
            Err(error) => Err(HttpError::malformed(format!("the URL is none: {error}"))),
        };
        Self {
            client: client.clone(),
            draft,
        }
    }

    /// Adds a parameter to the query.
    pub fn query(self, name: &str, value: impl fmt::Display) -> Self {
        self.change(|draft| {
            draft
                .url
                .query_pairs_mut()
                .append_pair(name, &value.to_string());
            Ok(())
        })
    }

    /// Sets a header.
    pub fn header(self, name: &str, value: impl AsRef<str>) -> Self {
        self.change(|draft| draft.set_header(name, value.as_ref()))
    }

    /// Sets the header `authorization` to this bearer token.
    pub fn bearer(self, token: impl AsRef<str>) -> Self {
        self.header(AUTHORIZATION.as_str(), format!("Bearer {}", token.as_ref()))
    }

    /// Sets the body, and the header `content-type` unless it is set.
    pub fn json(self, body: &impl Serialize) -> Self {
        self.change(|draft| {
            draft.body = serde_json::to_vec(body)
                .map_err(|_| HttpError::malformed("the body cannot be written as JSON"))?;
            let json = HeaderValue::from_static("application/json");
            draft.headers.entry(CONTENT_TYPE).or_insert(json);
            Ok(())
        })
    }

    /// Sets the body to a form of these fields, in this order, and the header `content-type` unless it is set. What they hold is
    /// not repeated in an error.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        self.change(|draft| {
            // A query is written as a form is.
            let mut form = Url::parse("form:").expect("it is a URL");
            form.query_pairs_mut().extend_pairs(fields);
            draft.body = form.query().unwrap_or_default().as_bytes().to_vec();
            draft.secrets = fields
                .iter()
                .map(|(_, value)| (*value).to_owned())
                .collect();
            let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
            draft.headers.entry(CONTENT_TYPE).or_insert(content_type);
            Ok(())
        })
    }

    fn change(mut self, change: impl FnOnce(&mut Draft) -> Result<(), HttpError>) -> Self {
        if let Ok(draft) = &mut self.draft
            && let Err(error) = change(draft)
        {
            self.draft = Err(error);
        }
        self
    }

    /// Sends it, and reads the whole answer.
    ///
    /// # Errors
    /// [`HttpError`] for an answer of 400 or above, for one that does not come whole, and for a request that cannot be sent.
    pub async fn send(self) -> Result<Response, HttpError> {
        let Draft {
            method,
            url,
            headers,
            body,
            secrets,
        } = self.draft?;
        let secrets = Secrets::of(&url, &headers, secrets);
        let asked = Asked::new(&method, &url);
        let request = self
            .client
            .connections()?
            .request(method.clone(), url)
            .headers(headers)
            .body(body);
        let answer = request
            .send()
            .await
            .map_err(|error| HttpError::failed(asked, error))?;
        let asked = Asked::new(&method, answer.url()); // Where redirects have led to.
        let status = answer.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(refusal(asked, answer, &secrets).await);
        }
        if status.is_redirection()
            && let Some(to) = answer.headers().get(LOCATION)
        {
            return Err(HttpError::redirected(asked, answer.url(), to));
        }
        let encoding = answer.headers().get(CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding != "identity") {
            return Err(HttpError::Encoded { asked });
        }
        whole(asked, answer).await
    }
}

/// The method, the URL without what may be a secret, and the names of the headers.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.draft {
            Ok(draft) => f
                .debug_struct("Request")
                .field("asked", &Asked::new(&draft.method, &draft.url))
                .field("headers", &draft.headers.keys().collect::<Vec<_>>())
                .field("body_bytes", &draft.body.len())
                .finish(),
            Err(error) => f.debug_tuple("Request").field(error).finish(),
        }
    }
}

impl Draft {
    fn set_header(&mut self, name: &str, value: &str) -> Result<(), HttpError> {
        let name: HeaderName = name
            .parse()
            .map_err(|_| HttpError::malformed("a header has a name that no header can have"))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            HttpError::malformed(format!(
                "header `{name}` has a value that no header can have"
            ))
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }
}

/// What a server refuses with. How much it says of why is up to it, so the reading of that may fail.
async fn refusal(asked: Asked, mut answer: reqwest::Response, secrets: &Secrets) -> HttpError {
    let content_type = header(answer.headers(), CONTENT_TYPE.as_str())
        .unwrap_or_default()
        .to_owned();
    let mut body = Vec::new();
    while body.len() < REFUSAL_BYTES {
        let Ok(Some(chunk)) = answer.chunk().await else {
            break;
        };
        body.extend_from_slice(&chunk);
    }
    body.truncate(REFUSAL_BYTES);
    HttpError::Status {
        asked,
        status: answer.status().as_u16(),
        content_type,
        excerpt: secrets.excerpt(&body),
    }
}

async fn whole(asked: Asked, mut answer: reqwest::Response) -> Result<Response, HttpError> {
    let announced = answer.content_length().unwrap_or(0);
    if announced > MAX_BODY_BYTES as u64 {
        return Err(HttpError::TooLarge { asked });
    }
    let mut body = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_BODY_BYTES => {
                return Err(HttpError::TooLarge { asked });
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return Err(HttpError::failed(asked, error)),
        }
    }
    Ok(Response {
        asked,
        status: answer.status().as_u16(),
        headers: std::mem::take(answer.headers_mut()),
        body,
    })
}

/// An answer below 400, whole as far as HTTP can tell: where neither a length nor chunks end it, its format must.
pub struct Response {
    asked: Asked,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Response {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header, the first of its name; `None` also for one that is no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// The body.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// [`HttpError::Json`], which says where it does not fit, and no value of it.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, HttpError> {
        serde_json::from_slice(&self.body).map_err(|error| HttpError::Json {
            asked: self.asked.clone(),
            problem: config::without_values(&error),
        })
    }
}

/// The question, the status and the size: a header's value may be a secret, and the body anything.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("asked", &self.asked)
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests;
