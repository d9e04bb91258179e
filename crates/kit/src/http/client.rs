//! A client, and what is settled for all that it asks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue, InvalidHeaderName, USER_AGENT,
};
use reqwest::{Method, Url};

use super::connections::Connections;
use super::{
    Credentials, Hints, HttpError, Limiter, MAX_BODY_BYTES, Request, Response, Retry, Verdict,
};

/// What is said of whom asks, unless the client is told to say something else.
const DEFAULT_USER_AGENT: &str = concat!("staunch/", env!("CARGO_PKG_VERSION"));

/// The codings that can be undone, best first.
const ENCODINGS: HeaderValue = HeaderValue::from_static("zstd, br, gzip, deflate");

/// How long may be waited for what.
///
/// ```
/// use std::time::Duration;
/// use staunch::http::Timeouts;
///
/// let slow_reports = Timeouts { first_byte: Duration::from_secs(300), ..Timeouts::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a server is reached. It belongs to the connections: that of a [scoped](Client::scoped) client has no effect. 10 s.
    pub connect: Duration,
    /// Until the head of an answer has arrived, with the time that it takes to reach the server. 60 s.
    pub first_byte: Duration,
    /// Between two pieces of the body. 60 s.
    pub idle: Duration,
    /// For one try, all included, of an answer that is not streamed. 5 min.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(300),
        }
    }
}

/// Asks sources over HTTP. Clones are the same client; those that are [scoped](Self::scoped) share its connections.
#[derive(Clone)]
pub struct Client {
    pub(super) connections: Arc<Connections>,
    pub(super) settings: Arc<Settings>,
}

/// A hook that says what an answer is.
pub(super) type Judge = Arc<dyn Fn(&Response) -> Verdict + Send + Sync>;

/// A hook that reads what an answer says of the server's limits.
pub(super) type HintsOf = Arc<dyn Fn(&Response) -> Hints + Send + Sync>;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) base_url: Option<Url>,
    pub(super) headers: HeaderMap,
    pub(super) credentials: Option<Arc<dyn Credentials>>,
    pub(super) limiter: Limiter,
    pub(super) retry: Retry,
    pub(super) timeouts: Timeouts,
    pub(super) max_body_bytes: u64,
    pub(super) judge: Option<Judge>,
    pub(super) hints: Option<HintsOf>,
    /// What is wrong with the above: said when something is asked.
    pub(super) problem: Option<String>,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A client with connections of its own, and with the defaults of [`ClientBuilder`].
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// What a capture asks with while it is opened: somebody waits for that.
    pub(crate) fn of_opening() -> Self {
        let retry = Retry::default().within(Duration::from_secs(30));
        Self::builder().retry(retry).build()
    }

    /// Begins a client with connections of its own.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            connections: None,
            settings: Settings::default(),
        }
    }

    /// Begins a client that shares the connections of this one. It begins with all that this one is set to, but for the limiter, which
    /// is a new one: another account has limits of its own.
    ///
    /// ```
    /// use staunch::http::Client;
    ///
    /// let client = Client::new();
    /// let stores: Vec<Client> = ["tea", "coffee"]
    ///     .iter()
    ///     .map(|store| client.scoped().base_url(format!("https://{store}.example.com/api")).build())
    ///     .collect();
    /// ```
    pub fn scoped(&self) -> ClientBuilder {
        ClientBuilder {
            connections: Some(Arc::clone(&self.connections)),
            settings: Settings {
                limiter: Limiter::default(),
                ..Settings::clone(&self.settings)
            },
        }
    }

    /// Begins a client that shares the connections and the patience of this one, and nothing else of it.
    #[cfg(feature = "auth")]
    pub(crate) fn bare(&self) -> ClientBuilder {
        let Settings {
            retry, timeouts, ..
        } = *self.settings;
        ClientBuilder {
            connections: Some(Arc::clone(&self.connections)),
            settings: Settings {
                retry,
                timeouts,
                ..Settings::default()
            },
        }
    }

    /// A request. The URL is absolute, or relative to the [base URL](ClientBuilder::base_url).
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> Request {
        Request::new(self, method, url.as_ref())
    }

    /// A `GET` of this URL.
    pub fn get(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::GET, url)
    }

    /// A `HEAD` of this URL.
    pub fn head(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::HEAD, url)
    }

    /// A `POST` to this URL. Say [`Request::as_read`] of one that only reads.
    pub fn post(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::POST, url)
    }

    /// A `PUT` to this URL.
    pub fn put(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::PUT, url)
    }

    /// A `PATCH` of this URL.
    pub fn patch(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::PATCH, url)
    }

    /// A `DELETE` of this URL.
    pub fn delete(&self, url: impl AsRef<str>) -> Request {
        self.request(Method::DELETE, url)
    }

    /// How fast it asks.
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.settings.limiter
    }
}

/// What may be said without a secret: a proxy's address may hold a password, and a header anything.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.show(f, "Client")
    }
}

/// Puts a [`Client`] together. What is wrong with it is said when something is asked.
#[derive(Clone)]
#[must_use = "a client is built with `build`"]
pub struct ClientBuilder {
    connections: Option<Arc<Connections>>,
    settings: Settings,
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.show(f, "ClientBuilder")
    }
}

impl ClientBuilder {
    /// Asks relative to this absolute `http` or `https` URL, which counts as a folder: with the base `https://a.example/v2`,
    /// `orders` is `https://a.example/v2/orders`, and `/orders` is `https://a.example/orders`.
    pub fn base_url(mut self, url: impl AsRef<str>) -> Self {
        match Url::parse(url.as_ref()) {
            Ok(mut url) if matches!(url.scheme(), "http" | "https") => {
                if !url.path().ends_with('/') {
                    url.set_path(&format!("{}/", url.path()));
                }
                self.settings.base_url = Some(url);
                self
            }
            Ok(_) => self.wrong("the base URL is neither `http` nor `https`"),
            Err(error) => self.wrong(format!("the base URL is none: {error}")),
        }
    }

    /// Sends a header with each request that has none of its name.
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        match header(name, value.as_ref()) {
            Ok((name, value)) => {
                self.settings.headers.insert(name, value);
                self
            }
            Err(problem) => self.wrong(problem),
        }
    }

    /// Says who asks: the header `user-agent`. Without it that is the kit, with its version.
    pub fn user_agent(self, name: impl AsRef<str>) -> Self {
        self.header(USER_AGENT.as_str(), name)
    }

    /// Authorises each request with these.
    pub fn credentials(mut self, credentials: impl Credentials) -> Self {
        self.settings.credentials = Some(Arc::new(credentials));
        self
    }

    /// Asks as fast as this limiter lets it, instead of one of its own. Clients of one account share one.
    pub fn limiter(mut self, limiter: Limiter) -> Self {
        self.settings.limiter = limiter;
        self
    }

    /// When something is asked again.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.settings.retry = retry;
        self
    }

    /// How long may be waited.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.settings.timeouts = timeouts;
        self
    }

    /// Bytes that the body of an answer may have, before and after it is decoded; [`MAX_BODY_BYTES`] if it is not said. A
    /// [streamed](Request::stream) body may have any number.
    pub fn max_body_bytes(mut self, bytes: u64) -> Self {
        self.settings.max_body_bytes = bytes;
        self
    }

    /// Says what an answer is, where its status does not: an error with status 200, a failure that passes, a refusal that is none.
    /// It sees each whole answer, whatever its status; of a streamed one with a status below 400 the head, with an empty body.
    ///
    /// ```
    /// use staunch::http::{Client, Verdict};
    ///
    /// // A GraphQL server that throttles says so in its answer, with status 200.
    /// let client = Client::builder()
    ///     .judge(|answer| match answer.json::<serde_json::Value>() {
    ///         Ok(body) if body["errors"][0]["extensions"]["code"] == "THROTTLED" => Verdict::Throttled,
    ///         _ => Verdict::AsUsual,
    ///     })
    ///     .build();
    /// ```
    pub fn judge(mut self, judge: impl Fn(&Response) -> Verdict + Send + Sync + 'static) -> Self {
        self.settings.judge = Some(Arc::new(judge));
        self
    }

    /// Reads what an answer says of the server's limits, besides what its headers say: a budget that it tells in its body.
    pub fn hints(mut self, hints: impl Fn(&Response) -> Hints + Send + Sync + 'static) -> Self {
        self.settings.hints = Some(Arc::new(hints));
        self
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> Client {
        let timeout = self.settings.timeouts.connect;
        Client {
            connections: self
                .connections
                .unwrap_or_else(|| Arc::new(Connections::new(timeout))),
            settings: Arc::new(self.settings),
        }
    }

    fn wrong(mut self, problem: impl Into<String>) -> Self {
        self.settings.problem.get_or_insert(problem.into());
        self
    }
}

impl Default for Settings {
    fn default() -> Self {
        let agent = HeaderValue::from_static(DEFAULT_USER_AGENT);
        Self {
            base_url: None,
            headers: HeaderMap::from_iter([(ACCEPT_ENCODING, ENCODINGS), (USER_AGENT, agent)]),
            credentials: None,
            limiter: Limiter::default(),
            retry: Retry::default(),
            timeouts: Timeouts::default(),
            max_body_bytes: MAX_BODY_BYTES,
            judge: None,
            hints: None,
            problem: None,
        }
    }
}

impl Settings {
    fn show(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        let host = self.base_url.as_ref().and_then(Url::host_str);
        f.debug_struct(name)
            .field("host", &host)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("retry", &self.retry)
            .field("timeouts", &self.timeouts)
            .field("max_body_bytes", &self.max_body_bytes)
            .finish_non_exhaustive()
    }

    /// The absolute URL that a request names.
    pub(super) fn resolve(&self, url: &str) -> Result<Url, HttpError> {
        if let Some(problem) = &self.problem {
            return Err(HttpError::malformed(problem.clone()));
        }
        let parsed = match &self.base_url {
            Some(base) => base.join(url),
            None => Url::parse(url),
        };
        // The URL itself is not shown: where it is malformed, so is what would be left out of it.
        match parsed {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
            Ok(_) => Err(HttpError::malformed(
                "the URL is neither `http` nor `https`",
            )),
            Err(error) => Err(HttpError::malformed(format!("the URL is none: {error}"))),
        }
    }

    /// What an answer is, as the author sees it.
    pub(super) fn judge(&self, response: &Response) -> Verdict {
        let judge = self.judge.as_ref();
        judge.map_or(Verdict::AsUsual, |judge| judge(response))
    }

    /// Whether credentials and headers of the client are meant for this address.
    pub(super) fn is_home(&self, url: &Url) -> bool {
        let base = self.base_url.as_ref();
        base.is_none_or(|base| base.origin() == url.origin())
    }
}

/// A header that is not shown.
pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name = name
        .parse()
        .map_err(|_: InvalidHeaderName| "a header has a name that no header can have")?;
    let mut value = HeaderValue::from_str(value)
        .map_err(|_| format!("header `{name}` has a value that no header can have"))?;
    value.set_sensitive(true);
    Ok((name, value))
}
