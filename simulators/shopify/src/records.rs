//! Records and their versions.
//!
//! What is kept of a record is when it was changed, and what a test has written into it. All else is drawn from its number and its version
//! whenever it is shown, so that a change changes all of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use simulator_common::Random;

use crate::catalog::Root;
use crate::scenario::{Scenario, StoreFacts};
use crate::time::{self, DAY, Micros, SECOND};

/// A record at one time.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// From 1 on.
    pub(crate) number: u64,
    pub(crate) written_at: Micros,
    /// When searches find it as it is.
    pub(crate) searchable_at: Micros,
    pub(crate) created_at: Micros,
    pub(crate) updated_at: Micros,
    pub(crate) is_deleted: bool,
    /// What a test has written.
    pub(crate) fields: Arc<Map<String, Value>>,
}

/// All versions of a record, the last one being what there is.
#[derive(Clone, Debug)]
pub(crate) struct Record(pub(crate) Vec<Version>);

impl Record {
    /// What there is, unless it was deleted.
    pub(crate) fn current(&self) -> Option<&Version> {
        self.0.last().filter(|version| !version.is_deleted)
    }

    /// What searches find. They find a record for what it was, and show what it is.
    pub(crate) fn found(&self, now: Micros) -> Option<&Version> {
        let searchable = |version: &&Version| version.searchable_at <= now;
        let found = self.0.iter().rev().find(searchable)?;
        (!found.is_deleted).then_some(found)
    }
}

/// Records by their type and number.
pub(crate) type Tables = BTreeMap<&'static str, BTreeMap<u64, Record>>;

/// A change to the data.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mutation {
    /// Of which store.
    pub store: String,
    /// What is done.
    pub op: Operation,
    /// The type: `Order`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of which record. Left out only for one that is created, which then has the next number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What is written into it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// When it says that it was changed, if not now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// After how many milliseconds searches find it, if not as the scenario says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searchable_after: Option<u64>,
}

/// What is done to a record.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// It comes to be.
    Create,
    /// It is other than it was, with all that hangs on it.
    Update,
    /// It is other than it was, and its time does not say so.
    UpdateSilently,
    /// It goes away.
    Delete,
}

impl Mutation {
    /// A change to a record.
    #[must_use]
    pub fn new(store: &str, op: Operation, kind: &str, id: Option<u64>) -> Self {
        Self {
            store: store.to_owned(),
            op,
            kind: kind.to_owned(),
            id,
            fields: Map::new(),
            updated_at: None,
            searchable_after: None,
        }
    }
}

/// What a store begins with, everything written by `anchor`.
pub(crate) fn seeded(scenario: &Scenario, store: &StoreFacts, anchor: Micros) -> Tables {
    let mut tables = Tables::new();
    for root in &crate::catalog::ROOTS {
        let count = store.count(scenario, root.kind);
        let mut random = Random::of(scenario.seed, &format!("{}/{}", store.name, root.kind));
        let span = Micros::try_from(scenario.span_days).unwrap_or(1).max(1) * DAY;
        let part = span / Micros::try_from(count).unwrap_or(Micros::MAX).max(1);
        let mut last = anchor - span;
        let mut table = BTreeMap::new();
        for nth in 0..count {
            // Evenly over the span, with a draw within each part, and now and then the same time as before.
            let drawn = random.below(part.unsigned_abs().max(1)) as Micros;
            let even = anchor - span + part * (nth as Micros) + drawn;
            let is_tie = random.below(100) < scenario.ties_percent;
            let age = random.below(30 * 86_400) as Micros * SECOND;
            last = if is_tie { last } else { even };
            let version = first(last - age, last);
            table.insert(nth + 1, Record(vec![version]));
        }
        tables.insert(root.kind, table);
    }
    for boundary in &scenario.boundaries {
        let is_here = boundary
            .store
            .as_ref()
            .is_none_or(|name| *name == store.name);
        let at = time::parse(&boundary.at).filter(|_| is_here);
        if let (Some(at), Some(root)) = (at, Root::of_kind(&boundary.kind)) {
            let table = tables.entry(root.kind).or_default();
            let number = next(table);
            table.insert(number, Record(vec![first(at, at)]));
        }
    }
    tables
}

fn first(created_at: Micros, updated_at: Micros) -> Version {
    Version {
        number: 1,
        written_at: updated_at,
        searchable_at: updated_at,
        created_at,
        updated_at,
        is_deleted: false,
        fields: Arc::default(),
    }
}

fn next(table: &BTreeMap<u64, Record>) -> u64 {
    table.last_key_value().map_or(1, |(number, _)| number + 1)
}

/// Carries out a change, which searches find after `delay`. Answers with the number of the record and of its version.
pub(crate) fn write(
    tables: &mut Tables,
    mutation: &Mutation,
    now: Micros,
    delay: Micros,
) -> Result<(u64, u64), String> {
    let kind = &mutation.kind;
    let root = Root::of_kind(kind).ok_or_else(|| {
        format!(
            "there are no records of type `{kind}`; name one as `Order`, of which others are parts"
        )
    })?;
    let table = tables.entry(root.kind).or_default();
    let is_new = mutation.op == Operation::Create;
    let number = match (mutation.id, is_new) {
        (Some(number), _) => number,
        (None, true) => next(table),
        (None, false) => return Err("`id` is needed, but to create a record".to_owned()),
    };
    let updated_at = match &mutation.updated_at {
        Some(text) => {
            time::parse(text).ok_or_else(|| format!("`updatedAt` is no time: `{text}`"))?
        }
        None => now,
    };
    let record = table.entry(number).or_insert_with(|| Record(Vec::new()));
    let version = match (record.current(), is_new) {
        (Some(_), true) => return Err(format!("{kind} {number} is there already")),
        (None, false) => {
            if record.0.is_empty() {
                table.remove(&number);
            }
            return Err(format!("there is no {kind} {number}"));
        }
        (None, true) => Version {
            number: record.0.len() as u64 + 1,
            fields: Arc::new(mutation.fields.clone()),
            ..first(updated_at, updated_at)
        },
        (Some(last), false) => {
            let mut fields = Map::clone(&last.fields);
            fields.extend(mutation.fields.clone());
            Version {
                number: last.number + 1,
                updated_at: match mutation.op {
                    Operation::UpdateSilently => last.updated_at,
                    _ => updated_at,
                },
                is_deleted: mutation.op == Operation::Delete,
                fields: Arc::new(fields),
                ..last.clone()
            }
        }
    };
    let version = Version {
        written_at: now,
        searchable_at: now + delay,
        ..version
    };
    let written = (number, version.number);
    record.0.push(version);
    Ok(written)
}
