//! HMACs of a body, in whatever form a sender writes them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{
    Algorithm, Context, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512, Key,
};
use base64::Engine as _;
use hyper::HeaderMap;
use hyper::header::HeaderName;

use super::template::Template;
use super::{BASE64, SignatureError, Unverified};

/// The form of a signature by HMAC: its header, how it is written there, and what is signed.
///
/// By default it is the body that is signed, and the signature is hexadecimal.
///
/// ```
/// use staunch::webhook::{Hmac, Signature};
///
/// let form = Hmac::sha256("x-zendesk-webhook-signature")
///     .base64()
///     .signs("{header:x-zendesk-webhook-signature-timestamp}{body}")
///     .timestamp("x-zendesk-webhook-signature-timestamp");
/// let signature = Signature::hmac(form, "hunter2");
/// assert!(signature.problems().is_empty());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Hmac {
    algorithm: Algorithm,
    header: HeaderName,
    prefix: String,
    is_base64: bool,
    is_base64_secret: bool,
    template: Template,
    time: Option<HeaderName>,
    problems: Vec<SignatureError>,
}

impl Hmac {
    /// With SHA-256, in this header.
    pub fn sha256(header: &str) -> Self {
        Self::new(HMAC_SHA256, header)
    }

    /// With SHA-1, in this header.
    pub fn sha1(header: &str) -> Self {
        Self::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, header)
    }

    /// With SHA-512, in this header.
    pub fn sha512(header: &str) -> Self {
        Self::new(HMAC_SHA512, header)
    }

    fn new(algorithm: Algorithm, header: &str) -> Self {
        let mut this = Self {
            algorithm,
            header: HeaderName::from_static("x-signature"),
            prefix: String::new(),
            is_base64: false,
            is_base64_secret: false,
            template: Template::body(),
            time: None,
            problems: Vec::new(),
        };
        if let Some(name) = this.name(header) {
            this.header = name;
        }
        this
    }

    /// What stands before the signature, such as `sha256=`. The header may then hold several, with spaces between them: any that is right
    /// will do.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The signature is in base64.
    pub fn base64(mut self) -> Self {
        self.is_base64 = true;
        self
    }

    /// The secret is given in base64, perhaps with `whsec_` before it.
    pub fn base64_secret(mut self) -> Self {
        self.is_base64_secret = true;
        self
    }

    /// What is signed: text with `{body}` in it, and perhaps headers, such as `{header:x-time}.{body}`.
    pub fn signs(mut self, template: &str) -> Self {
        match Template::parse(template) {
            Ok(template) => self.template = template,
            Err(error) => self.problems.push(error),
        }
        self
    }

    /// The header with the time of signing: in seconds or milliseconds since 1970, or after RFC 3339. It must be signed, too.
    pub fn timestamp(mut self, header: &str) -> Self {
        self.time = self.name(header);
        self
    }

    fn name(&mut self, header: &str) -> Option<HeaderName> {
        let name = HeaderName::from_bytes(header.as_bytes());
        if name.is_err() {
            self.problems
                .push(SignatureError::Header(header.to_owned()));
        }
        name.ok()
    }
}

impl Hmac {
    pub(super) fn problems(&self) -> Vec<SignatureError> {
        let mut problems = self.problems.clone();
        if let Some(time) = &self.time
            && problems.is_empty()
            && !self.template.has_header(time)
        {
            problems.push(SignatureError::Template {
                template: format!("without `{{header:{time}}}`"),
                problem: "does not hold the time, which anybody could then change; add it",
            });
        }
        problems
    }

    pub(super) fn header(&self) -> &HeaderName {
        &self.header
    }

    pub(super) fn time(&self) -> Option<&HeaderName> {
        self.time.as_ref()
    }

    pub(super) fn has_time(&self) -> bool {
        self.time.is_some()
    }

    /// The key that a secret is. None if it is not written as it should be.
    pub(super) fn key(&self, secret: &[u8]) -> Option<Key> {
        if !self.is_base64_secret {
            return Some(Key::new(self.algorithm, secret));
        }
        let secret = secret.trim_ascii();
        let secret = secret.strip_prefix(b"whsec_").unwrap_or(secret);
        let secret = BASE64.decode(secret).ok()?;
        (!secret.is_empty()).then(|| Key::new(self.algorithm, &secret))
    }

    /// The signatures that a header holds. None if it holds none.
    pub(super) fn given(&self, header: &str) -> Option<Vec<Vec<u8>>> {
        let given = header.split_ascii_whitespace().filter_map(|text| {
            let text = text.strip_prefix(self.prefix.as_str())?;
            match self.is_base64 {
                true => BASE64.decode(text).ok(),
                false => hex(text),
            }
        });
        let given: Vec<Vec<u8>> = given.collect();
        (!given.is_empty()).then_some(given)
    }

    pub(super) fn verify(
        &self,
        keys: &[Key],
        given: &[Vec<u8>],
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<bool, Unverified> {
        let parts = self.template.fill(headers, body)?;
        Ok(is_any(keys, &parts, given))
    }
}

/// Whether any of these signatures is that of the parts with one of the keys.
pub(super) fn is_any(keys: &[Key], parts: &[&[u8]], given: &[Vec<u8>]) -> bool {
    keys.iter().fold(false, |found, key| {
        let mut context = Context::with_key(key);
        parts.iter().for_each(|part| context.update(part));
        let tag = context.sign();
        given.iter().fold(found, |found, given| {
            verify_slices_are_equal(tag.as_ref(), given).is_ok() | found
        })
    })
}

/// The bytes that hexadecimal digits of either case are.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? * 16 + digit(*low)?) as u8),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}
