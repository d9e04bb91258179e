//! The documents that are emitted: as records, and as bytes that are ready.

use serde::{Deserialize, Serialize};

/// How many different documents there are; they are emitted round and round.
const DIFFERENT: u64 = 1_000;

/// How large a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// About 250 bytes.
    Small,
    /// About 1 kB.
    Medium,
    /// About 2.5 kB.
    Large,
}

impl Size {
    /// The size of about so many bytes.
    ///
    /// # Errors
    /// For any number but 250, 1000 and 2500.
    pub fn from_bytes(bytes: u64) -> Result<Self, String> {
        match bytes {
            250 => Ok(Self::Small),
            1_000 => Ok(Self::Medium),
            2_500 => Ok(Self::Large),
            _ => Err(format!(
                "there are no documents of {bytes} bytes; ask for 250, 1000 or 2500"
            )),
        }
    }

    fn lines(self) -> u64 {
        match self {
            Self::Small => 0,
            Self::Medium => 9,
            Self::Large => 26,
        }
    }
}

/// A document, as an author would declare it.
#[derive(Debug, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the names say what is meant, and nothing depends on it"
)]
pub struct Order {
    pub id: u64,
    pub name: String,
    #[serde(rename = "updatedAt")]
    pub updated_at: String,
    pub active: bool,
    pub score: f64,
    pub owner: Owner,
    pub city: String,
    pub stage: Stage,
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
}

/// Whose it is.
#[derive(Debug, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the names say what is meant, and nothing depends on it"
)]
pub struct Owner {
    pub id: u32,
    pub email: String,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    missing_docs,
    reason = "the names say what is meant, and nothing depends on it"
)]
pub enum Stage {
    Negotiation,
    Delivery,
}

/// A line of it.
#[derive(Debug, Serialize, Deserialize)]
#[expect(
    missing_docs,
    reason = "the names say what is meant, and nothing depends on it"
)]
pub struct Line {
    pub sku: String,
    pub quantity: u64,
    pub price: f64,
    pub note: String,
}

/// The records, round and round.
#[must_use]
pub fn records(size: Size) -> Vec<Order> {
    let line = |n| Line {
        sku: format!("sku-{n:05}"),
        quantity: n,
        price: n as f64 * 3.0 + 0.75,
        note: "beside the others on the shelf".into(),
    };
    let order = |n| Order {
        id: n,
        name: "Ada Lovelace of the analytical engine".into(),
        updated_at: format!("2026-11-22T13:04:05.{n:03}Z"),
        active: n % 2 == 0,
        score: n as f64 + 0.25,
        owner: Owner {
            id: 42,
            email: "someone@example.com".into(),
        },
        city: "Winnipeg".into(),
        stage: if n % 3 == 0 {
            Stage::Delivery
        } else {
            Stage::Negotiation
        },
        note: None,
        lines: (0..size.lines()).map(line).collect(),
    };
    (0..DIFFERENT).map(order).collect()
}

/// The same documents as JSON.
#[must_use]
pub fn ready(size: Size) -> Vec<Vec<u8>> {
    let json = |record| serde_json::to_vec(record).expect("a record is JSON");
    records(size).iter().map(json).collect()
}

/// The schema of the documents, as a catalog has it.
#[must_use]
pub fn schema() -> serde_json::Value {
    serde_json::json!({
        "type": "object",
        "required": ["id", "updatedAt"],
        "properties": {
            "id": { "type": "integer" },
            "name": { "type": "string", "minLength": 1 },
            "updatedAt": { "type": "string", "format": "date-time" },
            "active": { "type": "boolean" },
            "score": { "type": ["number", "null"] },
            "owner": {
                "type": "object",
                "properties": { "id": { "type": "integer" }, "email": { "type": "string" } },
            },
            "city": { "type": "string" },
            "stage": { "type": "string", "enum": ["negotiation", "delivery"] },
            "note": { "type": ["string", "null"] },
            "lines": { "type": "array", "items": {
                "type": "object",
                "required": ["sku"],
                "properties": {
                    "sku": { "type": "string", "maxLength": 64 },
                    "quantity": { "type": "integer", "minimum": 0 },
                    "price": { "type": "number" },
                    "note": { "type": ["string", "null"] },
                },
            } },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_about_as_large_as_they_are_said_to_be() {
        for (size, least, most) in [
            (Size::Small, 200, 275),
            (Size::Medium, 900, 1_100),
            (Size::Large, 2_000, 2_750),
        ] {
            let documents = ready(size);
            let mean = documents.iter().map(Vec::len).sum::<usize>() / documents.len();
            assert!((least..=most).contains(&mean), "{size:?}: {mean} bytes");
        }
    }
}
