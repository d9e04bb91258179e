//! What the connector is told.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, de};
use serde_json::{Value, json};
use staunch::auth::{AccessToken, Exchange, Secret, title};
use staunch::{BoxError, ConfigUpdate, IsoDuration};

use crate::migrations::check_names;

/// How far back is read if the config does not say it.
const DEFAULT_SPAN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The endpoint config. That of a single store, as it was before, is read too.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(title = "EndpointConfig")]
pub struct Config {
    /// One or more Shopify stores to capture. Each has its own credentials.
    #[schemars(title = "Shopify Stores", length(min = 1))]
    pub stores: Vec<StoreConfig>,
    /// What was last changed before this time is not captured, as 2026-01-01T00:00:00Z. If left blank, what was changed in the 30 days
    /// before the capture began is.
    #[schemars(title = "Start Date", extend("type" = "string", "format" = "date-time"))]
    start_date: Option<Timestamp>,
    /// What seldom needs to be changed.
    #[serde(default)]
    #[schemars(title = "Advanced Config", extend("advanced" = true))]
    pub advanced: Advanced,
}

/// A store, and how it is asked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "StoreConfig")]
pub struct StoreConfig {
    /// The name of the store: what its address begins with, as `mystore` of mystore.myshopify.com.
    #[schemars(title = "Store Name", length(min = 1))]
    pub store: String,
    /// How the store is asked.
    #[schemars(title = "Authentication")]
    pub credentials: Credentials,
}

/// How a store is asked.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Credentials {
    /// An app of the organisation that owns the store.
    Client(ClientCredentials),
    /// A token of an app that was made in the store.
    PrivateApp(AccessToken),
    /// Something else, which is said when the config is checked, with the name of the store.
    #[schemars(skip)]
    Unknown(IgnoredAny),
}

/// An app that asks for itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Client Credentials")]
pub struct ClientCredentials {
    /// Which kind of credentials these are.
    #[serde(default)]
    pub credentials_title: title::Client,
    /// The app.
    #[schemars(title = "Client Id")]
    pub client_id: Secret,
    /// The app's own secret.
    #[schemars(title = "Client Secret")]
    pub client_secret: Secret,
}

/// What seldom needs to be changed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Advanced")]
pub struct Advanced {
    /// How long a span of time a bulk operation reads, as an ISO 8601 duration: P30D are 30 days, PT6H are six hours. A smaller one
    /// makes more checkpoints.
    #[serde(default = "a_month")]
    #[schemars(title = "Window Size")]
    window_size: IsoDuration,
    /// Whether collections are keyed on the store, too (/_meta/store). Of a capture that began with a single store they are not; before
    /// a second one is added, this has to be set, the bindings discovered anew, and all of them backfilled.
    #[serde(default = "yes")]
    #[schemars(title = "Use Composite Key", extend("nonsensitive" = true))]
    pub should_use_composite_key: bool,
}

impl Default for Advanced {
    fn default() -> Self {
        Self {
            window_size: a_month(),
            should_use_composite_key: true,
        }
    }
}

fn a_month() -> IsoDuration {
    IsoDuration::new(Duration::from_secs(30 * 86_400))
}

fn yes() -> bool {
    true
}

impl ClientCredentials {
    /// Fetches access tokens from this URL.
    pub(crate) fn exchange(&self, token_url: String) -> Exchange {
        Exchange::client_credentials(token_url, &self.client_id, &self.client_secret)
    }
}

/// Both shapes.
#[derive(Deserialize)]
struct Written {
    stores: Option<Vec<StoreConfig>>,
    store: Option<String>,
    credentials: Option<Credentials>,
    start_date: Option<Timestamp>,
    #[serde(default)]
    advanced: Advanced,
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written {
            stores,
            store,
            credentials,
            start_date,
            mut advanced,
        } = Written::deserialize(deserializer)?;
        let stores = match (stores, store, credentials) {
            (Some(stores), _, _) => stores,
            (None, Some(store), Some(credentials)) => {
                // Collections of that time are keyed on the id alone.
                advanced.should_use_composite_key = false;
                vec![StoreConfig { store, credentials }]
            }
            _ => return Err(de::Error::missing_field("stores")),
        };
        Ok(Self {
            stores,
            start_date,
            advanced,
        })
    }
}

/// Whether a config is that of a single store.
pub(crate) fn is_flat(json: &Value) -> bool {
    json.get("stores").is_none() && json.get("store").is_some()
}

/// The config of a single store as that of many: what was given, and all advanced members.
pub(crate) fn update(config: &Config, json: &Value) -> Option<ConfigUpdate> {
    if !is_flat(json) {
        return None;
    }
    let mut members = json.as_object()?.clone();
    let (store, credentials) = (members.remove("store")?, members.remove("credentials")?);
    members.insert(
        "stores".to_owned(),
        json!([{ "store": store, "credentials": credentials }]),
    );
    let advanced = members.entry("advanced").or_insert_with(|| json!({}));
    advanced["should_use_composite_key"] = false.into();
    if advanced.get("window_size").is_none() {
        advanced["window_size"] = config.advanced.window_size.to_string().into();
    }
    Some(ConfigUpdate::new(
        "The capture's store is one of a list of stores now.",
        members.into(),
    ))
}

impl Config {
    /// The names of the stores, in their order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.stores
            .iter()
            .map(|store| store.store.clone())
            .collect()
    }

    /// Sees that the config makes sense by itself.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), BoxError> {
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for (nth, StoreConfig { store, credentials }) in self.stores.iter().enumerate() {
            if store.is_empty() {
                problems.push(format!(
                    "`/stores/{nth}/store` is empty; name the store as its address begins"
                ));
            } else if !is_name(store) {
                problems.push(format!(
                    "`/stores/{nth}/store` cannot be the beginning of an address; write `mystore` of mystore.myshopify.com"
                ));
            }
            if !seen.insert(store) {
                problems.push(format!(
                    "store `{store}` is configured twice; remove one of them"
                ));
            }
            if let Credentials::Unknown(_) = credentials {
                problems.push(format!(
                    "the credentials of store `{store}` are of no kind that can be used; give `credentials_title` \
                     `Client Credentials` with `client_id` and `client_secret`, or `Private App Credentials` with `access_token`"
                ));
            }
        }
        if self.stores.is_empty() {
            problems.push("`/stores` is empty; configure one store at least".to_owned());
        }
        problems.extend(check_names(&self.names()).err());
        if self.advanced.window_size.get() < Duration::from_secs(60) {
            problems.push(
                "`/advanced/window_size` is less than a minute; choose a longer one, as `P30D`"
                    .to_owned(),
            );
        }
        match self.start_date {
            Some(at) if at > now => problems
                .push("`/start_date` is in the future; choose one that has passed".to_owned()),
            Some(at) if at < Timestamp::UNIX_EPOCH => {
                problems.push("`/start_date` is before 1970; choose a later one".to_owned());
            }
            _ => {}
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(problems.join("; ").into()),
        }
    }

    /// How long a span a bulk job reads.
    pub(crate) fn window(&self) -> Duration {
        self.advanced.window_size.get()
    }

    /// When history begins, for what began at this time: that is kept in the state, so that the date does not drift with each restart.
    pub(crate) fn begin(&self, began: Timestamp) -> Timestamp {
        self.start_date.unwrap_or_else(|| {
            began
                .checked_sub(DEFAULT_SPAN)
                .unwrap_or(Timestamp::UNIX_EPOCH)
        })
    }
}

/// Whether a text can be a part of a host's name. Whose token would be sent where must not depend on what else stands in it.
fn is_name(store: &str) -> bool {
    store
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
