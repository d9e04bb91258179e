//! A question that is being put together.

use std::fmt;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use serde::Serialize;

use super::client::header;
use super::error::SECRET_CHARS;
use super::{Asked, Client, HttpError};

/// A question that is being put together. What is wrong with it is said when it is [sent](Self::send).
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    pub(super) client: Client,
    pub(super) draft: Result<Draft, HttpError>,
}

pub(super) struct Draft {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// What is no text to be shown, should the answer repeat it.
    pub(super) secrets: Vec<String>,
    /// Whether it may be asked again although it may have been carried out.
    pub(super) is_repeatable: bool,
    /// What it costs of the server's budget.
    pub(super) cost: f64,
}

impl Request {
    pub(super) fn new(client: &Client, method: Method, url: &str) -> Self {
        let is_repeatable = method.is_idempotent();
        let draft = client.settings.resolve(url).map(|url| Draft {
            method,
            url,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            secrets: Vec::new(),
            is_repeatable,
            cost: 1.0,
        });
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
        self.change(|draft| {
            let (name, value) = header(name, value.as_ref()).map_err(HttpError::malformed)?;
            draft.headers.insert(name, value);
            Ok(())
        })
    }

    /// Sets the header `authorization` to this bearer token. The client's credentials are then left out.
    pub fn bearer(self, token: impl AsRef<str>) -> Self {
        self.header(AUTHORIZATION.as_str(), format!("Bearer {}", token.as_ref()))
    }

    /// Sets the body, and the header `content-type` unless it is set.
    pub fn json(self, body: &impl Serialize) -> Self {
        self.change(|draft| {
            draft.body = serde_json::to_vec(body)
                .map_err(|_| HttpError::malformed("the body cannot be written as JSON"))?
                .into();
            draft.content_type("application/json");
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
            draft.body = Bytes::copy_from_slice(form.query().unwrap_or_default().as_bytes());
            let values = fields.iter().map(|(_, value)| *value);
            let values = values.filter(|value| value.chars().count() >= SECRET_CHARS);
            draft.secrets = values.map(str::to_owned).collect();
            draft.content_type("application/x-www-form-urlencoded");
            Ok(())
        })
    }

    /// Sets the body to these bytes. Say with the [header](Self::header) `content-type` what they are.
    pub fn body(self, bytes: impl Into<Bytes>) -> Self {
        self.change(|draft| {
            draft.body = bytes.into();
            Ok(())
        })
    }

    /// Says that it only reads, whatever its method: a query in GraphQL, a search that is posted. Then it may be asked again although
    /// the server may have answered it.
    pub fn as_read(self) -> Self {
        self.change(|draft| {
            draft.is_repeatable = true;
            Ok(())
        })
    }

    /// Says what it costs of the server's budget, in the server's units, where that counts costs rather than requests. What is left of
    /// the budget is read from answers by [`ClientBuilder::hints`](super::ClientBuilder::hints).
    pub fn cost(self, cost: f64) -> Self {
        self.change(|draft| {
            draft.cost = cost;
            Ok(())
        })
    }

    /// Says what is not to be repeated in an error.
    #[cfg(feature = "auth")]
    pub(crate) fn hiding<'a>(self, secrets: impl Iterator<Item = &'a str>) -> Self {
        self.change(|draft| {
            draft.secrets.extend(secrets.map(str::to_owned));
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
}

/// The method, the URL without what may be a secret, and the names of the headers.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.draft {
            Ok(draft) => f
                .debug_struct("Request")
                .field("asked", &draft.asked())
                .field("headers", &draft.headers.keys().collect::<Vec<_>>())
                .field("body_bytes", &draft.body.len())
                .finish(),
            Err(error) => f.debug_tuple("Request").field(error).finish(),
        }
    }
}

impl Draft {
    pub(super) fn asked(&self) -> Asked {
        Asked::new(&self.method, &self.url)
    }

    fn content_type(&mut self, value: &'static str) {
        let value = HeaderValue::from_static(value);
        self.headers.entry(CONTENT_TYPE).or_insert(value);
    }
}
