//! A service account, with a key that was made for the moment.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A service account.
pub struct Account {
    email: String,
    key_id: String,
    private_key: String,
    public_key: Vec<u8>,
}

impl Account {
    /// An account with a new key.
    ///
    /// # Panics
    /// If no key can be made.
    #[must_use]
    pub fn new() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("a key can be written");
        let lines = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = lines
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
            .collect();
        let lines = lines.join("\n");
        Self {
            email: "capture@project.example.com".into(),
            key_id: "key-1".into(),
            private_key: format!(
                "-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n"
            ),
            public_key: pair.public_key().as_ref().to_vec(),
        }
    }

    /// The document that is given for the key.
    #[must_use]
    pub fn key(&self, token_url: &str) -> String {
        let key = json!({
            "type": "service_account",
            "project_id": "project",
            "private_key_id": self.key_id,
            "private_key": self.private_key,
            "client_email": self.email,
            "token_uri": token_url,
        });
        key.to_string()
    }

    /// The private key's own characters, of which none is to be shown.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.private_key.lines().nth(3).unwrap_or_default()
    }

    /// What an assertion claims, if this account has signed it.
    #[must_use]
    pub fn claims(&self, assertion: &str) -> Option<Value> {
        let (signed, signature) = assertion.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_key);
        key.verify(signed.as_bytes(), &decoded(signature)?).ok()?;
        let header: Value = serde_json::from_slice(&decoded(header)?).ok()?;
        let expected = json!({ "typ": "JWT", "alg": "RS256", "kid": self.key_id });
        let claims: Value = serde_json::from_slice(&decoded(claims)?).ok()?;
        (header == expected && claims["iss"] == self.email.as_str()).then_some(claims)
    }
}

impl Default for Account {
    fn default() -> Self {
        Self::new()
    }
}
