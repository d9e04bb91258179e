//! Tokens: who may ask, and for how long.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::scenario::{Rotation, Scenario};
use crate::time::{HOUR, Millis, SECOND};
use simulator_common::Random;

/// The application that there is.
pub(crate) const CLIENT_ID: &str = "client";
pub(crate) const CLIENT_SECRET: &str = "client-secret";

/// The tokens that there are from the beginning on.
pub(crate) const FIRST_ACCESS: &str = "access-0";
pub(crate) const FIRST_REFRESH: &str = "refresh-0";

/// The code that an authorisation gives.
pub(crate) const CODE: &str = "code-0";

const REFRESH_LIFE: Millis = 14 * 24 * HOUR;
const MINT_PAUSE: Millis = 60 * SECOND;

/// The tokens that were given.
#[derive(Debug)]
pub(crate) struct Tokens {
    random: Random,
    /// How long one is good that asks the API.
    life: Millis,
    /// When each expires.
    access: BTreeMap<String, Millis>,
    refresh: BTreeMap<String, Millis>,
    scope: String,
    rotation: Rotation,
    throttles: bool,
    last_given: Option<Millis>,
}

/// Why no token is given: a status, and words of OAuth2.
pub(crate) struct Refusal(
    pub(crate) u16,
    pub(crate) &'static str,
    pub(crate) &'static str,
);

impl Tokens {
    pub(crate) fn new(scenario: &Scenario, now: Millis) -> Self {
        let life = Millis::try_from(scenario.token_seconds)
            .unwrap_or(HOUR)
            .saturating_mul(SECOND);
        Self {
            random: Random::of(scenario.seed, "tokens"),
            life,
            access: BTreeMap::from([(FIRST_ACCESS.to_owned(), now.saturating_add(life))]),
            refresh: BTreeMap::from([(FIRST_REFRESH.to_owned(), now + REFRESH_LIFE)]),
            scope: scenario.scope.clone(),
            rotation: scenario.rotation,
            throttles: scenario.throttles_tokens,
            last_given: None,
        }
    }

    pub(crate) fn is_good(&self, token: &str, now: Millis) -> bool {
        self.access
            .get(token)
            .is_some_and(|expires_at| now < *expires_at)
    }

    /// Whether the tokens may see a collection, by its path.
    pub(crate) fn may_read(&self, path: &str) -> bool {
        let wanted = [format!("{path}.read"), format!("{path}.all")];
        self.scope.is_empty()
            || self
                .scope
                .split(' ')
                .any(|scope| wanted.iter().any(|one| one == scope))
    }

    /// Takes all access tokens back.
    pub(crate) fn expire(&mut self) {
        self.access.clear();
    }

    /// Gives a token for what the fields hold.
    pub(crate) fn exchange(
        &mut self,
        fields: &BTreeMap<String, String>,
        now: Millis,
    ) -> Result<Value, Refusal> {
        let get = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
        if get("client_id") != CLIENT_ID || get("client_secret") != CLIENT_SECRET {
            return Err(Refusal(
                401,
                "invalid_client",
                "The client id or secret is wrong.",
            ));
        }
        let spent = get("refresh_token");
        match get("grant_type") {
            "refresh_token"
                if self
                    .refresh
                    .get(spent)
                    .is_some_and(|expires_at| now < *expires_at) => {}
            "refresh_token" => {
                return Err(Refusal(
                    401,
                    "invalid_grant",
                    "The refresh token is expired or revoked.",
                ));
            }
            "authorization_code" if get("code") == CODE => {}
            "authorization_code" => {
                return Err(Refusal(401, "invalid_grant", "The code is not known."));
            }
            _ => {
                return Err(Refusal(
                    400,
                    "unsupported_grant_type",
                    "There is no such grant.",
                ));
            }
        }
        if self.throttles && self.last_given.is_some_and(|last| now - last < MINT_PAUSE) {
            return Err(Refusal(429, "rate_limit", "One token a minute."));
        }
        self.last_given = Some(now);
        let access = format!("access-{:016x}", self.random.next());
        self.access
            .insert(access.clone(), now.saturating_add(self.life));
        let mut given = json!({
            "access_token": access,
            "token_type": "bearer",
            "expires_in": self.life / SECOND,
            "scope": self.scope,
            "created_at": now / SECOND,
        });
        if self.rotation != Rotation::OmitRefreshToken {
            let refresh = format!("refresh-{:016x}", self.random.next());
            self.refresh.insert(refresh.clone(), now + REFRESH_LIFE);
            given["refresh_token"] = refresh.into();
        }
        if self.rotation == Rotation::InvalidateOld {
            self.refresh.remove(spent);
        }
        Ok(given)
    }
}
