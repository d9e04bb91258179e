//! The schemas of a collection: put together from their files, and compiled once to see that they hold.
//!
//! A `$ref` to a local file is answered by carrying that file along: it moves into the schema's own `$defs`
//! with an `$id` of the form `catalog:///0/orders.yaml`, and every reference to it names that. References within
//! the file then resolve against it, as they did before. The connector gets one schema that needs no file.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    path::{Path, PathBuf},
};

use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value, json};

use super::{
    error::{CatalogError, Hint, Location, Problems},
    inline::{self, Inline},
    node::Kind,
    source::{self, Files, Spot},
};

/// Files that one schema may draw in.
const MAX_SCHEMA_FILES: usize = 256;

/// Characters of the compiler's reason that are told: it may quote a part of the schema.
const MAX_REASON_CHARS: usize = 300;

/// Members whose value is a mapping from free names to schemas.
const NAMED_SCHEMAS: [&str; 6] = [
    "properties",
    "patternProperties",
    "dependentSchemas",
    "$defs",
    "definitions",
    "dependencies",
];

/// Members whose value is data and no schema.
const DATA: [&str; 5] = ["enum", "const", "default", "example", "examples"];

/// Reads the schema of what is written, which must compile.
pub(super) fn write(spot: Spot<'_>, files: &Files, problems: &mut Problems) -> Option<Value> {
    read_checked(spot, files, problems, |schema| schema.clone())
}

/// Reads the schema of what is read. It may refer to schemas that only Flow knows (`flow://inferred-schema`);
/// the rest of it must compile.
pub(super) fn read(spot: Spot<'_>, files: &Files, problems: &mut Problems) -> Option<Value> {
    read_checked(spot, files, problems, |schema| {
        let mut local = schema.clone();
        without_flow_references(&mut local);
        local
    })
}

fn read_checked(
    spot: Spot<'_>,
    files: &Files,
    problems: &mut Problems,
    compiled: impl Fn(&Value) -> Value,
) -> Option<Value> {
    let read = whole(spot, files, problems)?;
    let spot = read.spot();
    let schema = match Bundle::new(files).of(&spot) {
        Ok(schema) => schema,
        Err(error) => {
            problems.push(error);
            return None;
        }
    };
    if let Err(error) = compile(&compiled(&schema), &spot) {
        problems.push(error);
        return None;
    }
    Some(schema)
}

fn whole<'a>(spot: Spot<'a>, files: &Files, problems: &mut Problems) -> Option<Inline<'a>> {
    if let Kind::String(path) = &spot.node.kind
        && path.contains('#')
    {
        problems.push(CatalogError::BadSchema {
            at: spot.at(),
            reason: "a path with a fragment".to_owned(),
            hint: Hint::new("write the schema in place, as `{ $ref: … }`"),
        });
        return None;
    }
    if let Kind::String(url) = &spot.node.kind
        && source::is_url(url)
    {
        problems.push(CatalogError::Remote {
            at: spot.at(),
            what: "schema",
            url: source::bare_url(url),
        });
        return None;
    }
    inline::mapping(spot, "schema", files, problems)
}

fn compile(schema: &Value, spot: &Spot<'_>) -> Result<(), CatalogError> {
    check(schema).map_err(|fault| CatalogError::BadSchema {
        at: spot.below(&fault.pointer),
        reason: fault.reason,
        hint: Hint::none(),
    })
}

/// Why a schema does not compile, and which part of it.
pub(super) struct SchemaFault {
    pub(super) pointer: String,
    pub(super) reason: String,
}

/// Compiles a schema that needs no file.
pub(super) fn check(schema: &Value) -> Result<(), SchemaFault> {
    // Without a retriever of its own, the compiler reads no file and no network.
    jsonschema::options()
        .build(schema)
        .map(|_| ())
        .map_err(|error| {
            if matches!(error.kind(), ValidationErrorKind::Referencing(_)) {
                return SchemaFault {
                    pointer: String::new(),
                    reason: unresolved(schema),
                };
            }
            let reason: String = error.to_string().chars().take(MAX_REASON_CHARS).collect();
            SchemaFault {
                pointer: error.instance_path().as_str().to_owned(),
                reason: reason.replace(char::is_control, " "),
            }
        })
}

/// Why a reference does not lead anywhere: the first that could not, if it shows.
fn unresolved(schema: &Value) -> String {
    let mut first = None;
    let seen: Result<(), Infallible> = each_reference(&mut schema.clone(), &mut |reference| {
        if first.is_none() && has_scheme(reference) && !reference.starts_with("catalog:") {
            first = Some(source::bare_url(reference));
        }
        Ok(None)
    });
    match (seen, first) {
        (Ok(()), Some(url)) if url.starts_with("flow://") => {
            format!("`$ref` to `{url}`, which only Flow knows; move it to `readSchema`")
        }
        (Ok(()), Some(url)) => {
            format!(
                "`$ref` to `{url}`, which is no part of it; download the schema and refer to the file"
            )
        }
        (Ok(()), None) => "a `$ref` to what is no part of it; define it under `$defs`".to_owned(),
    }
}

/// Puts a schema together with the files that it refers to.
struct Bundle<'f> {
    files: &'f Files,
    /// Each file, by its identity: the `$id` that it got, and its content, once it is there.
    parts: BTreeMap<PathBuf, (String, Value)>,
}

impl<'f> Bundle<'f> {
    fn new(files: &'f Files) -> Self {
        Self {
            files,
            parts: BTreeMap::new(),
        }
    }

    fn of(mut self, spot: &Spot<'_>) -> Result<Value, CatalogError> {
        let mut schema = spot.node.to_value();
        // References of a schema with an `$id` of its own are relative to that, and not to the file.
        if schema.get("$id").is_none() {
            let mut waiting = Vec::new();
            self.rewrite(
                &mut schema,
                &spot.source.path,
                &spot.location(),
                &mut waiting,
            )?;
            while let Some((identity, path, at)) = waiting.pop() {
                let part = self.part(&path, &at, &mut waiting)?;
                self.parts
                    .entry(identity)
                    .and_modify(|(_, content)| *content = part);
            }
        }
        self.carry(schema, spot)
    }

    /// Reads one file that is referred to, and makes it a schema that knows its name.
    fn part(
        &mut self,
        path: &Path,
        at: &Location,
        waiting: &mut Waiting,
    ) -> Result<Value, CatalogError> {
        let source = self
            .files
            .read(path, Some(at))
            .map_err(|error| match error {
                CatalogError::Unreadable { source, .. }
                    if source.kind() == std::io::ErrorKind::NotFound =>
                {
                    let path = path.display().to_string();
                    CatalogError::MissingFile {
                        at: Box::new(at.clone()),
                        what: "schema",
                        path,
                    }
                }
                other => other,
            })?;
        let spot = Spot::root(&source);
        let mut content = source.root.to_value();
        let Some(members) = content.as_object_mut() else {
            return Err(spot.unexpected("a mapping", Hint::none()));
        };
        if members.contains_key("$id") {
            return Err(CatalogError::BadSchema {
                at: spot.at(),
                reason: "a file that is referred to has an `$id` of its own".to_owned(),
                hint: Hint::new("remove its `$id`"),
            });
        }
        let id = self
            .parts
            .get(&source::identity(path))
            .map(|(id, _)| id.clone())
            .unwrap_or_default();
        members.insert("$id".to_owned(), Value::String(id));
        self.rewrite(&mut content, path, &spot.location(), waiting)?;
        Ok(content)
    }

    /// Makes each reference to a local file in `schema` name that file's `$id`.
    fn rewrite(
        &mut self,
        schema: &mut Value,
        file: &Path,
        at: &Location,
        waiting: &mut Waiting,
    ) -> Result<(), CatalogError> {
        each_reference(schema, &mut |reference| {
            if reference.starts_with('#') || has_scheme(reference) {
                return Ok(Some(reference.to_owned()));
            }
            let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
            let path = source::beside(file, path);
            let identity = source::identity(&path);
            let count = self.parts.len();
            if count == MAX_SCHEMA_FILES {
                return Err(CatalogError::BadSchema {
                    at: Box::new(at.clone()),
                    reason: format!("it draws in more than {MAX_SCHEMA_FILES} files"),
                    hint: Hint::none(),
                });
            }
            let (id, _) = self.parts.entry(identity.clone()).or_insert_with(|| {
                waiting.push((identity, path.clone(), at.clone()));
                (identifier(count, &path), Value::Null)
            });
            Ok(Some(if fragment.is_empty() {
                id.clone()
            } else {
                format!("{id}#{fragment}")
            }))
        })
    }

    fn carry(self, mut schema: Value, spot: &Spot<'_>) -> Result<Value, CatalogError> {
        if self.parts.is_empty() {
            return Ok(schema);
        }
        let old = schema
            .get("$schema")
            .and_then(Value::as_str)
            .is_some_and(|draft| draft.contains("draft-0"));
        // Drafts before 2019-09 look for embedded schemas under `definitions` only.
        let place = if old { "definitions" } else { "$defs" };
        let definitions = schema
            .as_object_mut()
            .map(|members| members.entry(place).or_insert_with(|| json!({})))
            .and_then(Value::as_object_mut);
        let Some(definitions) = definitions else {
            let reason = format!("`{place}` is no mapping");
            return Err(CatalogError::BadSchema {
                at: spot.at(),
                reason,
                hint: Hint::none(),
            });
        };
        definitions.extend(self.parts.into_values());
        Ok(schema)
    }
}

/// Files to be read yet: identity, path for messages, who refers to it.
type Waiting = Vec<(PathBuf, PathBuf, Location)>;

fn identifier(index: usize, path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() || "-_.".contains(character) {
            character
        } else {
            '_'
        }
    };
    format!(
        "catalog:///{index}/{}",
        name.chars().map(plain).collect::<String>()
    )
}

fn has_scheme(reference: &str) -> bool {
    reference.split_once(':').is_some_and(|(scheme, _)| {
        scheme.len() > 1
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character))
    })
}

fn without_flow_references(schema: &mut Value) {
    let removed: Result<(), Infallible> = each_reference(schema, &mut |reference| {
        Ok((!reference.starts_with("flow://")).then(|| reference.to_owned()))
    });
    match removed {
        Ok(()) => {}
    }
}

/// Replaces each `$ref` of a schema by what `change` makes of it; `None` removes it.
fn each_reference<E>(
    schema: &mut Value,
    change: &mut impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<(), E> {
    match schema {
        Value::Object(members) => {
            change_reference(members, change)?;
            for (name, value) in members {
                if DATA.contains(&name.as_str()) {
                    continue;
                }
                match value {
                    Value::Object(named) if NAMED_SCHEMAS.contains(&name.as_str()) => {
                        named
                            .values_mut()
                            .try_for_each(|schema| each_reference(schema, change))?;
                    }
                    other => each_reference(other, change)?,
                }
            }
            Ok(())
        }
        Value::Array(items) => items
            .iter_mut()
            .try_for_each(|item| each_reference(item, change)),
        _ => Ok(()),
    }
}

fn change_reference<E>(
    members: &mut Map<String, Value>,
    change: &mut impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<(), E> {
    let Some(Value::String(reference)) = members.get("$ref") else {
        return Ok(());
    };
    match change(reference)? {
        Some(changed) => members.insert("$ref".to_owned(), Value::String(changed)),
        None => members.remove("$ref"),
    };
    Ok(())
}
