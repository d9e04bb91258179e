//! Who posted a request: signatures and tokens, as senders make them.
//!
//! | sender | header | what is signed, and how |
//! | --- | --- | --- |
//! | GitHub | `X-Hub-Signature-256: sha256=…` (`X-Hub-Signature: sha1=…`) | the body; HMAC, hexadecimal |
//! | Shopify | `X-Shopify-Hmac-Sha256` | the body; HMAC-SHA256, base64 |
//! | Stripe | `Stripe-Signature: t=…,v1=…` | time, `.` and body; HMAC-SHA256, hexadecimal; one `v1` for each secret |
//! | Slack | `X-Slack-Signature: v0=…` | `v0:`, `X-Slack-Request-Timestamp`, `:` and body; HMAC-SHA256, hexadecimal |
//! | SendGrid | `X-Twilio-Email-Event-Webhook-Signature` | `X-Twilio-Email-Event-Webhook-Timestamp` and body; ECDSA P-256, base64 of DER |
//! | Standard Webhooks | `webhook-signature: v1,…` | id, time and body; HMAC-SHA256, base64 |
//!
//! Others are told by an [`Hmac`]. All are compared in constant time, and a secret is kept only as the key of the digest that it makes.
//! The time that is signed may be as far from ours as the tolerance says, either way; without that, a request that somebody overheard
//! could be sent again for ever.

mod hmac;
mod template;

use std::fmt;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use aws_lc_rs::hmac::Key;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use base64::Engine as _;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName};
use jiff::Timestamp;

pub use hmac::Hmac;
use template::moment;

/// How far the time that is signed may be from ours, as Stripe and Slack have it.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

static SENDGRID: HeaderName = HeaderName::from_static("x-twilio-email-event-webhook-signature");
static SENDGRID_TIME: HeaderName =
    HeaderName::from_static("x-twilio-email-event-webhook-timestamp");
static STRIPE: HeaderName = HeaderName::from_static("stripe-signature");

/// Base64 as senders write it, with or without its padding.
const BASE64: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// By what a request proves who sent it.
///
/// Several secrets may be valid at once, for the time in which a sender goes over from one to the next.
///
/// ```
/// use staunch::webhook::{Hmac, Signature};
///
/// # let (secret, former) = ("hunter2", "hunter1");
/// let github = Signature::github(secret).or(former);
/// let other = Signature::hmac(Hmac::sha256("x-signature").base64(), secret);
/// # let _ = other;
/// assert!(!format!("{github:?}").contains("hunter"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct Signature {
    scheme: Scheme,
    /// None for any time.
    tolerance: Option<Duration>,
    problems: Vec<SignatureError>,
}

#[derive(Clone)]
enum Scheme {
    Hmac(Hmac, Vec<Key>),
    Stripe(Vec<Key>),
    SendGrid(Vec<ParsedPublicKey>),
    /// A header, what comes before the token in it, and the digests of the tokens.
    Token(HeaderName, String, Vec<digest::Digest>),
}

/// A signature that could not verify anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Anybody could sign with it.
    #[error("a secret is empty; give the one that the sender signs with")]
    EmptySecret,
    /// The secret is not as the sender gives it out.
    #[error(
        "the secret is not base64, with or without `whsec_` before it; copy it as the sender shows it"
    )]
    Secret,
    /// The public key is not one of ECDSA on the curve P-256.
    #[error(
        "the public key is none of ECDSA on the curve P-256; copy it as the sender shows it, in base64"
    )]
    PublicKey,
    /// A header has a name that none can have.
    #[error("`{0}` is no name of a header")]
    Header(String),
    /// What is said to be signed cannot be.
    #[error("what is signed, `{template}`, {problem}")]
    Template {
        /// What was given.
        template: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Why a request is not taken to be from whom it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unverified {
    /// It has not the header that it should prove itself with.
    #[error("the request has no header `{0}`, which must sign it")]
    Missing(String),
    /// The header is there, but not as the sender would write it.
    #[error("the header `{0}` is not written as it should be, or is there twice")]
    Malformed(String),
    /// It was signed too long ago, or in the future: perhaps somebody sends it again.
    #[error("the request was signed more than {tolerance} s before or after it came")]
    Stale {
        /// How far from its coming it may have been signed, in seconds.
        tolerance: u64,
    },
    /// It is signed with another secret, or it is another request.
    #[error("the signature in header `{0}` is not that of this request")]
    Mismatch(String),
    /// The endpoint has no secret that a request could be signed with.
    #[error("the endpoint is not set up to verify requests")]
    Unusable,
}

/// As senders sign.
impl Signature {
    /// As GitHub signs, with SHA-256: `X-Hub-Signature-256`.
    pub fn github(secret: impl AsRef<[u8]>) -> Self {
        let form = Hmac::sha256("x-hub-signature-256").prefix("sha256=");
        Self::hmac(form, secret)
    }

    /// As GitHub signed formerly, and others who follow it do, with SHA-1: `X-Hub-Signature`.
    pub fn github_sha1(secret: impl AsRef<[u8]>) -> Self {
        Self::hmac(Hmac::sha1("x-hub-signature").prefix("sha1="), secret)
    }

    /// As Shopify signs: `X-Shopify-Hmac-Sha256`.
    pub fn shopify(secret: impl AsRef<[u8]>) -> Self {
        Self::hmac(Hmac::sha256("x-shopify-hmac-sha256").base64(), secret)
    }

    /// As Stripe signs: `Stripe-Signature`, within five minutes. The secret is all of `whsec_…`.
    pub fn stripe(secret: impl AsRef<[u8]>) -> Self {
        let this = Self::new(Scheme::Stripe(Vec::new()), Some(TOLERANCE));
        this.or(secret)
    }

    /// As Slack signs: `X-Slack-Signature`, within five minutes.
    pub fn slack(secret: impl AsRef<[u8]>) -> Self {
        let form = Hmac::sha256("x-slack-signature")
            .prefix("v0=")
            .signs("v0:{header:x-slack-request-timestamp}:{body}")
            .timestamp("x-slack-request-timestamp");
        Self::hmac(form, secret)
    }

    /// As SendGrid signs its events: `X-Twilio-Email-Event-Webhook-Signature`. The key is the public one, in base64 or PEM.
    ///
    /// SendGrid says nothing of how late its events may come, so any time is taken unless [`tolerance`](Self::tolerance) is given.
    pub fn sendgrid(public_key: impl AsRef<[u8]>) -> Self {
        Self::new(Scheme::SendGrid(Vec::new()), None).or(public_key)
    }

    /// As [Standard Webhooks](https://www.standardwebhooks.com) has it: `webhook-signature`, within five minutes. The secret is in base64,
    /// with or without `whsec_` before it.
    pub fn standard(secret: impl AsRef<[u8]>) -> Self {
        let form = Hmac::sha256("webhook-signature")
            .prefix("v1,")
            .base64()
            .base64_secret()
            .signs("{header:webhook-id}.{header:webhook-timestamp}.{body}")
            .timestamp("webhook-timestamp");
        Self::hmac(form, secret)
    }

    /// An HMAC of another form, within five minutes if a time is signed.
    pub fn hmac(form: Hmac, secret: impl AsRef<[u8]>) -> Self {
        let problems = form.problems();
        let tolerance = form.has_time().then_some(TOLERANCE);
        let mut this = Self::new(Scheme::Hmac(form, Vec::new()), tolerance);
        this.problems = problems;
        this.or(secret)
    }

    /// A token in this header: nothing is signed, whoever knows it may post. `prefix` stands before it, in any case, or is empty.
    pub fn token(header: &str, prefix: &str, token: impl AsRef<[u8]>) -> Self {
        let mut problems = Vec::new();
        let name = HeaderName::from_bytes(header.as_bytes()).unwrap_or_else(|_| {
            problems.push(SignatureError::Header(header.to_owned()));
            AUTHORIZATION
        });
        let mut this = Self::new(Scheme::Token(name, prefix.to_owned(), Vec::new()), None);
        this.problems = problems;
        this.or(token)
    }

    /// A token in `Authorization: Bearer …`.
    pub fn bearer(token: impl AsRef<[u8]>) -> Self {
        Self::token(AUTHORIZATION.as_str(), "Bearer ", token)
    }

    fn new(scheme: Scheme, tolerance: Option<Duration>) -> Self {
        Self {
            scheme,
            tolerance,
            problems: Vec::new(),
        }
    }
}

/// Which are taken.
impl Signature {
    /// One more secret, public key or token, of which any will do.
    pub fn or(mut self, secret: impl AsRef<[u8]>) -> Self {
        let secret = secret.as_ref();
        if secret.trim_ascii().is_empty() {
            self.problems.push(SignatureError::EmptySecret);
            return self;
        }
        match &mut self.scheme {
            Scheme::Hmac(form, keys) => match form.key(secret) {
                Some(key) => keys.push(key),
                None => self.problems.push(SignatureError::Secret),
            },
            Scheme::Stripe(keys) => keys.push(Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret)),
            Scheme::SendGrid(keys) => match public_key(secret) {
                Some(key) => keys.push(key),
                None => self.problems.push(SignatureError::PublicKey),
            },
            Scheme::Token(_, _, tokens) => tokens.push(digest::digest(&digest::SHA256, secret)),
        }
        self
    }

    /// How far the time that is signed may be from that at which the request comes, before or after. Of no effect where no time is signed.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// What is wrong with it. While anything is, no request is verified.
    #[must_use]
    pub fn problems(&self) -> &[SignatureError] {
        &self.problems
    }

    /// The header that proves a request, which is no one else's business.
    #[must_use]
    pub fn header(&self) -> &str {
        self.header_name().as_str()
    }

    fn header_name(&self) -> &HeaderName {
        match &self.scheme {
            Scheme::Hmac(form, _) => form.header(),
            Scheme::Stripe(_) => &STRIPE,
            Scheme::SendGrid(_) => &SENDGRID,
            Scheme::Token(header, ..) => header,
        }
    }

    /// What must be in the header, for people.
    pub(crate) fn description(&self) -> &'static str {
        match &self.scheme {
            Scheme::Hmac(..) | Scheme::Stripe(_) => "A signature of the request (HMAC).",
            Scheme::SendGrid(_) => "A signature of the request (ECDSA).",
            Scheme::Token(..) => "A token that only the sender knows.",
        }
    }
}

/// Verifying.
impl Signature {
    /// Verifies that a request was sent by one who knows the secret, not long ago. The body is that which was signed: as it was sent,
    /// but for the coding of its transport.
    ///
    /// # Errors
    /// [`Unverified`], without anything of the secret or of the signature that there should be.
    pub fn verify(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Unverified> {
        if !self.problems.is_empty() {
            return Err(Unverified::Unusable);
        }
        let name = self.header_name();
        let is_genuine = match &self.scheme {
            Scheme::Hmac(form, keys) => {
                if let Some(time) = form.time() {
                    self.is_recent(one(headers, time)?, time, now)?;
                }
                let given = form.given(one(headers, name)?);
                let given = given.ok_or_else(|| malformed(name))?;
                form.verify(keys, &given, headers, body)?
            }
            Scheme::Stripe(keys) => {
                let (time, given) = stripe(one(headers, name)?).ok_or_else(|| malformed(name))?;
                self.is_recent(time, name, now)?;
                let parts = [time.as_bytes(), b".", body];
                hmac::is_any(keys, &parts, &given)
            }
            Scheme::SendGrid(keys) => {
                let time = one(headers, &SENDGRID_TIME)?;
                self.is_recent(time, &SENDGRID_TIME, now)?;
                let given = BASE64.decode(one(headers, name)?.trim());
                let given = given.map_err(|_| malformed(name))?;
                let mut signed = digest::Context::new(&digest::SHA256);
                signed.update(time.as_bytes());
                signed.update(body);
                let signed = signed.finish();
                keys.iter()
                    .any(|key| key.verify_digest_sig(&signed, &given).is_ok())
            }
            Scheme::Token(_, prefix, tokens) => {
                let value = one(headers, name)?;
                let (start, given) = value
                    .split_at_checked(prefix.len())
                    .filter(|(start, _)| start.eq_ignore_ascii_case(prefix))
                    .ok_or_else(|| malformed(name))?;
                debug_assert_eq!(start.len(), prefix.len());
                // Digests are compared: so not even the length of a token can be found out.
                let given = digest::digest(&digest::SHA256, given.as_bytes());
                tokens.iter().fold(false, |found, token| {
                    verify_slices_are_equal(token.as_ref(), given.as_ref()).is_ok() | found
                })
            }
        };
        if is_genuine {
            Ok(())
        } else {
            Err(Unverified::Mismatch(name.as_str().to_owned()))
        }
    }

    /// Whether the time that is signed is near enough.
    fn is_recent(&self, time: &str, name: &HeaderName, now: Timestamp) -> Result<(), Unverified> {
        let Some(tolerance) = self.tolerance else {
            return Ok(());
        };
        let time = moment(time).ok_or_else(|| malformed(name))?;
        if now.duration_since(time).unsigned_abs() > tolerance {
            return Err(Unverified::Stale {
                tolerance: tolerance.as_secs(),
            });
        }
        Ok(())
    }
}

/// Without any secret.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature")
            .field("header", &self.header())
            .field("tolerance", &self.tolerance)
            .field("problems", &self.problems)
            .finish_non_exhaustive()
    }
}

/// The one value of a header.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Unverified> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    let value = value.ok_or_else(|| Unverified::Missing(name.as_str().to_owned()))?;
    match (value.to_str(), values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(malformed(name)),
    }
}

fn malformed(name: &HeaderName) -> Unverified {
    Unverified::Malformed(name.as_str().to_owned())
}

/// The time and the signatures of Stripe's header. Those of other versions are not looked at.
fn stripe(header: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    let (mut time, mut given) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=')? {
            ("t", _) if time.is_some() => return None,
            ("t", value) => time = Some(value),
            ("v1", value) => given.extend(hmac::hex(value)),
            _ => {}
        }
    }
    (!given.is_empty()).then_some((time?, given))
}

/// The public key in base64 of its DER, or in PEM.
fn public_key(text: &[u8]) -> Option<ParsedPublicKey> {
    let text = std::str::from_utf8(text).ok()?;
    let lines = text.lines().filter(|line| !line.starts_with("-----"));
    let text: String = lines.flat_map(str::split_whitespace).collect();
    let der = BASE64.decode(text).ok()?;
    ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, der).ok()
}

#[cfg(test)]
mod tests;
