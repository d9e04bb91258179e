//! The rows of a bulk job, put together as documents.
//!
//! A bulk job writes one row for each node of a connection: a root, then all that belongs to it, then the next root. A row says to which
//! node it belongs (`__parentId`), and not to which of that node's connections; its type decides. Where nothing is said of types, the
//! only connection has them all. All of this follows from the stream's selection, which is the only thing that is known here of a stream.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::selection::{Part, Rows, Selection};
use crate::streams::Stream;

/// Bytes of the rows of one root: twice those of the largest document that can be sent.
const MAX_ROOT_BYTES: usize = 128 << 20;

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
    /// A root has more rows than are held.
    #[error(
        "line {line} of a bulk job's result is more than can be held of one record: it has more than {} MiB of rows",
        MAX_ROOT_BYTES >> 20
    )]
    TooLarge {
        /// Its number.
        line: u64,
    },
}

/// What hangs on a node: its connections.
#[derive(Debug)]
struct Shape {
    links: Vec<Link>,
    /// Whether they all stand in the node itself, rather than in an object inside of it.
    is_flat: bool,
}

/// A connection of a node.
#[derive(Debug)]
struct Link {
    /// The objects inside of the node in which it stands.
    path: Vec<String>,
    name: String,
    rows: Rows,
    /// The shape of its nodes, by its place among all.
    of: usize,
}

/// The shape of a selection, and before it those that it leads to. Answers with its place.
fn shape(selection: &Selection, shapes: &mut Vec<Shape>) -> usize {
    let mut links = Vec::new();
    collect(selection, &mut Vec::new(), &mut links, shapes);
    let is_flat = links.iter().all(|link| link.path.is_empty());
    shapes.push(Shape { links, is_flat });
    shapes.len() - 1
}

fn collect(
    selection: &Selection,
    path: &mut Vec<String>,
    links: &mut Vec<Link>,
    shapes: &mut Vec<Shape>,
) {
    for part in &selection.0 {
        match part {
            Part::Connection { name, rows, of, .. } => links.push(Link {
                path: path.clone(),
                name: name.clone(),
                rows: rows.clone(),
                of: shape(of, shapes),
            }),
            Part::Field { name, of, .. } => {
                path.push(name.clone());
                collect(of, path, links, shapes);
                path.pop();
            }
            Part::On { of, .. } => collect(of, path, links, shapes),
        }
    }
}

/// Puts rows together as the documents of a stream.
///
/// Memory holds one root with all that belongs to it, of at most 128 MiB.
#[derive(Debug)]
pub struct Assembly {
    shapes: Vec<Shape>,
    /// Which of them is the root's.
    root: usize,
    /// Which connection of the root has the documents, if the root is none itself.
    documents: Option<usize>,
    /// The member `_meta` of each document.
    meta: String,
    line: u64,
    /// The root that is being read, then all that belongs to it.
    nodes: Vec<Node>,
    /// Their rows, one after the other.
    texts: String,
    /// Those that may have more, by their id.
    parents: HashMap<String, usize>,
}

#[derive(Debug)]
struct Node {
    /// Its row.
    text: Range<usize>,
    shape: usize,
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
        let mut shapes = Vec::new();
        // With all that a store might grant: what was not asked for is an empty list, too.
        let root = shape(&stream.selection(), &mut shapes);
        let documents = stream.documents.map(|name| {
            let mut links = shapes[root].links.iter();
            let link = links.position(|link| link.name == name);
            link.expect("a stream's documents are asked for")
        });
        let store = serde_json::Value::from(store);
        Self {
            shapes,
            root,
            documents,
            meta: format!(r#"{{"store":{store}}}"#),
            line: 0,
            nodes: Vec::new(),
            texts: String::new(),
            parents: HashMap::new(),
        }
    }

    /// Takes the next line. Answers with the documents that it ends.
    ///
    /// # Errors
    /// [`RowsError`], after which there is no going on.
    pub fn row(&mut self, line: &str) -> Result<Vec<String>, RowsError> {
        self.line += 1;
        let line = line.trim();
        if line.is_empty() {
            return Ok(Vec::new());
        }
        let row: Row<'_> =
            serde_json::from_str(line).map_err(|_| RowsError::NotJson { line: self.line })?;
        let Some(parent) = row.parent.0.as_deref() else {
            let Some(id) = row.id.0 else {
                return Err(self.unknown("a root without an id"));
            };
            let ended = self.end();
            self.add(line, Some(&id), self.root);
            return Ok(ended);
        };
        let Some(&of) = self.parents.get(parent) else {
            return Err(RowsError::Orphan {
                line: self.line,
                parent: parent.to_owned(),
            });
        };
        if self.texts.len() + line.len() > MAX_ROOT_BYTES {
            return Err(RowsError::TooLarge { line: self.line });
        }
        let links = &self.shapes[self.nodes[of].shape].links;
        let kind = row.name.0.as_deref();
        let kind = kind.or_else(|| row.id.0.as_deref().and_then(kind_of));
        let found = match &links[..] {
            _ if row.members == 1 => None, // Nothing was asked of it, so it is not what was meant.
            [single] if single.rows.types.is_empty() => Some(0),
            links => kind.and_then(|kind| {
                let is_of = |link: &Link| link.rows.types.iter().any(|name| name == kind);
                links.iter().position(is_of)
            }),
        };
        let Some(nth) = found else {
            return Err(match kind {
                Some(kind) => self.unknown(&format!("a `{kind}`")),
                None => self.unknown("a row without a type"),
            });
        };
        let Link {
            rows, of: shape, ..
        } = &links[nth];
        let (shape, id) = (*shape, row.id.0.as_deref());
        let node = match rows.drops_name {
            true => self.add(&without_name(line), id, shape),
            false => self.add(line, id, shape),
        };
        self.nodes[of].children[nth].push(node);
        Ok(Vec::new())
    }

    /// Takes a node for one of the present root, or for the root itself.
    fn add(&mut self, text: &str, id: Option<&str>, shape: usize) -> usize {
        let (node, begin) = (self.nodes.len(), self.texts.len());
        self.texts.push_str(text);
        let links = self.shapes[shape].links.len();
        if let Some(id) = id.filter(|_| node == 0 || links > 0) {
            self.parents.insert(id.to_owned(), node);
        }
        self.nodes.push(Node {
            text: begin..self.texts.len(),
            shape,
            children: vec![Vec::new(); links],
        });
        node
    }

    fn unknown(&self, what: &str) -> RowsError {
        let (line, what) = (self.line, what.to_owned());
        RowsError::Unknown { line, what }
    }

    /// There are no further lines: the documents that end with them.
    pub fn end(&mut self) -> Vec<String> {
        let documents = match (self.nodes.first(), self.documents) {
            (None, _) => &[][..],
            (Some(_), None) => &[0],
            (Some(root), Some(link)) => &root.children[link],
        };
        // Most documents are all that was read of their root.
        let length = self.texts.len() / documents.len().max(1) + self.meta.len() + 256;
        let written = documents.iter().map(|node| {
            let mut text = String::with_capacity(length);
            self.write(*node, Some(&self.meta), &mut text);
            text
        });
        let written = written.collect();
        self.nodes.clear();
        self.texts.clear();
        self.parents.clear();
        written
    }

    /// Writes a node, with what hangs on it.
    fn write(&self, node: usize, meta: Option<&str>, text: &mut String) {
        let node = &self.nodes[node];
        let Shape { links, is_flat } = &self.shapes[node.shape];
        let row = &self.texts[node.text.clone()];
        let mut object = Object::new(text);
        if let Some(meta) = meta {
            object.member("_meta", meta);
        }
        if *is_flat {
            object.members(row);
            for (link, children) in links.iter().zip(&node.children) {
                object.name(&link.name);
                self.write_list(children, object.text);
            }
        } else {
            let texts = node.children.iter().map(|children| {
                let mut text = String::new();
                self.write_list(children, &mut text);
                text
            });
            let texts: Vec<String> = texts.collect();
            let lists = links.iter().zip(&texts).map(|(link, text)| List {
                path: &link.path,
                name: &link.name,
                text,
            });
            let lists: Vec<List<'_>> = lists.collect();
            let members = serde_json::from_str(row).unwrap_or_default();
            write_members(&members, &lists, &mut object);
        }
        object.end();
    }

    fn write_list(&self, nodes: &[usize], text: &mut String) {
        text.push('[');
        for (nth, node) in nodes.iter().enumerate() {
            if nth > 0 {
                text.push(',');
            }
            self.write(*node, None, text);
        }
        text.push(']');
    }
}

/// What is looked at of a row.
#[derive(Debug, Default)]
struct Row<'a> {
    id: Text<'a>,
    name: Text<'a>,
    parent: Text<'a>,
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
                        Member::Id => row.id = map.next_value()?,
                        Member::Name => row.name = map.next_value()?,
                        Member::Parent => row.parent = map.next_value()?,
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
#[derive(Debug, Default)]
struct Text<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Looked;

        impl<'de> Visitor<'de> for Looked {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Some(text.into())))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Some(text.to_owned().into())))
            }

            fn visit_unit<E>(self) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Text<'de>, A::Error> {
                IgnoredAny.visit_seq(seq).map(|_| Text(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Text<'de>, A::Error> {
                IgnoredAny.visit_map(map).map(|_| Text(None))
            }
        }
        deserializer.deserialize_any(Looked)
    }
}

/// A row without the name of its type.
fn without_name(line: &str) -> String {
    let members: Members<'_> = serde_json::from_str(line).unwrap_or_default();
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
fn write_members(members: &Members<'_>, lists: &[List<'_>], object: &mut Object<'_>) {
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
        match name.contains(|c: char| c.is_control() || matches!(c, '"' | '\\')) {
            false => self.text.extend(["\"", name, "\":"]),
            true => {
                let name = serde_json::Value::from(name).to_string();
                self.text.extend([&name, ":"]);
            }
        }
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

/// The type of a global id: `gid://shopify/Order/17`.
fn kind_of(id: &str) -> Option<&str> {
    let (kind, _) = id.strip_prefix("gid://shopify/")?.split_once('/')?;
    Some(kind)
}

/// The members of an object, in their order, as they came.
#[derive(Debug, Default)]
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Members<'_> {
    fn has(&self, wanted: &str) -> bool {
        self.0.iter().any(|(name, _)| name == wanted)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered;

        impl<'de> Visitor<'de> for Ordered {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    members.extend(name.map(|name| (name, value)));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Ordered)
    }
}
