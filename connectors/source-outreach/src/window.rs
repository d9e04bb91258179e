//! Which span of time is read at once. Decides only: whoever reads owns the clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use staunch::{BoxError, Cursor};

use crate::place::floor;

/// How long after its own time a record may come to be seen, and so how far `lookback` stays behind.
pub const LAG: Duration = Duration::from_secs(6 * 3600);

/// How far back a backfill reads if the config does not say it.
const DEFAULT_SPAN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A span `(after, to]` of time that is read at once, with one checkpoint at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) after: Timestamp,
    /// In whole seconds, as the API is asked: what the API was not asked for, no cursor may pass.
    pub(crate) to: Timestamp,
    /// Whether it is as long as windows are. A shorter one ends at the present, where more may come to be.
    pub(crate) is_full: bool,
}

impl Window {
    /// What there is to be read after a cursor. None if nothing is old enough.
    pub(crate) fn after(
        cursor: Timestamp,
        size: Duration,
        now: Timestamp,
        horizon: Duration,
    ) -> Option<Self> {
        let limit = earlier(now, horizon);
        if cursor >= limit {
            return None;
        }
        let full = cursor.checked_add(size).unwrap_or(limit);
        Some(Self {
            after: cursor,
            to: floor(full.min(limit), Unit::Second),
            is_full: full <= limit,
        })
    }

    /// The cursor after it, if there is to be one: the time of the latest record in it, or its end if there was none. What is left of a window
    /// with records is read anew.
    pub(crate) fn next(self, latest: Option<Timestamp>) -> Option<Timestamp> {
        let next = latest.or_else(|| self.is_full.then_some(self.to));
        next.filter(|next| *next > self.after)
    }
}

/// Where a backfill begins: at the configured date, or else so long before its cutoff. It is the same whenever it is asked, since the cutoff is in
/// the state; a date that is counted from the present would drift with each restart.
pub(crate) fn begin(start_date: Option<Timestamp>, cutoff: Timestamp) -> Timestamp {
    start_date.unwrap_or_else(|| {
        cutoff
            .checked_sub(DEFAULT_SPAN)
            .unwrap_or(Timestamp::UNIX_EPOCH)
    })
}

/// The instant of a cursor.
pub(crate) fn instant(cursor: &Cursor) -> Result<Timestamp, BoxError> {
    let wrong = "a cursor of Outreach is a date-time; backfill the binding anew";
    Ok(cursor.timestamp().ok_or(wrong)?)
}

/// A cursor: in whole seconds, or else with six digits of them.
pub(crate) fn cursor(at: Timestamp) -> Cursor {
    let text = match at.subsec_nanosecond() {
        0 => seconds(at),
        _ => at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
    };
    Cursor::datetime(&text).expect("a time is printed as RFC 3339")
}

/// As the API is asked: in UTC, without a fraction.
pub(crate) fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(crate) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}
