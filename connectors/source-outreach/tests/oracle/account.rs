//! What the simulator knows, and what was captured of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use outreach_simulator::Simulator;
use serde_json::Value;
use source_outreach::LAG;
use staunch::http::{Client, Limiter};

/// The resources of a story: the name of each, and of the simulator's type.
pub(crate) const RESOURCES: [(&str, &str); 2] = [("accounts", "account"), ("events", "event")];

/// All documents of a resource that were committed, in order.
pub(crate) type Captured = BTreeMap<&'static str, Vec<Value>>;

/// The version of a document: its id and its time.
fn version(document: &Value) -> (u64, String) {
    let attributes = &document["attributes"];
    let at = attributes
        .get("updatedAt")
        .unwrap_or(&attributes["createdAt"]);
    (
        document["id"].as_u64().unwrap(),
        at.as_str().unwrap().to_owned(),
    )
}

/// That the last document of each record is what the API shows of it now.
pub(crate) async fn check_last_versions(
    simulator: &Simulator,
    captured: &Captured,
) -> Result<(), String> {
    let client = Client::builder()
        .base_url(format!("{}/api/v2", simulator.url()))
        .header("authorization", "Bearer access-0")
        .limiter(Limiter::unlimited())
        .build();
    for (resource, documents) in captured {
        let shown = shown(&client, resource).await;
        let last: BTreeMap<u64, &Value> = documents
            .iter()
            .map(|document| (document["id"].as_u64().unwrap(), document))
            .collect();
        for record in &shown {
            let id = record["id"].as_u64().unwrap();
            match last.get(&id) {
                Some(document) if *document == record => {}
                Some(document) => {
                    let (is, was) = (version(record).1, version(document).1);
                    return Err(format!(
                        "{resource} {id} is of {is}, and was captured last as of {was}"
                    ));
                }
                None => {
                    return Err(format!(
                        "{resource} {id} of {} was never captured",
                        version(record).1
                    ));
                }
            }
        }
    }
    Ok(())
}

/// All records that the API shows.
async fn shown(client: &Client, resource: &str) -> Vec<Value> {
    let (mut records, mut after) = (Vec::new(), None);
    loop {
        let mut request = client.get(resource).query("provideDataConnections", true);
        if let Some(after) = &after {
            request = request.query("page[after]", after);
        }
        let mut page: Value = request.send().await.unwrap().json().unwrap();
        records.append(page["data"].as_array_mut().unwrap());
        let Some(next) = page["links"]["next"].as_str() else {
            return records;
        };
        let next = url::Url::parse(next).unwrap();
        let mut pairs = next.query_pairs();
        after = pairs.find_map(|(name, value)| (name == "page[after]").then(|| value.into_owned()));
    }
}

/// That each document is a version that there was, and none was captured more often than `at_most`.
pub(crate) fn check_each_document(
    simulator: &Simulator,
    captured: &Captured,
    at_most: usize,
) -> Result<(), String> {
    let truth = simulator.control("GET", "truth", &Value::Null)?;
    for (resource, kind) in RESOURCES {
        let mut counts = BTreeMap::<_, usize>::new();
        for document in &captured[resource] {
            *counts.entry(version(document)).or_default() += 1;
        }
        for ((id, at), count) in counts {
            let versions = truth[kind][id.to_string()].as_array().unwrap();
            let time = if kind == "event" {
                "createdAt"
            } else {
                "updatedAt"
            };
            if !versions.iter().any(|version| version[time] == at.as_str()) {
                return Err(format!(
                    "{resource} {id} of {at} was captured, and never was"
                ));
            }
            if count > at_most {
                return Err(format!(
                    "{resource} {id} of {at} was captured {count} times"
                ));
            }
        }
    }
    Ok(())
}

/// The first time of each binding's cursors, and the cutoff of its backfill.
#[derive(Debug, Default)]
pub(crate) struct Positions(BTreeMap<&'static str, (Option<Timestamp>, Option<Timestamp>)>);

impl Positions {
    /// From where on a release may read that opens with this state.
    pub(crate) fn of(state: &Value, is_first_release: bool) -> Self {
        let position = |resource: &str| {
            let state = &state["bindingStateV1"][resource];
            let at = |text: &Value| text.as_str().map(|text| text.parse::<Timestamp>().unwrap());
            let inc = &state["inc"];
            // Where the second release finds one cursor, it begins a lookback before that.
            let flat =
                at(&inc["cursor"]).map(|flat| if is_first_release { flat } else { flat - LAG });
            let cursors = [
                flat,
                at(&inc["realtime"]["cursor"]),
                at(&inc["lookback"]["cursor"]),
            ];
            (
                cursors.into_iter().flatten().min(),
                at(&state["backfill"]["cutoff"]),
            )
        };
        Self(
            RESOURCES
                .iter()
                .map(|(resource, _)| (*resource, position(resource)))
                .collect(),
        )
    }

    /// That no request, from the one at `from` on, asks for what is before them, but for those of a backfill.
    pub(crate) fn check(&self, simulator: &Simulator, from: usize) -> Result<usize, String> {
        let requests = simulator.requests();
        for request in &requests[from..] {
            let Some((resource, (first, cutoff))) = self
                .0
                .iter()
                .find(|(resource, _)| request.path == format!("/api/v2/{resource}"))
            else {
                continue;
            };
            let bound = |name: &str| {
                let found = request
                    .query
                    .iter()
                    .find(|(known, _)| known.ends_with(name));
                found.map(|(_, value)| value.parse::<Timestamp>().unwrap())
            };
            let (Some(gte), Some(lte), Some(first)) = (bound("[gte]"), bound("[lte]"), first)
            else {
                continue;
            };
            let is_backfill = *cutoff == Some(lte);
            if !is_backfill && gte.as_second() < first.as_second() {
                return Err(format!(
                    "{resource} was asked from {gte} on, with all cursors at {first} or later"
                ));
            }
        }
        Ok(requests.len())
    }
}
