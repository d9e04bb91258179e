//! A record as a JSON:API document.

use serde_json::{Map, Value, json};

use crate::catalog::{Kind, Type};
use crate::query::Fields;
use crate::store::Version;
use crate::time::{self, Millis};
use simulator_common::Random;

/// What a record is shown with.
pub(crate) struct Shown<'a> {
    pub(crate) seed: u64,
    /// The simulator's own address.
    pub(crate) origin: &'a str,
    pub(crate) fields: &'a Fields,
    /// Whether relationships to many list what belongs to them.
    pub(crate) has_data_connections: bool,
}

const WORDS: [&str; 12] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "iris", "juniper",
    "krill", "lumen",
];

/// The record as it is shown.
pub(crate) fn record(kind: &Type, id: u64, version: &Version, shown: &Shown<'_>) -> Value {
    let own = format!("{}/api/v2/{}/{id}", shown.origin, kind.path);
    let mut record = json!({
        "type": kind.name,
        "id": id,
        "attributes": attributes(kind, id, version, shown),
        "links": { "self": own },
    });
    let relationships = relationships(kind, id, version, shown, &own);
    if !relationships.is_empty() {
        record["relationships"] = relationships.into();
    }
    record
}

/// The value of one attribute, as it is shown.
pub(crate) fn attribute(kind: &Type, id: u64, version: &Version, seed: u64, name: &str) -> Value {
    match name {
        "createdAt" => time::print(version.created_at).into(),
        "updatedAt" if kind.has_updated_at => time::print(version.updated_at).into(),
        name => {
            let written = version
                .attributes
                .as_ref()
                .and_then(|written| written.get(name));
            let drawn = || kind.attributes().find(|(attribute, _)| *attribute == name);
            written
                .cloned()
                .or_else(|| Some(draw(seed, kind, id, version, drawn()?)))
                .unwrap_or(Value::Null)
        }
    }
}

fn attributes(kind: &Type, id: u64, version: &Version, shown: &Shown<'_>) -> Map<String, Value> {
    let is_shown = |name: &str| shown.fields.has(kind.name, name);
    let mut attributes = Map::new();
    for (name, of_kind) in kind.attributes().filter(|(name, _)| is_shown(name)) {
        let drawn = draw(shown.seed, kind, id, version, (name, of_kind));
        attributes.insert(name.to_owned(), drawn);
    }
    if is_shown("createdAt") {
        attributes.insert(
            "createdAt".to_owned(),
            time::print(version.created_at).into(),
        );
    }
    if kind.has_updated_at && is_shown("updatedAt") {
        attributes.insert(
            "updatedAt".to_owned(),
            time::print(version.updated_at).into(),
        );
    }
    let written = version.attributes.iter().flat_map(|written| written.iter());
    for (name, value) in written.filter(|(name, _)| is_shown(name)) {
        attributes.insert(name.clone(), value.clone());
    }
    attributes
}

/// A value that depends on the seed, the record and its version, and on nothing else.
fn draw(
    seed: u64,
    kind: &Type,
    id: u64,
    version: &Version,
    (name, of_kind): (&str, Kind),
) -> Value {
    let mut random = Random::of(seed ^ id.rotate_left(32) ^ u64::from(version.number), name);
    random = Random::new(random.next() ^ Random::of(seed, kind.name).next());
    if random.below(4) == 0 {
        return Value::Null;
    }
    let mut word = || WORDS[random.below(WORDS.len() as u64) as usize];
    match of_kind {
        Kind::Text => format!("{} {} {id}", word(), word()).into(),
        Kind::Texts => json!([word(), word()]),
        Kind::Object => json!({ "kind": word(), "of": id }),
        Kind::Integer => random.below(1000).into(),
        Kind::Number => ((random.below(10_000) as f64) / 100.0).into(),
        Kind::Truth => (random.below(2) == 0).into(),
        Kind::Instant => {
            time::print(version.updated_at - random.below(86_400_000) as Millis).into()
        }
        Kind::Date => time::print(version.created_at)[..10].into(),
    }
}

fn relationships(
    kind: &Type,
    id: u64,
    version: &Version,
    shown: &Shown<'_>,
    own: &str,
) -> Map<String, Value> {
    let is_shown = |name: &str| shown.fields.has(kind.name, name);
    let mut relationships = Map::new();
    for (name, of) in kind.to_one.iter().filter(|(name, _)| is_shown(name)) {
        let mut random = Random::of(shown.seed ^ id, name);
        let data = match random.below(3) {
            0 => Value::Null,
            _ => json!({ "type": of, "id": 1 + random.below(20) }),
        };
        relationships.insert((*name).to_owned(), json!({ "data": data }));
    }
    for name in kind.to_many.iter().filter(|name| is_shown(name)) {
        let mut of_many = json!({ "links": { "related": format!("{own}/{name}") } });
        if shown.has_data_connections {
            of_many["data"] = json!([]);
        }
        relationships.insert((*name).to_owned(), of_many);
    }
    let written = version
        .relationships
        .iter()
        .flat_map(|written| written.iter());
    for (name, value) in written.filter(|(name, _)| is_shown(name)) {
        relationships.insert(name.clone(), value.clone());
    }
    relationships
}
