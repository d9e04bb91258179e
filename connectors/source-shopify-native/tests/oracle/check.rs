//! What must hold of what was captured, and of what was asked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;
use shopify_simulator::{Kind as Asked, Served, Simulator};
use source_shopify_native::streams::{Kind, Stream};

use crate::truth::{reduced, truth};

/// All documents of a stream that were committed, in order.
pub(crate) type Captured = BTreeMap<&'static str, Vec<Value>>;

/// That the last document of each record is what there is now; of snapshots, that there is nothing else.
pub(crate) fn last_versions(
    simulator: &Simulator,
    captured: &Captured,
    streams: &[Stream],
    stores: &[&str],
) -> Result<(), String> {
    for stream in streams {
        for store in stores {
            let expected = truth(simulator, stream, store);
            let has = reduced(&captured[stream.name], stream, store);
            for (key, document) in &expected {
                match has.get(key) {
                    Some(captured) if captured == document => {}
                    Some(captured) => {
                        return Err(format!(
                            "{} {key} of {store} is of {}, and was captured last as of {}",
                            stream.name, document["updatedAt"], captured["updatedAt"]
                        ));
                    }
                    None => {
                        return Err(format!(
                            "{} {key} of {store}, of {}, was never captured",
                            stream.name, document["updatedAt"]
                        ));
                    }
                }
            }
            if let Kind::Snapshot { .. } = stream.kind
                && has.len() != expected.len()
            {
                return Err(format!(
                    "{} of {store} has {} rows, and {} were captured",
                    stream.name,
                    expected.len(),
                    has.len()
                ));
            }
        }
    }
    Ok(())
}

/// That no document was captured, as it is, more often than `at_most`.
pub(crate) fn duplicates(
    captured: &Captured,
    streams: &[Stream],
    at_most: usize,
) -> Result<(), String> {
    for stream in streams {
        if let Kind::Snapshot { .. } = stream.kind {
            continue; // An unchanged row is part of a changed snapshot.
        }
        let mut counts = BTreeMap::<String, usize>::new();
        for document in &captured[stream.name] {
            let count = counts.entry(document.to_string()).or_default();
            *count += 1;
            if *count > at_most {
                let (id, at) = (&document["id"], &document["updatedAt"]);
                return Err(format!(
                    "{} {id} of {at} was captured {count} times",
                    stream.name
                ));
            }
        }
    }
    Ok(())
}

/// Backfills that are over, which must not begin again.
#[derive(Debug, Default)]
pub(crate) struct Finished(BTreeSet<(String, String)>);

impl Finished {
    /// Looks at a state of many stores.
    pub(crate) fn check(&mut self, state: &Value, streams: &[Stream]) -> Result<(), String> {
        for stream in streams {
            let state = &state["bindingStateV1"][stream.name];
            for store in state["inc"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(store, _)| store)
            {
                let key = (stream.name.to_owned(), store.clone());
                let is_over = state["backfill"].get(store).is_none();
                match (is_over, self.0.contains(&key)) {
                    (true, _) => drop(self.0.insert(key)),
                    (false, true) => {
                        return Err(format!(
                            "{} of {store} is backfilled once more",
                            stream.name
                        ));
                    }
                    (false, false) => {}
                }
            }
        }
        Ok(())
    }
}

/// That requests are of these stores alone, that windows of bulk jobs leave no hole, and that there were never too many jobs.
pub(crate) fn requests(
    requests: &[Served],
    stores: &[&str],
    begin: &str,
    has_foreign: bool,
    read: &mut BTreeMap<(String, String), Timestamp>,
) -> Result<(), String> {
    for served in requests {
        if !stores.contains(&served.store.as_str()) {
            return Err(format!(
                "store {} is not configured, and was asked",
                served.store
            ));
        }
        if let Some(warning) = &served.warning {
            return Err(warning.clone());
        }
        if served.kind != Asked::Submit || served.rule.is_some() || served.status != 200 {
            continue;
        }
        if served.job.is_none() && served.code.is_none() && !has_foreign {
            return Err(format!("at {} a sixth job was begun", served.at));
        }
        let (Some(from), Some(to)) = &served.bounds else {
            return Err(format!("{} was asked for without bounds", served.root));
        };
        let [from, to] = [from, to].map(|at| at.parse::<Timestamp>().unwrap());
        let key = (served.store.clone(), served.root.clone());
        let read = read.entry(key).or_insert_with(|| begin.parse().unwrap());
        if from > *read {
            return Err(format!(
                "{} of {} was read up to {read}, and then from {from} on",
                served.root, served.store
            ));
        }
        *read = (*read).max(to);
    }
    Ok(())
}
