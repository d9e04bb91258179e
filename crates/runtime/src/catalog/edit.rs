//! Adds discovered bindings and collections to a catalog file, as text.
//!
//! Only insertions are made (and `[]`, `{}` or `null` gives way to what is put in its place), so comments, order
//! and formatting of everything else stay as they are, byte for byte. Where an insertion goes is decided from
//! parsed positions. Before the text is returned it is parsed again and must mean exactly the old file plus the
//! additions; where that cannot be reached, the answer is an error and not a damaged file.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Map, Value, json};

use super::{
    Catalog,
    error::{CatalogError, Hint, Location},
    load, names,
    node::{self, Node},
    schema,
    source::{self, Files},
};

mod place;
mod render;

use place::Layout;

/// A resource that a connector discovered, and the collection that it would be bound to.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The resource config: an object.
    pub resource: Value,
    /// Full name of the collection.
    pub target: String,
    /// Schema of its documents, if the collection has to be made.
    pub schema: Value,
    /// Its key, as JSON pointers.
    pub key: Vec<String>,
    /// Whether the binding starts disabled.
    pub disable: bool,
}

/// What a file becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The whole new text; the old text, if there is nothing to add.
    pub text: String,
    /// The targets of the bindings that are added, in order.
    pub added: Vec<String>,
}

/// Adds the bindings of `found` that the capture does not have yet, and the collections that they need.
///
/// A binding that is there, enabled or not, is known by its resource config (without `_meta`, which is the
/// platform's) and is left alone. `capture` is a full name, and must be defined in the file `path` itself.
/// Nothing is written.
///
/// # Errors
/// As [`Catalog::load`]; [`CatalogError::CannotEdit`] where text cannot be added safely: an inline map
/// (`{…}`), an alias, or a layout that the check afterwards does not find as expected.
pub fn write_discovered(
    path: &Path,
    capture: &str,
    found: &[Found],
) -> Result<Edited, CatalogError> {
    let files = Files::default();
    let catalog = load::load(path, &files)?;
    let capture = catalog.capture(Some(capture))?;
    if source::identity(&capture.location.file) != source::identity(path) {
        return Err(CatalogError::CannotEdit {
            at: Box::new(capture.location.clone()),
            reason: "the capture is defined in a file that is imported",
            remedy: "name that file with `-f`",
        });
    }
    let text = files.text(path, None)?;
    let root = node::parse(&text)
        .map_err(|_| refusal(path, "the file changed while it was read", "try again"))?;
    let additions = Additions::new(&catalog, &capture.name, found)?;
    if additions.bindings.is_empty() {
        return Ok(Edited {
            text,
            added: Vec::new(),
        });
    }
    let edited = additions.write(path, &text, &root)?;
    additions.verify(path, &root, &edited)?;
    let added = additions
        .bindings
        .iter()
        .map(|found| found.target.clone())
        .collect();
    Ok(Edited {
        text: edited,
        added,
    })
}

/// What is to be added: decided before any text is touched.
struct Additions<'a> {
    capture: &'a str,
    bindings: Vec<&'a Found>,
    collections: Vec<&'a Found>,
}

impl<'a> Additions<'a> {
    fn new(
        catalog: &'a Catalog,
        capture: &'a str,
        found: &'a [Found],
    ) -> Result<Self, CatalogError> {
        let known = &catalog.captures[capture];
        let existing = known
            .bindings
            .iter()
            .chain(&known.disabled)
            .map(|binding| identity(&binding.resource));
        let mut resources: BTreeSet<String> = existing.collect();
        let mut targets: BTreeSet<&str> = catalog.collections.keys().map(String::as_str).collect();
        let mut additions = Self {
            capture,
            bindings: Vec::new(),
            collections: Vec::new(),
        };
        for found in found {
            if !resources.insert(identity(&found.resource)) {
                continue;
            }
            if !found.resource.is_object() {
                return Err(CatalogError::Unexpected {
                    at: Box::new(known.location.clone()),
                    expected: "discovered resource configs to be objects",
                    found: "something else".to_owned(),
                    hint: Hint::new("this is a fault of its connector"),
                });
            }
            additions.bindings.push(found);
            if targets.insert(&found.target) {
                check(found, &known.location)?;
                additions.collections.push(found);
            }
        }
        Ok(additions)
    }

    fn write(&self, path: &Path, text: &str, root: &Node) -> Result<String, CatalogError> {
        let layout = Layout::of(path, text, root);
        let captures = root.member("captures").map(|member| &member.value);
        let capture = captures
            .and_then(|captures| captures.member(self.capture))
            .map(|member| &member.value);
        let (Some(captures), Some(capture)) = (captures, capture) else {
            return Err(refusal(
                path,
                "the capture is not written in this file",
                "add the bindings by hand",
            ));
        };
        let pointer = format!(
            "/captures/{}",
            self.capture.replace('~', "~0").replace('/', "~1")
        );
        layout.must_be_block(root, "")?;
        layout.must_be_block(captures, "/captures")?;
        layout.must_be_block(capture, &pointer)?;
        let mut insertions = layout.add_bindings(capture, &pointer, &self.bindings)?;
        if !self.collections.is_empty() {
            insertions.extend(layout.add_collections(&self.collections)?);
        }
        Ok(place::apply(text, insertions))
    }

    /// The new text must mean the old one plus the additions, and be a catalog that loads.
    fn verify(&self, path: &Path, old: &Node, edited: &str) -> Result<(), CatalogError> {
        let unsafe_here = || {
            refusal(
                path,
                "the layout around the place of insertion is unusual",
                "add the bindings by hand",
            )
        };
        let new = node::parse(edited).map_err(|_| unsafe_here())?.to_value();
        let expected = self.expected(old.to_value()).ok_or_else(unsafe_here)?;
        if new != expected {
            return Err(unsafe_here());
        }
        load::load(path, &Files::with(path, edited.to_owned())).map(|_| ())
    }

    fn expected(&self, mut root: Value) -> Option<Value> {
        let bindings = root
            .get_mut("captures")?
            .get_mut(self.capture)?
            .as_object_mut()?
            .entry("bindings")
            .and_modify(|value| or_empty(value, json!([])))
            .or_insert_with(|| json!([]));
        bindings
            .as_array_mut()?
            .extend(self.bindings.iter().map(|found| binding(found)));
        if !self.collections.is_empty() {
            let collections = root
                .as_object_mut()?
                .entry("collections")
                .and_modify(|value| or_empty(value, json!({})))
                .or_insert_with(|| json!({}));
            let added = self
                .collections
                .iter()
                .map(|found| (found.target.clone(), collection(found)));
            collections.as_object_mut()?.extend(added);
        }
        Some(root)
    }
}

fn or_empty(value: &mut Value, empty: Value) {
    if value.is_null() {
        *value = empty;
    }
}

/// A resource as bindings are told apart: `_meta` belongs to the platform, not to the connector.
fn identity(resource: &Value) -> String {
    let mut resource = resource.clone();
    if let Some(members) = resource.as_object_mut() {
        members.remove("_meta");
    }
    resource.to_string()
}

fn binding(found: &Found) -> Value {
    let mut members = Map::new();
    members.insert("resource".to_owned(), found.resource.clone());
    members.insert("target".to_owned(), Value::String(found.target.clone()));
    if found.disable {
        members.insert("disable".to_owned(), Value::Bool(true));
    }
    Value::Object(members)
}

fn collection(found: &Found) -> Value {
    json!({ "schema": found.schema, "key": found.key })
}

/// What a connector discovered comes from outside: it must not become a file that cannot be read.
fn check(found: &Found, at: &Location) -> Result<(), CatalogError> {
    let at = || Box::new(at.clone());
    let name = found.target.escape_debug().to_string();
    if let Some(reason) = names::broken_rule(&found.target) {
        return Err(CatalogError::BadName {
            at: at(),
            what: "collection",
            name,
            reason,
        });
    }
    let broken = match found
        .key
        .iter()
        .find_map(|pointer| names::broken_pointer(pointer))
    {
        None if found.key.is_empty() => Some("it is empty"),
        broken => broken,
    };
    if let Some(reason) = broken {
        let reason = format!("discovered for `{name}`: {reason}");
        return Err(CatalogError::BadKey { at: at(), reason });
    }
    let unfit = if found.schema.is_object() {
        schema::check(&found.schema).err().map(|fault| fault.reason)
    } else {
        Some("it is no object".to_owned())
    };
    if let Some(reason) = unfit {
        let reason = format!("discovered for `{name}`: {reason}");
        return Err(CatalogError::BadSchema {
            at: at(),
            reason,
            hint: Hint::none(),
        });
    }
    Ok(())
}

fn refusal(path: &Path, reason: &'static str, remedy: &'static str) -> CatalogError {
    let at = Location {
        file: path.to_owned(),
        line: 1,
        column: 1,
        pointer: String::new(),
    };
    CatalogError::CannotEdit {
        at: Box::new(at),
        reason,
        remedy,
    }
}

#[cfg(test)]
mod tests;
