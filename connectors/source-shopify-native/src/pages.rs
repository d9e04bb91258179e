//! What queries are answered with at once: pages of records, and what is left of the connections inside of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use staunch::{BoxError, buffered};

use crate::api::{Refused, Store};
use crate::query::{Bounds, rest_query};
use crate::selection::{Part, Selection};
use crate::streams::{Kind, Stream};

/// Records whose connections are read to their end at a time.
const DRAINS: usize = 5;

/// A page of records.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) records: Vec<Record>,
    /// Where the next one begins, if there is one.
    pub(crate) next: Option<String>,
}

/// A record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The document.
    pub(crate) json: String,
    /// By when it is followed; nothing of a snapshot.
    pub(crate) at: Option<Timestamp>,
}

/// A connection that is read page by page.
#[derive(Clone, Debug)]
pub(crate) struct Nested {
    /// The objects, or lists of them, in which it is.
    path: Vec<String>,
    /// The type of what it hangs on.
    kind: &'static str,
    name: String,
    of: Selection,
    /// How many nodes further pages have.
    first: u32,
}

/// What the reference says of connections inside of records: of what they hang on, and how large further pages are.
const NESTED: [(&str, &str, u32); 3] = [
    ("fulfillmentLineItems", "Fulfillment", 250),
    ("refundLineItems", "Refund", 250),
    ("catalogs", "Market", 100),
];

impl Nested {
    /// Those of a selection.
    pub(crate) fn of(selection: &Selection) -> Vec<Self> {
        let mut found = Vec::new();
        collect(selection, &mut Vec::new(), &mut found);
        found
    }

    /// Those of it that are further pages of one of them.
    #[must_use]
    pub(crate) fn rest(&self, id: &str, after: &str) -> String {
        rest_query(id, self.kind, &self.name, &self.of, self.first, after)
    }
}

fn collect(selection: &Selection, path: &mut Vec<String>, found: &mut Vec<Nested>) {
    for part in &selection.0 {
        match part {
            Part::Field { name, of, .. } => {
                path.push(name.clone());
                collect(of, path, found);
                path.pop();
            }
            Part::On { of, .. } => collect(of, path, found),
            Part::Connection { name, of, .. } => {
                let known = NESTED.iter().find(|(known, ..)| known == name);
                if let Some((_, kind, first)) = known {
                    found.push(Nested {
                        path: path.clone(),
                        kind,
                        name: name.clone(),
                        of: of.clone(),
                        first: *first,
                    });
                }
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection<'a> {
    #[serde(borrow)]
    edges: Vec<Edge<'a>>,
    page_info: PageInfo,
}

#[derive(Deserialize)]
struct Edge<'a> {
    #[serde(borrow)]
    node: &'a RawValue,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    #[serde(default)]
    end_cursor: Option<String>,
}

impl PageInfo {
    /// Where the next page begins. None if this is the last one.
    fn next(
        self,
        store: &Store,
        name: &str,
        after: Option<&str>,
    ) -> Result<Option<String>, Refused> {
        let wrong = |problem: &str| {
            let problem = format!(
                "a page of `{name}` {problem}; tell Shopify's support, and open the capture again later"
            );
            Err(Refused::new(&store.name, problem))
        };
        match (self.has_next_page, self.end_cursor) {
            (false, _) => Ok(None),
            (true, None) => wrong("says that there is another one, and not where"),
            (true, Some(next)) if Some(&*next) == after => wrong("names itself as the next one"),
            (true, Some(next)) => Ok(Some(next)),
        }
    }
}

/// What is looked at of a record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Times<'a> {
    #[serde(borrow, default)]
    updated_at: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    initiated_at: Option<Cow<'a, str>>,
}

/// Reads pages of a stream.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) store: Store,
    pub(crate) stream: &'static Stream,
    /// What the store grants of the stream's selection.
    pub(crate) asked: Selection,
    pub(crate) nested: Vec<Nested>,
    /// The member `_meta` of its documents.
    pub(crate) meta: String,
}

impl Pages {
    /// A page: the first, or the one that begins `after`. Connections inside of its records are lists of all that there is.
    pub(crate) async fn page(
        self: &Arc<Self>,
        bounds: Bounds,
        after: Option<&str>,
    ) -> Result<Page, BoxError> {
        let query = self.stream.page_query(&self.asked, bounds, after);
        let answer = self.store.ask(&query).await?;
        let mut data: BTreeMap<&str, Option<Connection<'_>>> = self.store.data(&answer)?;
        let root = self.stream.root;
        let connection = data.remove(root).flatten();
        let connection = connection.ok_or_else(|| Refused::no_data(&self.store.name))?;
        let next = connection.page_info.next(&self.store, root, after)?;
        let nodes = connection.edges.iter().map(|edge| edge.node.get());
        if self.nested.is_empty() {
            let records: Result<_, Refused> = nodes.map(|node| self.record(node)).collect();
            let records = records?;
            return Ok(Page { records, next });
        }
        let whole = nodes.map(|node| Arc::clone(self).whole(node.to_owned()));
        let whole: Vec<_> = whole.collect();
        let mut whole = buffered(DRAINS, whole);
        let mut records = Vec::new();
        while let Some(record) = whole.next().await? {
            records.push(record);
        }
        Ok(Page { records, next })
    }

    /// A record out of what it was answered as.
    fn record(&self, node: &str) -> Result<Record, Refused> {
        let no_object = || self.wrong("holds a record that is no object");
        let members = node.trim_start().strip_prefix('{').ok_or_else(no_object)?;
        let times: Times<'_> = serde_json::from_str(node).map_err(|_| no_object())?;
        let at = match self.stream.kind {
            Kind::Unsorted { by: "initiated_at" } => times.initiated_at,
            Kind::Snapshot { .. } | Kind::Bulk => None,
            Kind::Sorted { .. } | Kind::Unsorted { .. } => times.updated_at,
        };
        let at = at.and_then(|at| at.parse().ok());
        if at.is_none() && !matches!(self.stream.kind, Kind::Snapshot { .. }) {
            return Err(self.wrong("holds a record without a time by which it could be followed"));
        }
        let comma = if members.trim_start().starts_with('}') {
            ""
        } else {
            ","
        };
        let json = format!("{{\"_meta\":{}{comma}{members}", self.meta);
        Ok(Record { json, at })
    }

    fn wrong(&self, problem: &str) -> Refused {
        let name = self.stream.root;
        let problem = format!(
            "an answer of `{name}` {problem}; tell Shopify's support, and whoever maintains this connector"
        );
        Refused::new(&self.store.name, problem)
    }

    /// A record with lists in place of connections.
    async fn whole(self: Arc<Self>, node: String) -> Result<Record, Refused> {
        let no_object = |_| self.wrong("holds a record that is no object");
        let mut record: Value = serde_json::from_str(&node).map_err(no_object)?;
        for nested in &self.nested {
            let mut parents = Vec::new();
            self.parents(&mut record, &nested.path, &mut parents)?;
            for parent in parents {
                self.drain(nested, parent).await?;
            }
        }
        self.record(&record.to_string())
    }

    /// What a connection hangs on: all objects that the path leads to.
    fn parents<'v>(
        &self,
        value: &'v mut Value,
        path: &[String],
        found: &mut Vec<&'v mut Map<String, Value>>,
    ) -> Result<(), Refused> {
        match (value, path.split_first()) {
            (Value::Array(all), _) => {
                for one in all {
                    self.parents(one, path, found)?;
                }
                Ok(())
            }
            (Value::Object(object), None) => {
                found.push(object);
                Ok(())
            }
            (Value::Object(object), Some((name, path))) => match object.get_mut(name) {
                Some(value) => self.parents(value, path, found),
                None => Err(self.wrong(&format!("lacks `{name}`"))),
            },
            (Value::Null, Some(_)) => Ok(()),
            _ => Err(self.wrong("has something else where an object should be")),
        }
    }

    /// Puts the list of all nodes in the place of a connection.
    async fn drain(&self, nested: &Nested, parent: &mut Map<String, Value>) -> Result<(), Refused> {
        let Nested { name, kind, .. } = nested;
        let connection = parent
            .remove(name)
            .ok_or_else(|| self.wrong(&format!("lacks `{name}`")))?;
        let (mut nodes, info) = self.nodes(connection, name)?;
        let mut next = info.next(&self.store, name, None)?;
        while let Some(after) = next {
            let id = parent.get("id").and_then(Value::as_str);
            let id = id.ok_or_else(|| self.wrong(&format!("has a {kind} without an id")))?;
            let answer: Value = self.store.get(&nested.rest(id, &after)).await?;
            let Some(Value::Object(mut object)) = answer.get("node").cloned() else {
                tracing::warn!(
                    store = &*self.store.name,
                    id,
                    "deleted while its `{name}` were read; those that were read are captured"
                );
                break;
            };
            let connection = object.remove(name);
            let connection = connection.ok_or_else(|| self.wrong(&format!("lacks `{name}`")))?;
            let (more, info) = self.nodes(connection, name)?;
            nodes.extend(more);
            next = info.next(&self.store, name, Some(&after))?;
        }
        parent.insert(name.clone(), nodes.into());
        Ok(())
    }

    fn nodes(&self, connection: Value, name: &str) -> Result<(Vec<Value>, PageInfo), Refused> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Inside {
            edges: Vec<Node>,
            page_info: PageInfo,
        }
        #[derive(Deserialize)]
        struct Node {
            node: Value,
        }
        let inside: Result<Inside, _> = serde_json::from_value(connection);
        let inside = inside
            .map_err(|_| self.wrong(&format!("has something else in the place of `{name}`")))?;
        let nodes = inside.edges.into_iter().map(|edge| edge.node);
        Ok((nodes.collect(), inside.page_info))
    }
}
