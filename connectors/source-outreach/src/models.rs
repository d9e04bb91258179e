//! What the connector is told, and what it reads.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{Timestamp, Unit};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use staunch::auth::RotatingOAuth2;
use staunch::{BoxError, IsoDuration};

use crate::place::floor;

/// The endpoint config of both releases.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Outreach")]
pub struct Config {
    /// How Outreach is asked.
    #[schemars(title = "Authentication")]
    pub credentials: Credentials,
    /// Records that were last changed before this time are not captured, as 2025-01-01T00:00:00Z. If left blank, those of the last 30
    /// days are.
    #[schemars(title = "Start Date", extend("type" = "string", "format" = "date-time"))]
    start_date: Option<Timestamp>,
    /// What seldom needs to be changed.
    #[serde(default)]
    #[schemars(title = "Advanced Config", extend("advanced" = true))]
    pub advanced: Advanced,
}

/// How Outreach is asked: there is one way.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Credentials {
    /// Tokens of an account that somebody has authorised the capture for.
    #[schemars(extend("x-oauth2-provider" = "outreach"))]
    OAuth(RotatingOAuth2),
}

/// What seldom needs to be changed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Advanced")]
pub struct Advanced {
    /// How long a span of time is read at once, as an ISO 8601 duration: P1D is a day, PT6H are six hours. A smaller one makes more
    /// checkpoints.
    #[serde(default = "a_day")]
    #[schemars(title = "Window size")]
    window_size: IsoDuration,
}

impl Default for Advanced {
    fn default() -> Self {
        Self {
            window_size: a_day(),
        }
    }
}

fn a_day() -> IsoDuration {
    IsoDuration::new(DAY)
}

const DAY: Duration = Duration::from_secs(86_400);

impl Config {
    /// When a backfill begins, if it is said.
    pub(crate) fn start_date(&self) -> Result<Option<Timestamp>, BoxError> {
        match self.start_date {
            Some(at) if at < Timestamp::UNIX_EPOCH => {
                Err("`/start_date` is before 1970; choose a later one".into())
            }
            at => Ok(at),
        }
    }

    /// How long a span is read at once.
    pub(crate) fn window(&self) -> Result<Duration, BoxError> {
        let window = self.advanced.window_size.get();
        match (Duration::from_secs(5)..=365 * DAY).contains(&window) {
            true => Ok(window),
            false => Err("`/advanced/window_size` is not between five seconds and 365 days; choose one as `P1D`".into()),
        }
    }
}

/// A record: a JSON:API resource object, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: u64,
    /// Its `updatedAt`, or whatever tells when it changed.
    pub(crate) at: Timestamp,
    /// The document.
    pub(crate) json: Box<str>,
}

/// What of a record is looked at.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    id: Id<'a>,
    #[serde(borrow, default)]
    attributes: Option<Times<'a>>,
}

/// Nothing else of its attributes is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Times<'a> {
    #[serde(borrow, default)]
    updated_at: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    created_at: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Id<'a> {
    Number(u64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

impl Record {
    /// Reads a record of the collection at `path`, whose changes `attribute` tells.
    pub(crate) fn read(
        raw: &RawValue,
        path: &'static str,
        attribute: &'static str,
    ) -> Result<Self, BoxError> {
        let no_id = || {
            format!(
                "a record of `{path}` has no `id`, or one that is no integer; tell Outreach's support, and disable the binding until then"
            )
        };
        let head: Head<'_> = serde_json::from_str(raw.get()).map_err(|_| no_id())?;
        let (id, is_text) = match head.id {
            Id::Number(id) => (id, false),
            Id::Text(text) => (text.parse().map_err(|_| no_id())?, true),
        };
        let time = head.attributes.and_then(|times| match attribute {
            "createdAt" => times.created_at,
            _ => times.updated_at,
        });
        let at = time.and_then(|time| time.parse().ok());
        let at = at.ok_or_else(|| {
            format!(
                "record {id} of `{path}` has no time in `attributes/{attribute}`, by which changes are followed; \
                 save the record in Outreach so that it gets one, or tell Outreach's support"
            )
        })?;
        let json = match is_text {
            true => with_id(raw, id).ok_or_else(no_id)?,
            false => raw.get().into(),
        };
        Ok(Self {
            id,
            at: floor(at, Unit::Microsecond), // States carry no more.
            json,
        })
    }
}

/// The same, with an id that is a number.
fn with_id(raw: &RawValue, id: u64) -> Option<Box<str>> {
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(raw.get()).ok()?;
    members.insert("id".to_owned(), serde_json::value::to_raw_value(&id).ok()?);
    Some(serde_json::to_string(&members).ok()?.into())
}

/// What is certain of every record. The rest is inferred.
pub(crate) fn document_schema() -> Value {
    json!({
        "type": "object",
        "title": "OutreachResource",
        "required": ["id"],
        "properties": {
            "id": { "type": "integer", "title": "Id" },
            "_meta": {
                "type": "object",
                "title": "Meta",
                "description": "What the capture knows of the record.",
                "properties": {
                    "op": {
                        "type": "string",
                        "title": "Op",
                        "description": "What happened: c for created, u for updated, d for deleted.",
                        "enum": ["c", "u", "d"],
                        "default": "u",
                    },
                    "row_id": {
                        "type": "integer",
                        "title": "Row Id",
                        "description": "The number of the row, or -1.",
                        "default": -1,
                    },
                },
            },
        },
        "additionalProperties": true,
    })
}
