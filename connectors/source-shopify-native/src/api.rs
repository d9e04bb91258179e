//! How a store is asked.

mod refusal;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use staunch::auth::{Header, Tokens};
use staunch::http::{Budget, Client, Hints, Lines, Response, Retry, Verdict};

use crate::config::{Credentials, StoreConfig};
use crate::place::Place;
use crate::query::ABOUT;
use crate::streams::{Grants, Plan};
pub(crate) use refusal::Refused;

/// The header in which tokens are sent.
const TOKEN_HEADER: &str = "x-shopify-access-token";

/// How often something is asked that fails for reasons of the server's own, and for how long altogether.
const TRIES: u32 = 12;
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// What a query is taken to cost that was not asked yet.
const UNKNOWN_COST: f64 = 10.0;

/// A store that is asked. Clones share its pace and its token.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) name: Arc<str>,
    url: Arc<str>,
    client: Client,
    /// What queries cost, each kind as it did the last time: the budget has to cover one before it is sent.
    costs: Arc<Mutex<BTreeMap<String, f64>>>,
    /// Without credentials: what a bulk job results in is on a host of somebody else.
    storage: Client,
}

/// An answer, around what was asked for.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Envelope<T> {
    #[serde(default = "none")]
    data: Option<T>,
}

fn none<T>() -> Option<T> {
    None
}

/// What went wrong: a list, or a single text.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Errors<'a> {
    #[serde(borrow)]
    List(Vec<GraphqlError<'a>>),
    #[serde(borrow)]
    Text(Cow<'a, str>),
    #[default]
    None,
}

/// An error of GraphQL.
#[derive(Deserialize)]
pub(crate) struct GraphqlError<'a> {
    #[serde(borrow, default)]
    pub(crate) message: Cow<'a, str>,
    #[serde(borrow, default)]
    extensions: Option<Extensions<'a>>,
}

#[derive(Deserialize)]
struct Extensions<'a> {
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
}

impl GraphqlError<'_> {
    pub(crate) fn code(&self) -> &str {
        let code = self.extensions.as_ref();
        code.and_then(|extensions| extensions.code.as_deref())
            .unwrap_or_default()
    }
}

/// Codes of errors that do not pass.
const FATAL: [&str; 5] = [
    "undefinedField",
    "ACCESS_DENIED",
    "SHOP_INACTIVE",
    "MAX_COST_EXCEEDED",
    "BAD_REQUEST",
];

/// What is looked at before anything else: whether there was an error, and what is left of the budget.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    errors: Errors<'a>,
    #[serde(default)]
    extensions: Option<Costs>,
}

#[derive(Deserialize)]
struct Costs {
    #[serde(default)]
    cost: Option<Cost>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cost {
    #[serde(default)]
    requested_query_cost: Option<f64>,
    throttle_status: Option<ThrottleStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ThrottleStatus {
    maximum_available: f64,
    currently_available: f64,
    restore_rate: f64,
}

/// What an answer is: one that does not pass comes first, then one that passes by waiting, then one that may pass.
fn judge(answer: &Response) -> Verdict {
    if answer.status() != 200 {
        return Verdict::AsUsual;
    }
    let Ok(Head {
        errors: Errors::List(errors),
        ..
    }) = serde_json::from_slice(answer.bytes())
    else {
        return Verdict::AsUsual;
    };
    let has = |code: &str| errors.iter().any(|error| error.code() == code);
    if FATAL.iter().any(|code| has(code)) {
        Verdict::AsUsual
    } else if has("THROTTLED") {
        Verdict::Throttled
    } else if has("INTERNAL_SERVER_ERROR") {
        Verdict::Retry
    } else {
        Verdict::AsUsual
    }
}

fn hints(answer: &Response) -> Hints {
    let mut hints = Hints::default();
    hints.retry_after = answer
        .header("retry-after")
        .and_then(|text| text.trim().parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let head: Option<Head<'_>> = serde_json::from_slice(answer.bytes()).ok();
    let cost = head.and_then(|head| head.extensions?.cost?.throttle_status);
    hints.budget = cost.map(|status| Budget {
        available: status.currently_available,
        maximum: status.maximum_available,
        restored_per_second: status.restore_rate,
    });
    hints
}

impl Store {
    pub(crate) fn new(place: &Place, connections: &Client, config: &StoreConfig) -> Self {
        let StoreConfig { store, credentials } = config;
        let scoped = connections
            .scoped()
            .retry(
                Retry::default()
                    .tries(TRIES)
                    .within(PATIENCE)
                    .pauses(Duration::from_secs(2), Duration::from_secs(60)),
            )
            .judge(judge)
            .hints(hints);
        let client = match credentials {
            Credentials::Client(credentials) => {
                let exchange = credentials.exchange(place.token_url(store));
                scoped.credentials(Tokens::sent_in(connections, exchange, TOKEN_HEADER, ""))
            }
            Credentials::PrivateApp(credentials) => {
                scoped.credentials(Header::new(TOKEN_HEADER, "", &credentials.access_token))
            }
            Credentials::Unknown(_) => scoped, // Nothing is asked with such a config.
        };
        Self {
            name: store.as_str().into(),
            url: place.api_url(store).into(),
            client: client.build(),
            costs: Arc::default(),
            storage: connections.scoped().build(),
        }
    }

    /// The answer to a query, or to a mutation. Whatever it does, doing it twice does no harm.
    pub(crate) async fn ask(&self, query: &str) -> Result<Response, Refused> {
        #[derive(serde::Serialize)]
        struct Body<'a> {
            query: &'a str,
        }
        // Queries for the same, however bounded, cost the same.
        let kind = query.split('(').next().unwrap_or(query);
        let cost = self.costs().get(kind).copied().unwrap_or(UNKNOWN_COST);
        let request = self.client.post(&*self.url).json(&Body { query });
        let answer = request.cost(cost).as_read().send().await;
        let answer = answer.map_err(|error| Refused::http(&self.name, error))?;
        if let Ok(head) = serde_json::from_slice::<Head<'_>>(answer.bytes())
            && let Some(cost) = head
                .extensions
                .and_then(|costs| costs.cost?.requested_query_cost)
        {
            self.costs().insert(kind.to_owned(), cost.max(1.0));
        }
        Ok(answer)
    }

    fn costs(&self) -> MutexGuard<'_, BTreeMap<String, f64>> {
        self.costs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked for, out of an answer. Data beside errors is not looked at.
    pub(crate) fn data<'a, T: Deserialize<'a>>(&self, answer: &'a Response) -> Result<T, Refused> {
        // Errors first: what is asked for may not be there to be read.
        let head: Head<'a> = answer
            .json()
            .map_err(|error| Refused::http(&self.name, error))?;
        match head.errors {
            Errors::List(errors) if !errors.is_empty() => {
                let fatal = errors.iter().find(|error| FATAL.contains(&error.code()));
                let error = fatal.or(errors.first()).expect("there is one");
                return Err(Refused::graphql(&self.name, error));
            }
            Errors::Text(text) => return Err(Refused::said(&self.name, &text)),
            Errors::List(_) | Errors::None => {}
        }
        let envelope: Envelope<T> = answer
            .json()
            .map_err(|error| Refused::http(&self.name, error))?;
        envelope.data.ok_or_else(|| Refused::no_data(&self.name))
    }

    /// What was asked for, as values of their own.
    pub(crate) async fn get<T: DeserializeOwned>(&self, query: &str) -> Result<T, Refused> {
        let answer = self.ask(query).await?;
        self.data(&answer)
    }

    /// The lines of what a bulk job results in. No token is sent there.
    pub(crate) async fn lines(&self, url: &str) -> Result<Lines, Refused> {
        let answer = self.storage.get(url).stream().await;
        let answer = answer.map_err(|error| Refused::result(&self.name, error))?;
        Ok(answer.into_body().lines())
    }

    /// What the store grants.
    pub(crate) async fn grants(&self) -> Result<Grants, Refused> {
        let answer: About = self.get(ABOUT).await?;
        let About {
            current_app_installation: app,
            shop: Shop { plan },
        } = answer;
        let scopes: BTreeSet<String> = app
            .access_scopes
            .into_iter()
            .map(|scope| scope.handle)
            .collect();
        let plan = Plan {
            display_name: plan.display_name,
            is_development: plan.partner_development,
            is_plus: plan.shopify_plus,
        };
        Ok(Grants { scopes, plan })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct About {
    current_app_installation: App,
    shop: Shop,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct App {
    access_scopes: Vec<Scope>,
}

#[derive(Deserialize)]
struct Scope {
    handle: String,
}

#[derive(Deserialize)]
struct Shop {
    plan: ToldPlan,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldPlan {
    display_name: String,
    partner_development: bool,
    shopify_plus: bool,
}
