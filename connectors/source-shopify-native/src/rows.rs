//! The rows of a bulk job, put together as documents.
//!
//! A bulk job writes one row for each node of a connection: a root, then all that belongs to it, then the next root. A row says to which
//! node it belongs (`__parentId`), and not to which of that node's connections; its type decides. Where nothing is said of types, the
//! only connection has them all. All of this follows from the stream's selection, which is the only thing that is known here of a stream.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::selection::{Part, Rows, Selection};
use crate::streams::Stream;

/// Rows that make no documents: the result is not what was asked for. Nothing of it may be taken for captured.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// A line is no row.
    #[error("line {line} of a bulk job's result is no JSON object")]
    NotJson {
        /// Its number, from 1 on.
        line: u64,
    },
    /// A row belongs to a node that was not there before it.
    #[error(
        "line {line} of a bulk job's result belongs to `{parent}`, which is not of the record before it: rows were not grouped, or some are missing"
    )]
    Orphan {
        /// Its number.
        line: u64,
        /// What it says it belongs to.
        parent: String,
    },
    /// A row is of no connection of the node that it belongs to.
    #[error("line {line} of a bulk job's result is {what}, which was not asked for")]
    Unknown {
        /// Its number.
        line: u64,
        /// What it is.
        what: String,
    },
}

/// What hangs on a node: its connections.
#[derive(Debug)]
struct Shape(Vec<Link>);

/// A connection of a node.
#[derive(Debug)]
struct Link {
    /// The objects inside of the node in which it stands.
    path: Vec<String>,
    name: String,
    rows: Rows,
    of: Shape,
}

impl Shape {
    fn of(selection: &Selection) -> Self {
        let mut links = Vec::new();
        collect(selection, &mut Vec::new(), &mut links);
        Self(links)
    }
}

fn collect(selection: &Selection, path: &mut Vec<String>, links: &mut Vec<Link>) {
    for part in &selection.0 {
        match part {
            Part::Connection { name, rows, of, .. } => links.push(Link {
                path: path.clone(),
                name: name.clone(),
                rows: rows.clone(),
                of: Shape::of(of),
            }),
            Part::Field { name, of, .. } => {
                path.push(name.clone());
                collect(of, path, links);
                path.pop();
            }
            Part::On { of, .. } => collect(of, path, links),
        }
    }
}

/// Puts rows together as the documents of a stream.
///
/// Memory holds one root with all that belongs to it.
#[derive(Debug)]
pub struct Assembly {
    shape: Shape,
    /// Which connection of the root has the documents, if the root is none itself.
    documents: Option<usize>,
    /// The member `_meta` of each document.
    meta: String,
    line: u64,
    open: Option<Open>,
}

/// The root that is being read, and all that belongs to it.
#[derive(Debug)]
struct Open {
    /// The root first.
    nodes: Vec<Node>,
    /// Those that may have more, by their id.
    parents: HashMap<String, usize>,
}

#[derive(Debug)]
struct Node {
    /// An object, as it came.
    text: String,
    /// Where its shape is: the connections that lead to it.
    path: Vec<usize>,
    /// Those of each of its connections.
    children: Vec<Vec<usize>>,
}

impl Assembly {
    /// For a bulk stream, of a store.
    ///
    /// # Panics
    /// Never: what is written in this crate is read by its tests.
    #[must_use]
    pub fn new(stream: &Stream, store: &str) -> Self {
        // With all that a store might grant: what was not asked for is an empty list, too.
        let shape = Shape::of(&stream.selection());
        let documents = stream.documents.map(|name| {
            let link = shape.0.iter().position(|link| link.name == name);
            link.expect("a stream's documents are asked for")
        });
        let store = serde_json::Value::from(store);
        Self {
            shape,
            documents,
            meta: format!(r#"{{"store":{store}}}"#),
            line: 0,
            open: None,
        }
    }

    /// Takes the next line. Answers with the documents that it ends.
    ///
    /// # Errors
    /// [`RowsError`], after which there is no going on.
    pub fn row(&mut self, line: &str) -> Result<Vec<String>, RowsError> {
        self.line += 1;
        if line.trim().is_empty() {
            return Ok(Vec::new());
        }
        let line = line.trim();
        let row: Row<'_> =
            serde_json::from_str(line).map_err(|_| RowsError::NotJson { line: self.line })?;
        let Some(parent) = row.parent.as_deref() else {
            return self.root(line, row);
        };
        let orphan = || RowsError::Orphan {
            line: self.line,
            parent: parent.to_owned(),
        };
        let open = self.open.as_mut().ok_or_else(orphan)?;
        let of = *open.parents.get(parent).ok_or_else(orphan)?;
        let mut path = open.nodes[of].path.clone();
        let links = &at(&self.shape, &path).0;
        let of_id = || row.id.as_deref().and_then(kind);
        let kind = row.name.as_deref().or_else(of_id);
        let found = match &links[..] {
            _ if row.members == 1 => None, // Nothing was asked of it, so it is not what was meant.
            [single] if single.rows.types.is_empty() => Some(0),
            links => kind.and_then(|kind| {
                let is_of = |link: &Link| link.rows.types.iter().any(|name| name == kind);
                links.iter().position(is_of)
            }),
        };
        let Some(nth) = found else {
            let what = kind.map_or_else(
                || "a row without a type".to_owned(),
                |kind| format!("a `{kind}`"),
            );
            let line = self.line;
            return Err(RowsError::Unknown { line, what });
        };
        let text = match links[nth].rows.drops_name {
            true => without_name(line),
            false => line.to_owned(),
        };
        path.push(nth);
        let links = at(&self.shape, &path).0.len();
        let node = open.nodes.len();
        if let Some(id) = row.id.filter(|_| links > 0) {
            open.parents.insert(id.into_owned(), node);
        }
        open.nodes[of].children[nth].push(node);
        open.nodes.push(Node {
            text,
            path,
            children: vec![Vec::new(); links],
        });
        Ok(Vec::new())
    }

    fn root(&mut self, line: &str, row: Row<'_>) -> Result<Vec<String>, RowsError> {
        let Some(id) = row.id else {
            let (line, what) = (self.line, "a root without an id".to_owned());
            return Err(RowsError::Unknown { line, what });
        };
        let ended = self.end();
        let root = Node {
            text: line.to_owned(),
            path: Vec::new(),
            children: vec![Vec::new(); self.shape.0.len()],
        };
        self.open = Some(Open {
            nodes: vec![root],
            parents: [(id.into_owned(), 0)].into(),
        });
        Ok(ended)
    }

    /// There are no further lines: the documents that end with them.
    pub fn end(&mut self) -> Vec<String> {
        let Some(open) = self.open.take() else {
            return Vec::new();
        };
        let documents = match self.documents {
            None => &[0][..],
            Some(link) => &open.nodes[0].children[link],
        };
        let written = documents.iter().map(|node| {
            let mut text = String::new();
            self.write(&open, *node, Some(&self.meta), &mut text);
            text
        });
        written.collect()
    }

    /// Writes a node, with what hangs on it.
    fn write(&self, open: &Open, node: usize, meta: Option<&str>, text: &mut String) {
        let node = &open.nodes[node];
        let links = &at(&self.shape, &node.path).0;
        let mut object = Object::new(text);
        if let Some(meta) = meta {
            object.member("_meta", meta);
        }
        if links.iter().all(|link| link.path.is_empty()) {
            object.members(&node.text);
            for (link, children) in links.iter().zip(&node.children) {
                object.name(&link.name);
                self.write_list(open, children, object.text);
            }
        } else {
            let texts = node.children.iter().map(|children| {
                let mut text = String::new();
                self.write_list(open, children, &mut text);
                text
            });
            let texts: Vec<String> = texts.collect();
            let lists = links.iter().zip(&texts).map(|(link, text)| List {
                path: &link.path,
                name: &link.name,
                text,
            });
            let lists: Vec<List<'_>> = lists.collect();
            let members = serde_json::from_str(&node.text).unwrap_or_default();
            write_members(&members, &lists, &mut object);
        }
        object.end();
    }

    fn write_list(&self, open: &Open, nodes: &[usize], text: &mut String) {
        text.push('[');
        for (nth, node) in nodes.iter().enumerate() {
            if nth > 0 {
                text.push(',');
            }
            self.write(open, *node, None, text);
        }
        text.push(']');
    }
}

/// What is looked at of a row.
#[derive(Debug, Default)]
struct Row<'a> {
    id: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    parent: Option<Cow<'a, str>>,
    /// How many members it has.
    members: usize,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Member {
    #[serde(rename = "id")]
    Id,
    #[serde(rename = "__typename")]
    Name,
    #[serde(rename = "__parentId")]
    Parent,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Row<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Looked;

        impl<'de> Visitor<'de> for Looked {
            type Value = Row<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
                let mut row = Row::default();
                while let Some(member) = map.next_key()? {
                    row.members += 1;
                    match member {
                        Member::Id => row.id = text(map.next_value()?),
                        Member::Name => row.name = text(map.next_value()?),
                        Member::Parent => row.parent = text(map.next_value()?),
                        Member::Other => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(row)
            }
        }
        deserializer.deserialize_map(Looked)
    }
}

/// A value, if it is a text.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    let Text(text) = serde_json::from_str(value.get()).ok()?;
    Some(text)
}

/// A row without the name of its type.
fn without_name(line: &str) -> String {
    let members: Members = serde_json::from_str(line).unwrap_or_default();
    let mut written = String::with_capacity(line.len());
    let mut object = Object::new(&mut written);
    for (name, value) in &members.0 {
        if name != "__typename" {
            object.member(name, value.get());
        }
    }
    object.end();
    written
}

/// The nodes of a connection, written.
#[derive(Clone, Copy)]
struct List<'a> {
    /// The objects in which it stands, from here on.
    path: &'a [String],
    name: &'a str,
    text: &'a str,
}

/// Those of the lists that stand in the object of this name.
fn inside<'a>(lists: &[List<'a>], name: &str) -> Vec<List<'a>> {
    let lists = lists.iter().filter_map(|list| {
        let (first, path) = list.path.split_first()?;
        (first == name).then_some(List { path, ..*list })
    });
    lists.collect()
}

/// Writes members, and what stands among them or inside of one. An object that is null, or not there, is there for what is inside of it.
fn write_members(members: &Members, lists: &[List<'_>], object: &mut Object<'_>) {
    for (name, value) in &members.0 {
        let lists = inside(lists, name);
        if lists.is_empty() {
            object.member(name, value.get());
            continue;
        }
        let members = serde_json::from_str(value.get()).unwrap_or_default();
        object.nested(name, |object| write_members(&members, &lists, object));
    }
    let mut absent: Vec<&str> = Vec::new();
    for list in lists {
        match list.path.first() {
            None => object.member(list.name, list.text),
            Some(name) if members.has(name) || absent.contains(&&**name) => {}
            Some(name) => {
                absent.push(name);
                let lists = inside(lists, name);
                object.nested(name, |object| {
                    write_members(&Members::default(), &lists, object);
                });
            }
        }
    }
}

/// An object that is being written.
struct Object<'a> {
    text: &'a mut String,
    is_first: bool,
}

impl<'a> Object<'a> {
    fn new(text: &'a mut String) -> Self {
        text.push('{');
        Self {
            text,
            is_first: true,
        }
    }

    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.text.push(',');
        }
        self.text
            .push_str(&serde_json::Value::from(name).to_string());
        self.text.push(':');
    }

    /// All members of an object.
    fn members(&mut self, object: &str) {
        let members = object.trim_matches(|c: char| c.is_ascii_whitespace());
        let members = members
            .strip_prefix('{')
            .and_then(|members| members.strip_suffix('}'));
        let members = members.unwrap_or_default().trim();
        if !members.is_empty() {
            if !std::mem::take(&mut self.is_first) {
                self.text.push(',');
            }
            self.text.push_str(members);
        }
    }

    fn member(&mut self, name: &str, value: &str) {
        self.name(name);
        self.text.push_str(value);
    }

    fn nested(&mut self, name: &str, write: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        let mut object = Object::new(self.text);
        write(&mut object);
        object.end();
    }

    fn end(self) {
        self.text.push('}');
    }
}

/// The shape that these connections lead to.
fn at<'a>(shape: &'a Shape, path: &[usize]) -> &'a Shape {
    path.iter().fold(shape, |shape, nth| &shape.0[*nth].of)
}

/// The type of a global id: `gid://shopify/Order/17`.
fn kind(id: &str) -> Option<&str> {
    let (kind, _) = id.strip_prefix("gid://shopify/")?.split_once('/')?;
    Some(kind)
}

/// The members of an object, in their order, as they came.
#[derive(Debug, Default)]
struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|(name, _)| name == wanted)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;

        impl<'de> Visitor<'de> for Ordered {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Ordered)
    }
}
