//! The records, all their versions, and what is to be seen of them now.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::{TYPES, Type};
use crate::scenario::Scenario;
use crate::time::{self, Millis, SECOND};
use simulator_common::Random;

/// Attributes, or relationships, that were written and not drawn.
type Members = Option<Arc<Map<String, Value>>>;

/// A version of a record.
#[derive(Clone, Debug)]
pub struct Version {
    /// Its number, from 1 on.
    pub number: u32,
    /// When it was written, in milliseconds since 1970.
    pub written_at: i64,
    /// From when on it is to be seen.
    pub visible_at: i64,
    /// Whether it says that the record is gone.
    pub is_deleted: bool,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
    pub(crate) attributes: Members,
    pub(crate) relationships: Members,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) versions: Vec<Version>,
    /// The one that is to be seen, by its place.
    visible: Option<u32>,
}

impl Record {
    /// The version that is to be seen. `None` before the first is, and after a deletion.
    pub(crate) fn visible(&self) -> Option<&Version> {
        let version = &self.versions[self.visible? as usize];
        (!version.is_deleted).then_some(version)
    }
}

/// The records of one type.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) records: BTreeMap<u64, Record>,
    by_updated: BTreeSet<(Millis, u64)>,
    by_created: BTreeSet<(Millis, u64)>,
    /// Versions that will be seen: when, of which record, and at which place there.
    pending: BTreeSet<(Millis, u64, u32)>,
}

/// By what records can be gone through in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    Updated,
    Created,
}

impl Table {
    /// The ids of what is to be seen after one place and up to another, in order.
    pub(crate) fn range(
        &self,
        index: Index,
        from: Bound<(Millis, u64)>,
        to: Bound<(Millis, u64)>,
    ) -> impl Iterator<Item = u64> {
        let index = match index {
            Index::Updated => &self.by_updated,
            Index::Created => &self.by_created,
        };
        let is_empty = match (from, to) {
            (Bound::Included(from), Bound::Included(to)) => from > to,
            (
                Bound::Excluded(from) | Bound::Included(from),
                Bound::Excluded(to) | Bound::Included(to),
            ) => from >= to,
            _ => false,
        };
        let found = (!is_empty).then(|| index.range((from, to)));
        found.into_iter().flatten().map(|(_, id)| *id)
    }

    pub(crate) fn visible(&self, id: u64) -> Option<&Version> {
        self.records.get(&id)?.visible()
    }

    fn write(&mut self, id: u64, version: Version) {
        let record = self.records.entry(id).or_default();
        let place = record.versions.len() as u32;
        self.pending.insert((version.visible_at, id, place));
        record.versions.push(version);
    }

    /// Shows what is to be seen by now.
    fn advance(&mut self, now: Millis) {
        while let Some(&(at, id, place)) = self.pending.first()
            && at <= now
        {
            self.pending.pop_first();
            let record = self
                .records
                .get_mut(&id)
                .expect("what is pending has a record");
            // A later version may have been seen earlier.
            if record.visible.is_some_and(|visible| visible > place) {
                continue;
            }
            if let Some(old) = record.visible() {
                self.by_updated.remove(&(old.updated_at, id));
                self.by_created.remove(&(old.created_at, id));
            }
            record.visible = Some(place);
            if let Some(new) = record.visible() {
                self.by_updated.insert((new.updated_at, id));
                self.by_created.insert((new.created_at, id));
            }
        }
    }
}

/// A change of data.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mutation {
    /// What is done.
    pub op: Operation,
    /// The type's name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of which record. Left out only for one that is created, which then has the next id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Attributes to write.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub attributes: Map<String, Value>,
    /// Relationships to write.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub relationships: Map<String, Value>,
    /// When it says that it was changed, if not now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// After how many seconds it is to be seen, if not as the scenario says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible_after: Option<u64>,
}

/// What is done to a record.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// It comes to be.
    Create,
    /// It has other attributes.
    Update,
    /// It has another time.
    Touch,
    /// It goes away.
    Delete,
}

/// What a mutation wrote.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Written {
    #[serde(rename = "type")]
    kind: &'static str,
    id: u64,
    version: u32,
}

/// All records.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) seed: u64,
    tables: Vec<Table>,
    delays: Random,
}

impl Store {
    /// What a scenario begins with, everything written by `anchor`.
    pub(crate) fn seeded(scenario: &Scenario, anchor: Millis) -> Result<Self, String> {
        let mut store = Self {
            seed: scenario.seed,
            tables: vec![Table::default(); TYPES.len()],
            delays: Random::of(scenario.seed, "delays"),
        };
        for (name, count) in &scenario.counts {
            let (at, kind) = Type::named(name).ok_or_else(|| no_type(name))?;
            let mut random = Random::of(scenario.seed, name);
            let span = scenario.span();
            let mut last = anchor - span;
            for nth in 0..*count {
                // Evenly over the span, with a draw within each part, and now and then the same time as before.
                let part = span / Millis::try_from(*count).unwrap_or(Millis::MAX).max(1);
                let drawn = random.below(part.unsigned_abs().max(1)) as Millis;
                let even = anchor - span + part * (nth as Millis) + drawn;
                let updated_at = match random.below(100) < scenario.ties_percent {
                    true => last,
                    false => even,
                };
                last = updated_at;
                let age = random.below(90 * 86_400_000) as Millis;
                let created_at = match kind.has_updated_at {
                    true => updated_at - age,
                    false => updated_at,
                };
                let delay = scenario.delay.drawn(|bound| random.below(bound));
                store.tables[at].write(nth + 1, version(created_at, updated_at, delay));
            }
        }
        for boundary in &scenario.boundaries {
            let (at, _) = Type::named(&boundary.kind).ok_or_else(|| no_type(&boundary.kind))?;
            let when = time::parse(&boundary.at);
            let when =
                when.ok_or_else(|| format!("`at` of a boundary is no time: `{}`", boundary.at))?;
            let id = store.next_id(at);
            store.tables[at].write(id, version(when, when, 0));
        }
        store.advance(anchor);
        Ok(store)
    }

    pub(crate) fn table(&self, kind: usize) -> &Table {
        &self.tables[kind]
    }

    pub(crate) fn advance(&mut self, now: Millis) {
        for table in &mut self.tables {
            table.advance(now);
        }
    }

    fn next_id(&self, kind: usize) -> u64 {
        let last = self.tables[kind].records.last_key_value();
        last.map_or(1, |(id, _)| id + 1)
    }

    /// Carries out all of these, or none.
    pub(crate) fn mutate(
        &mut self,
        mutations: &[Mutation],
        now: Millis,
        scenario: &Scenario,
    ) -> Result<Vec<Written>, String> {
        let before = (mutations.len() > 1).then(|| self.clone());
        let mut written = Vec::with_capacity(mutations.len());
        for mutation in mutations {
            match self.write(mutation, now, scenario) {
                Ok(one) => written.push(one),
                Err(problem) => {
                    if let Some(before) = before {
                        *self = before;
                    }
                    return Err(problem);
                }
            }
        }
        self.advance(now);
        Ok(written)
    }

    fn write(
        &mut self,
        mutation: &Mutation,
        now: Millis,
        scenario: &Scenario,
    ) -> Result<Written, String> {
        let (at, kind) = Type::named(&mutation.kind).ok_or_else(|| no_type(&mutation.kind))?;
        let last = |id: u64| self.tables[at].records.get(&id)?.versions.last();
        let id = match (mutation.op, mutation.id) {
            (Operation::Create, None) => self.next_id(at),
            (Operation::Create, Some(id))
                if last(id).is_some_and(|version| !version.is_deleted) =>
            {
                return Err(format!("{} {id} is there already", kind.name));
            }
            (_, Some(id)) => id,
            (_, None) => return Err("`id` is needed, but to create a record".to_owned()),
        };
        let last = last(id);
        if mutation.op != Operation::Create && last.is_none_or(|version| version.is_deleted) {
            return Err(format!("there is no {} {id}", kind.name));
        }
        let updated_at = match &mutation.updated_at {
            Some(text) => {
                time::parse(text).ok_or_else(|| format!("`updatedAt` is no time: `{text}`"))?
            }
            None => now,
        };
        let is_new = mutation.op == Operation::Create;
        let merged = |old: Option<&Members>, new: &Map<String, Value>| -> Members {
            let old = old.filter(|_| !is_new).cloned().flatten();
            if new.is_empty() {
                return old;
            }
            let mut all = old.map(|old| Map::clone(&old)).unwrap_or_default();
            all.extend(new.clone());
            Some(Arc::new(all))
        };
        let delays = &mut self.delays;
        let delay = match mutation.visible_after {
            Some(seconds) => Millis::try_from(seconds)
                .unwrap_or(0)
                .saturating_mul(SECOND),
            None => scenario.delay.drawn(|bound| delays.below(bound)),
        };
        let version = Version {
            number: last.map_or(0, |version| version.number) + 1,
            written_at: now,
            visible_at: now + delay,
            is_deleted: mutation.op == Operation::Delete,
            created_at: match last {
                Some(last) if !is_new && kind.has_updated_at => last.created_at,
                _ => updated_at,
            },
            updated_at,
            attributes: merged(last.map(|last| &last.attributes), &mutation.attributes),
            relationships: merged(
                last.map(|last| &last.relationships),
                &mutation.relationships,
            ),
        };
        let number = version.number;
        self.tables[at].write(id, version);
        Ok(Written {
            kind: kind.name,
            id,
            version: number,
        })
    }
}

fn version(created_at: Millis, updated_at: Millis, delay: Millis) -> Version {
    Version {
        number: 1,
        written_at: updated_at,
        visible_at: updated_at + delay,
        is_deleted: false,
        created_at,
        updated_at,
        attributes: None,
        relationships: None,
    }
}

fn no_type(name: &str) -> String {
    format!("there is no type `{name}`; say one as `account`")
}
