//! What a server answered.

use std::borrow::Cow;
use std::fmt;

use encoding_rs::{Encoding, UTF_8};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Asked, Body, HttpError};
use crate::config;

/// An answer, whole as far as can be told: where neither a length nor chunks end it, it is JSON to its end, or of another format, which
/// must tell.
pub struct Response {
    pub(super) asked: Asked,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
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

    /// The body, decoded.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// Whether the body says that it is JSON, and ends in the middle of it.
    pub(super) fn is_json_cut_short(&self) -> bool {
        let content_type = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        let kind = content_type.split(';').next().unwrap_or_default();
        let kind = kind.trim().to_ascii_lowercase();
        if kind != "application/json" && !kind.ends_with("+json") {
            return false;
        }
        let read = serde_json::from_slice::<IgnoredAny>(without_mark(&self.body));
        read.is_err_and(|error| error.is_eof()) // Anything else is for whoever reads it.
    }

    /// The body, decoded, to keep.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.body
    }

    /// The body as text, in the character set that it says it has. What is no text in it becomes `U+FFFD`.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let content_type = self.header(CONTENT_TYPE.as_str());
        text(content_type.unwrap_or_default(), &self.body)
    }

    /// The body, read as JSON. What it is read as may borrow from it.
    ///
    /// ```
    /// # fn read(answer: &staunch::http::Response) -> Result<(), staunch::http::HttpError> {
    /// use serde_json::value::RawValue;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Page<'a> {
    ///     #[serde(borrow)]
    ///     orders: Vec<&'a RawValue>, // As they came, for `emit.raw(order.get())`.
    /// }
    /// let page: Page = answer.json()?;
    /// # let _ = page.orders;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`HttpError::Json`], which says where it does not fit, and no value of it.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, HttpError> {
        json(&self.asked, &self.body)
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

/// An answer whose body is still arriving.
pub struct Streamed {
    pub(super) asked: Asked,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

impl Streamed {
    /// An answer that has arrived already.
    pub(super) fn of(response: Response) -> Self {
        let Response {
            asked,
            status,
            headers,
            body,
        } = response;
        Self {
            body: Body::of(body, &asked),
            asked,
            status,
            headers,
        }
    }

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

    /// The body, decoded as it arrives.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed")
            .field("asked", &self.asked)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Bytes as text, in the character set that a content type names, or as UTF-8.
pub(super) fn text<'a>(content_type: &str, bytes: &'a [u8]) -> Cow<'a, str> {
    let parameters = content_type.split(';').skip(1);
    let charset = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    });
    let encoding = charset
        .filter_map(|charset| Encoding::for_label(charset.as_bytes()))
        .next();
    let (text, _, _) = encoding.unwrap_or(UTF_8).decode(bytes);
    text
}

pub(super) fn json<'a, T: Deserialize<'a>>(asked: &Asked, body: &'a [u8]) -> Result<T, HttpError> {
    let body = without_mark(body);
    serde_json::from_slice(body).map_err(|error| HttpError::Json {
        asked: asked.clone(),
        problem: config::without_values(&error),
    })
}

/// Without a byte order mark, which JSON may have before it.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_text_in_the_character_set_that_it_names() {
        for (content_type, bytes, expected) in [
            ("text/plain", "grün".as_bytes(), "grün"),
            ("text/html; charset=iso-8859-1", b"gr\xfcn", "grün"),
            ("text/html;x=y; Charset=\"windows-1252\"", b"\x80", "€"),
            ("text/plain; charset=no-such", b"gr\xfcn", "gr\u{fffd}n"),
            ("", b"\xff\xfeg\0", "g"), // A byte order mark says more than a header.
        ] {
            assert_eq!(text(content_type, bytes), expected, "{content_type}");
        }
    }
}
