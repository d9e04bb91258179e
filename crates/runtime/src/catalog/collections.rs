//! Reading one collection.

use super::{
    Collection,
    error::{CatalogError, Hint, Problems},
    names, schema,
    source::{Files, Spot},
};

/// What was read: the collection, and what it has besides.
pub(super) struct Read {
    /// `None` if what is wrong with it has been told.
    pub(super) collection: Option<Collection>,
    /// It has a derivation, which this runtime does not run.
    pub(super) derived: bool,
    pub(super) deleted: bool,
}

/// Reads a collection. Members of Flow that a capture does not need are accepted unread.
pub(super) fn read(name: &str, spot: &Spot<'_>, files: &Files, problems: &mut Problems) -> Read {
    let mut read = Read {
        collection: None,
        derived: false,
        deleted: false,
    };
    let Some(mut members) = spot.members(problems) else {
        return read;
    };
    let both = members.take("schema");
    let write = members.take("writeSchema");
    let reading = members.take("readSchema");
    let key = members.require("key", Hint::new("add `key: [/id]`"), problems);
    read.derived = members.take_filled("derive").is_some();
    read.deleted = members
        .take("delete")
        .and_then(|spot| spot.boolean(problems))
        == Some(true);
    members.accept(&["projections", "journals", "reset", "expectPubId"]);
    members.finish(problems);

    let key = key.and_then(|spot| read_key(&spot, problems));
    let schemas = match (both, write, reading) {
        (Some(schema), None, None) => {
            schema::write(schema, files, problems).map(|schema| (schema, None))
        }
        (None, Some(write), Some(reading)) => {
            let write = schema::write(write, files, problems);
            let reading = schema::read(reading, files, problems);
            write
                .zip(reading)
                .map(|(write, reading)| (write, Some(reading)))
        }
        (schema, write, _) => {
            problems.push(uneven(spot, schema.is_some(), write.is_some()));
            None
        }
    };
    read.collection = schemas
        .zip(key)
        .map(|((write_schema, read_schema), key)| Collection {
            name: name.to_owned(),
            write_schema,
            read_schema,
            key,
            location: spot.location(),
        });
    read
}

/// The error of a collection that has neither `schema` alone nor both of the others.
fn uneven(spot: &Spot<'_>, schema: bool, write: bool) -> CatalogError {
    let at = spot.at();
    if schema {
        return CatalogError::Unexpected {
            at,
            expected: "either `schema`, or `writeSchema` and `readSchema`",
            found: "a mixture".to_owned(),
            hint: Hint::new("remove `schema`, or the others"),
        };
    }
    let hint = Hint::new("a collection has either `schema`, or `writeSchema` and `readSchema`");
    let name = match (write, spot.node.member("readSchema").is_some()) {
        (true, _) => "readSchema",
        (false, true) => "writeSchema",
        (false, false) => "schema",
    };
    CatalogError::MissingMember { at, name, hint }
}

fn read_key(spot: &Spot<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let parts = spot.list(problems)?;
    if parts.is_empty() {
        problems.push(CatalogError::BadKey {
            at: spot.at(),
            reason: "it is empty".to_owned(),
        });
        return None;
    }
    let mut key: Vec<String> = Vec::new();
    let mut sound = true;
    for part in &parts {
        let Some(pointer) = part.string(problems) else {
            sound = false;
            continue;
        };
        let broken = match names::broken_pointer(pointer) {
            None if key.iter().any(|earlier| earlier == pointer) => Some("it stands there twice"),
            broken => broken,
        };
        if let Some(reason) = broken {
            problems.push(CatalogError::BadKey {
                at: part.at(),
                reason: format!("`{pointer}`: {reason}"),
            });
            sound = false;
        }
        key.push(pointer.to_owned());
    }
    sound.then_some(key)
}
