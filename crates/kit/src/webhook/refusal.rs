//! Why a request is not taken, and how its sender is told.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response, StatusCode, Version};

use super::room;
use super::rules::Unrouted;

/// What a request is answered with.
pub(super) type Answer = Response<Full<Bytes>>;

/// Seconds after which a request that found no room may be sent again: requests come and go in less.
const RETRY_FULL: u32 = 1;

/// Seconds after which a request may be sent again that came while the capture stopped: another one is started in this time, or soon
/// after.
const RETRY_STOPPING: u32 = 10;

/// Why a request is not taken. Nothing of it is captured, but where it says otherwise.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    BadBody(String),
    #[error("{0}")]
    Unverified(String),
    #[error(
        "no endpoint has this path, or none with these headers; see `/` for those that there are"
    )]
    NoSuchPath,
    #[error("{0}")]
    NoRoute(String),
    #[error("this method is not allowed here; post documents, or get `/` to see where to")]
    Method { allowed: String },
    #[error("the body arrived too slowly, and was not waited for any longer")]
    TooSlow,
    #[error("the body has more than {0} bytes; send fewer documents at a time")]
    TooLarge(u64),
    #[error("the documents with their `_meta` come to more than {0} bytes; send fewer at a time")]
    TooMuch(u64),
    #[error("one of the documents with its `_meta` is longer than can be captured")]
    DocumentTooLong,
    #[error("{0}")]
    Coding(String),
    /// The connection broke. Nobody hears this.
    #[error("the body did not arrive whole")]
    Broken,
    #[error("too much is waiting to be captured; send the request again a little later")]
    Full,
    #[error("the capture is stopping; send the request again a little later")]
    Stopping,
    /// They may be captured.
    #[error(
        "it is not known whether the documents are captured; send the request again a little later"
    )]
    Unacknowledged,
    #[error("the documents cannot be kept; send the request again a little later")]
    Failed,
}

impl From<room::Full> for Refusal {
    fn from(_: room::Full) -> Self {
        Refusal::Full
    }
}

impl From<Unrouted> for Refusal {
    fn from(unrouted: Unrouted) -> Self {
        match unrouted {
            Unrouted::Nowhere => Refusal::NoSuchPath,
            Unrouted::Method { allowed } => Refusal::Method {
                allowed: allowed
                    .iter()
                    .map(Method::as_str)
                    .collect::<Vec<_>>()
                    .join(", "),
            },
        }
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::BadBody(_) | Refusal::Broken => StatusCode::BAD_REQUEST,
            Refusal::Unverified(_) => StatusCode::UNAUTHORIZED,
            Refusal::NoSuchPath | Refusal::NoRoute(_) => StatusCode::NOT_FOUND,
            Refusal::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Refusal::TooLarge(_) | Refusal::TooMuch(_) | Refusal::DocumentTooLong => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Refusal::Coding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Full | Refusal::Stopping | Refusal::Unacknowledged | Refusal::Failed => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Refusal::Full => Some(RETRY_FULL),
            Refusal::Stopping | Refusal::Unacknowledged | Refusal::Failed => Some(RETRY_STOPPING),
            _ => None,
        }
    }

    /// Whether nothing more is to come over the connection.
    fn closes(&self) -> bool {
        matches!(
            self,
            Refusal::Stopping | Refusal::TooSlow | Refusal::Broken | Refusal::Failed
        )
    }

    /// Whether it is worth while to read on: more may come, and be thrown away, so that the sender gets to read this.
    pub(super) fn may_read_on(&self) -> bool {
        !matches!(self, Refusal::TooSlow | Refusal::Broken)
    }

    pub(super) fn answer(&self, version: Version) -> Answer {
        let text = serde_json::json!({ "error": self.to_string() }).to_string();
        let mut answer = json(self.status(), text);
        let headers = answer.headers_mut();
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Refusal::Method { allowed } = self {
            let allowed = HeaderValue::from_str(allowed);
            headers.insert(ALLOW, allowed.expect("methods can be in a header"));
        }
        if self.closes() && version < Version::HTTP_2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}

/// An answer whose body is JSON.
pub(super) fn json(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    with_body(status, "application/json", text)
}

pub(super) fn with_body(
    status: StatusCode,
    content_type: &'static str,
    text: impl Into<Bytes>,
) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}
