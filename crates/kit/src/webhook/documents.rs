//! From a body to messages: its documents are told apart, checked, routed, and written with their `_meta`.
//!
//! All of a request or nothing: what is wrong with one document refuses the request. A document is checked in full, as a strict reader
//! would: one that no reader of JSON takes would otherwise end the whole capture, again and again, at the other end.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::http::request::Parts;
use jiff::Timestamp;
use serde::de::Deserializer as _;
use serde_json::Deserializer;
use serde_json::value::RawValue;
use staunch_protocol::Codec;

use super::endpoints::Endpoints;
use super::json::{self, Each};
use super::meta::{self, Common, Meta};
use super::refusal::Refusal;
use super::room::Share;
use super::rules::{Head, Route};
use crate::spool::{Budget, Spool};

/// Bytes of one request's documents with their `_meta`, of which each has its own: half of what a runtime takes without a checkpoint.
const MAX_CAPTURED_BYTES: u64 = 256 << 20;

/// What was captured of one request.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) messages: Spool,
    pub(super) counts: Vec<Count>,
}

impl Taken {
    pub(super) fn documents(&self) -> u64 {
        self.counts.iter().map(|count| count.documents).sum()
    }
}

/// What was captured for one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) endpoint: usize,
    pub(super) documents: u64,
    pub(super) bytes: u64,
}

/// Where and how documents are written.
pub(super) struct Target<'a> {
    pub(super) codec: Codec,
    pub(super) budget: &'a Arc<Budget>,
    pub(super) waiting: &'a mut Share,
    pub(super) received_at: Timestamp,
    /// Bytes that may wait at all.
    pub(super) max_waiting_bytes: u64,
}

/// Takes all documents of a body.
pub(super) fn take(
    endpoints: &Endpoints,
    request: &Parts,
    body: &[u8],
    target: Target<'_>,
) -> Result<Taken, Refusal> {
    let head = head_of(request);
    let route = endpoints.router.route(&head)?;
    let mut taking = Taking {
        endpoints,
        body,
        common: Common::new(&head, target.received_at, &endpoints.hidden),
        head,
        route: &route,
        max_bytes: target.max_waiting_bytes.min(MAX_CAPTURED_BYTES),
        messages: Spool::new(target.budget),
        target,
        counts: Vec::with_capacity(1),
        verified: BTreeSet::new(),
        meta: None,
        document: Vec::new(),
    };
    match body.trim_ascii_start().first() {
        None => {
            return Err(bad(
                "the body is empty; post a JSON object or an array of them",
            ));
        }
        Some(b'{') => {
            let document: &RawValue = serde_json::from_slice(body).map_err(json::refusal)?;
            taking.document(document, None)?;
        }
        Some(b'[') => {
            let mut number = 0;
            let mut refusal = None;
            let mut deserializer = Deserializer::from_slice(body);
            let each = Each(|document: &RawValue| {
                number += 1;
                let taken = taking.document(document, Some(number));
                taken.map_err(|refused| refusal = Some(refused))
            });
            let read = deserializer
                .deserialize_seq(each)
                .and_then(|()| deserializer.end());
            if let Err(error) = read {
                return Err(refusal.unwrap_or_else(|| json::refusal(error)));
            }
        }
        Some(_) => return Err(neither(body)),
    }
    Ok(Taken {
        messages: taking.messages,
        counts: taking.counts,
    })
}

/// What the rules look at besides the documents.
pub(super) fn head_of(request: &Parts) -> Head<'_> {
    Head {
        method: &request.method,
        path: request.uri.path(),
        query: request.uri.query(),
        headers: &request.headers,
    }
}

fn bad(problem: &str) -> Refusal {
    Refusal::BadBody(problem.to_owned())
}

fn neither(body: &[u8]) -> Refusal {
    match serde_json::from_slice::<&RawValue>(body) {
        Err(error) => json::refusal(error),
        Ok(_) => bad("the body is neither a JSON object nor an array of them"),
    }
}

struct Taking<'a> {
    endpoints: &'a Endpoints,
    body: &'a [u8],
    head: Head<'a>,
    route: &'a Route<'a>,
    common: Common<'a>,
    target: Target<'a>,
    max_bytes: u64,
    messages: Spool,
    counts: Vec<Count>,
    /// Endpoints whose signature the request bears.
    verified: BTreeSet<usize>,
    /// That of the document before, by its endpoint: mostly the next one's, too.
    meta: Option<(usize, Meta)>,
    document: Vec<u8>,
}

impl Taking<'_> {
    /// Takes one document: the body, or so many from the beginning of its array.
    fn document(&mut self, document: &RawValue, number: Option<u64>) -> Result<(), Refusal> {
        if document.get().as_bytes().first() != Some(&b'{') {
            let number = number.unwrap_or(1);
            return Err(Refusal::BadBody(format!(
                "element {number} of the array is not a JSON object; only objects can be captured"
            )));
        }
        json::check(self.body, document)?;
        let routed = self.route.rule_of(document);
        let routed = routed.ok_or_else(|| no_route(number))?;
        let index = routed.rule;
        self.verify(index)?;
        let meta = match self.meta.take() {
            Some((before, meta)) if before == index => meta,
            _ => {
                let (_, endpoint) = &self.endpoints.named[index];
                Meta::new(&self.common, endpoint, &routed.parameters)
            }
        };
        let (_, meta) = self.meta.insert((index, meta));
        self.document.clear();
        meta::write(&mut self.document, document.get(), meta, number)
            .map_err(|error| Refusal::BadBody(error.to_string()))?;
        let binding = self.endpoints.bindings[index].index;
        let before = self.messages.len();
        self.target
            .codec
            .append_captured(binding, &self.document, self.messages.buffer())
            .map_err(|_| Refusal::DocumentTooLong)?;
        let after = self.messages.len();
        self.count(index, after - before);
        if after > self.max_bytes {
            return Err(Refusal::TooMuch(self.max_bytes));
        }
        self.target.waiting.grow_to(after)?;
        self.messages.settle().map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "posted documents cannot be spooled to a temporary file; free space in the temporary directory"
            );
            Refusal::Failed
        })
    }

    /// Sees that the request is signed as the endpoint asks.
    fn verify(&mut self, index: usize) -> Result<(), Refusal> {
        let (_, endpoint) = &self.endpoints.named[index];
        let Some(signature) = &endpoint.signature else {
            return Ok(());
        };
        if !self.verified.contains(&index) {
            signature
                .verify(self.head.headers, self.body, self.target.received_at)
                .map_err(|error| Refusal::Unverified(error.to_string()))?;
            self.verified.insert(index);
        }
        Ok(())
    }

    fn count(&mut self, endpoint: usize, bytes: u64) {
        let mut counts = self.counts.iter_mut();
        match counts.find(|count| count.endpoint == endpoint) {
            Some(count) => {
                count.documents += 1;
                count.bytes += bytes;
            }
            None => self.counts.push(Count {
                endpoint,
                documents: 1,
                bytes,
            }),
        }
    }
}

fn no_route(number: Option<u64>) -> Refusal {
    Refusal::NoRoute(match number {
        None => "no endpoint takes this document; see `/` for what each takes".to_owned(),
        Some(number) => format!(
            "no endpoint takes element {number} of the array, so nothing of it is captured; see `/` for what each takes"
        ),
    })
}
