//! What goes wrong between a question and its answer, without what may be a secret in either.

use std::fmt;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Url};

use crate::capture::BoxError;

use super::MAX_BODY_BYTES;

/// Characters of a refusal's body that an error shows.
const EXCERPT_CHARS: usize = 500;

/// A text shorter than this is no secret, and hiding it would garble what is around it.
const SECRET_CHARS: usize = 8;

/// What stands in an excerpt for something that the request had.
const HIDDEN: &str = "[hidden]";

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
    /// The server was not reached, or did not answer to the end.
    #[error("{asked} got no whole answer; see that the server can be reached, and try again")]
    Broken {
        /// What was asked.
        asked: Asked,
        /// Why.
        source: BoxError,
    },
    /// It took too long.
    #[error("{asked} got no whole answer in time; try again later")]
    Late {
        /// What was asked.
        asked: Asked,
    },
    /// The server refused.
    #[error("{asked} was answered with status {status}; {}{}", remedy(*.status), Says(.content_type, .excerpt))]
    Status {
        /// What was asked.
        asked: Asked,
        /// The status code: 400 or above.
        status: u16,
        /// The header `content-type`, empty if there is none.
        content_type: String,
        /// How the body begins: at most 500 characters, without what the request had of secrets.
        excerpt: String,
    },
    /// The server says that the answer is elsewhere, where this client does not go.
    #[error(
        "{asked} is redirected to `{to}`, which is not followed: it is another host, or one redirect too many; ask that address if it is to be trusted"
    )]
    Redirected {
        /// What was asked.
        asked: Asked,
        /// The other URL, without user, password, query and fragment.
        to: String,
    },
    /// The body is too large.
    #[error("{asked} was answered with more than {} MiB; ask for less at once", MAX_BODY_BYTES >> 20)]
    TooLarge {
        /// What was asked.
        asked: Asked,
    },
    /// The body is compressed, or encoded in another way.
    #[error(
        "{asked} was answered with an encoded body, which was not asked for; ask a server that can send it as it is"
    )]
    Encoded {
        /// What was asked.
        asked: Asked,
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
}

impl HttpError {
    pub(super) fn malformed(problem: impl Into<String>) -> Self {
        HttpError::Malformed {
            problem: problem.into(),
        }
    }

    pub(super) fn failed(asked: Asked, error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return HttpError::Late { asked };
        }
        let source = error.without_url().into();
        HttpError::Broken { asked, source }
    }

    pub(super) fn redirected(asked: Asked, from: &Url, to: &HeaderValue) -> Self {
        let to = to.to_str().ok().and_then(|to| from.join(to).ok());
        let to = to
            .as_ref()
            .map_or("an address that is none".to_owned(), bare);
        HttpError::Redirected { asked, to }
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

/// What the server says of it, if anything.
struct Says<'a>(&'a str, &'a str);

impl fmt::Display for Says<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (_, "") => Ok(()),
            ("", excerpt) => write!(f, "; it says: {excerpt}"),
            (content_type, excerpt) => write!(f, "; it says (`{content_type}`): {excerpt}"),
        }
    }
}

/// What a request had that may be a secret. Servers like to repeat in a refusal what they refuse.
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    pub(super) fn of(url: &Url, headers: &HeaderMap, of_body: Vec<String>) -> Self {
        let decoded = url.query_pairs().map(|(_, value)| value.into_owned());
        let encoded = url.query().unwrap_or_default().split('&');
        let encoded = encoded.filter_map(|pair| Some(pair.split_once('=')?.1.to_owned()));
        let user = [url.username(), url.password().unwrap_or_default()].map(str::to_owned);
        let values = headers.values().filter(|value| value.is_sensitive());
        let values = values.filter_map(|value| value.to_str().ok());
        // Whole, and without the word before it: `Bearer …`.
        let values =
            values.flat_map(|value| [value, value.split(' ').next_back().unwrap_or(value)]);
        let mut secrets: Vec<String> = decoded
            .chain(encoded)
            .chain(user)
            .chain(values.map(str::to_owned))
            .chain(of_body)
            .filter(|secret| secret.chars().count() >= SECRET_CHARS)
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len())); // One may be a part of another.
        Self(secrets)
    }

    /// How a body begins, as text.
    pub(super) fn excerpt(&self, body: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(body).into_owned();
        for secret in &self.0 {
            text = text.replace(secret, HIDDEN);
        }
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        text.trim()
            .chars()
            .map(printable)
            .take(EXCERPT_CHARS)
            .collect()
    }
}
