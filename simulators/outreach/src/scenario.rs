//! What a simulator begins with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::Rule;
use crate::limit::Rendering;
use crate::list::CursorMode;
use crate::time::{self, HOUR, Millis, SECOND};

/// What a simulator begins with. All members can be left out; the default is a small account, as of the 15th of June 2025.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// What all that is drawn depends on.
    pub seed: u64,
    /// How many records there are, by the type's name.
    pub counts: BTreeMap<String, u64>,
    /// The clock's first time, before which everything was written; `None` for the machine's clock.
    pub anchor: Option<String>,
    /// Whether the clock goes on from the anchor, with Tokio's; otherwise it stands until it is set.
    pub is_moving: bool,
    /// Over how many seconds before the anchor the records were last changed.
    pub span_seconds: u64,
    /// Of a hundred records, how many share their time with the one before.
    pub ties_percent: u64,
    /// Records with times of their own, besides the others.
    pub boundaries: Vec<Boundary>,
    /// How long a change takes to be seen.
    pub delay: Delay,
    /// The largest page, whatever is asked for.
    pub max_page_size: u64,
    /// How a cursor goes on.
    pub cursor_mode: CursorMode,
    /// Requests per hour and user.
    pub hourly_limit: u64,
    /// How `Retry-After` is written.
    pub retry_after: Rendering,
    /// Whether a request without the media type is refused.
    pub is_strict: bool,
    /// What becomes of a refresh token that was spent.
    pub rotation: Rotation,
    /// How many seconds an access token is good.
    pub token_seconds: u64,
    /// Whether tokens are given once a minute at most.
    pub throttles_tokens: bool,
    /// What the tokens may see, separated by blanks; empty for everything.
    pub scope: String,
    /// What is done to answers from the beginning on.
    pub faults: Vec<Rule>,
}

/// A record whose times are given.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Boundary {
    /// The type's name.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was last changed, and created.
    pub at: String,
}

/// How long a change takes to be seen.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Delay {
    /// Not at all.
    #[default]
    None,
    /// So many seconds.
    Fixed(u64),
    /// Up to so many seconds, drawn for each change.
    UpTo(u64),
}

/// What becomes of a refresh token that was spent.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// It stays good beside the new one, as Outreach has it.
    #[default]
    KeepOld,
    /// It is taken back.
    InvalidateOld,
    /// It stays the only one: there is no new one.
    OmitRefreshToken,
}

impl Default for Scenario {
    fn default() -> Self {
        let counts = crate::TYPES.iter().map(|kind| (kind.name.to_owned(), 40));
        Self {
            seed: 1,
            counts: counts.collect(),
            anchor: Some("2025-06-15T12:00:00Z".to_owned()),
            is_moving: false,
            span_seconds: 30 * 86_400,
            ties_percent: 5,
            boundaries: Vec::new(),
            delay: Delay::None,
            max_page_size: 1000,
            cursor_mode: CursorMode::Keyset,
            hourly_limit: 10_000,
            retry_after: Rendering::Seconds,
            is_strict: false,
            rotation: Rotation::KeepOld,
            token_seconds: 2 * 3600,
            throttles_tokens: false,
            scope: String::new(),
            faults: Vec::new(),
        }
    }
}

impl Scenario {
    /// The same, but with so many records of one type.
    #[must_use]
    pub fn with(mut self, kind: &str, count: u64) -> Self {
        self.counts.insert(kind.to_owned(), count);
        self
    }

    /// The clock's first time.
    pub(crate) fn anchor(&self) -> Result<Option<Millis>, String> {
        let Some(text) = &self.anchor else {
            return Ok(None);
        };
        let at = time::parse(text);
        at.map(Some)
            .ok_or_else(|| format!("`anchor` is no time: `{text}`"))
    }

    pub(crate) fn span(&self) -> Millis {
        Millis::try_from(self.span_seconds)
            .unwrap_or(HOUR)
            .saturating_mul(SECOND)
    }
}

impl Delay {
    /// The delay of a change for which this was drawn, in milliseconds.
    pub(crate) fn drawn(self, random: impl FnOnce(u64) -> u64) -> Millis {
        let drawn = match self {
            Delay::None => 0,
            Delay::Fixed(seconds) => seconds.saturating_mul(1000),
            Delay::UpTo(seconds) => random(seconds.saturating_mul(1000).saturating_add(1)),
        };
        Millis::try_from(drawn).unwrap_or(Millis::MAX / 4)
    }
}
