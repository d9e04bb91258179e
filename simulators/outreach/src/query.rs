//! What a request asks for, read from its query.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::ApiError;
use crate::catalog::{Kind, Type};
use crate::time::{self, Millis};

/// Records of a page, unless it is said.
const DEFAULT_PAGE: u64 = 50;

/// Records that may be asked for at once.
const MAX_PAGE: u64 = 1000;

/// Records that may be left out before a page, in the deprecated style.
const MAX_OFFSET: u64 = 10_000;

/// A list of records that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// By what it is sorted, and whether that falls.
    pub(crate) sort: Vec<(String, bool)>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) page: Page,
    pub(crate) counts: bool,
    pub(crate) fields: Fields,
    pub(crate) has_data_connections: bool,
    /// What stays the same from page to page, as one text.
    pub(crate) identity: String,
}

/// Which part of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    First { size: u64 },
    After { size: u64, cursor: String },
    Before { size: u64, cursor: String },
    Offset { limit: u64, offset: u64 },
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    pub(crate) attribute: String,
    pub(crate) is: Condition,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// An instant within these, both included.
    Between(Millis, Millis),
    /// One of these, as text.
    OneOf(Vec<String>),
}

/// Which members are shown, by type. All of them where nothing is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(BTreeMap<String, BTreeSet<String>>);

impl Fields {
    pub(crate) fn has(&self, kind: &str, name: &str) -> bool {
        self.0.get(kind).is_none_or(|names| names.contains(name))
    }
}

impl Query {
    /// Reads pairs of names and values, decoded.
    pub(crate) fn read(
        kind: &Type,
        pairs: &[(String, String)],
        max_page_size: u64,
    ) -> Result<Self, ApiError> {
        let get = |name: &str| {
            pairs
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        let is_new_syntax = get("newFilterSyntax") == Some("true");
        let mut sort = Vec::new();
        for key in get("sort")
            .unwrap_or_default()
            .split(',')
            .filter(|key| !key.is_empty())
        {
            let (name, falls) = key
                .strip_prefix('-')
                .map_or((key, false), |name| (name, true));
            check_instant(kind, name, "sorted by")?;
            sort.push((name.to_owned(), falls));
        }
        let mut filters = Vec::new();
        let mut fields = Fields::default();
        for (name, value) in pairs {
            if let Some(rest) = name.strip_prefix("filter[") {
                let condition = filter(kind, rest, value, is_new_syntax)?;
                narrow(&mut filters, condition);
            } else if let Some(of) = name
                .strip_prefix("fields[")
                .and_then(|of| of.strip_suffix(']'))
            {
                let names = value.split(',').map(str::to_owned);
                fields.0.insert(of.to_owned(), names.collect());
            }
        }
        let stays = |name: &str| {
            name.starts_with("filter") || name.starts_with("sort") || name == "newFilterSyntax"
        };
        let stays = pairs.iter().filter(|(name, _)| stays(name));
        let identity = stays
            .map(|(name, value)| format!("{name}={value}&"))
            .collect();
        Ok(Self {
            sort,
            filters,
            page: page(&get, max_page_size)?,
            counts: get("count") == Some("true"),
            fields,
            has_data_connections: get("provideDataConnections") == Some("true"),
            identity,
        })
    }
}

fn page<'a>(get: &impl Fn(&str) -> Option<&'a str>, max: u64) -> Result<Page, ApiError> {
    let number = |name: &str, least: u64, most: u64| match get(name).map(str::parse::<u64>) {
        None => Ok(None),
        Some(Ok(number)) if (least..=most).contains(&number) => Ok(Some(number)),
        Some(_) => Err(ApiError::validation(format!(
            "`{name}` is not a number from {least} to {most}"
        ))),
    };
    let limit = number("page[limit]", 1, max)?;
    let offset = number("page[offset]", 0, MAX_OFFSET)?;
    if limit.is_some() || offset.is_some() {
        return Ok(Page::Offset {
            limit: limit.unwrap_or(DEFAULT_PAGE),
            offset: offset.unwrap_or(0),
        });
    }
    let size = number("page[size]", 1, MAX_PAGE)?.unwrap_or(DEFAULT_PAGE);
    let size = size.min(max);
    Ok(match (get("page[after]"), get("page[before]")) {
        (Some(_), Some(_)) => {
            let problem = "`page[after]` and `page[before]` exclude each other";
            return Err(ApiError::validation(problem));
        }
        (Some(cursor), None) => Page::After {
            size,
            cursor: cursor.to_owned(),
        },
        (None, Some(cursor)) => Page::Before {
            size,
            cursor: cursor.to_owned(),
        },
        (None, None) => Page::First { size },
    })
}

/// `attribute][gte]`, as it stands after `filter[`.
fn filter(kind: &Type, rest: &str, value: &str, is_new_syntax: bool) -> Result<Filter, ApiError> {
    let malformed = || ApiError::validation("a filter is none; write it as `filter[name]`");
    let inner = rest.strip_suffix(']').ok_or_else(malformed)?;
    let (attribute, operator) = match inner.split_once("][") {
        Some((attribute, operator)) => (attribute, Some(operator)),
        None => (inner, None),
    };
    let is = match operator {
        Some(_) if !is_new_syntax => {
            return Err(ApiError::validation(
                "operators in filters need `newFilterSyntax=true`",
            ));
        }
        Some("") => Condition::OneOf(vec![value.to_owned()]),
        Some(operator) => {
            check_instant(kind, attribute, "compared")?;
            let at = instant(value)?;
            match operator {
                "gte" => Condition::Between(at, Millis::MAX),
                "gt" => Condition::Between(at.saturating_add(1), Millis::MAX),
                "lte" => Condition::Between(Millis::MIN, at),
                "lt" => Condition::Between(Millis::MIN, at.saturating_sub(1)),
                _ => return Err(ApiError::validation(format!("`{operator}` is no operator"))),
            }
        }
        None => match value.split_once("..") {
            Some(_) if is_new_syntax => return Err(ApiError::datetime()),
            Some((low, high)) => {
                check_instant(kind, attribute, "compared")?;
                let bound = |text: &str, open: &str, limit| match text == open {
                    true => Ok(limit),
                    false => instant(text),
                };
                Condition::Between(
                    bound(low, "neginf", Millis::MIN)?,
                    bound(high, "inf", Millis::MAX)?,
                )
            }
            None if is_new_syntax => Condition::OneOf(vec![value.to_owned()]),
            None => Condition::OneOf(value.split(',').map(str::to_owned).collect()),
        },
    };
    if matches!(is, Condition::OneOf(_)) && !is_known(kind, attribute) {
        let problem = format!("`{attribute}` is no attribute of a {}", kind.name);
        return Err(ApiError::validation(problem));
    }
    Ok(Filter {
        attribute: attribute.to_owned(),
        is,
    })
}

/// Two ranges of one attribute are one range.
fn narrow(filters: &mut Vec<Filter>, new: Filter) {
    let same = filters
        .iter_mut()
        .find(|old| old.attribute == new.attribute);
    match (same, new.is) {
        (
            Some(Filter {
                is: Condition::Between(low, high),
                ..
            }),
            Condition::Between(from, to),
        ) => {
            (*low, *high) = ((*low).max(from), (*high).min(to));
        }
        (
            Some(Filter {
                is: Condition::OneOf(all),
                ..
            }),
            Condition::OneOf(more),
        ) => all.extend(more),
        (_, is) => filters.push(Filter { is, ..new }),
    }
}

fn is_known(kind: &Type, attribute: &str) -> bool {
    matches!(attribute, "id" | "createdAt" | "updatedAt")
        || attribute.starts_with("custom")
        || kind.attributes().any(|(name, _)| name == attribute)
}

/// Only the two times that every record has can be put into an order here, and `id`.
fn check_instant(kind: &Type, attribute: &str, how: &str) -> Result<(), ApiError> {
    let is_usable = match attribute {
        "updatedAt" => kind.has_updated_at,
        "createdAt" => kind.is_created_at_usable,
        "id" => how == "sorted by",
        name => how == "compared" && kind.attributes().any(|pair| pair == (name, Kind::Instant)),
    };
    if is_usable {
        return Ok(());
    }
    let problem = format!("a {} cannot be {how} `{attribute}`", kind.name);
    Err(ApiError::validation(problem))
}

fn instant(text: &str) -> Result<Millis, ApiError> {
    time::parse(text).ok_or_else(ApiError::datetime)
}
