//! How a query is answered: what it selects of objects is written, in its order. The rows of a bulk job are written by the same walk.

use apollo_compiler::ExecutableDocument;
use apollo_compiler::Schema;
use apollo_compiler::ast::Value as Literal;
use apollo_compiler::executable::{Field as Asked, Selection, SelectionSet};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::catalog::{self, Order, Root};
use crate::records::{Tables, Version};
use crate::scenario::StoreFacts;
use crate::search::{Has, Rules, Search};
use crate::shown::{Field, Object, mixed, text};
use crate::time::{self, Micros};

/// What becomes of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Connections {
    /// Pages.
    Paged,
    /// Rows of their own: what they hang on is written without them.
    Rows,
    /// Lists of all their nodes.
    Whole,
}

/// What is done to what is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spoiling {
    /// There is another page, and no word of where.
    pub(crate) has_no_end_cursor: bool,
    /// The next page is this one.
    pub(crate) repeats_cursor: bool,
    /// Nodes that are asked for by their id are gone.
    pub(crate) has_no_nodes: bool,
    /// Pages are in another order than they should be.
    pub(crate) is_shuffled: bool,
}

/// An error of GraphQL.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) message: String,
    pub(crate) code: Option<&'static str>,
    pub(crate) more: Map<String, Value>,
    pub(crate) path: Vec<String>,
}

impl Problem {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: Some(code),
            more: Map::new(),
            path: Vec::new(),
        }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut extensions = self.more.clone();
        if let Some(code) = self.code {
            extensions.insert("code".to_owned(), code.into());
        }
        let mut error = Map::new();
        error.insert("message".to_owned(), self.message.clone().into());
        if !self.path.is_empty() {
            error.insert("path".to_owned(), json!(self.path));
        }
        if !extensions.is_empty() {
            error.insert("extensions".to_owned(), extensions.into());
        }
        error.into()
    }
}

/// Something is null that must not be, and so is what it is part of.
#[derive(Debug)]
pub(crate) struct Nulled;

/// A row of a bulk job's result.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) text: String,
    /// How deep its connection lies.
    pub(crate) depth: usize,
}

/// A node of a list, and its place there.
pub(crate) type Placed<'a> = (Place, Object<'a>);

/// By what a list is sorted, and then the number.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    value: String,
    number: u64,
}

impl Place {
    /// As clients know it: a text that means nothing to them.
    fn cursor(&self) -> String {
        let cursor = json!({ "last_id": self.number, "last_value": self.value });
        STANDARD.encode(cursor.to_string())
    }

    fn read(cursor: &str) -> Option<Self> {
        let text = STANDARD.decode(cursor).ok()?;
        let cursor: Value = serde_json::from_slice(&text).ok()?;
        Some(Self {
            value: cursor["last_value"].as_str()?.to_owned(),
            number: cursor["last_id"].as_u64()?,
        })
    }
}

/// A store's data, as it is to be seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) seed: u64,
    pub(crate) facts: &'a StoreFacts,
    pub(crate) tables: &'a Tables,
    pub(crate) now: Micros,
    pub(crate) zone: &'a TimeZone,
    pub(crate) compares_seconds: bool,
    pub(crate) max_page_size: u64,
    pub(crate) page_cap: Option<u64>,
    pub(crate) lost_by_sort_percent: u64,
}

impl<'a> Seen<'a> {
    /// A record as it is.
    pub(crate) fn object(&self, kind: &'a str, number: u64, version: &'a Version) -> Object<'a> {
        let of_store = mixed(self.seed, &self.facts.name, 0);
        Object {
            kind,
            number,
            seed: mixed(mixed(of_store, kind, number), "version", version.number),
            created_at: version.created_at,
            updated_at: version.updated_at,
            fields: Some(&version.fields),
            of: None,
        }
    }

    fn has_scope(&self, scopes: &[&str]) -> bool {
        match &self.facts.scopes {
            None => true,
            Some(granted) => scopes.iter().any(|scope| granted.contains(*scope)),
        }
    }
}

/// A query, and what it is asked of.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) document: &'a ExecutableDocument,
    pub(crate) variables: &'a Map<String, Value>,
    pub(crate) seen: Seen<'a>,
    pub(crate) connections: Connections,
    pub(crate) spoiling: Spoiling,
}

type Sets<'a> = Vec<&'a SelectionSet>;

impl<'a> View<'a> {
    /// The fields that are asked of an object of this type, those of fragments too, in their order. The same field twice is one.
    pub(crate) fn asked(self, kind: &str, sets: &[&'a SelectionSet]) -> Vec<(&'a Asked, Sets<'a>)> {
        let mut fields: Vec<(&'a Asked, Sets<'a>)> = Vec::new();
        for set in sets {
            self.collect(kind, set, &mut fields);
        }
        fields
    }

    fn collect(self, kind: &str, set: &'a SelectionSet, fields: &mut Vec<(&'a Asked, Sets<'a>)>) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    let key = field.response_key();
                    match fields
                        .iter_mut()
                        .find(|(known, _)| known.response_key() == key)
                    {
                        Some((_, sets)) => sets.push(&field.selection_set),
                        None => fields.push((field, vec![&field.selection_set])),
                    }
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.type_condition.as_ref();
                    if condition.is_none_or(|name| self.is_a(kind, name.as_str())) {
                        self.collect(kind, &fragment.selection_set, fields);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name)
                        && self.is_a(kind, fragment.selection_set.ty.as_str())
                    {
                        self.collect(kind, &fragment.selection_set, fields);
                    }
                }
            }
        }
    }

    fn is_a(self, kind: &str, wanted: &str) -> bool {
        kind == wanted || self.schema.is_subtype(wanted, kind)
    }

    /// An argument of a field.
    pub(crate) fn argument(self, field: &Asked, name: &str) -> Option<Value> {
        let argument = field
            .arguments
            .iter()
            .find(|argument| argument.name == name)?;
        Some(self.literal(&argument.value)).filter(|value| !value.is_null())
    }

    fn literal(self, value: &Literal) -> Value {
        match value {
            Literal::Null => Value::Null,
            Literal::Enum(name) => name.as_str().into(),
            Literal::Variable(name) => self
                .variables
                .get(name.as_str())
                .cloned()
                .unwrap_or_default(),
            Literal::String(text) => text.as_str().into(),
            Literal::Float(number) => number.try_to_f64().unwrap_or_default().into(),
            Literal::Int(number) => number.try_to_i32().unwrap_or_default().into(),
            Literal::Boolean(is) => (*is).into(),
            Literal::List(all) => all.iter().map(|one| self.literal(one)).collect(),
            Literal::Object(members) => {
                let members = members.iter();
                let members = members.map(|(name, value)| (name.to_string(), self.literal(value)));
                Value::Object(members.collect())
            }
        }
    }

    /// What is searched for.
    pub(crate) fn search(self, field: &Asked) -> Search {
        let query = self.argument(field, "query");
        Search::parse(query.as_ref().and_then(Value::as_str).unwrap_or_default())
    }

    fn has(self, object: &Object<'_>, indexed: &Version, field: &str) -> Has {
        match field {
            "updated_at" => Has::Time(indexed.updated_at),
            "created_at" | "processed_at" | "customer_date" | "initiated_at" => {
                Has::Time(indexed.created_at)
            }
            "id" => Has::Number(object.number),
            "collection_type" => {
                let written = object
                    .fields
                    .and_then(|fields| fields.get("collectionType"));
                let drawn = if object.number.is_multiple_of(2) {
                    "smart"
                } else {
                    "custom"
                };
                Has::Text(written.and_then(Value::as_str).unwrap_or(drawn).to_owned())
            }
            "active" => Has::Text(self.shown(object, "isActive")),
            field => Has::Text(self.shown(object, &camel(field))),
        }
    }

    /// What an object shows of a scalar, without quotes.
    fn shown(self, object: &Object<'_>, field: &str) -> String {
        let Ok(definition) = self.schema.type_field(object.kind, field) else {
            return String::new();
        };
        match object.field(self.schema, field, &definition.ty) {
            Field::Scalar(text) => serde_json::from_str(&text).unwrap_or(text),
            Field::Written(Value::String(text)) => text.clone(),
            Field::Written(value) => value.to_string(),
            _ => String::new(),
        }
    }

    /// The nodes of a connection of an object.
    fn parts<'b>(self, object: &'b Object<'b>, field: &'b Asked) -> Vec<Object<'b>>
    where
        'a: 'b,
    {
        let ty = field.ty().inner_named_type();
        let kind = ty.as_str().strip_suffix("Connection").unwrap_or(ty);
        let kind = if kind == "MarketCatalog" {
            "Catalog"
        } else {
            kind
        };
        let written = object
            .fields
            .and_then(|fields| fields.get(field.name.as_str()));
        let count = match written.and_then(Value::as_u64) {
            Some(count) => count, // So many, as a test has written.
            None => object.count(&field.name),
        };
        let only_images = self
            .argument(field, "query")
            .is_some_and(|query| query == "media_type:IMAGE");
        let parts = (0..count).map(|nth| {
            let part = object.part(self.schema, kind, &field.name, nth);
            match object.kind {
                // Products are no parts of a collection: they have numbers, and ids, of their own.
                "Collection" if kind == "Product" => Object {
                    number: part.seed % 1000 + 1,
                    of: None,
                    ..part
                },
                _ => part,
            }
        });
        parts
            .filter(|part| !only_images || part.kind == "MediaImage")
            .collect()
    }

    /// Why a store does not show a field.
    fn denied(self, object: &Object<'_>, field: &Asked, path: &[String]) -> Option<Problem> {
        let gate = catalog::gate(object.kind, &field.name)?;
        let facts = self.seen.facts;
        let needed = if !gate.scopes.is_empty() && !self.seen.has_scope(gate.scopes) {
            format!("`{}` access scope", gate.scopes.join("` or `"))
        } else if gate.is_of_larger_plans && !facts.is_larger() {
            LARGER_PLAN.to_owned()
        } else if gate.is_personal && !facts.allows_personal_data() {
            "a plan on which custom apps may read personal data".to_owned()
        } else {
            return None;
        };
        Some(access_denied(&field.name, &needed, path))
    }

    /// Why a list at the root is not shown.
    fn root_denied(self, root: &Root, path: &[String]) -> Option<Problem> {
        let needed = if !self.seen.has_scope(root.scopes) {
            format!("`{}` access scope", root.scopes[0])
        } else if root.is_of_larger_plans && !self.seen.facts.is_larger() {
            LARGER_PLAN.to_owned()
        } else {
            return None;
        };
        Some(access_denied(root.field, &needed, path))
    }

    /// The records of a list that a field asks for, in their order, and what is warned of.
    pub(crate) fn roots(
        self,
        root: &'static Root,
        field: &Asked,
    ) -> Result<(Vec<Placed<'a>>, Vec<Value>), Problem> {
        let search = self.search(field);
        let rules = Rules {
            searched: root.searched,
            zone: self.seen.zone,
            compares_seconds: self.seen.compares_seconds,
        };
        let warnings = search.check(&rules);
        let warnings = warnings.map_err(|bad| Problem::new("BAD_REQUEST", bad.0))?;
        let flag = |name| self.argument(field, name) == Some(true.into());
        let shows_inactive = flag("includeInactive");
        let now = match self.connections {
            Connections::Whole => Micros::MAX,
            _ => self.seen.now,
        };
        let order = self.argument(field, "sortKey");
        let order = order.as_ref().and_then(Value::as_str);
        let order = order.map_or(root.order, Order::of);
        let mut found: Vec<Placed<'a>> = Vec::new();
        for (number, record) in self.seen.tables.get(root.kind).into_iter().flatten() {
            let (Some(indexed), Some(current)) = (record.found(now), record.current()) else {
                continue;
            };
            let object = self.seen.object(root.kind, *number, current);
            let is_inactive = root.kind == "Location" && self.shown(&object, "isActive") == "false";
            let has = |field: &str| Some(self.has(&object, indexed, field));
            if is_inactive && !shows_inactive || !search.finds(&rules, &has) {
                continue;
            }
            // It is placed by that by which it was found.
            let value = match order {
                Order::Id => String::new(),
                Order::Name => self.shown(&object, "name"),
                Order::CreatedAt => time::print_exactly(indexed.created_at),
                Order::UpdatedAt => time::print_exactly(indexed.updated_at),
            };
            let number = *number;
            found.push((Place { value, number }, object));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        if flag("reverse") {
            found.reverse();
        }
        Ok((found, warnings))
    }
}

/// A list, a place in it, and the type of what is there.
type PartOf = (&'static str, u64, &'static str);

/// Parts of records that can be asked for by their id: their type, and the list of which record they are in.
const PARTS: [(&str, &str, &str); 3] = [
    ("Fulfillment", "Order", "fulfillments"),
    ("Refund", "Order", "refunds"),
    ("Return", "Order", "returns"),
];

const LARGER_PLAN: &str = "a Shopify Plus or Advanced plan";

fn access_denied(field: &str, needed: &str, path: &[String]) -> Problem {
    let message = format!("Access denied for {field} field. Required access: {needed}.");
    let more = [
        (
            "documentation",
            "https://shopify.dev/api/usage/access-scopes",
        ),
        ("requiredAccess", needed),
    ];
    let more = more.map(|(name, value)| (name.to_owned(), value.into()));
    Problem {
        more: more.into_iter().collect(),
        path: path.to_vec(),
        ..Problem::new("ACCESS_DENIED", message)
    }
}

/// Writes what is selected.
pub(crate) struct Walker<'a> {
    pub(crate) view: View<'a>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Value>,
    /// Nodes that were asked for, and those that there were.
    pub(crate) nodes: (u64, u64),
    path: Vec<String>,
}

impl<'a> Walker<'a> {
    pub(crate) fn new(view: View<'a>) -> Self {
        Self {
            view,
            problems: Vec::new(),
            warnings: Vec::new(),
            nodes: (0, 0),
            path: Vec::new(),
        }
    }

    /// Writes an object.
    pub(crate) fn object(
        &mut self,
        object: &Object<'_>,
        sets: &[&'a SelectionSet],
        out: &mut String,
    ) -> Result<(), Nulled> {
        out.push('{');
        let mut is_first = true;
        for (field, sets) in self.view.asked(object.kind, sets) {
            let is_connection = is_connection(field);
            if is_connection && self.view.connections == Connections::Rows {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
            let key = field.response_key();
            out.push_str(&text(key));
            out.push(':');
            self.path.push(key.to_string());
            let (begin, ty) = (out.len(), field.ty());
            let written = match self.view.denied(object, field, &self.path) {
                Some(problem) => {
                    self.problems.push(problem);
                    Err(Nulled)
                }
                None if field.name == "__typename" => {
                    out.push_str(&text(object.kind));
                    Ok(())
                }
                None if is_connection => self.connection(object, field, &sets, out),
                None => {
                    let shown = object.field(self.view.schema, &field.name, ty);
                    self.value(object, &shown, ty.inner_named_type().as_str(), &sets, out)
                }
            };
            self.path.pop();
            if written.is_err() {
                if ty.is_non_null() {
                    return Err(Nulled);
                }
                out.truncate(begin);
                out.push_str("null");
            }
        }
        out.push('}');
        Ok(())
    }

    fn value(
        &mut self,
        of: &Object<'_>,
        value: &Field<'_>,
        kind: &str,
        sets: &[&'a SelectionSet],
        out: &mut String,
    ) -> Result<(), Nulled> {
        match value {
            Field::Null | Field::Written(Value::Null) => out.push_str("null"),
            Field::Scalar(text) => out.push_str(text),
            Field::Object(object) => self.object(object, sets, out)?,
            Field::Written(Value::Object(fields)) if sets.iter().any(|set| !set.is_empty()) => {
                let named = fields.get("__typename").and_then(Value::as_str);
                let object = Object {
                    created_at: of.created_at,
                    updated_at: of.updated_at,
                    seed: mixed(of.seed, kind, 0),
                    ..Object::written(named.unwrap_or(kind), fields)
                };
                self.object(&object, sets, out)?;
            }
            Field::Written(Value::Array(all)) => {
                let all: Vec<Field<'_>> = all.iter().map(Field::Written).collect();
                self.value(of, &Field::List(all), kind, sets, out)?;
            }
            Field::Written(value) => out.push_str(&value.to_string()),
            Field::List(all) => {
                out.push('[');
                for (nth, one) in all.iter().enumerate() {
                    if nth > 0 {
                        out.push(',');
                    }
                    self.value(of, one, kind, sets, out)?;
                }
                out.push(']');
            }
        }
        Ok(())
    }

    /// Writes a list of the root.
    pub(crate) fn root(
        &mut self,
        root: &'static Root,
        field: &'a Asked,
        sets: &[&'a SelectionSet],
        out: &mut String,
    ) -> Result<(), Nulled> {
        self.path = vec![field.response_key().to_string()];
        let nodes = self.root_nodes(root, field)?;
        let written = self.nodes(field, &nodes, sets, out);
        self.path.clear();
        written
    }

    fn root_nodes(
        &mut self,
        root: &'static Root,
        field: &'a Asked,
    ) -> Result<Vec<Placed<'a>>, Nulled> {
        let found = match self.view.root_denied(root, &self.path) {
            Some(denied) => Err(denied),
            None => self.view.roots(root, field),
        };
        match found {
            Ok((nodes, warnings)) => {
                if !warnings.is_empty() {
                    let query = self.view.argument(field, "query");
                    self.warnings.push(json!({ "path": self.path, "query": query, "parsed": query, "warnings": warnings }));
                }
                Ok(nodes)
            }
            Err(problem) => {
                self.problems.push(problem);
                Err(Nulled)
            }
        }
    }

    fn connection(
        &mut self,
        object: &Object<'_>,
        field: &'a Asked,
        sets: &[&'a SelectionSet],
        out: &mut String,
    ) -> Result<(), Nulled> {
        let parts = self.view.parts(object, field);
        let nodes = parts.into_iter().map(|part| {
            let place = Place {
                value: String::new(),
                number: part.number,
            };
            (place, part)
        });
        let nodes: Vec<Placed<'_>> = nodes.collect();
        self.nodes(field, &nodes, sets, out)
    }

    /// Writes nodes: a page of them, or a list of all.
    fn nodes(
        &mut self,
        field: &'a Asked,
        nodes: &[Placed<'_>],
        sets: &[&'a SelectionSet],
        out: &mut String,
    ) -> Result<(), Nulled> {
        let kind = field.ty().inner_named_type().as_str();
        if self.view.connections == Connections::Whole {
            let sets = self.view.node_sets(kind, sets);
            let all = nodes.iter().map(|(_, node)| Field::Object(*node)).collect();
            return match nodes.first() {
                Some((_, first)) => self.value(first, &Field::List(all), kind, &sets, out),
                None => {
                    out.push_str("[]");
                    Ok(())
                }
            };
        }
        let page = match self.view.page(field, nodes) {
            Ok(page) => page,
            Err(problem) => {
                let path = self.path.clone();
                self.problems.push(Problem { path, ..problem });
                return Err(Nulled);
            }
        };
        self.nodes.0 += page.asked;
        self.nodes.1 += page.nodes.len() as u64;
        out.push('{');
        for (nth, (part, sets)) in self.view.asked(kind, sets).into_iter().enumerate() {
            if nth > 0 {
                out.push(',');
            }
            out.push_str(&text(part.response_key()));
            out.push(':');
            match part.name.as_str() {
                "edges" => self.edges(part, page.nodes, &sets, out)?,
                "nodes" => {
                    let all = page.nodes.iter().map(|(_, node)| Field::Object(*node));
                    let all = Field::List(all.collect());
                    let of = page.nodes.first().map(|(_, node)| *node);
                    match of {
                        Some(of) => self.value(&of, &all, kind, &sets, out)?,
                        None => out.push_str("[]"),
                    }
                }
                "pageInfo" => {
                    let info = self.view.page_info(&page);
                    let info = Object::written("PageInfo", &info);
                    self.object(&info, &sets, out)?;
                }
                _ => out.push_str(&text(kind)),
            }
        }
        out.push('}');
        Ok(())
    }

    fn edges(
        &mut self,
        field: &'a Asked,
        nodes: &[Placed<'_>],
        sets: &[&'a SelectionSet],
        out: &mut String,
    ) -> Result<(), Nulled> {
        let kind = field.ty().inner_named_type().as_str();
        out.push('[');
        let mut nodes: Vec<&Placed<'_>> = nodes.iter().collect();
        // Those of the list at the root alone: what hangs on a record keeps its order.
        if self.view.spoiling.is_shuffled && self.path.len() == 1 {
            nodes.reverse();
        }
        for (nth, (place, node)) in nodes.into_iter().enumerate() {
            out.push_str(if nth > 0 { ",{" } else { "{" });
            for (nth, (part, sets)) in self.view.asked(kind, sets).into_iter().enumerate() {
                if nth > 0 {
                    out.push(',');
                }
                out.push_str(&text(part.response_key()));
                out.push(':');
                match part.name.as_str() {
                    "node" => self.object(node, &sets, out)?,
                    "cursor" => out.push_str(&text(&place.cursor())),
                    _ => out.push_str(&text(kind)),
                }
            }
            out.push('}');
        }
        out.push(']');
        Ok(())
    }

    /// Writes an object that is asked for by its id: a record, or a part of a list of one.
    pub(crate) fn node(
        &mut self,
        id: &str,
        sets: &[&'a SelectionSet],
        out: &mut String,
    ) -> Result<(), Nulled> {
        let view = self.view;
        let found = match catalog::named(id) {
            Some((kind, number)) if !view.spoiling.has_no_nodes => view.record(kind, number),
            _ => None,
        };
        let Some((record, part)) = found else {
            out.push_str("null");
            return Ok(());
        };
        let Some((field, nth, kind)) = part else {
            return self.object(&record, sets, out);
        };
        if nth >= record.count(field) {
            out.push_str("null");
            return Ok(());
        }
        self.object(&record.part(view.schema, kind, field, nth), sets, out)
    }

    /// The rows of a bulk job: one for each node of each connection, those of a record after it.
    ///
    /// Of the records that are searched for, or of those with these numbers, as they are by now.
    pub(crate) fn rows(
        &mut self,
        root: &'static Root,
        field: &'a Asked,
        numbers: Option<&[u64]>,
    ) -> Result<Vec<Row>, Nulled> {
        self.path = vec![field.response_key().to_string()];
        let mut nodes: Vec<Object<'a>> = match numbers {
            None => self
                .root_nodes(root, field)?
                .into_iter()
                .map(|(_, node)| node)
                .collect(),
            Some(numbers) => self.view.numbered(root, numbers),
        };
        let seen = self.view.seen;
        if self.view.argument(field, "sortKey").is_some()
            && self.view.search(field).has_term("updated_at")
        {
            let drawn = |node: &Object<'_>| mixed(seen.seed, "lost", node.number) % 100;
            nodes.retain(|node| drawn(node) >= seen.lost_by_sort_percent);
        }
        let kind = field.ty().inner_named_type().as_str();
        let sets = self.view.node_sets(kind, &[&field.selection_set]);
        let mut rows = Vec::new();
        for node in &nodes {
            self.row(node, &sets, None, &mut rows)?;
        }
        Ok(rows)
    }

    fn row(
        &mut self,
        object: &Object<'_>,
        sets: &[&'a SelectionSet],
        parent: Option<(&str, usize)>,
        rows: &mut Vec<Row>,
    ) -> Result<(), Nulled> {
        let mut written = String::new();
        self.object(object, sets, &mut written)?;
        if let Some((id, _)) = parent {
            written.pop();
            let comma = if written.len() > 1 { "," } else { "" };
            written.push_str(&format!(r#"{comma}"__parentId":{}}}"#, text(id)));
        }
        let depth = parent.map_or(0, |(_, depth)| depth);
        rows.push(Row {
            text: written.replace('/', "\\/"),
            depth,
        });
        let id = object.gid();
        self.row_parts(object, sets, (&id, depth + 1), rows)
    }

    /// The rows of what hangs on an object, or on an object inside of it.
    fn row_parts(
        &mut self,
        object: &Object<'_>,
        sets: &[&'a SelectionSet],
        parent: (&str, usize),
        rows: &mut Vec<Row>,
    ) -> Result<(), Nulled> {
        for (field, sets) in self.view.asked(object.kind, sets) {
            let ty = field.ty();
            let kind = ty.inner_named_type().as_str();
            if is_connection(field) {
                if let Some(denied) = self.view.denied(object, field, &self.path) {
                    self.problems.push(denied);
                    return Err(Nulled);
                }
                let sets = self.view.node_sets(kind, &sets);
                for part in self.view.parts(object, field) {
                    self.row(&part, &sets, Some(parent), rows)?;
                }
            } else if !ty.is_list() && sets.iter().any(|set| !set.is_empty()) {
                match object.field(self.view.schema, &field.name, ty) {
                    Field::Object(part) => self.row_parts(&part, &sets, parent, rows)?,
                    Field::Written(Value::Object(fields)) => {
                        let part = Object {
                            seed: mixed(object.seed, kind, 0),
                            ..Object::written(kind, fields)
                        };
                        self.row_parts(&part, &sets, parent, rows)?;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// A page of a list.
struct Page<'p, 'a> {
    nodes: &'p [Placed<'a>],
    /// How many were asked for.
    asked: u64,
    has_next: bool,
    has_previous: bool,
}

impl<'a> View<'a> {
    /// The records with these numbers, as they are.
    fn numbered(self, root: &'static Root, numbers: &[u64]) -> Vec<Object<'a>> {
        let table = self.seen.tables.get(root.kind);
        let current = numbers.iter().filter_map(|number| {
            let version = table?.get(number)?.current()?;
            Some(self.seen.object(root.kind, *number, version))
        });
        current.collect()
    }

    /// The record of an id; of the id of a part of a record, that record, the list, and the part's place in it.
    fn record(self, kind: &str, number: u64) -> Option<(Object<'a>, Option<PartOf>)> {
        let (root, number, part) = match (
            Root::of_kind(kind),
            PARTS.iter().find(|part| part.0 == kind),
        ) {
            (Some(root), _) => (root, number, None),
            (None, Some((kind, of, field))) => {
                let part = (*field, (number % 1000).checked_sub(1)?, *kind);
                (Root::of_kind(of)?, number / 1000, Some(part))
            }
            (None, None) => return None,
        };
        let version = self.seen.tables.get(root.kind)?.get(&number)?.current()?;
        Some((self.seen.object(root.kind, number, version), part))
    }

    /// What is asked of the nodes of a connection.
    fn node_sets(self, connection: &str, sets: &[&'a SelectionSet]) -> Sets<'a> {
        let mut found = Vec::new();
        for (part, sets) in self.asked(connection, sets) {
            match part.name.as_str() {
                "edges" => {
                    let kind = part.ty().inner_named_type().as_str();
                    let nodes = self.asked(kind, &sets).into_iter();
                    let nodes = nodes.filter(|(field, _)| field.name == "node");
                    found.extend(nodes.flat_map(|(_, sets)| sets));
                }
                "nodes" => found.extend(sets),
                _ => {}
            }
        }
        found
    }

    fn page<'p, 'b>(self, field: &Asked, nodes: &'p [Placed<'b>]) -> Result<Page<'p, 'b>, Problem> {
        let bad = |message: &str| Problem::new("BAD_REQUEST", message);
        let number = |name| self.argument(field, name).and_then(|value| value.as_i64());
        let (asked, is_last) = match (number("first"), number("last")) {
            (Some(first), None) => (first, false),
            (None, Some(last)) => (last, true),
            _ => return Err(bad("you must provide one of first or last")),
        };
        if !(1..=250).contains(&asked) {
            return Err(bad("page sizes are between 1 and 250"));
        }
        let asked = asked.unsigned_abs().min(self.seen.max_page_size.max(1));
        let is_reversed = self.argument(field, "reverse") == Some(true.into());
        let place = |name| match self.argument(field, name) {
            None => Ok(None),
            Some(cursor) => {
                let place = cursor.as_str().and_then(Place::read);
                place.map(Some).ok_or_else(|| bad("the cursor is none"))
            }
        };
        let is_behind = |node: &Placed<'_>, place: &Place| match is_reversed {
            true => node.0 < *place,
            false => node.0 > *place,
        };
        let begin = place("after")?.map_or(0, |after| {
            nodes.partition_point(|node| !is_behind(node, &after))
        });
        let end = place("before")?.map_or(nodes.len(), |before| {
            nodes.partition_point(|node| !is_behind(node, &before) && node.0 != before)
        });
        if self.seen.page_cap.is_some_and(|cap| begin as u64 >= cap) {
            return Err(bad("no more objects than this can be paged through"));
        }
        let end = end.max(begin);
        let length = asked.min((end - begin) as u64) as usize;
        let (begin, end) = match is_last {
            true => (end - length, end),
            false => (begin, begin + length),
        };
        Ok(Page {
            nodes: &nodes[begin..end],
            asked,
            has_next: end < nodes.len(),
            has_previous: begin > 0,
        })
    }

    fn page_info(self, page: &Page<'_, '_>) -> Map<String, Value> {
        let cursor = |node: Option<&Placed<'_>>| node.map(|(place, _)| place.cursor());
        let Spoiling {
            has_no_end_cursor,
            repeats_cursor,
            ..
        } = self.spoiling;
        let is_spoiled = has_no_end_cursor || repeats_cursor;
        let end = match (has_no_end_cursor, repeats_cursor) {
            (true, _) => None,
            (_, true) => Some(Place::default().cursor()),
            _ => cursor(page.nodes.last()),
        };
        let info = json!({
            "hasNextPage": page.has_next || is_spoiled,
            "hasPreviousPage": page.has_previous,
            "startCursor": cursor(page.nodes.first()),
            "endCursor": end,
        });
        info.as_object().cloned().unwrap_or_default()
    }
}

fn is_connection(field: &Asked) -> bool {
    field.ty().inner_named_type().ends_with("Connection")
}

/// A field's name as the API writes it: `product_type` is `productType`.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut camel = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        camel.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(chars.as_str());
    }
    camel
}
