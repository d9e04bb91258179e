//! A collection as a table: its key as typed columns, fields that were asked for, and the document.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::extract::Places;
use crate::catalog::Collection;

/// The column that has the whole document.
pub(crate) const DOCUMENT: &str = "flow_document";

/// How deep a schema is looked into for a type.
const DEPTH: usize = 32;

/// How many bytes a name may have, so that every database takes it.
const NAME_BYTES: usize = 63;

/// What is done with a document whose key is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Updates {
    /// It takes the place of the one before: there is a row for each key.
    #[default]
    Standard,
    /// It is added: there is a row for each document.
    Append,
}

/// How collections become tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSettings {
    /// What is done with a document whose key is there already.
    pub updates: Updates,
    /// Whether a document whose `/_meta/op` is `d` removes the row of its key.
    pub hard_deletes: bool,
    /// The table of a collection, where it is not to be named after it.
    pub tables: BTreeMap<String, String>,
    /// Columns beside key and document: by collection, a JSON pointer for each.
    pub fields: BTreeMap<String, BTreeMap<String, String>>,
}

impl Default for TableSettings {
    fn default() -> Self {
        Self {
            updates: Updates::Standard,
            hard_deletes: true,
            tables: BTreeMap::new(),
            fields: BTreeMap::new(),
        }
    }
}

/// What a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    /// Only of a field: keys that are times stay as they were written.
    Timestamp,
    /// Whatever it is, as JSON.
    Json,
}

/// A column that is taken out of the document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) pointer: String,
    pub(crate) kind: Kind,
    #[serde(skip)]
    default: Option<Box<RawText>>,
}

/// JSON text.
#[derive(Clone, Debug, PartialEq)]
struct RawText(String);

/// A table.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) collection: String,
    pub(crate) table: String,
    /// The key's first.
    pub(crate) columns: Vec<Column>,
    /// How many of the columns are the key.
    pub(crate) keys: usize,
    pub(crate) updates: Updates,
    hard_deletes: bool,
    places: Places,
    /// Where it stands whether the document is a deletion.
    operation: usize,
}

/// What a database remembers of a table.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) updates: Updates,
    pub(crate) key: Vec<Column>,
    pub(crate) fields: Vec<Column>,
}

/// A value for a column.
#[derive(Debug, PartialEq)]
pub(crate) enum Cell<'d> {
    Null,
    Text(Cow<'d, str>),
    Integer(i64),
    Number(&'d str),
    Boolean(bool),
    Timestamp(Cow<'d, str>),
    Json(&'d str),
}

/// A document as a row.
#[derive(Debug)]
pub(crate) struct Row<'d> {
    pub(crate) cells: Vec<Cell<'d>>,
    pub(crate) is_deletion: bool,
}

/// Why a document is no row.
#[derive(Debug, PartialEq)]
pub(crate) struct Unfit {
    /// A JSON pointer; empty for the whole.
    pub(crate) pointer: String,
    pub(crate) problem: String,
}

impl Layout {
    /// The table of a collection.
    ///
    /// # Errors
    /// What is wrong with the fields that were asked for.
    pub(crate) fn new(collection: &Collection, settings: &TableSettings) -> Result<Self, String> {
        let table = match settings.tables.get(&collection.name) {
            Some(name) => name.clone(),
            None => table_name(&collection.name),
        };
        let read = collection.read_schema.as_ref();
        let of = |pointer: &str, is_key: bool| {
            let mut found = Found::default();
            found.look(
                &collection.write_schema,
                &collection.write_schema,
                pointer,
                0,
            );
            if found.types.is_empty()
                && let Some(read) = read
            {
                found.look(read, read, pointer, 0);
            }
            (found.kind(is_key), found.default)
        };
        let mut columns = Vec::new();
        for pointer in &collection.key {
            let (kind, default) = of(pointer, true);
            columns.push(Column {
                name: column_name(pointer),
                pointer: pointer.clone(),
                kind,
                default: default.map(|value| Box::new(RawText(value.to_string()))),
            });
        }
        let keys = columns.len();
        for (name, pointer) in settings.fields.get(&collection.name).into_iter().flatten() {
            columns.push(Column {
                name: name.clone(),
                pointer: pointer.clone(),
                kind: of(pointer, false).0,
                default: None,
            });
        }
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.extend([DOCUMENT, "flow_sequence", "flow_published_at"]);
        for (at, name) in names.iter().enumerate() {
            if names[..at].contains(name) {
                return Err(format!(
                    "there would be two columns `{name}`; give the field another name under `fields`"
                ));
            }
        }
        let mut places = Places::default();
        for column in &columns {
            places.add(&column.pointer);
        }
        let operation = places.add("/_meta/op");
        Ok(Self {
            collection: collection.name.clone(),
            table,
            columns,
            keys,
            updates: settings.updates,
            hard_deletes: settings.hard_deletes,
            places,
            operation,
        })
    }

    /// What a database is to remember of it.
    pub(crate) fn remembered(&self) -> Remembered {
        let (key, fields) = self.columns.split_at(self.keys);
        Remembered {
            updates: self.updates,
            key: key.to_vec(),
            fields: fields.to_vec(),
        }
    }

    /// Holds this against what a database remembers: the fields that the table has not yet, or why the table cannot be used.
    pub(crate) fn widens(&self, known: &Remembered) -> Result<Vec<&Column>, String> {
        let of = |columns: &[Column]| {
            let words = columns
                .iter()
                .map(|column| format!("{} ({:?})", column.pointer, column.kind).to_lowercase());
            words.collect::<Vec<_>>().join(", ")
        };
        let same = |one: &Column, other: &Column| {
            (&one.name, &one.pointer, one.kind) == (&other.name, &other.pointer, other.kind)
        };
        let (key, fields) = self.columns.split_at(self.keys);
        if known.updates != self.updates {
            return Err(format!(
                "it was made for `updates: {}`, and `updates: {}` is asked for; name another table under `tables`",
                word(known.updates),
                word(self.updates)
            ));
        }
        let is_same_key = key.len() == known.key.len()
            && key
                .iter()
                .zip(&known.key)
                .all(|(one, other)| same(one, other));
        if !is_same_key {
            return Err(format!(
                "its key is {}, and the collection's key is {}; have the same key everywhere, or name another table under `tables`",
                of(&known.key),
                of(key)
            ));
        }
        let mut added = Vec::new();
        for field in fields {
            match known.fields.iter().find(|known| known.name == field.name) {
                None => added.push(field),
                Some(known) if same(known, field) => {}
                Some(known) => {
                    return Err(format!(
                        "its column `{}` is {}, and {} is asked for; give the field another name under `fields`",
                        field.name,
                        of(std::slice::from_ref(known)),
                        of(std::slice::from_ref(field))
                    ));
                }
            }
        }
        Ok(added)
    }

    /// A document as a row of the table.
    pub(crate) fn row<'d>(&'d self, document: &'d [u8]) -> Result<Row<'d>, Unfit> {
        let found = self.places.find(document).map_err(|error| Unfit {
            pointer: String::new(),
            problem: error.to_string(),
        })?;
        let mut cells = Vec::with_capacity(self.columns.len());
        for (at, column) in self.columns.iter().enumerate() {
            let is_key = at < self.keys;
            let value = found[at].map(RawValue::get);
            let value = match value {
                None if is_key => column.default.as_deref().map(|text| text.0.as_str()),
                value => value,
            };
            let cell = column.cell(value).map_err(|problem| Unfit {
                pointer: column.pointer.clone(),
                problem,
            })?;
            if is_key && cell == Cell::Null {
                let problem = match value {
                    None => {
                        "the document has not this part of the collection's key; choose a key that all documents have"
                    }
                    Some(_) => {
                        "this part of the collection's key is null; choose a key that all documents have"
                    }
                };
                return Err(Unfit {
                    pointer: column.pointer.clone(),
                    problem: problem.to_owned(),
                });
            }
            cells.push(cell);
        }
        let operation = found[self.operation].map(RawValue::get);
        Ok(Row {
            cells,
            is_deletion: self.hard_deletes
                && self.updates == Updates::Standard
                && operation == Some("\"d\""),
        })
    }
}

fn word(updates: Updates) -> &'static str {
    match updates {
        Updates::Standard => "standard",
        Updates::Append => "append",
    }
}

impl Column {
    fn cell<'d>(&self, value: Option<&'d str>) -> Result<Cell<'d>, String> {
        let Some(text) = value.filter(|text| *text != "null") else {
            return Ok(Cell::Null);
        };
        let unfit = |expected: &str| {
            Err(format!(
                "{expected} is expected by the column `{}`",
                self.name
            ))
        };
        let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
        match self.kind {
            Kind::Json => Ok(Cell::Json(text)),
            Kind::Boolean => match text {
                "true" => Ok(Cell::Boolean(true)),
                "false" => Ok(Cell::Boolean(false)),
                _ => unfit("a boolean"),
            },
            Kind::Integer if is_number => match integer(text) {
                Some(value) => Ok(Cell::Integer(value)),
                None => unfit("an integer of 64 bits"),
            },
            Kind::Number if is_number => Ok(Cell::Number(text)),
            Kind::Text | Kind::Timestamp if text.starts_with('"') => {
                let text = string(text).map_err(|error| error.to_string())?;
                Ok(match self.kind {
                    Kind::Text => Cell::Text(text),
                    _ => Cell::Timestamp(text),
                })
            }
            Kind::Integer => unfit("an integer"),
            Kind::Number => unfit("a number"),
            Kind::Text => unfit("a string"),
            Kind::Timestamp => unfit("a time"),
        }
    }
}

/// An integer, however it is written: `7`, `7.0`, `70e-1`.
fn integer(text: &str) -> Option<i64> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let value: f64 = text.parse().ok()?;
    // Up to here every integer is a float of its own.
    let is_exact = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
    is_exact.then_some(value as i64)
}

fn string(text: &str) -> Result<Cow<'_, str>, serde_json::Error> {
    let inner = &text[1..text.len() - 1];
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(text).map(Cow::Owned)
}

/// What a schema says of the value at a pointer.
#[derive(Default)]
struct Found {
    types: Vec<String>,
    formats: Vec<String>,
    default: Option<Value>,
}

impl Found {
    fn look(&mut self, root: &Value, schema: &Value, pointer: &str, depth: usize) {
        let Some(members) = schema.as_object().filter(|_| depth < DEPTH) else {
            return;
        };
        let target = members.get("$ref").and_then(Value::as_str);
        if let Some(target) = target.and_then(|target| target.strip_prefix('#'))
            && let Some(target) = root.pointer(target)
        {
            self.look(root, target, pointer, depth + 1);
        }
        for word in ["allOf", "anyOf", "oneOf"] {
            for part in members
                .get(word)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                self.look(root, part, pointer, depth + 1);
            }
        }
        let Some(rest) = pointer.strip_prefix('/') else {
            return self.note(members);
        };
        let (token, after) = match rest.find('/') {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        let name = token.replace("~1", "/").replace("~0", "~");
        let below = members.get("properties").and_then(|all| all.get(&name));
        let below = below.or_else(|| {
            members
                .get("items")
                .filter(|_| name.parse::<usize>().is_ok())
        });
        if let Some(below) = below {
            self.look(root, below, after, depth + 1);
        }
    }

    fn note(&mut self, members: &serde_json::Map<String, Value>) {
        let types = match members.get("type") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many
                .iter()
                .filter_map(|one| one.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        for one in types {
            if one != "null" && !self.types.contains(&one) {
                self.types.push(one);
            }
        }
        if let Some(format) = members.get("format").and_then(Value::as_str) {
            self.formats.push(format.to_owned());
        }
        if let Some(default) = members.get("default") {
            self.default.get_or_insert_with(|| default.clone());
        }
    }

    fn kind(&self, is_key: bool) -> Kind {
        let types: Vec<&str> = self.types.iter().map(String::as_str).collect();
        match types[..] {
            ["string"] if !is_key && self.formats.iter().any(|format| format == "date-time") => {
                Kind::Timestamp
            }
            ["string"] => Kind::Text,
            ["integer"] => Kind::Integer,
            ["number"] | ["integer", "number"] | ["number", "integer"] => Kind::Number,
            ["boolean"] => Kind::Boolean,
            _ => Kind::Json,
        }
    }
}

/// `acme/orders` is the table `acme_orders`.
fn table_name(collection: &str) -> String {
    let name: String = collection
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '_' })
        .collect();
    short(name)
}

/// `/_meta/row_id` is the column `_meta/row_id`.
fn column_name(pointer: &str) -> String {
    let name = pointer.trim_start_matches('/');
    short(name.replace("~1", "/").replace("~0", "~"))
}

/// A name that is too long ends with a digest of what it was.
fn short(mut name: String) -> String {
    if name.len() > NAME_BYTES {
        let digest = twox_hash::XxHash3_64::oneshot(name.as_bytes());
        name.truncate(name.floor_char_boundary(NAME_BYTES - 17));
        name.push_str(&format!("_{digest:016x}"));
    }
    name
}

/// A name in SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::Location;

    fn collection(key: &[&str], schema: Value) -> Collection {
        Collection {
            name: "acme/orders".to_owned(),
            write_schema: schema,
            read_schema: None,
            key: key.iter().map(|part| (*part).to_owned()).collect(),
            location: Location {
                file: "flow.yaml".into(),
                line: 1,
                column: 1,
                pointer: String::new(),
            },
        }
    }

    fn layout(key: &[&str], schema: Value) -> Layout {
        Layout::new(&collection(key, schema), &TableSettings::default()).unwrap()
    }

    fn kinds(layout: &Layout) -> Vec<(&str, Kind)> {
        let columns = layout.columns.iter();
        columns
            .map(|column| (column.name.as_str(), column.kind))
            .collect()
    }

    #[test]
    fn a_key_has_the_types_of_its_schema_wherever_that_says_them() {
        let schema = json!({
            "$defs": { "id": { "type": "integer" } },
            "allOf": [{ "properties": { "name": { "type": ["string", "null"] } } }],
            "properties": {
                "id": { "$ref": "#/$defs/id" },
                "_meta": { "type": "object", "properties": { "row_id": { "type": "number" } } },
                "when": { "type": "string", "format": "date-time" },
                "is": { "type": "boolean" },
                "any": { "type": ["string", "integer"] },
            },
        });
        let layout = layout(
            &[
                "/id",
                "/name",
                "/_meta/row_id",
                "/when",
                "/is",
                "/any",
                "/unknown",
            ],
            schema,
        );
        assert_eq!(layout.table, "acme_orders");
        let expected = [
            ("id", Kind::Integer),
            ("name", Kind::Text),
            ("_meta/row_id", Kind::Number),
            ("when", Kind::Text),
            ("is", Kind::Boolean),
            ("any", Kind::Json),
            ("unknown", Kind::Json),
        ];
        assert_eq!(kinds(&layout), expected);
    }

    #[test]
    fn a_row_has_its_key_and_says_whether_it_is_a_deletion() {
        let schema = json!({ "properties": { "id": { "type": "integer" }, "b": { "type": "string", "default": "none" } } });
        let layout = layout(&["/id", "/b"], schema);
        let row = layout.row(br#"{"_meta":{"op":"d"},"id":7.0}"#).unwrap();
        assert_eq!(row.cells, [Cell::Integer(7), Cell::Text("none".into())]);
        assert!(row.is_deletion);
        let row = layout
            .row(br#"{"id":-1,"b":"a\n","_meta":{"op":"u"}}"#)
            .unwrap();
        assert_eq!(row.cells, [Cell::Integer(-1), Cell::Text("a\n".into())]);
        assert!(!row.is_deletion);
    }

    #[test]
    fn a_key_that_is_missing_null_or_of_another_type_is_told_with_its_place() {
        let layout = layout(
            &["/id"],
            json!({ "properties": { "id": { "type": "integer" } } }),
        );
        for (document, words) in [
            (r#"{"a":1}"#, "has not this part"),
            (r#"{"id":null}"#, "is null"),
            (r#"{"id":"x"}"#, "an integer"),
            (r#"{"id":99999999999999999999}"#, "64 bits"),
            (r#"{"id":1.5}"#, "64 bits"),
        ] {
            let unfit = layout.row(document.as_bytes()).unwrap_err();
            assert_eq!(unfit.pointer, "/id", "{document}");
            assert!(
                unfit.problem.contains(words),
                "{document}: {}",
                unfit.problem
            );
        }
    }

    #[test]
    fn fields_are_added_and_a_key_stays() {
        let schema = json!({ "properties": { "id": { "type": "integer" }, "at": { "type": "string", "format": "date-time" } } });
        let collection = collection(&["/id"], schema);
        let settings = |fields: &[(&str, &str)]| TableSettings {
            fields: BTreeMap::from([(
                "acme/orders".to_owned(),
                fields
                    .iter()
                    .map(|(name, pointer)| ((*name).to_owned(), (*pointer).to_owned()))
                    .collect(),
            )]),
            ..TableSettings::default()
        };
        let bare = Layout::new(&collection, &settings(&[])).unwrap();
        let wide = Layout::new(&collection, &settings(&[("at", "/at")])).unwrap();
        assert_eq!(kinds(&wide)[1], ("at", Kind::Timestamp));
        assert_eq!(wide.widens(&bare.remembered()).unwrap(), [&wide.columns[1]]);
        assert!(bare.widens(&wide.remembered()).unwrap().is_empty());
        let other = Layout::new(&collection, &settings(&[("at", "/id")])).unwrap();
        assert!(
            other
                .widens(&wide.remembered())
                .unwrap_err()
                .contains("`at`")
        );
        let twice = Layout::new(&collection, &settings(&[("id", "/at")])).unwrap_err();
        assert!(twice.contains("two columns `id`"), "{twice}");
        let mut keyed = wide.remembered();
        keyed.key[0].pointer = "/other".to_owned();
        let error = bare.widens(&keyed).unwrap_err();
        assert!(error.contains("/other") && error.contains("/id"), "{error}");
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let one = table_name(&format!("acme/{}a", "x".repeat(80)));
        let other = table_name(&format!("acme/{}b", "x".repeat(80)));
        assert!(one.len() <= NAME_BYTES && one != other, "{one} {other}");
    }
}
