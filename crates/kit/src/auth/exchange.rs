//! Asking a provider for a token.

mod answer;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::google::Signer;
use super::{AuthError, Secret};
use crate::http::{Asked, Client, Request, Verdict, hide};

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
    grant: Grant,
    /// What the grant is given for, and then what the author adds.
    fields: Vec<(String, Secret)>,
    headers: Vec<(String, Secret)>,
    client: Option<Party>,
    signer: Option<Signer>,
    is_in_header: bool,
    is_json: bool,
    is_repeatable: bool,
}

/// For what a token is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    RefreshToken,
    ClientCredentials,
    Password,
    AuthorizationCode,
    Assertion,
}

impl Grant {
    fn name(self) -> &'static str {
        match self {
            Grant::RefreshToken => "refresh_token",
            Grant::ClientCredentials => "client_credentials",
            Grant::Password => "password",
            Grant::AuthorizationCode => "authorization_code",
            Grant::Assertion => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }
}

/// An application, by its id and secret.
#[derive(Clone)]
struct Party {
    id: Secret,
    secret: Secret,
}

impl Party {
    /// What names it in a header.
    ///
    /// # Source
    /// RFC 6749, 2.3.1: both parts are encoded as in a form before they are joined.
    fn basic(&self) -> Secret {
        let [id, secret] = [&self.id, &self.secret].map(|part| {
            let encoded = url::form_urlencoded::byte_serialize(part.expose().as_bytes());
            Zeroizing::new(encoded.collect::<String>())
        });
        let both = Zeroizing::new(format!("{}:{}", *id, *secret));
        STANDARD.encode(both.as_bytes()).into()
    }
}

/// What is made of the credentials for one request.
struct Made {
    basic: Option<Secret>,
    assertion: Option<Secret>,
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
        Self::new(token_url, Grant::RefreshToken)
            .by(client_id, client_secret)
            .secret_field("refresh_token", refresh_token)
    }

    /// An application's own id and secret for an access token.
    pub fn client_credentials(
        token_url: impl Into<String>,
        client_id: &Secret,
        client_secret: &Secret,
    ) -> Self {
        Self::new(token_url, Grant::ClientCredentials).by(client_id, client_secret)
    }

    /// A user and their password for an access token.
    pub fn password(
        token_url: impl Into<String>,
        client_id: &Secret,
        client_secret: &Secret,
        username: &Secret,
        password: &Secret,
    ) -> Self {
        Self::new(token_url, Grant::Password)
            .by(client_id, client_secret)
            .secret_field("username", username)
            .secret_field("password", password)
    }

    /// The code that a provider gave to somebody's browser, for an access token.
    ///
    /// It is spent once. The next access token is asked for with the refresh token that came with the first, if one did.
    pub fn authorization_code(
        token_url: impl Into<String>,
        client_id: &Secret,
        client_secret: &Secret,
        code: &Secret,
        redirect_uri: &str,
    ) -> Self {
        Self::new(token_url, Grant::AuthorizationCode)
            .by(client_id, client_secret)
            .secret_field("code", code)
            .field("redirect_uri", redirect_uri)
            .once()
    }

    /// An assertion that is signed anew each time, for an access token.
    pub(super) fn signed(token_url: impl Into<String>, signer: Signer) -> Self {
        Self {
            signer: Some(signer),
            ..Self::new(token_url, Grant::Assertion)
        }
    }

    fn new(token_url: impl Into<String>, grant: Grant) -> Self {
        Self {
            token_url: token_url.into(),
            grant,
            fields: Vec::new(),
            headers: Vec::new(),
            client: None,
            signer: None,
            is_in_header: false,
            is_json: false,
            is_repeatable: true,
        }
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

    /// Asks with this refresh token from now on: in place of one that is replaced, or of a code that is spent. Otherwise what a
    /// token was given for stays good, and needs no other.
    pub(super) fn go_on_with(&mut self, token: &Secret) {
        match self.grant {
            Grant::RefreshToken => {}
            Grant::AuthorizationCode => self.is_repeatable = true,
            Grant::ClientCredentials | Grant::Password | Grant::Assertion => return,
        }
        self.grant = Grant::RefreshToken;
        let spent = ["refresh_token", "code", "redirect_uri", "code_verifier"];
        self.fields.retain(|(name, _)| !spent.contains(&&**name));
        let field = ("refresh_token".to_owned(), token.clone());
        self.fields.insert(0, field);
    }

    /// Asks the provider. Connections are those of `client`, and nothing else of it.
    pub(super) async fn send(&self, client: &Client) -> Result<Fetched, AuthError> {
        // A refusal is read here, whatever its status, as providers disagree about that. Those that may pass are asked again.
        let client = client.bare().judge(|answer| match answer.status() {
            408 | 425 | 429 => Verdict::AsUsual,
            400..500 => Verdict::Accept,
            _ => Verdict::AsUsual,
        });
        let made = self.make()?;
        let answer = self.request(&client.build(), &made).send().await?;
        self.read(answer, &made)
    }

    fn make(&self) -> Result<Made, AuthError> {
        let in_header = self.client.as_ref().filter(|_| self.is_in_header);
        let signed = |signer: &Signer| signer.assertion(&self.token_url);
        Ok(Made {
            basic: in_header.map(Party::basic),
            assertion: self.signer.as_ref().map(signed).transpose()?,
        })
    }

    fn request(&self, client: &Client, made: &Made) -> Request {
        let mut request = client
            .post(&self.token_url)
            .header("accept", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value.expose());
        }
        let mut fields = vec![("grant_type", self.grant.name())];
        match (&made.basic, &self.client) {
            (Some(basic), _) => {
                let basic = Zeroizing::new(format!("Basic {}", basic.expose()));
                request = request.header("authorization", &*basic);
            }
            (None, Some(Party { id, secret })) => {
                // Right after the grant, as some providers want them there.
                fields.push(("client_id", id.expose()));
                fields.push(("client_secret", secret.expose()));
            }
            (None, None) => {}
        }
        let assertion = made.assertion.iter();
        fields.extend(assertion.map(|assertion| ("assertion", assertion.expose())));
        let of_author = self.fields.iter();
        fields.extend(of_author.map(|(name, value)| (name.as_str(), value.expose())));
        let request = match self.is_json {
            true => request.json(&fields.into_iter().collect::<BTreeMap<_, _>>()),
            false => request.form(&fields),
        };
        let request = request.hiding(self.secrets(made));
        match self.is_repeatable {
            true => request.as_read(),
            false => request,
        }
    }

    /// What it sends that is not to be shown.
    fn secrets<'a>(&'a self, made: &'a Made) -> impl Iterator<Item = &'a str> {
        let of_party = self
            .client
            .iter()
            .flat_map(|party| [&party.id, &party.secret]);
        let of_author = self.fields.iter().chain(&self.headers);
        let of_author = of_author.map(|(_, value)| value);
        let made = made.basic.iter().chain(&made.assertion);
        of_party.chain(of_author).chain(made).map(Secret::expose)
    }

    /// What a provider says, without what it was sent: some repeat it.
    fn shown(&self, text: &str, made: &Made) -> String {
        let printable = |c: char| if c.is_control() { ' ' } else { c };
        let text = hide(text, self.secrets(made));
        text.chars()
            .map(printable)
            .take(DESCRIPTION_CHARS)
            .collect()
    }

    fn asked(&self) -> Asked {
        Asked::of("POST", &self.token_url)
    }
}

/// Characters of a provider's description that are shown.
const DESCRIPTION_CHARS: usize = 300;

/// Nothing but where it asks.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("asked", &self.asked())
            .finish_non_exhaustive()
    }
}
