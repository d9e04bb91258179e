//! Asking a provider for a token.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::google::Signer;
use super::{AuthError, Header, Secret};
use crate::http::{Asked, Client, Request, Response, Verdict};

/// A life that is longer than this is as good as one without an end.
const LONGEST_LIFE_SECONDS: f64 = 10.0 * 365.0 * 86_400.0;

/// Characters of a provider's description that are shown.
const DESCRIPTION_CHARS: usize = 300;

/// A text shorter than this is no secret, and hiding it would garble what is around it.
const SECRET_CHARS: usize = 6;

/// How a provider is asked for an access token.
///
/// The grants are those of RFC 6749 and, for a service account, of RFC 7523. What differs from provider to provider is said with
/// [`field`](Self::field), [`header`](Self::header) and [`client_in_header`](Self::client_in_header).
///
/// ```
/// use staunch::auth::{Exchange, Secret};
///
/// let (id, secret) = (Secret::from("id"), Secret::from("hunter2"));
/// let exchange = Exchange::client_credentials("https://example.com/oauth/token", &id, &secret)
///     .client_in_header()
///     .field("scope", "orders:read")
///     .field("audience", "https://api.example.com");
/// # let _ = exchange;
/// ```
#[derive(Clone)]
#[must_use = "an exchange is carried out by `Tokens`"]
pub struct Exchange {
    token_url: String,
    fields: Vec<(String, Secret)>,
    headers: Vec<(String, Secret)>,
    client: Option<Party>,
    signer: Option<Signer>,
    is_in_header: bool,
    is_json: bool,
    is_repeatable: bool,
}

/// An application, by its id and secret.
#[derive(Clone)]
struct Party {
    id: Secret,
    secret: Secret,
}

/// What a provider answered.
pub(super) struct Fetched {
    pub(super) access_token: Secret,
    /// None where the one that was sent lives on.
    pub(super) refresh_token: Option<Secret>,
    /// None if that is not told.
    pub(super) lives: Option<Duration>,
}

impl Exchange {
    /// A refresh token for an access token.
    pub fn refresh_token(
        token_url: impl Into<String>,
        client_id: &Secret,
        client_secret: &Secret,
        refresh_token: &Secret,
    ) -> Self {
        Self::new(token_url, "refresh_token")
            .by(client_id, client_secret)
            .secret_field("refresh_token", refresh_token)
    }

    /// An application's own id and secret for an access token.
    pub fn client_credentials(
        token_url: impl Into<String>,
        client_id: &Secret,
        client_secret: &Secret,
    ) -> Self {
        Self::new(token_url, "client_credentials").by(client_id, client_secret)
    }

    /// A user and their password for an access token.
    pub fn password(
        token_url: impl Into<String>,
        client_id: &Secret,
        client_secret: &Secret,
        username: &Secret,
        password: &Secret,
    ) -> Self {
        Self::new(token_url, "password")
            .by(client_id, client_secret)
            .secret_field("username", username)
            .secret_field("password", password)
    }

    /// The code that a provider gave to somebody's browser, for an access token. It can be spent once.
    pub fn authorization_code(
        token_url: impl Into<String>,
        client_id: &Secret,
        client_secret: &Secret,
        code: &Secret,
        redirect_uri: &str,
    ) -> Self {
        Self::new(token_url, "authorization_code")
            .by(client_id, client_secret)
            .secret_field("code", code)
            .field("redirect_uri", redirect_uri)
            .once()
    }

    /// An assertion that is signed anew each time, for an access token.
    pub(super) fn signed(token_url: impl Into<String>, signer: Signer) -> Self {
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        Self {
            signer: Some(signer),
            ..Self::new(token_url, grant)
        }
    }

    fn new(token_url: impl Into<String>, grant_type: &str) -> Self {
        let exchange = Self {
            token_url: token_url.into(),
            fields: Vec::new(),
            headers: Vec::new(),
            client: None,
            signer: None,
            is_in_header: false,
            is_json: false,
            is_repeatable: true,
        };
        exchange.field("grant_type", grant_type)
    }

    fn by(mut self, id: &Secret, secret: &Secret) -> Self {
        let (id, secret) = (id.clone(), secret.clone());
        self.client = Some(Party { id, secret });
        self
    }

    fn secret_field(mut self, name: &str, value: &Secret) -> Self {
        self.fields.push((name.to_owned(), value.clone()));
        self
    }

    /// Sends another field, after those that are there.
    pub fn field(self, name: &str, value: &str) -> Self {
        self.secret_field(name, &Secret::from(value))
    }

    /// Sends a header.
    pub fn header(mut self, name: &str, value: &Secret) -> Self {
        self.headers.push((name.to_owned(), value.clone()));
        self
    }

    /// Sends the client's id and secret as `Authorization: Basic …`, instead of as fields.
    pub fn client_in_header(mut self) -> Self {
        self.is_in_header = true;
        self
    }

    /// Sends the fields as a JSON object, instead of as a form.
    pub fn as_json(mut self) -> Self {
        self.is_json = true;
        self
    }

    /// Asks once only: what was sent is spent, even if the answer was lost.
    pub(super) fn once(mut self) -> Self {
        self.is_repeatable = false;
        self
    }

    /// Asks with another refresh token from now on.
    pub(super) fn replace_refresh_token(&mut self, token: &Secret) {
        for (_, value) in self
            .fields
            .iter_mut()
            .filter(|(name, _)| name == "refresh_token")
        {
            *value = token.clone();
        }
    }

    /// Asks the provider. Connections are those of `client`, and nothing else of it.
    pub(super) async fn send(&self, client: &Client) -> Result<Fetched, AuthError> {
        // An error is read here, whatever its status, as providers disagree about that.
        let client = client.bare().judge(|answer| match answer.status() {
            400..=404 => Verdict::Accept,
            _ => Verdict::AsUsual,
        });
        let request = self.request(&client.build())?;
        let answer = request.send().await?;
        self.read(&answer)
    }

    fn request(&self, client: &Client) -> Result<Request, AuthError> {
        let mut fields: Vec<(&str, &str)> = Vec::new();
        let of_fields = self.fields.iter();
        fields.extend(of_fields.map(|(name, value)| (name.as_str(), value.expose())));
        let mut request = client
            .post(&self.token_url)
            .header("accept", "application/json");
        if let Some(party) = &self.client {
            if self.is_in_header {
                // RFC 6749, 2.3.1: both are encoded as in a form before they are joined.
                let [id, secret] = [&party.id, &party.secret].map(|part| {
                    let encoded = url::form_urlencoded::byte_serialize(part.expose().as_bytes());
                    Secret::from(encoded.collect::<String>())
                });
                let header = Header::basic(&id, &secret).authorization(0);
                let (name, value) = header.map_err(AuthError::Unsendable)?.header;
                request = request.header(name.as_str(), value.to_str().unwrap_or_default());
            } else {
                let of_party = [
                    ("client_id", party.id.expose()),
                    ("client_secret", party.secret.expose()),
                ];
                // Where the kit of old has them, as some providers want them there: after the grant.
                fields.splice(1..1, of_party);
            }
        }
        for (name, value) in &self.headers {
            request = request.header(name, value.expose());
        }
        let assertion = match &self.signer {
            Some(signer) => Zeroizing::new(signer.assertion(&self.token_url)?),
            None => Zeroizing::default(),
        };
        if self.signer.is_some() {
            fields.push(("assertion", &assertion));
        }
        let request = match self.is_json {
            true => {
                let members: BTreeMap<&str, &str> = fields.iter().copied().collect();
                let values = fields.iter().map(|(_, value)| *value);
                request.json(&members).hiding(values)
            }
            false => request.form(&fields),
        };
        Ok(match self.is_repeatable {
            true => request.as_read(),
            false => request,
        })
    }

    fn read(&self, answer: &Response) -> Result<Fetched, AuthError> {
        let asked = || Asked::of("POST", &self.token_url);
        let status = answer.status();
        let told = Told::of(answer);
        if let Some(access_token) = told.access_token
            && status < 400
            && !access_token.is_empty()
        {
            return Ok(Fetched {
                access_token: access_token.into(),
                refresh_token: told
                    .refresh_token
                    .filter(|token| !token.is_empty())
                    .map(Secret::from),
                lives: told.expires_in.as_ref().and_then(life),
            });
        }
        match told.error.as_ref().and_then(code) {
            Some(code) => Err(AuthError::Refused {
                asked: asked(),
                code: self.shown(&code),
                description: self.shown(&told.error_description.unwrap_or_default()),
            }),
            None => Err(AuthError::NoToken {
                asked: asked(),
                status,
            }),
        }
    }

    /// What a provider says, without what it was sent: some repeat it.
    fn shown(&self, text: &str) -> String {
        let of_party = self
            .client
            .iter()
            .flat_map(|party| [&party.id, &party.secret]);
        let of_fields = self.fields.iter().skip(1).map(|(_, value)| value);
        let of_headers = self.headers.iter().map(|(_, value)| value);
        let mut text = text.to_owned();
        for secret in of_party.chain(of_fields).chain(of_headers) {
            let secret = secret.expose();
            if secret.chars().count() >= SECRET_CHARS {
                text = text.replace(secret, "[hidden]");
            }
        }
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        text.chars()
            .map(printable)
            .take(DESCRIPTION_CHARS)
            .collect()
    }
}

/// Nothing but where it asks.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("asked", &Asked::of("POST", &self.token_url))
            .finish_non_exhaustive()
    }
}

/// What an answer tells, as far as it is understood: a token is worth more than to be refused for another member.
#[derive(Default, Deserialize)]
struct Told {
    access_token: Option<String>,
    refresh_token: Option<String>,
    /// A number, or one written as text.
    expires_in: Option<Value>,
    /// A code, or an object that has one.
    error: Option<Value>,
    error_description: Option<String>,
}

impl Told {
    fn of(answer: &Response) -> Self {
        if let Ok(body) = answer.json::<Value>() {
            let text = |name: &str| Some(body.get(name)?.as_str()?.to_owned());
            let of_error = |name: &str| Some(body.get("error")?.get(name)?.as_str()?.to_owned());
            return Self {
                access_token: text("access_token"),
                refresh_token: text("refresh_token"),
                expires_in: body.get("expires_in").cloned(),
                error: body.get("error").cloned(),
                error_description: text("error_description").or_else(|| of_error("message")),
            };
        }
        // Some answer with a form, and not all of them say so.
        let mut told = Self::default();
        for (name, value) in url::form_urlencoded::parse(answer.bytes()) {
            let value = value.into_owned();
            match &*name {
                "access_token" => told.access_token = Some(value),
                "refresh_token" => told.refresh_token = Some(value),
                "expires_in" => told.expires_in = Some(value.into()),
                "error" => told.error = Some(value.into()),
                "error_description" => told.error_description = Some(value),
                _ => {}
            }
        }
        told
    }
}

/// How long a token lives. `None` for what is no life.
fn life(expires_in: &Value) -> Option<Duration> {
    let seconds = match expires_in {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    let seconds = seconds.filter(|seconds: &f64| *seconds > 0.0 && *seconds < LONGEST_LIFE_SECONDS);
    seconds.map(Duration::from_secs_f64)
}

/// The provider's word for what is wrong.
fn code(error: &Value) -> Option<String> {
    let of_object = || {
        ["code", "type", "status"]
            .iter()
            .find_map(|name| error.get(name)?.as_str())
    };
    let code = error.as_str().or_else(of_object)?;
    (!code.is_empty()).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_life_is_a_number_of_seconds_however_it_is_written() {
        for (expires_in, seconds) in [
            (json!(7200), Some(7200)),
            (json!("7200"), Some(7200)),
            (json!(7200.9), Some(7200)),
            (json!(0), None),
            (json!(-5), None),
            (json!(null), None),
            (json!({}), None),
            (json!("soon"), None),
            (json!(1e300), None),
        ] {
            let life = life(&expires_in).map(|life| life.as_secs());
            assert_eq!(life, seconds, "{expires_in}");
        }
    }
}
