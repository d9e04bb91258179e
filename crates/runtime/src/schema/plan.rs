//! From a schema to a plan that one pass over a document can follow, where the schema has only keywords that allow it.
//!
//! Beyond the plain ones these are carried, because every discovered collection has them: `$ref` into `$defs`, an
//! `if` whose branches only annotate (Flow's way of marking deletions), and `anyOf` of something and `null`.
//! A single other keyword, anywhere that a document could reach, and there is no plan.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Map, Value};

use super::bounds::{Bounds, Number, Side};
use super::formats::Format;

/// A first member of this name makes `serde_json` read an object as something else.
pub(super) const RAW_VALUE: &str = "$serde_json::private::RawValue";
/// Allows everything.
pub(super) const ANY: NodeId = NodeId(0);
/// Allows nothing.
const NEVER: NodeId = NodeId(1);
/// Longest chain of `$ref` to `$ref`, and deepest schema.
const DEEPEST: usize = 64;
/// Required members per object that the pass can tick off.
const MOST_REQUIRED: usize = 256;

/// A schema as a graph of nodes; recursion goes through ids.
#[derive(Debug)]
pub(super) struct Plan {
    nodes: Vec<Node>,
    pub(super) root: NodeId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// What is allowed at one place in a document.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) types: Types,
    /// `null` is allowed here, whatever else this node says.
    pub(super) or_null: bool,
    pub(super) choices: Option<Box<[Scalar]>>,
    pub(super) bounds: Option<Bounds>,
    /// Least and most characters.
    pub(super) length: Option<(u64, u64)>,
    pub(super) format: Option<Format>,
    pub(super) members: Option<std::sync::Arc<Members>>,
    pub(super) items: NodeId,
}

/// A set of JSON types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NULL: Types = Types(1);
    pub(super) const BOOLEAN: Types = Types(2);
    pub(super) const STRING: Types = Types(4);
    pub(super) const INTEGER: Types = Types(8);
    /// Contains the integers.
    pub(super) const NUMBER: Types = Types(8 | 16);
    pub(super) const ARRAY: Types = Types(32);
    pub(super) const OBJECT: Types = Types(64);
    const ALL: Types = Types(127);
    const NONE: Types = Types(0);

    pub(super) fn contain(self, other: Types) -> bool {
        self.0 & other.0 == other.0
    }

    fn named(name: &str) -> Option<Types> {
        Some(match name {
            "null" => Types::NULL,
            "boolean" => Types::BOOLEAN,
            "string" => Types::STRING,
            "integer" => Types::INTEGER,
            "number" => Types::NUMBER,
            "array" => Types::ARRAY,
            "object" => Types::OBJECT,
            _ => return None,
        })
    }
}

/// A value of `const` or `enum`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Null,
    Boolean(bool),
    Number(Number),
    Text(Box<str>),
}

/// What is said of an object's members.
#[derive(Debug)]
pub(super) struct Members {
    /// Sorted by name.
    named: Box<[Member]>,
    /// For those not named.
    pub(super) others: NodeId,
    pub(super) required: Ticks,
    /// Which member came after which, last time: documents of one source have their members in one order.
    /// Index 0 is the start of the object, `n + 1` is after member `n`. Only a guess; each is compared.
    follows: Box<[AtomicU16]>,
}

#[derive(Debug)]
pub(super) struct Member {
    name: Box<str>,
    pub(super) node: NodeId,
    /// Its tick, if it is required.
    pub(super) tick: Option<u8>,
}

/// A set of required members.
pub(super) type Ticks = [u64; MOST_REQUIRED / 64];

impl Members {
    /// The index of the member called `name`, when `before` (0, or an index + 1) is where the last one was.
    pub(super) fn find(&self, name: &str, before: usize) -> Option<usize> {
        let guess = usize::from(self.follows.get(before)?.load(Ordering::Relaxed));
        if self
            .named
            .get(guess)
            .is_some_and(|member| &*member.name == name)
        {
            return Some(guess);
        }
        let found = self
            .named
            .binary_search_by(|member| (*member.name).cmp(name))
            .ok()?;
        // There are at most as many members as the table can number: see `members`.
        self.follows[before].store(found as u16, Ordering::Relaxed);
        Some(found)
    }

    pub(super) fn member(&self, index: usize) -> &Member {
        &self.named[index]
    }
}

impl Plan {
    /// The plan of a schema that is known to be valid; `None` when it takes more than a pass.
    pub(super) fn of(schema: &Value) -> Option<Plan> {
        if !is_known_draft(schema) {
            return None;
        }
        let mut maker = Maker {
            schema,
            nodes: vec![Node::any(), Node::never()],
            definitions: HashMap::new(),
        };
        let root = maker.node(schema, 0)?;
        Some(Plan {
            nodes: maker.nodes,
            root,
        })
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }
}

/// Drafts in which our keywords mean what we take them to mean. Draft 4 differs: 1.0 is no integer there.
fn is_known_draft(schema: &Value) -> bool {
    match schema.get("$schema") {
        None => true,
        Some(Value::String(uri)) => {
            let uri = uri.trim_end_matches('#');
            [
                "https://json-schema.org/draft/2020-12/schema",
                "https://json-schema.org/draft/2019-09/schema",
                "http://json-schema.org/draft-07/schema",
                "https://json-schema.org/draft-07/schema",
            ]
            .contains(&uri)
        }
        Some(_) => false,
    }
}

impl Node {
    fn any() -> Node {
        Node {
            types: Types::ALL,
            or_null: false,
            choices: None,
            bounds: None,
            length: None,
            format: None,
            members: None,
            items: ANY,
        }
    }

    fn never() -> Node {
        Node {
            types: Types::NONE,
            ..Node::any()
        }
    }

    fn is_any(&self) -> bool {
        self.types == Types::ALL
            && self.choices.is_none()
            && self.bounds.is_none()
            && self.length.is_none()
            && self.format.is_none()
            && self.members.is_none()
            && self.items == ANY
    }
}

struct Maker<'a> {
    schema: &'a Value,
    nodes: Vec<Node>,
    /// By `$ref`; `None` while it is being made.
    definitions: HashMap<&'a str, Option<NodeId>>,
}

impl<'a> Maker<'a> {
    fn node(&mut self, schema: &'a Value, depth: usize) -> Option<NodeId> {
        if depth > DEEPEST {
            return None;
        }
        match schema {
            Value::Bool(true) => Some(ANY),
            Value::Bool(false) => Some(NEVER),
            Value::Object(keywords) if keywords.contains_key("$ref") => {
                self.reference(keywords, depth)
            }
            Value::Object(keywords) if keywords.contains_key("anyOf") => {
                self.nullable(keywords, depth)
            }
            Value::Object(keywords) => {
                let node = self.plain(keywords, depth)?;
                Some(if node.is_any() { ANY } else { self.push(node) })
            }
            _ => None,
        }
    }

    fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// `$ref` beside nothing but annotations, to the schema itself or to one of its definitions.
    fn reference(&mut self, keywords: &'a Map<String, Value>, depth: usize) -> Option<NodeId> {
        let Some(Value::String(target)) = keywords.get("$ref") else {
            return None;
        };
        if !keywords.keys().all(|keyword| {
            matches!(keyword.as_str(), "$ref" | "$defs" | "definitions")
                || is_annotation(keyword)
                || depth == 0 && keyword == "$schema"
        }) {
            return None;
        }
        if let Some(made) = self.definitions.get(target.as_str()) {
            // A definition that is still being made refers to itself: rare enough to leave to the full validator.
            return *made;
        }
        let name = target
            .strip_prefix("#/$defs/")
            .or_else(|| target.strip_prefix("#/definitions/"))?;
        // Escapes, and pointers into a definition, are as rare.
        if name.contains(['/', '~', '%']) {
            return None;
        }
        let schema = self.schema.pointer(&target[1..])?;
        self.definitions.insert(target, None);
        let node = self.node(schema, depth + 1)?;
        self.definitions.insert(target, Some(node));
        Some(node)
    }

    /// `anyOf` of one schema and `{"type": "null"}`, beside nothing but annotations.
    fn nullable(&mut self, keywords: &'a Map<String, Value>, depth: usize) -> Option<NodeId> {
        let Some(Value::Array(branches)) = keywords.get("anyOf") else {
            return None;
        };
        if !keywords
            .keys()
            .all(|keyword| keyword == "anyOf" || is_annotation(keyword))
        {
            return None;
        }
        let [first, second] = branches.as_slice() else {
            return None;
        };
        let other = match (is_null_type(first), is_null_type(second)) {
            (_, true) => first,
            (true, false) => second,
            (false, false) => return None,
        };
        let id = self.node(other, depth + 1)?;
        let node = Node {
            or_null: true,
            ..self.nodes[id.0].clone()
        };
        Some(self.push(node))
    }

    fn plain(&mut self, keywords: &'a Map<String, Value>, depth: usize) -> Option<Node> {
        let mut node = Node::any();
        let mut bounds = Bounds::default();
        let (mut shortest, mut longest) = (0, u64::MAX);
        for (keyword, value) in keywords {
            match keyword.as_str() {
                "type" => node.types = types(value)?,
                "const" if node.choices.is_none() => node.choices = Some([scalar(value)?].into()),
                "enum" if node.choices.is_none() => {
                    node.choices = Some(
                        value
                            .as_array()?
                            .iter()
                            .map(scalar)
                            .collect::<Option<_>>()?,
                    );
                }
                "minimum" => bounds.add(Number::of(value)?, Side::AtLeast),
                "maximum" => bounds.add(Number::of(value)?, Side::AtMost),
                "exclusiveMinimum" => bounds.add(Number::of(value)?, Side::Above),
                "exclusiveMaximum" => bounds.add(Number::of(value)?, Side::Below),
                "minLength" => shortest = value.as_u64()?,
                "maxLength" => longest = value.as_u64()?,
                "format" => node.format = format(value.as_str()?)?,
                "items" => node.items = self.node(value, depth + 1)?,
                "if" => self.check_annotating_condition(keywords, depth)?,
                // Read with their neighbours: the first three below, the others with `if` (without it they say nothing).
                "properties" | "required" | "additionalProperties" | "then" | "else" => {}
                // Compiled where something refers to them.
                "$defs" | "definitions" => {}
                "$schema" if depth == 0 => {}
                _ if is_annotation(keyword) => {}
                _ => return None,
            }
        }
        node.bounds = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]
            .iter()
            .any(|keyword| keywords.contains_key(*keyword))
            .then_some(bounds);
        node.length = (shortest > 0 || longest < u64::MAX).then_some((shortest, longest));
        node.members = self.members(keywords, depth)?.map(std::sync::Arc::new);
        Some(node)
    }

    /// An `if` decides nothing when both of its branches allow everything.
    fn check_annotating_condition(
        &mut self,
        keywords: &'a Map<String, Value>,
        depth: usize,
    ) -> Option<()> {
        for branch in ["then", "else"] {
            if let Some(schema) = keywords.get(branch)
                && self.node(schema, depth + 1)? != ANY
            {
                return None;
            }
        }
        Some(())
    }

    /// `Some(None)` where the schema says nothing of members.
    fn members(
        &mut self,
        keywords: &'a Map<String, Value>,
        depth: usize,
    ) -> Option<Option<Members>> {
        let others = match keywords.get("additionalProperties") {
            Some(schema) => self.node(schema, depth + 1)?,
            None => ANY,
        };
        let mut named: Vec<Member> = Vec::new();
        if let Some(properties) = keywords.get("properties") {
            for (name, schema) in properties.as_object()? {
                named.push(Member {
                    name: name.as_str().into(),
                    node: self.node(schema, depth + 1)?,
                    tick: None,
                });
            }
        }
        let mut required = Vec::new();
        if let Some(names) = keywords.get("required") {
            for name in names.as_array()? {
                required.push(name.as_str()?);
            }
        }
        if named.is_empty() && required.is_empty() && others == ANY {
            return Some(None);
        }
        required.sort_unstable();
        required.dedup();
        if required.len() > MOST_REQUIRED {
            return None;
        }
        let mut ticks = Ticks::default();
        for (tick, name) in required.into_iter().enumerate() {
            ticks[tick / 64] |= 1 << (tick % 64);
            let tick = Some(u8::try_from(tick).expect("no more ticks than a byte can number"));
            match named.iter_mut().find(|member| &*member.name == name) {
                Some(member) => member.tick = tick,
                None => named.push(Member {
                    name: name.into(),
                    node: others,
                    tick,
                }),
            }
        }
        if named.len() >= usize::from(u16::MAX)
            || named.iter().any(|member| &*member.name == RAW_VALUE)
        {
            return None;
        }
        named.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let follows = (0..=named.len()).map(|_| AtomicU16::new(0)).collect();
        Some(Some(Members {
            named: named.into(),
            others,
            required: ticks,
            follows,
        }))
    }
}

fn types(value: &Value) -> Option<Types> {
    match value {
        Value::String(name) => Types::named(name),
        Value::Array(names) => names.iter().try_fold(Types::NONE, |types, name| {
            Some(Types(types.0 | Types::named(name.as_str()?)?.0))
        }),
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<Scalar> {
    Some(match value {
        Value::Null => Scalar::Null,
        Value::Bool(value) => Scalar::Boolean(*value),
        Value::Number(_) => Scalar::Number(Number::of(value)?),
        Value::String(text) => Scalar::Text(text.as_str().into()),
        Value::Array(_) | Value::Object(_) => return None,
    })
}

/// `Some(None)` for a format that nobody checks.
fn format(name: &str) -> Option<Option<Format>> {
    // What `schemars` and OpenAPI write beside `type`; the bounds stand beside them where they are meant.
    const UNCHECKED: [&str; 14] = [
        "int8",
        "int16",
        "int32",
        "int64",
        "int",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "uint",
        "float",
        "double",
        "password",
        "partial-date-time",
    ];
    if UNCHECKED.contains(&name) {
        return Some(None);
    }
    Format::named(name).map(Some)
}

fn is_null_type(schema: &Value) -> bool {
    schema.as_object().is_some_and(|keywords| {
        keywords.get("type").is_some_and(|name| name == "null")
            && keywords
                .keys()
                .all(|keyword| keyword == "type" || is_annotation(keyword))
    })
}

/// Keywords that allow everything, whatever their value.
fn is_annotation(keyword: &str) -> bool {
    matches!(
        keyword,
        "title"
            | "description"
            | "default"
            | "examples"
            | "example"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
            | "$comment"
            | "reduce"
            | "secret"
            | "order"
            | "multiline"
            | "advanced"
    ) || keyword.starts_with("x-")
        || keyword.starts_with("X-")
}
