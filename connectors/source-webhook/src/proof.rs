//! How senders prove themselves, as the config says it.

use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use staunch::webhook::{Hmac, Signature};

/// How the senders of an endpoint prove themselves. A former secret is taken as well, until the sender has gone over to the new one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schemars(extend("discriminator" = { "propertyName": "kind" }))]
pub enum Proof {
    /// As GitHub signs: X-Hub-Signature-256.
    #[schemars(title = "GitHub")]
    Github(Secrets),
    /// As GitHub signed formerly: X-Hub-Signature, with SHA-1.
    #[schemars(title = "GitHub with SHA-1")]
    GithubSha1(Secrets),
    /// As Shopify signs: X-Shopify-Hmac-Sha256.
    #[schemars(title = "Shopify")]
    Shopify(Secrets),
    /// As Stripe signs: Stripe-Signature.
    #[schemars(title = "Stripe")]
    Stripe(Secrets),
    /// As Slack signs: X-Slack-Signature.
    #[schemars(title = "Slack")]
    Slack(Secrets),
    /// As Standard Webhooks has it: webhook-signature.
    #[schemars(title = "Standard Webhooks")]
    Standard(Secrets),
    /// As SendGrid signs its events.
    #[schemars(title = "SendGrid")]
    Sendgrid {
        /// The public key, as SendGrid shows it.
        #[schemars(title = "Public Key")]
        public_key: String,
    },
    /// A digest of another form, with a key that both sides know.
    #[schemars(title = "HMAC")]
    Hmac {
        /// The header that the signature is in.
        #[schemars(title = "Header")]
        header: String,
        /// What stands before the signature in it, such as sha256=.
        #[serde(default)]
        #[schemars(title = "Prefix")]
        prefix: String,
        /// The digest.
        #[serde(default)]
        #[schemars(title = "Algorithm")]
        algorithm: Algorithm,
        /// How the signature is written.
        #[serde(default)]
        #[schemars(title = "Encoding")]
        encoding: Encoding,
        /// What is signed: {body}, and perhaps text and headers around it, such as {header:x-time}.{body}.
        #[serde(default = "body")]
        #[schemars(title = "Signed")]
        signs: String,
        /// The header with the time of signing, which must be signed, too. It may be five minutes off.
        #[schemars(title = "Time")]
        timestamp: Option<String>,
        #[serde(flatten)]
        #[allow(missing_docs)]
        secrets: Secrets,
    },
    /// A token in a header. Nothing is signed: whoever knows the token may post.
    #[schemars(title = "Token")]
    Token {
        /// The header that the token is in.
        #[serde(default = "authorization")]
        #[schemars(title = "Header")]
        header: String,
        /// What stands before the token in it.
        #[serde(default = "bearer")]
        #[schemars(title = "Prefix")]
        prefix: String,
        #[serde(flatten)]
        #[allow(missing_docs)]
        secrets: Secrets,
    },
}

/// What both sides know.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Secrets {
    /// The secret that the sender has.
    #[schemars(with = "String", title = "Secret", extend("secret" = true))]
    secret: SecretString,
    /// The secret that the sender had before.
    #[schemars(with = "Option<String>", title = "Former Secret", extend("secret" = true))]
    former_secret: Option<SecretString>,
}

/// The digest of an HMAC.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Algorithm {
    Sha1,
    #[default]
    Sha256,
    Sha512,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Encoding {
    #[default]
    Hex,
    Base64,
}

fn body() -> String {
    "{body}".to_owned()
}

fn authorization() -> String {
    "authorization".to_owned()
}

fn bearer() -> String {
    "Bearer ".to_owned()
}

impl Proof {
    pub(crate) fn signature(&self) -> Signature {
        match self {
            Proof::Github(secrets) => secrets.apply(|secret| Signature::github(secret)),
            Proof::GithubSha1(secrets) => secrets.apply(|secret| Signature::github_sha1(secret)),
            Proof::Shopify(secrets) => secrets.apply(|secret| Signature::shopify(secret)),
            Proof::Stripe(secrets) => secrets.apply(|secret| Signature::stripe(secret)),
            Proof::Slack(secrets) => secrets.apply(|secret| Signature::slack(secret)),
            Proof::Standard(secrets) => secrets.apply(|secret| Signature::standard(secret)),
            Proof::Sendgrid { public_key } => Signature::sendgrid(public_key),
            Proof::Hmac {
                header,
                prefix,
                algorithm,
                encoding,
                signs,
                timestamp,
                secrets,
            } => {
                let form = match algorithm {
                    Algorithm::Sha1 => Hmac::sha1(header),
                    Algorithm::Sha256 => Hmac::sha256(header),
                    Algorithm::Sha512 => Hmac::sha512(header),
                };
                let mut form = form.prefix(prefix).signs(signs);
                if matches!(encoding, Encoding::Base64) {
                    form = form.base64();
                }
                if let Some(timestamp) = timestamp {
                    form = form.timestamp(timestamp);
                }
                secrets.apply(|secret| Signature::hmac(form.clone(), secret))
            }
            Proof::Token {
                header,
                prefix,
                secrets,
            } => secrets.apply(|token| Signature::token(header, prefix, token)),
        }
    }
}

impl Secrets {
    fn apply(&self, make: impl Fn(&str) -> Signature) -> Signature {
        let signature = make(self.secret.expose_secret());
        match &self.former_secret {
            Some(former) => signature.or(former.expose_secret()),
            None => signature,
        }
    }
}
