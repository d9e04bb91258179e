//! What a provider knows, and what it decides.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::asked::{basic, client, fields};
use super::{
    ACCESS_TOKEN, Account, CLIENT_ID, CLIENT_SECRET, CODE, PASSWORD, REDIRECT_URI, REFRESH_TOKEN,
    Refresh, Rules, SECRET, Style, Turn, Turns, USERNAME,
};
use crate::faults::{Answer, Asked, Fault};

/// Records that the source has.
pub const RECORDS: u64 = 50;

/// Records on a page.
const PAGE: u64 = 5;

/// Tokens that were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// For what.
    pub grant: String,
    /// For which refresh token, if for one.
    pub spent: Option<String>,
    /// The access token.
    pub access_token: String,
    /// The refresh token, if there is another.
    pub refresh_token: Option<String>,
}

/// What a provider knows.
pub struct House {
    /// By which rules it gives.
    pub rules: Rules,
    pub(super) turns: Turns,
    /// What it gave, in order, whether or not the answer arrived.
    pub given: Vec<Given>,
    /// Each token with which the source was asked, in order, whether or not it was taken.
    pub used: Vec<String>,
    /// The account that may sign, and what its assertions must claim: the audience, the scope and the subject.
    pub account: Option<(Account, Value)>,
    /// What is done to an answer of the sealing service.
    pub sealing: Fault,
    /// How large a sealed config is made.
    pub sealed_bytes: usize,
    /// Configs that were sealed.
    sealed: Vec<Value>,
    refresh_tokens: BTreeSet<String>,
    codes: BTreeSet<String>,
    /// With how many requests each is still taken.
    access_tokens: BTreeMap<String, u32>,
}

impl House {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            turns: Turns::new(),
            given: Vec::new(),
            used: Vec::new(),
            account: None,
            sealing: Fault::None,
            sealed_bytes: 0,
            sealed: Vec::new(),
            refresh_tokens: [REFRESH_TOKEN.to_owned()].into(),
            codes: [CODE.to_owned()].into(),
            access_tokens: [(ACCESS_TOKEN.to_owned(), u32::MAX)].into(),
        }
    }

    /// Takes no access token any more that was given so far.
    pub fn take_all_back(&mut self) {
        self.access_tokens.clear();
    }

    /// The config that was sealed so.
    #[must_use]
    pub fn unsealed(&self, sealed: &Value) -> Option<&Value> {
        self.sealed.get(sealed["sealed"].as_u64()? as usize)
    }

    /// The configs that were sealed.
    #[must_use]
    pub fn sealed(&self) -> &[Value] {
        &self.sealed
    }

    pub(super) fn answer(&mut self, asked: &Asked) -> Answer {
        match asked.path() {
            "/token" => match self.turns.pop_front() {
                None => self.exchange(asked),
                Some(Turn::Spoilt(fault)) => self.exchange(asked).fault(fault),
                Some(Turn::Instead(answer)) => answer(asked),
            },
            "/seal" => self.seal(asked),
            "/records" => self.with_token(asked, page),
            "/basic" => {
                let expected = (USERNAME.to_owned(), PASSWORD.to_owned());
                taken(basic(asked) == Some(expected))
            }
            "/key" => taken(asked.header("x-shop-key") == Some(ACCESS_TOKEN)),
            "/prefix" => {
                let expected = format!("Token {ACCESS_TOKEN}");
                taken(asked.header("authorization") == Some(&expected))
            }
            _ => Answer::new(404, ""),
        }
    }

    fn with_token(&mut self, asked: &Asked, answer: fn(&Asked) -> Answer) -> Answer {
        let token = asked.header("authorization");
        let token = token.and_then(|value| value.strip_prefix("Bearer "));
        let token = token.unwrap_or_default();
        self.used.push(token.to_owned());
        match self.access_tokens.get_mut(token) {
            Some(left @ 1..) => {
                *left -= 1;
                answer(asked)
            }
            _ => Answer::new(401, format!("{token} is not taken")),
        }
    }

    fn exchange(&mut self, asked: &Asked) -> Answer {
        let fields = fields(asked);
        match self.give(asked, &fields) {
            Ok(given) => self.written(given),
            Err((status, error)) => {
                let body = json!({ "error": error, "error_description": format!("{fields:?}") });
                Answer::new(status, body.to_string())
            }
        }
    }

    /// Judges by RFC 6749, and by RFC 7523 for an assertion.
    fn give(
        &mut self,
        asked: &Asked,
        fields: &BTreeMap<String, String>,
    ) -> Result<Given, (u16, &'static str)> {
        const NOT_GOOD: (u16, &str) = (400, "invalid_grant");
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        let grant = field("grant_type");
        let is_signed = grant == "urn:ietf:params:oauth:grant-type:jwt-bearer";
        let expected = [CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned()];
        if !is_signed && client(asked, fields) != Some(expected) {
            return Err((401, "invalid_client"));
        }
        let mut spent = None;
        match grant {
            "refresh_token" => {
                let token = field("refresh_token").to_owned();
                if !self.refresh_tokens.contains(&token) {
                    return Err(NOT_GOOD);
                }
                if self.rules.refresh == Refresh::Rotates {
                    self.refresh_tokens.remove(&token);
                }
                spent = Some(token);
            }
            "client_credentials" => {}
            "password" if (field("username"), field("password")) == (USERNAME, PASSWORD) => {}
            "authorization_code"
                if field("redirect_uri") == REDIRECT_URI && self.codes.remove(field("code")) => {}
            "password" | "authorization_code" => return Err(NOT_GOOD),
            _ if is_signed => {
                let (account, expected) = self.account.as_ref().ok_or(NOT_GOOD)?;
                let mut claims = account.claims(field("assertion")).ok_or(NOT_GOOD)?;
                let now = jiff::Timestamp::now().as_second();
                let [iat, exp] = ["iat", "exp"].map(|name| claims[name].take().as_i64());
                let (iat, exp) = iat.zip(exp).ok_or(NOT_GOOD)?;
                let is_of_now = (now - 60..=now + 1).contains(&iat) && exp == iat + 3600;
                for (name, value) in expected.as_object().into_iter().flatten() {
                    if claims[name] != *value {
                        return Err(NOT_GOOD);
                    }
                }
                if !is_of_now {
                    return Err(NOT_GOOD);
                }
            }
            _ => return Err((400, "unsupported_grant_type")),
        }
        let nth = self.given.len() + 1;
        let has_refresh_token = matches!(grant, "refresh_token" | "authorization_code")
            && self.rules.refresh != Refresh::Stays;
        let given = Given {
            grant: grant.to_owned(),
            spent,
            access_token: format!("{SECRET}-access-{nth}"),
            refresh_token: has_refresh_token.then(|| format!("{SECRET}-refresh-{nth}")),
        };
        let uses = self.rules.uses.unwrap_or(u32::MAX);
        self.access_tokens.insert(given.access_token.clone(), uses);
        self.refresh_tokens.extend(given.refresh_token.clone());
        self.given.push(given.clone());
        Ok(given)
    }

    fn written(&self, given: Given) -> Answer {
        let mut members = json!({ "token_type": "bearer", "access_token": given.access_token });
        if let Some(token) = given.refresh_token {
            members["refresh_token"] = token.into();
        }
        if !self.rules.expires_in.is_null() {
            members["expires_in"] = self.rules.expires_in.clone();
        }
        let form = || {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in members.as_object().into_iter().flatten() {
                let text = value.as_str().map_or(value.to_string(), str::to_owned);
                form.append_pair(name, &text);
            }
            form.finish()
        };
        let json = ("content-type", "application/json");
        let (body, (name, value)) = match self.rules.style {
            Style::Json => (members.to_string(), json),
            Style::Adorned => {
                members["scope"] = json!({ "not": "a text" });
                members["error"] = Value::Null;
                (
                    format!("\u{feff}{members}\n"),
                    ("content-type", "text/html"),
                )
            }
            Style::Form => (
                form(),
                ("content-type", "application/x-www-form-urlencoded"),
            ),
            Style::FormSaidToBeJson => (form(), json),
        };
        Answer::new(200, body).header(name, value)
    }

    fn seal(&mut self, asked: &Asked) -> Answer {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        self.sealed.push(body["config"].clone());
        let padding = "x".repeat(self.sealed_bytes);
        let sealed = json!({ "padding": padding, "sealed": self.sealed.len() - 1 });
        Answer::new(200, sealed.to_string()).fault(self.sealing)
    }
}

fn page(asked: &Asked) -> Answer {
    let after: u64 = asked
        .query("after")
        .and_then(|after| after.parse().ok())
        .unwrap_or(0);
    let records: Vec<Value> = (after + 1..=RECORDS)
        .take(PAGE as usize)
        .map(|id| json!({ "id": id }))
        .collect();
    let more = after + PAGE < RECORDS;
    let body = json!({ "records": records, "more": more });
    Answer::new(200, body.to_string())
}

fn taken(is_taken: bool) -> Answer {
    match is_taken {
        true => Answer::new(200, "taken"),
        false => Answer::new(401, "not taken"),
    }
}
