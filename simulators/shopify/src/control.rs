//! The control plane, under `/__sim`, which a connector never sees.
//!
//! | request | effect |
//! | --- | --- |
//! | `POST /__sim/reset` | begins anew with a [`Scenario`]; the same one gives the same bytes |
//! | `POST /__sim/clock` | `{"set": "…"}` or `{"advanceSeconds": n}` |
//! | `POST /__sim/mutate` | a list of [`Mutation`]s, carried out all or none |
//! | `POST /__sim/store` | a [`StoreChange`]: a store comes, goes, or has other scopes, another plan, no tokens |
//! | `POST /__sim/jobs` | `{"store": "…", "foreign": n}`: so many jobs that another task began |
//! | `POST /__sim/faults`, `DELETE /__sim/faults` | adds a list of [`Rule`](crate::Rule)s, or removes all |
//! | `POST /__sim/script` | a list of events: `at` or `afterRequest` (with `store`, `kind`, `root`), with `mutate`, `faults`, `stores`, `advanceSeconds` |
//! | `GET /__sim/requests` | what was asked, in order |
//! | `GET /__sim/jobs` | every bulk job, and whether a token came to where results are |
//! | `GET /__sim/truth?store=alpha&type=Order` | every version of every record |

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use simulator_common::Clock;

use crate::catalog::ROOTS;
use crate::faults::Kind;
use crate::jobs::Job;
use crate::records::Mutation;
use crate::scenario::{JobPlan, Outcome, PlanFacts, Scenario, StoreFacts};
use crate::time::{self, Micros, SECOND};
use crate::world::{Event, World};

/// What was asked, and what came of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// From 1 on.
    pub number: u64,
    /// When, by the simulator's clock.
    pub at: String,
    /// Of which store.
    pub store: String,
    /// What for.
    pub kind: Kind,
    /// The field at the root; of a bulk job, that of its query.
    pub root: String,
    /// The bounds of time that were searched for.
    pub bounds: (Option<String>, Option<String>),
    /// The cursor.
    pub after: Option<String>,
    /// How many nodes it was answered with.
    pub nodes: u64,
    /// What it cost.
    pub cost: f64,
    /// The status of the answer.
    pub status: u16,
    /// The code of the first error.
    pub code: Option<String>,
    /// The rule that was applied, by its place in the list.
    pub rule: Option<usize>,
    /// The bulk job that it was about.
    pub job: Option<u64>,
    /// What did not keep it from being answered, and should not be.
    pub warning: Option<String>,
}

/// A store comes, goes, or is other than it was.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct StoreChange {
    /// Which one.
    pub store: String,
    /// It comes to be, as this says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add: Option<StoreFacts>,
    /// It goes away.
    pub remove: bool,
    /// It grants these scopes, and no others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<BTreeSet<String>>,
    /// It has this plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanFacts>,
    /// Its tokens are good no longer.
    pub revoke_tokens: bool,
    /// It refuses everything with this status, or no longer if that is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_with: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockChange {
    set: Option<String>,
    advance_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Foreign {
    store: String,
    foreign: u64,
}

type Refused = (u16, String);

/// Answers a request to the control plane.
pub(crate) fn control(
    world: &mut World,
    method: &str,
    path: &str,
    query: &[(String, String)],
    body: &[u8],
) -> (u16, Value) {
    match carried_out(world, method, path, query, body) {
        Ok(answer) => (200, answer),
        Err((status, problem)) => (status, json!({ "error": problem })),
    }
}

fn carried_out(
    world: &mut World,
    method: &str,
    path: &str,
    query: &[(String, String)],
    body: &[u8],
) -> Result<Value, Refused> {
    let bad = |problem: String| (400, problem);
    match (method, path) {
        ("POST", "/__sim/reset") => {
            let scenario: Scenario = read(body)?;
            let (schema, storage) = (world.schema.clone(), world.storage_url.clone());
            *world = World::new(scenario, schema, storage).map_err(bad)?;
            Ok(json!({}))
        }
        ("POST", "/__sim/clock") => {
            let change: ClockChange = read(body)?;
            let now = world.now();
            let to = match (change.set, change.advance_seconds) {
                (Some(text), None) => {
                    time::parse(&text).ok_or_else(|| bad(format!("`set` is no time: `{text}`")))?
                }
                (None, Some(seconds)) => {
                    let by = Micros::try_from(seconds)
                        .unwrap_or(0)
                        .saturating_mul(SECOND);
                    now.saturating_add(by)
                }
                _ => return Err(bad("say either `set` or `advanceSeconds`".to_owned())),
            };
            if matches!(world.clock, Clock::Real) {
                return Err(bad(
                    "the clock is the machine's; begin with an `anchor` to set it".to_owned(),
                ));
            }
            if to < now {
                return Err(bad(
                    "the clock does not go back; reset the simulator".to_owned()
                ));
            }
            world.set_clock(to).map_err(bad)?;
            let now = world.now();
            Ok(json!({ "now": time::print_exactly(now) }))
        }
        ("POST", "/__sim/mutate") => {
            let mutations: Vec<Mutation> = read(body)?;
            let written = world.mutate(&mutations).map_err(bad)?;
            let written = written
                .iter()
                .map(|(id, version)| json!({ "id": id, "version": version }));
            Ok(written.collect())
        }
        ("POST", "/__sim/store") => {
            world.change_store(read(body)?).map_err(bad)?;
            Ok(json!({}))
        }
        ("POST", "/__sim/jobs") => {
            let Foreign { store, foreign } = read(body)?;
            foreign_jobs(world, &store, foreign);
            Ok(json!({}))
        }
        ("POST", "/__sim/faults") => {
            world.faults.add(read(body)?).map_err(bad)?;
            Ok(json!({}))
        }
        ("DELETE", "/__sim/faults") => {
            world.faults.clear();
            Ok(json!({}))
        }
        ("POST", "/__sim/script") => {
            let events: Vec<Event> = read(body)?;
            if let Some(problem) = events.iter().find_map(Event::problem) {
                return Err(bad(problem));
            }
            world.script.extend(events);
            Ok(json!({}))
        }
        ("GET", "/__sim/requests") => Ok(json!(world.log)),
        ("GET", "/__sim/jobs") => {
            let now = world.now();
            let jobs = world.jobs.iter().map(|job| {
                let mut told = job.told(now, &world.address(job.number));
                told.insert("store".to_owned(), job.store.clone().into());
                told.insert("isForeign".to_owned(), job.is_foreign.into());
                told.insert("downloads".to_owned(), job.downloads.into());
                Value::from(told)
            });
            Ok(json!({ "jobs": jobs.collect::<Vec<_>>(), "leakedTokens": world.leaked }))
        }
        ("GET", "/__sim/truth") => {
            world.now();
            let said = |wanted: &str| {
                let mut pairs = query.iter();
                pairs
                    .find(|(name, _)| name == wanted)
                    .map(|(_, value)| value.as_str())
            };
            let store = said("store").ok_or_else(|| bad("say `store=`".to_owned()))?;
            let kinds = ROOTS.iter().map(|root| root.kind);
            let kinds = kinds.filter(|kind| said("type").is_none_or(|wanted| wanted == *kind));
            Ok(kinds
                .map(|kind| (kind.to_owned(), world.truth(store, kind)))
                .collect())
        }
        _ => Err((404, "there is no such control".to_owned())),
    }
}

/// So many jobs of another task, which run for ever.
pub(crate) fn foreign_jobs(world: &mut World, store: &str, count: u64) {
    let now = world.now();
    world
        .jobs
        .retain(|job| !(job.is_foreign && job.store == store));
    for _ in 0..count {
        let number = world.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1;
        world.jobs.push(Job {
            number,
            store: store.to_owned(),
            query: "{ products { edges { node { id } } } }".to_owned(),
            root: "products".to_owned(),
            created_at: now,
            plan: JobPlan {
                outcome: Outcome::Stuck,
                created_for: 0,
                ..JobPlan::default()
            },
            canceled_at: None,
            is_grouped: true,
            is_mutation: false,
            is_foreign: true,
            polls: 0,
            numbers: None,
            result: None,
            is_denied: false,
            downloads: 0,
        });
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| (400, format!("the body does not fit: {error}")))
}
