//! The hourly limit.

use serde::{Deserialize, Serialize};

use crate::time::{self, HOUR, Millis, SECOND};

/// How `Retry-After` is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rendering {
    /// As seconds from now.
    #[default]
    Seconds,
    /// As seconds since 1970.
    Epoch,
    /// As an instant.
    Iso8601,
}

/// Requests in the present hour.
#[derive(Debug)]
pub(crate) struct Limit {
    per_hour: u64,
    rendering: Rendering,
    /// When the hour began, and how many requests it had.
    window: (Millis, u64),
}

/// What is said of the limit.
pub(crate) struct Standing {
    pub(crate) is_exceeded: bool,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Limit {
    pub(crate) fn new(per_hour: u64, rendering: Rendering) -> Self {
        Self {
            per_hour,
            rendering,
            window: (0, 0),
        }
    }

    /// Counts a request.
    pub(crate) fn count(&mut self, now: Millis) -> Standing {
        let hour = now.div_euclid(HOUR) * HOUR;
        if self.window.0 != hour {
            self.window = (hour, 0);
        }
        self.window.1 += 1;
        let resets_at = hour + HOUR;
        let is_exceeded = self.window.1 > self.per_hour;
        let left = self.per_hour.saturating_sub(self.window.1);
        let reset = match self.rendering {
            Rendering::Seconds => ((resets_at - now) / SECOND).to_string(),
            Rendering::Epoch => (resets_at / SECOND).to_string(),
            Rendering::Iso8601 => time::print(resets_at),
        };
        let mut headers = vec![
            ("x-ratelimit-limit", self.per_hour.to_string()),
            ("x-ratelimit-remaining", left.to_string()),
            ("x-ratelimit-reset", reset.clone()),
        ];
        if is_exceeded {
            headers.push(("retry-after", reset));
        }
        Standing {
            is_exceeded,
            headers,
        }
    }
}
