//! Lists of records, a page at a time.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::api::ApiError;
use crate::catalog::Type;
use crate::query::{Condition, Filter, Page, Query};
use crate::render;
use crate::store::{Index, Store, Table, Version};
use crate::time::Millis;
use simulator_common::Random;

/// How a cursor goes on.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CursorMode {
    /// After the place of the last record, in what is there by then.
    #[default]
    Keyset,
    /// In the list as it was at its first page.
    Snapshot,
    /// After so many rows: those that move to the front meanwhile make others be missed.
    Offset,
}

/// What a cursor says. Opaque to whoever is given it.
#[derive(Debug, Deserialize, Serialize)]
struct Cursor {
    /// What the list is of: its cursors are good for it alone.
    d: u64,
    /// The values that the last record is sorted by.
    k: Vec<Millis>,
    /// The last record.
    i: u64,
    /// Rows before the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    o: Option<u64>,
    /// Which frozen list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<u64>,
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) ids: Vec<u64>,
    pub(crate) next: Option<String>,
    pub(crate) previous: Option<String>,
    /// How many there are in all, if that was asked for.
    pub(crate) count: Option<u64>,
    /// The offset of the last page, in the deprecated style.
    pub(crate) last_offset: Option<u64>,
}

/// Lists that are frozen, and how they are gone on with.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    frozen: BTreeMap<u64, Vec<u64>>,
    next: u64,
}

/// What is done to a list before it is cut into pages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spoiling {
    /// Its order is another one.
    pub(crate) shuffled: Option<u64>,
    /// Its upper bound is not looked at.
    pub(crate) ignores_upper: bool,
}

/// Lists that are kept frozen. The oldest goes.
const MAX_FROZEN: usize = 1000;

impl Lists {
    pub(crate) fn page(
        &mut self,
        store: &Store,
        (at, kind): (usize, &Type),
        query: &Query,
        mode: CursorMode,
        spoiling: Spoiling,
    ) -> Result<Listed, ApiError> {
        let mut query = query.clone();
        if spoiling.ignores_upper {
            for filter in &mut query.filters {
                if let Condition::Between(_, high) = &mut filter.is {
                    *high = Millis::MAX;
                }
            }
        }
        let list = List {
            table: store.table(at),
            kind,
            seed: store.seed,
            query: &query,
            digest: Random::of(store.seed, &format!("{} {}", kind.path, query.identity)).next(),
        };
        let mode = match spoiling.shuffled {
            Some(_) => CursorMode::Offset,
            None => mode,
        };
        let count = || query.counts.then(|| list.all().len() as u64);
        match (&query.page, mode) {
            (Page::Offset { limit, offset }, _) => {
                let all = list.all_spoilt(spoiling);
                let ids = cut(&all, *offset, *limit);
                let last = (all.len() as u64).saturating_sub(1) / limit * limit;
                Ok(Listed {
                    next: None,
                    previous: None,
                    count: query.counts.then_some(all.len() as u64),
                    last_offset: Some(last),
                    ids,
                })
            }
            (Page::First { size }, CursorMode::Keyset) => Ok(list.forward(*size, None, count())),
            (Page::After { size, cursor }, CursorMode::Keyset) => {
                let cursor = list.read(cursor)?;
                Ok(list.forward(*size, Some((cursor.k, cursor.i)), count()))
            }
            (Page::Before { size, cursor }, CursorMode::Keyset) => {
                let cursor = list.read(cursor)?;
                Ok(list.backward(*size, &(cursor.k, cursor.i), count()))
            }
            (page, mode) => self.counted(&list, page, mode, spoiling),
        }
    }

    /// A page that is found by counting rows.
    fn counted(
        &mut self,
        list: &List<'_>,
        page: &Page,
        mode: CursorMode,
        spoiling: Spoiling,
    ) -> Result<Listed, ApiError> {
        let (size, cursor, is_before) = match page {
            Page::After { size, cursor } => (*size, Some(list.read(cursor)?), false),
            Page::Before { size, cursor } => (*size, Some(list.read(cursor)?), true),
            Page::First { size } => (*size, None, false),
            Page::Offset { .. } => unreachable!("offsets have no cursor"),
        };
        let frozen = cursor.as_ref().and_then(|cursor| cursor.s);
        let all = match frozen {
            Some(frozen) => self
                .frozen
                .get(&frozen)
                .cloned()
                .ok_or_else(ApiError::cursor)?,
            None => list.all_spoilt(spoiling),
        };
        let frozen = match (mode, frozen) {
            (CursorMode::Snapshot, None) => {
                self.next += 1;
                self.frozen.insert(self.next, all.clone());
                if self.frozen.len() > MAX_FROZEN {
                    self.frozen.pop_first();
                }
                Some(self.next)
            }
            (_, frozen) => frozen,
        };
        let at = cursor.and_then(|cursor| cursor.o).unwrap_or(0);
        let start = if is_before {
            at.saturating_sub(size)
        } else {
            at
        };
        let ids: Vec<u64> = cut(&all, start, size);
        let end = start + ids.len() as u64;
        let to = |offset: u64| list.write(ids.last().copied().unwrap_or(0), Some(offset), frozen);
        Ok(Listed {
            next: (end < all.len() as u64).then(|| to(end)),
            previous: (start > 0).then(|| to(start)),
            count: list.query.counts.then_some(all.len() as u64),
            last_offset: None,
            ids,
        })
    }
}

fn cut(all: &[u64], offset: u64, size: u64) -> Vec<u64> {
    let rest = all.iter().skip(offset as usize);
    rest.take(size as usize).copied().collect()
}

/// A list of one type's records that satisfy a query.
struct List<'a> {
    table: &'a Table,
    kind: &'a Type,
    seed: u64,
    query: &'a Query,
    digest: u64,
}

/// Where a record is in a list.
type Place = (Vec<Millis>, u64);

impl List<'_> {
    fn forward(&self, size: u64, after: Option<Place>, count: Option<u64>) -> Listed {
        let size = size as usize;
        let mut ids: Vec<u64> = match self.index() {
            Some(index) => self.indexed(index, after.as_ref()).take(size + 1).collect(),
            None => {
                let all = self.all().into_iter();
                let rest =
                    all.filter(|id| after.as_ref().is_none_or(|after| self.is_after(*id, after)));
                rest.take(size + 1).collect()
            }
        };
        let has_more = ids.len() > size;
        ids.truncate(size);
        let cursor = |id: Option<&u64>| id.map(|id| self.write(*id, None, None));
        Listed {
            next: cursor(ids.last()).filter(|_| has_more),
            previous: cursor(ids.first()).filter(|_| after.is_some()),
            count,
            last_offset: None,
            ids,
        }
    }

    fn backward(&self, size: u64, before: &Place, count: Option<u64>) -> Listed {
        let mut ids = self.all();
        ids.retain(|id| self.place(*id) != *before && !self.is_after(*id, before));
        let start = ids.len().saturating_sub(size as usize);
        let ids = ids.split_off(start);
        let cursor = |id: Option<&u64>| id.map(|id| self.write(*id, None, None));
        Listed {
            next: cursor(ids.last()),
            previous: cursor(ids.first()).filter(|_| start > 0),
            count,
            last_offset: None,
            ids,
        }
    }

    /// The order in which the table has them already, if the list is in it.
    fn index(&self) -> Option<(Index, Millis, Millis)> {
        let [(sort, false)] = &self.query.sort[..] else {
            return None;
        };
        let index = match sort.as_str() {
            "updatedAt" => Index::Updated,
            "createdAt" => Index::Created,
            _ => return None,
        };
        match &self.query.filters[..] {
            [] => Some((index, Millis::MIN, Millis::MAX)),
            [
                Filter {
                    attribute,
                    is: Condition::Between(low, high),
                },
            ] if attribute == sort => Some((index, *low, *high)),
            _ => None,
        }
    }

    fn indexed(
        &self,
        (index, low, high): (Index, Millis, Millis),
        after: Option<&Place>,
    ) -> impl Iterator<Item = u64> {
        let first = Bound::Included((low, 0));
        let after = after.map(|(keys, id)| (keys.first().copied().unwrap_or(low), *id));
        let from = after
            .filter(|after| *after >= (low, 0))
            .map_or(first, Bound::Excluded);
        self.table
            .range(index, from, Bound::Included((high, u64::MAX)))
    }

    /// All of it, in its order.
    fn all(&self) -> Vec<u64> {
        if let Some(index) = self.index() {
            return self.indexed(index, None).collect();
        }
        let ids = self.table.records.keys().copied();
        let mut found: Vec<(Place, u64)> = ids
            .filter(|id| {
                self.table
                    .visible(*id)
                    .is_some_and(|version| self.has(*id, version))
            })
            .map(|id| (self.place(id), id))
            .collect();
        found.sort_by(|one, other| self.order(&one.0, &other.0));
        found.into_iter().map(|(_, id)| id).collect()
    }

    fn all_spoilt(&self, spoiling: Spoiling) -> Vec<u64> {
        let mut all = self.all();
        if let Some(seed) = spoiling.shuffled {
            Random::new(seed ^ self.digest).shuffle(&mut all);
        }
        all
    }

    fn has(&self, id: u64, version: &Version) -> bool {
        self.query.filters.iter().all(|filter| {
            let value = match filter.attribute.as_str() {
                "id" => id.into(),
                name => render::attribute(self.kind, id, version, self.seed, name),
            };
            match &filter.is {
                Condition::Between(low, high) => {
                    let at = value.as_str().and_then(crate::time::parse);
                    at.is_some_and(|at| (*low..=*high).contains(&at))
                }
                Condition::OneOf(all) => {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    all.contains(&text)
                }
            }
        })
    }

    fn place(&self, id: u64) -> Place {
        let version = self.table.visible(id);
        let keys = self
            .query
            .sort
            .iter()
            .map(|(name, _)| match (name.as_str(), version) {
                ("id", _) => id as Millis,
                ("updatedAt", Some(version)) => version.updated_at,
                ("createdAt", Some(version)) => version.created_at,
                _ => 0,
            });
        (keys.collect(), id)
    }

    fn order(&self, one: &Place, other: &Place) -> Ordering {
        let turned = |order: Ordering, falls: bool| if falls { order.reverse() } else { order };
        let keys = one.0.iter().zip(&other.0).zip(&self.query.sort);
        let mut orders = keys.map(|((one, other), (_, falls))| turned(one.cmp(other), *falls));
        let first = orders.find(|order| order.is_ne());
        // Ties go by the id, in the direction of the first key.
        let falls = self.query.sort.first().is_some_and(|(_, falls)| *falls);
        first.unwrap_or_else(|| turned(one.1.cmp(&other.1), falls))
    }

    fn is_after(&self, id: u64, place: &Place) -> bool {
        self.order(&self.place(id), place).is_gt()
    }

    fn write(&self, id: u64, offset: Option<u64>, frozen: Option<u64>) -> String {
        let cursor = Cursor {
            d: self.digest,
            k: self.place(id).0,
            i: id,
            o: offset,
            s: frozen,
        };
        let json = serde_json::to_vec(&cursor).expect("a cursor is JSON");
        URL_SAFE_NO_PAD.encode(json)
    }

    fn read(&self, text: &str) -> Result<Cursor, ApiError> {
        let json = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| ApiError::cursor())?;
        let cursor: Cursor = serde_json::from_slice(&json).map_err(|_| ApiError::cursor())?;
        match cursor.d == self.digest && cursor.k.len() == self.query.sort.len() {
            true => Ok(cursor),
            false => Err(ApiError::cursor()),
        }
    }
}
