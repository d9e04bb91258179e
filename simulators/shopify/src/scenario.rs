//! What a simulator begins with.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use simulator_common::Random;

use crate::catalog::{ROOTS, Root};
use crate::faults::Rule;
use crate::time::{self, Micros};

/// What a simulator begins with. All members can be left out; the default is one small store, as of the 15th of January 2026.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// What all that is drawn depends on.
    pub seed: u64,
    /// The stores.
    pub stores: Vec<StoreFacts>,
    /// How many records a store has of a type, by the type's name: `Order`. Others have `count`.
    pub counts: BTreeMap<String, u64>,
    /// How many records a store has of each other type.
    pub count: u64,
    /// The clock's first time, before which everything was written; `None` for the machine's clock.
    pub anchor: Option<String>,
    /// Whether the clock goes on from the anchor, with Tokio's; otherwise it stands until it is set.
    pub is_moving: bool,
    /// Over how many days before the anchor the records were last changed.
    pub span_days: u64,
    /// Of a hundred records, how many share their time with the one before.
    pub ties_percent: u64,
    /// Records with times of their own, besides the others.
    pub boundaries: Vec<Boundary>,
    /// After how many milliseconds at most a change is found, drawn for each.
    pub index_delay_millis: u64,
    /// Whether times are compared by whole seconds only.
    pub compares_seconds: bool,
    /// Which data a bulk job sees.
    pub snapshot_at: SnapshotAt,
    /// How a bulk job goes, if no rule says otherwise.
    pub job: JobPlan,
    /// How many seconds a token is good that was given for client credentials.
    pub token_seconds: u64,
    /// The largest page, whatever is asked for.
    pub max_page_size: u64,
    /// How many objects can be paged through at most.
    pub page_cap: Option<u64>,
    /// Of a hundred rows, how many a bulk job loses whose query has a sort key and a bound on `updated_at`, as was seen of the real one.
    pub lost_by_sort_percent: u64,
    /// What is done to answers from the beginning on.
    pub faults: Vec<Rule>,
}

/// A store.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreFacts {
    /// What its address begins with.
    pub name: String,
    /// The plan.
    pub plan: PlanFacts,
    /// The scopes that are granted; all if it is left out.
    pub scopes: Option<BTreeSet<String>>,
    /// The zone, in which a search reads a day.
    pub zone: String,
    /// The token of a private app; `private-<name>` if it is left out. It does not expire.
    pub access_token: Option<String>,
    /// The status with which everything is refused: 402 of a frozen store, 423 of a locked one.
    pub refused_with: Option<u16>,
    /// How many records it has of a type, rather than as the scenario says.
    pub counts: BTreeMap<String, u64>,
}

/// A plan, as the API tells it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanFacts {
    /// `Basic`, `Shopify`, `Advanced`, `Plus`.
    pub display_name: String,
    /// Whether it is a partner's development store.
    #[serde(default)]
    pub partner_development: bool,
    /// Whether it is Plus.
    #[serde(default)]
    pub shopify_plus: bool,
}

/// A record whose time is given.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Boundary {
    /// Of which store; of all if it is left out.
    #[serde(default)]
    pub store: Option<String>,
    /// The type's name.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was last changed, and created.
    pub at: String,
}

/// Which data a bulk job sees.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotAt {
    /// That of its submission.
    #[default]
    Start,
    /// The records of its submission, as they are at its end.
    Row,
    /// That of its end.
    End,
}

/// How a bulk job goes.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct JobPlan {
    /// How many milliseconds it is `CREATED`.
    pub created_for: u64,
    /// How many it is `RUNNING` then.
    pub running_for: u64,
    /// How many it is `CANCELING`, if somebody cancels it.
    pub canceling_for: u64,
    /// What becomes of it.
    pub outcome: Outcome,
    /// Whether it completes though somebody cancels it.
    pub ignores_cancel: bool,
}

/// What becomes of a bulk job.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// It has a result.
    #[default]
    Completed,
    /// `FAILED`, for want of a permission.
    AccessDenied,
    /// `FAILED`, for a fault of the server.
    InternalServerError,
    /// `FAILED`, for it took too long.
    Timeout,
    /// Its result is gone.
    Expired,
    /// Somebody else canceled it.
    Canceled,
    /// It runs for ever.
    Stuck,
    /// A status that nobody has heard of.
    Unheard,
}

impl Default for JobPlan {
    fn default() -> Self {
        Self {
            created_for: 200,
            running_for: 500,
            canceling_for: 1000,
            outcome: Outcome::Completed,
            ignores_cancel: false,
        }
    }
}

impl Default for PlanFacts {
    fn default() -> Self {
        Self {
            display_name: "Plus".to_owned(),
            partner_development: false,
            shopify_plus: true,
        }
    }
}

impl Default for StoreFacts {
    fn default() -> Self {
        Self {
            name: "alpha".to_owned(),
            plan: PlanFacts::default(),
            scopes: None,
            zone: "America/New_York".to_owned(),
            access_token: None,
            refused_with: None,
            counts: BTreeMap::new(),
        }
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            seed: 1,
            stores: vec![StoreFacts::default()],
            counts: BTreeMap::new(),
            count: 20,
            anchor: Some("2026-01-15T12:00:00Z".to_owned()),
            is_moving: false,
            span_days: 60,
            ties_percent: 5,
            boundaries: Vec::new(),
            index_delay_millis: 0,
            compares_seconds: false,
            snapshot_at: SnapshotAt::Start,
            job: JobPlan::default(),
            token_seconds: 86_399,
            max_page_size: 250,
            page_cap: None,
            lost_by_sort_percent: 0,
            faults: Vec::new(),
        }
    }
}

impl Scenario {
    /// The same, with these stores, which differ in nothing but their names.
    #[must_use]
    pub fn with_stores(mut self, names: &[&str]) -> Self {
        self.stores = names.iter().map(|name| StoreFacts::new(name)).collect();
        self
    }

    /// What does not make sense in it.
    pub(crate) fn problem(&self) -> Option<String> {
        let times = self.boundaries.iter().map(|boundary| &boundary.at);
        let times = times.chain(&self.anchor);
        let mut wrong = times.filter(|at| time::parse(at).is_none());
        let counted = self.counts.keys();
        let kinds = self.boundaries.iter().map(|boundary| &boundary.kind);
        let of_stores = self.stores.iter().flat_map(|store| store.counts.keys());
        let mut unknown = counted
            .chain(kinds)
            .chain(of_stores)
            .filter(|kind| Root::of_kind(kind).is_none());
        let zoneless = || self.stores.iter().find(|store| store.zone().is_none());
        let wrong = wrong.next().map(|at| format!("`{at}` is no time"));
        wrong
            .or_else(|| {
                unknown
                    .next()
                    .map(|kind| format!("there is no type `{kind}`"))
            })
            .or_else(|| zoneless().map(|store| format!("there is no zone `{}`", store.zone)))
    }

    pub(crate) fn anchor(&self) -> Option<Micros> {
        time::parse(self.anchor.as_ref()?)
    }

    /// After how long a change is found.
    pub(crate) fn delay(&self, random: &mut Random) -> Micros {
        let millis = random.below(self.index_delay_millis.saturating_add(1));
        Micros::try_from(millis).unwrap_or(Micros::MAX / 4_000) * 1000
    }
}

impl StoreFacts {
    /// A store of this name, Plus and with everything granted.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn count(&self, scenario: &Scenario, kind: &str) -> u64 {
        let own = self.counts.get(kind).or_else(|| scenario.counts.get(kind));
        own.copied().unwrap_or(scenario.count)
    }

    pub(crate) fn zone(&self) -> Option<TimeZone> {
        TimeZone::get(&self.zone).ok()
    }

    /// The token that does not expire.
    #[must_use]
    pub fn private_token(&self) -> String {
        let own = self.access_token.clone();
        own.unwrap_or_else(|| format!("private-{}", self.name))
    }

    /// The scopes that are granted.
    pub(crate) fn granted(&self) -> BTreeSet<String> {
        match &self.scopes {
            Some(scopes) => scopes.clone(),
            None => every_scope(),
        }
    }

    /// Whether the plan is one of the larger ones.
    pub(crate) fn is_larger(&self) -> bool {
        let plan = &self.plan;
        plan.shopify_plus || plan.partner_development || plan.display_name == "Advanced"
    }

    /// Whether the plan lets custom apps read what is personal.
    pub(crate) fn allows_personal_data(&self) -> bool {
        let plan = &self.plan;
        plan.shopify_plus
            || plan.partner_development
            || !matches!(plan.display_name.as_str(), "Basic" | "Starter")
    }

    /// The bucket of the plan and what it regains in a second.
    pub(crate) fn budget(&self) -> (f64, f64) {
        match self.plan.display_name.as_str() {
            "Enterprise" => (40_000.0, 2000.0),
            _ if self.plan.shopify_plus => (20_000.0, 1000.0),
            "Advanced" => (4000.0, 200.0),
            _ => (2000.0, 100.0),
        }
    }
}

/// All scopes that anything here needs.
pub(crate) fn every_scope() -> BTreeSet<String> {
    let of_roots = ROOTS.iter().flat_map(|root| root.scopes);
    let of_fields = [
        "read_publications",
        "read_shopify_payments_dispute_evidences",
    ];
    let all = of_roots.chain(&of_fields).map(|scope| (*scope).to_owned());
    all.collect()
}
