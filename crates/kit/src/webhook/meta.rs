//! What a document says of how it came: its `_meta`.
//!
//! ```json
//! {"_meta": {
//!    "op": "u",
//!    "webhookId": "0198c5a1-2f3b-7c4d-8e5f-60718293a4b5",
//!    "receivedAt": "2026-03-01T12:00:00.123456Z",
//!    "headers": {"content-type": "application/json", "x-topic": "orders/create"},
//!    "reqPath": "/shops/acme/orders",
//!    "query": {"page": "2"},
//!    "pathParams": {"shop": "acme"}
//! }, …}
//! ```
//!
//! It is spliced in before the document's first member, and the rest stays as it was sent, byte for byte. A document that has a `_meta`
//! of its own keeps the members of that which are not among these; if it is anything but an object or `null`, it is refused.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use hyper::HeaderMap;
use hyper::header::HeaderName;
use jiff::Timestamp;
use memchr::memmem;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::endpoint::{Endpoint, IdFrom};
use super::pattern;
use super::rules::Head;

const META: &str = "_meta";

/// Those of our `_meta`: what a sender says of them does not count.
const OURS: [&str; 7] = [
    "op",
    "webhookId",
    "receivedAt",
    "headers",
    "reqPath",
    "query",
    "pathParams",
];

/// Headers that prove who sends a request, or may.
const SECRET_HEADERS: [&str; 27] = [
    "api-key",
    "apikey",
    "authorization",
    "cf-access-jwt-assertion",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "stripe-signature",
    "svix-signature",
    "webhook-signature",
    "x-access-token",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
    "x-gitlab-token",
    "x-goog-channel-token",
    "x-goog-iap-jwt-assertion",
    "x-hub-signature",
    "x-hub-signature-256",
    "x-secret",
    "x-shopify-hmac-sha256",
    "x-signature",
    "x-slack-signature",
    "x-twilio-email-event-webhook-signature",
    "x-webhook-secret",
    "x-xsrf-token",
];

/// Parameters of a query that may do the same.
const SECRET_PARAMETERS: [&str; 8] = [
    "access_token",
    "api_key",
    "apikey",
    "password",
    "secret",
    "sig",
    "signature",
    "token",
];

/// The document is none that `_meta` can be added to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("a document is no JSON object")]
    NotAnObject,
    #[error(
        "a document has a `_meta` that is no object; leave that name to what is said of how it came"
    )]
    Meta,
}

/// What is left out of `_meta`, in any case of letters.
#[derive(Debug, Default)]
pub(crate) struct Hidden {
    /// Besides those that always are. Sorted.
    names: Vec<String>,
}

impl Hidden {
    /// What these endpoints want hidden: a request may be for several of them.
    pub(crate) fn of<'a>(endpoints: impl IntoIterator<Item = &'a Endpoint>) -> Self {
        let mut names = Vec::new();
        for endpoint in endpoints {
            names.extend(endpoint.hidden.iter().map(|name| name.to_ascii_lowercase()));
            let signature = endpoint.signature.as_ref();
            names.extend(signature.map(|signature| signature.header().to_owned()));
        }
        names.sort_unstable();
        names.dedup();
        Self { names }
    }

    /// Whether a header of this name, in lower case, is left out.
    pub(crate) fn has_header(&self, name: &str) -> bool {
        SECRET_HEADERS.binary_search(&name).is_ok() || self.has(name)
    }

    fn has_parameter(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        SECRET_PARAMETERS.binary_search(&&*name).is_ok() || self.has(&name)
    }

    fn has(&self, name: &str) -> bool {
        let found = self.names.binary_search_by(|one| one.as_str().cmp(name));
        found.is_ok()
    }
}

/// What all documents of one request have in common.
#[derive(Debug)]
pub(crate) struct Common<'a> {
    head: Head<'a>,
    id: String,
    /// Members, each with a comma before it.
    members: Vec<u8>,
}

impl<'a> Common<'a> {
    pub(crate) fn new(head: &Head<'a>, received_at: Timestamp, hidden: &Hidden) -> Self {
        let mut members = Vec::with_capacity(512);
        members.extend_from_slice(b",\"receivedAt\":");
        text(&mut members, &received_at.to_string());
        members.extend_from_slice(b",\"headers\":");
        let shown = head.headers.keys();
        let shown = shown.filter(|name| !hidden.has_header(name.as_str()));
        object(
            &mut members,
            shown.map(|name| (name.as_str(), joined(head.headers, name))),
        );
        members.extend_from_slice(b",\"reqPath\":");
        text(&mut members, head.path);
        if let Some(query) = head.query {
            members.extend_from_slice(b",\"query\":");
            write_query(&mut members, query, hidden);
        }
        Self {
            head: *head,
            id: unique_id(received_at),
            members,
        }
    }
}

/// What all documents of one request for one endpoint have in their `_meta`.
#[derive(Debug)]
pub(crate) struct Meta {
    id: String,
    /// Members, each with a comma before it.
    members: Vec<u8>,
}

impl Meta {
    pub(crate) fn new(
        common: &Common<'_>,
        endpoint: &Endpoint,
        parameters: &[(&str, Cow<'_, str>)],
    ) -> Self {
        let given = match &endpoint.id {
            None => None,
            Some(IdFrom::Header(name)) => {
                let value = common.head.headers.get(name);
                value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            }
            Some(IdFrom::Parameter(name)) => {
                let found = parameters.iter().find(|(other, _)| other == name);
                found.map(|(_, value)| value.to_string())
            }
        };
        let given = given.filter(|id| !id.is_empty());
        let mut members = common.members.clone();
        if !parameters.is_empty() {
            members.extend_from_slice(b",\"pathParams\":");
            let parameters = parameters.iter();
            object(
                &mut members,
                parameters.map(|(name, value)| (*name, Cow::Borrowed(&**value))),
            );
        }
        Self {
            id: given.unwrap_or_else(|| common.id.clone()),
            members,
        }
    }
}

/// Appends a document with its `_meta`. `number` is which element of an array it is: each has an id of its own.
pub(crate) fn write(
    out: &mut Vec<u8>,
    document: &str,
    meta: &Meta,
    number: Option<u64>,
) -> Result<(), Unfit> {
    let start = out.len();
    let inner = document.trim_ascii_start();
    let inner = inner.strip_prefix('{').ok_or(Unfit::NotAnObject)?;
    out.extend_from_slice(b"{\"_meta\":{\"op\":\"u\",\"webhookId\":");
    match number {
        None => text(out, &meta.id),
        Some(number) => text(out, &format!("{}/{number}", meta.id)),
    }
    out.extend_from_slice(&meta.members);
    if may_have_meta(document) {
        let written = with_own(out, document);
        if written.is_err() {
            out.truncate(start);
        }
        return written;
    }
    out.push(b'}');
    let inner = inner.trim_ascii_start();
    if !inner.starts_with('}') {
        out.push(b',');
    }
    out.extend_from_slice(inner.as_bytes());
    Ok(())
}

/// Whether a member could be named `_meta`: no, if that stands nowhere, and no letter of it is escaped.
fn may_have_meta(document: &str) -> bool {
    let document = document.as_bytes();
    memmem::find(document, META.as_bytes()).is_some() || memmem::find(document, b"\\u00").is_some()
}

/// Appends what a document says of `_meta` besides ours, and its other members.
fn with_own(out: &mut Vec<u8>, document: &str) -> Result<(), Unfit> {
    let members = members(document).ok_or(Unfit::NotAnObject)?;
    let own = members.iter().rfind(|(name, _)| name == META);
    let own = own.map(|(_, value)| value.get());
    if let Some(own) = own.filter(|own| *own != "null") {
        let own = self::members(own).ok_or(Unfit::Meta)?;
        for (name, value) in own {
            if !OURS.contains(&&*name) {
                member(out, &name, value);
            }
        }
    }
    out.push(b'}');
    for (name, value) in members.iter().filter(|(name, _)| name != META) {
        member(out, name, value);
    }
    out.push(b'}');
    Ok(())
}

fn member(out: &mut Vec<u8>, name: &str, value: &RawValue) {
    out.push(b',');
    text(out, name);
    out.push(b':');
    out.extend_from_slice(value.get().as_bytes());
}

/// The members of an object, in order, their values unread. None if it is no object.
fn members(json: &str) -> Option<Vec<(String, &RawValue)>> {
    struct Members;

    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(String, &'de RawValue)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_map(Members).ok()
}

/// Appends a text as JSON.
fn text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text is JSON, and memory can be written");
}

fn object<'a>(out: &mut Vec<u8>, members: impl Iterator<Item = (&'a str, Cow<'a, str>)>) {
    out.push(b'{');
    for (at, (name, value)) in members.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text(out, name);
        out.push(b':');
        text(out, &value);
    }
    out.push(b'}');
}

/// The values of a header, as one.
fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Cow<'a, str> {
    let mut values = headers.get_all(name).iter();
    let mut all = match values.next() {
        Some(first) => String::from_utf8_lossy(first.as_bytes()),
        None => Cow::Borrowed(""),
    };
    for value in values {
        let all = all.to_mut();
        all.push_str(", ");
        all.push_str(&String::from_utf8_lossy(value.as_bytes()));
    }
    all
}

/// The parameters of a query: a text each, or an array of texts for one that is repeated.
fn write_query(out: &mut Vec<u8>, query: &str, hidden: &Hidden) {
    let decode = |text| String::from_utf8_lossy(&pattern::decode_bytes(text, true)).into_owned();
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name);
        if !hidden.has_parameter(&name) {
            parameters.entry(name).or_default().push(decode(value));
        }
    }
    out.push(b'{');
    for (at, (name, values)) in parameters.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        text(out, name);
        out.push(b':');
        match &values[..] {
            [value] => text(out, value),
            values => serde_json::to_writer(&mut *out, values)
                .expect("texts are JSON, and memory can be written"),
        }
    }
    out.push(b'}');
}

/// A UUID of version 7: it begins with the time to the microsecond, and goes on at random.
///
/// # Source
/// RFC 9562, 5.7 and method 3 of 6.2.
fn unique_id(at: Timestamp) -> String {
    let mut random = [0; 8];
    aws_lc_rs::rand::fill(&mut random).expect("the system has random numbers");
    let micros = u64::try_from(at.as_microsecond()).unwrap_or_default();
    let (millis, fraction) = (micros / 1_000, (micros % 1_000) * 4_096 / 1_000);
    let variant = u64::from_be_bytes(random) >> 2 | 1 << 63;
    let mut id = String::with_capacity(36);
    write!(
        id,
        "{:08x}-{:04x}-7{fraction:03x}-{:04x}-{:012x}",
        millis >> 16 & 0xffff_ffff,
        millis & 0xffff,
        variant >> 48,
        variant & 0xffff_ffff_ffff,
    )
    .expect("a text can be written");
    id
}

#[cfg(test)]
mod tests;
