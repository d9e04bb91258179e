//! The control plane, under `/__sim`, which a connector never sees.
//!
//! | request | effect |
//! | --- | --- |
//! | `POST /__sim/reset` | begins anew with a [`Scenario`]; the same one gives the same bytes |
//! | `POST /__sim/clock` | `{"set": "…"}` or `{"advanceSeconds": n}` |
//! | `POST /__sim/mutate` | a list of [`Mutation`]s, carried out all or none |
//! | `POST /__sim/faults`, `DELETE /__sim/faults` | adds a list of [`Rule`]s, or removes all |
//! | `POST /__sim/script` | a list of events: `at` or `afterRequest` (and `path`), with `mutate`, `faults`, `advanceSeconds` |
//! | `GET /__sim/requests` | what was asked, in order |
//! | `GET /__sim/truth?type=account` | every version of every record |

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use simulator_common::Clock;

use crate::catalog::{TYPES, Type};
use crate::fault::Rule;
use crate::scenario::Scenario;
use crate::store::Mutation;
use crate::time::{self, Millis, SECOND};
use crate::world::{Event, World};

/// A request that was answered.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// Its number, from 1 on.
    pub number: u64,
    /// When, by the simulator's clock.
    pub at: String,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The status.
    pub status: u16,
    /// The ids of the records in the answer.
    pub ids: Vec<u64>,
    /// The rule that fired, by its place.
    pub rule: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClockChange {
    set: Option<String>,
    advance_seconds: Option<u64>,
}

/// Carries out a request to the control plane: its status and its answer.
pub(crate) fn control(
    world: &mut World,
    method: &str,
    path: &str,
    query: &[(String, String)],
    body: &[u8],
) -> (u16, Value) {
    match carry_out(world, method, path, query, body) {
        Ok(answer) => (200, answer),
        Err((status, problem)) => (status, json!({ "error": problem })),
    }
}

fn carry_out(
    world: &mut World,
    method: &str,
    path: &str,
    query: &[(String, String)],
    body: &[u8],
) -> Result<Value, (u16, String)> {
    let bad = |problem: String| (400, problem);
    match (method, path) {
        ("POST", "/__sim/reset") => {
            let scenario: Scenario = if body.is_empty() {
                world.scenario.clone()
            } else {
                read(body)?
            };
            *world = World::new(scenario).map_err(bad)?;
            Ok(json!({ "now": time::print(world.now()) }))
        }
        ("POST", "/__sim/clock") => {
            let change: ClockChange = read(body)?;
            let now = world.now();
            let to = match (change.set, change.advance_seconds) {
                (Some(text), None) => {
                    time::parse(&text).ok_or_else(|| bad(format!("`set` is no time: `{text}`")))?
                }
                (None, Some(seconds)) => now.saturating_add(
                    Millis::try_from(seconds)
                        .unwrap_or(0)
                        .saturating_mul(SECOND),
                ),
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
            Ok(json!({ "now": time::print(world.now()) }))
        }
        ("POST", "/__sim/mutate") => {
            let mutations: Vec<Mutation> = read(body)?;
            let now = world.now();
            let written = world
                .store
                .mutate(&mutations, now, &world.scenario)
                .map_err(bad)?;
            Ok(json!(written))
        }
        ("POST", "/__sim/faults") => {
            let rules: Vec<Rule> = read(body)?;
            world.faults.add(rules).map_err(bad)?;
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
        ("GET", "/__sim/truth") => {
            world.now();
            let wanted = query
                .iter()
                .find(|(name, _)| name == "type")
                .map(|(_, value)| value.as_str());
            if let Some(name) = wanted {
                Type::named(name).ok_or_else(|| bad(format!("there is no type `{name}`")))?;
            }
            let kinds = TYPES.iter().enumerate();
            let kinds = kinds.filter(|(_, kind)| wanted.is_none_or(|name| name == kind.name));
            Ok(kinds
                .map(|(at, kind)| (kind.name.to_owned(), truth(world, at)))
                .collect())
        }
        _ => Err((404, "there is no such control".to_owned())),
    }
}

/// Every version of every record of a type, by its id.
fn truth(world: &World, at: usize) -> Value {
    let records = world.store.table(at).records.iter();
    let records = records.map(|(id, record)| {
        let versions = record.versions.iter().map(|version| {
            json!({
                "version": version.number,
                "writtenAt": time::print(version.written_at),
                "visibleAt": time::print(version.visible_at),
                "createdAt": time::print(version.created_at),
                "updatedAt": time::print(version.updated_at),
                "isDeleted": version.is_deleted,
            })
        });
        (id.to_string(), versions.collect())
    });
    Value::Object(records.collect())
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, (u16, String)> {
    serde_json::from_slice(body).map_err(|error| (400, format!("the body does not fit: {error}")))
}
