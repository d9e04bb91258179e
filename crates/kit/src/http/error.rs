//! What goes wrong between a question and its answer, without what may be a secret in either.

use std::time::Duration;
use std::{fmt, io};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;

use super::hidden::hide;
use super::response::{header, json, text};
use crate::capture::BoxError;
use crate::decode::TooLarge;

/// Characters of a refusal's body that an error shows.
const EXCERPT_CHARS: usize = 500;

/// A parameter, field or header that is shorter is no secret, and hiding it would garble what is around it.
pub(super) const SECRET_CHARS: usize = 8;

/// What was asked, to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The URL, without user, password, query and fragment.
    pub url: String,
}

impl Asked {
    pub(super) fn new(method: &Method, url: &Url) -> Self {
        Self {
            method: method.to_string(),
            url: bare(url),
        }
    }
}

#[cfg(feature = "auth")]
impl Asked {
    /// The same of a URL that may be none.
    pub(crate) fn of(method: &str, url: &str) -> Self {
        let url = Url::parse(url);
        Self {
            method: method.to_owned(),
            url: url.as_ref().map_or("no URL".to_owned(), bare),
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{} {}`", self.method, self.url)
    }
}

fn bare(url: &Url) -> String {
    let mut url = url.clone();
    // These fail for URLs without a host, which have no user either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// A question that got no answer to go on with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// It cannot be sent as it is.
    #[error(
        "a request cannot be sent: {problem}; correct it in the connector, or in the endpoint config"
    )]
    Malformed {
        /// What is wrong with it.
        problem: String,
    },
    /// This process cannot speak HTTP at all.
    #[error(
        "HTTP cannot be spoken here: {problem}; see that the system has certificates, and that its proxy settings are right"
    )]
    Client {
        /// Why not.
        problem: String,
    },
    /// There are no credentials to ask with.
    #[error("{asked} was not asked, as it could not be authorised")]
    Unauthorised {
        /// What was to be asked.
        asked: Asked,
        /// Why not.
        source: BoxError,
    },
    /// The server was not reached: it was asked nothing.
    #[error(
        "the server of {asked} was not reached; see that its address is right, and that it can be reached from here"
    )]
    Unreached {
        /// What was to be asked.
        asked: Asked,
        /// Why not.
        source: BoxError,
    },
    /// The server did not answer to the end.
    #[error("{asked} got no whole answer; see that the server can be reached, and try again")]
    Broken {
        /// What was asked.
        asked: Asked,
        /// Why.
        source: BoxError,
    },
    /// It took too long.
    #[error("{asked} got no whole answer in time; try again later, or ask for less at once")]
    Late {
        /// What was asked.
        asked: Asked,
    },
    /// The server refused: it answered with a status of 400 or above.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The answer is a refusal, whatever its status.
    #[error("{asked} was refused: {problem}")]
    Judged {
        /// What was asked.
        asked: Asked,
        /// What is wrong and what to do, as [`Verdict`](super::Verdict) said it.
        problem: String,
    },
    /// The server says that the answer is elsewhere, where this client does not go.
    #[error("{asked} is redirected to `{to}`, which is not followed: {problem}")]
    Redirected {
        /// What was asked.
        asked: Asked,
        /// The other URL, without user, password, query and fragment.
        to: String,
        /// Why not, and what to do.
        problem: String,
    },
    /// The body, or a line of it, is too large.
    #[error(
        "{asked} was answered with more than {max_bytes} bytes; ask for less at once, or stream the answer"
    )]
    TooLarge {
        /// What was asked.
        asked: Asked,
        /// The bound.
        max_bytes: u64,
    },
    /// The body is encoded in a way that cannot be undone here.
    #[error("{asked} was answered with an encoded body: {problem}")]
    Encoded {
        /// What was asked.
        asked: Asked,
        /// In which way, and what to do.
        problem: String,
    },
    /// The body is not the JSON that was looked for.
    #[error(
        "the answer to {asked} does not fit: {problem}; compare it with the documentation of the source"
    )]
    Json {
        /// What was asked.
        asked: Asked,
        /// Where, and what was expected.
        problem: String,
    },
    /// It was asked again and again.
    #[error("asked {tries} times in {} s, and given up", .elapsed.as_secs())]
    GivenUp {
        /// How often.
        tries: u32,
        /// For how long.
        elapsed: Duration,
        /// What went wrong the last time.
        source: Box<HttpError>,
    },
}

/// An answer with a status of 400 or above.
pub struct Refusal {
    pub(super) asked: Asked,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// How the body begins.
    pub(super) body: Vec<u8>,
    pub(super) excerpt: String,
}

impl Refusal {
    /// What was asked.
    #[must_use]
    pub fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The status code: 400 or above.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// A header of the answer, the first of its name; `None` also for one that is no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// How the body begins, as text that can be shown: at most 500 characters, without what the request had of secrets.
    #[must_use]
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }

    /// The body, read as JSON: its first 64 KiB. What it says may be a secret.
    ///
    /// # Errors
    /// [`HttpError::Json`], which says where it does not fit, and no value of it.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, HttpError> {
        json(&self.asked, &self.body)
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("asked", &self.asked)
            .field("status", &self.status)
            .field("excerpt", &self.excerpt)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            asked,
            status,
            excerpt,
            ..
        } = self;
        let remedy = remedy(*status);
        write!(f, "{asked} was answered with status {status}; {remedy}")?;
        match (self.header(CONTENT_TYPE.as_str()), excerpt.as_str()) {
            (_, "") => Ok(()),
            (None, excerpt) => write!(f, "; it says: {excerpt}"),
            (Some(content_type), excerpt) => {
                let content_type: String = content_type.chars().take(100).collect();
                write!(f, "; it says (`{content_type}`): {excerpt}")
            }
        }
    }
}

impl std::error::Error for Refusal {}

impl HttpError {
    /// The answer with which the server refused, if it did.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            HttpError::Refused(refusal) => Some(refusal),
            HttpError::GivenUp { source, .. } => source.refusal(),
            _ => None,
        }
    }

    /// The status code of a refusal: 400 or above.
    ///
    /// ```
    /// use staunch::http::{Client, HttpError, Response};
    ///
    /// # async fn order(client: &Client) -> Result<Option<Response>, HttpError> {
    /// match client.get("orders/17").send().await {
    ///     Err(error) if error.status() == Some(404) => Ok(None), // Deleted in between.
    ///     answer => answer.map(Some),
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(Refusal::status)
    }

    /// The error that a reader of a [`Body`](super::Body) came to, if it is one of HTTP.
    #[must_use]
    pub fn of_read(error: &io::Error) -> Option<&HttpError> {
        error.get_ref()?.downcast_ref()
    }

    pub(super) fn malformed(problem: impl Into<String>) -> Self {
        HttpError::Malformed {
            problem: problem.into(),
        }
    }

    pub(super) fn failed(asked: Asked, error: reqwest::Error) -> Self {
        let (is_connect, is_timeout) = (error.is_connect(), error.is_timeout());
        let source = error.without_url().into();
        match (is_connect, is_timeout) {
            (true, _) => HttpError::Unreached { asked, source },
            (false, true) => HttpError::Late { asked },
            (false, false) => HttpError::Broken { asked, source },
        }
    }

    /// What reading a body came to.
    pub(super) fn reading(asked: &Asked, error: io::Error) -> Self {
        let asked = asked.clone();
        match error.downcast::<HttpError>() {
            Ok(error) => error,
            Err(error) => match error.downcast::<TooLarge>() {
                Ok(TooLarge(max_bytes)) => HttpError::TooLarge { asked, max_bytes },
                Err(error) => HttpError::Broken {
                    asked,
                    source: error.into(),
                },
            },
        }
    }

    /// As an error of reading, in which [`of_read`](Self::of_read) finds it.
    pub(super) fn into_read(self) -> io::Error {
        let kind = match self {
            HttpError::Late { .. } => io::ErrorKind::TimedOut,
            HttpError::Broken { .. } => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self)
    }

    pub(super) fn redirected(
        asked: Asked,
        from: &Url,
        to: Option<&HeaderValue>,
        problem: &str,
    ) -> Self {
        let to = to.and_then(|to| from.join(to.to_str().ok()?).ok());
        let to = to
            .as_ref()
            .map_or("an address that is none".to_owned(), bare);
        let problem = problem.to_owned();
        HttpError::Redirected { asked, to, problem }
    }
}

fn remedy(status: u16) -> &'static str {
    match status {
        401 | 403 => "check the credentials in the endpoint config, and what they may see",
        404 | 410 => "check that it is still there, and that the credentials may see it",
        408 | 429 | 500.. => "try again later",
        _ => "look up what the source expects of this request",
    }
}

/// What a request had that may be a secret. Servers like to repeat in a refusal what they refuse.
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    /// What may be one, and those that surely are.
    pub(super) fn of(url: &Url, headers: &HeaderMap, known: Vec<String>) -> Self {
        let of_query = url.query_pairs().map(|(_, value)| value.into_owned());
        let as_written = url.query().unwrap_or_default().split('&');
        let as_written = as_written.filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()));
        let user = [url.username(), url.password().unwrap_or_default()].map(str::to_owned);
        let values = headers.values().filter(|value| value.is_sensitive());
        let values = values.filter_map(|value| value.to_str().ok());
        // Whole, and without the word before it: `Bearer …`.
        let values =
            values.flat_map(|value| [value, value.split(' ').next_back().unwrap_or(value)]);
        let possible = of_query
            .chain(as_written)
            .chain(user)
            .chain(values.map(str::to_owned));
        let possible = possible.filter(|secret| secret.chars().count() >= SECRET_CHARS);
        Self(possible.chain(known).collect())
    }

    /// How a body begins, as text.
    pub(super) fn excerpt(&self, content_type: &str, body: &[u8]) -> String {
        let text = text(content_type, body);
        let text = hide(&text, self.0.iter().map(String::as_str));
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        text.trim()
            .chars()
            .map(printable)
            .take(EXCERPT_CHARS)
            .collect()
    }
}
