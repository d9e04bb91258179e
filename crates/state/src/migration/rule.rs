//! Rules that turn one kind of cursor into another.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::cursor::Cursor;
use crate::datetime::Granularity;

type Convert = dyn Fn(&Cursor) -> Result<Option<Cursor>, String> + Send + Sync;

/// What becomes of a cursor, stated: a name for people, and a pure function.
///
/// The function answers `None` for a cursor that the rule is not about; what the rule makes must be such a one, or the migration
/// has no fixed point. A plan runs the rule too, and holds the migrated cursors against what it gives.
///
/// ```
/// use staunch_state::{Cursor, CursorRule};
///
/// let rule = CursorRule::epoch_seconds_to_datetime();
/// let converted = rule.apply(&Cursor::integer(1_749_542_400)).unwrap();
/// assert_eq!(converted, Some(Cursor::datetime("2025-06-10T08:00:00Z").unwrap()));
/// assert_eq!(rule.apply(&converted.unwrap()).unwrap(), None);
/// ```
#[derive(Clone)]
pub struct CursorRule {
    name: String,
    convert: Arc<Convert>,
    reverse: Option<Arc<dyn Fn() -> CursorRule + Send + Sync>>,
    rewinds: Duration,
}

impl CursorRule {
    /// A rule of an author's own.
    ///
    /// The function's error says why a cursor cannot be converted; it must not quote the cursor.
    pub fn new(
        name: impl Into<String>,
        convert: impl Fn(&Cursor) -> Result<Option<Cursor>, String> + Send + Sync + 'static,
    ) -> Self {
        CursorRule {
            name: name.into(),
            convert: Arc::new(convert),
            reverse: None,
            rewinds: Duration::ZERO,
        }
    }

    /// Says how the conversion is undone.
    #[must_use]
    pub fn undone_by(mut self, reverse: impl Fn() -> CursorRule + Send + Sync + 'static) -> Self {
        self.reverse = Some(Arc::new(reverse));
        self
    }

    /// Says that a converted cursor can be earlier by so much than what it was made of.
    #[must_use]
    pub fn rewinding(mut self, at_most: Duration) -> Self {
        self.rewinds = at_most;
        self
    }

    /// Integers that count seconds since 1970 become date-times of whole seconds in UTC.
    pub fn epoch_seconds_to_datetime() -> Self {
        Self::new("epoch seconds to date-time", |cursor| {
            from_epoch(cursor, Timestamp::from_second, 0)
        })
        .undone_by(Self::datetime_to_epoch_seconds)
    }

    /// Integers that count milliseconds since 1970 become date-times of milliseconds in UTC.
    pub fn epoch_millis_to_datetime() -> Self {
        Self::new("epoch milliseconds to date-time", |cursor| {
            from_epoch(cursor, Timestamp::from_millisecond, 3)
        })
        .undone_by(Self::datetime_to_epoch_millis)
    }

    /// Date-times become the whole seconds since 1970; a fraction is cut off, and read again.
    pub fn datetime_to_epoch_seconds() -> Self {
        Self::new("date-time to epoch seconds", |cursor| {
            to_epoch(cursor, 1_000_000_000)
        })
        .undone_by(Self::epoch_seconds_to_datetime)
        .rewinding(Duration::from_secs(1))
    }

    /// Date-times become the whole milliseconds since 1970; what is finer is cut off, and read again.
    pub fn datetime_to_epoch_millis() -> Self {
        Self::new("date-time to epoch milliseconds", |cursor| {
            to_epoch(cursor, 1_000_000)
        })
        .undone_by(Self::epoch_millis_to_datetime)
        .rewinding(Duration::from_millis(1))
    }

    /// Date-times are written with another granularity. What is finer is cut off, and read again; the offset stays.
    pub fn granularity(to: Granularity) -> Self {
        Self::new(format!("date-time to {to}"), move |cursor| {
            match cursor.as_datetime() {
                Some(at) if at.granularity() != to => at
                    .with_granularity(to)
                    .map(|at| Some(Cursor::from(at)))
                    .ok_or_else(|| {
                        "is too far from today to be written otherwise; correct it first".to_owned()
                    }),
                _ => Ok(None),
            }
        })
        .rewinding(to.unit())
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What becomes of a cursor; `None` when the rule is not about it.
    ///
    /// # Errors
    /// Why it cannot be converted.
    pub fn apply(&self, cursor: &Cursor) -> Result<Option<Cursor>, String> {
        (self.convert)(cursor)
    }

    pub(crate) fn reversed(&self) -> Option<CursorRule> {
        self.reverse.as_ref().map(|reverse| reverse())
    }

    pub(crate) fn rewinds(&self) -> Duration {
        self.rewinds
    }
}

fn from_epoch<E>(
    cursor: &Cursor,
    instant: fn(i64) -> Result<Timestamp, E>,
    digits: u8,
) -> Result<Option<Cursor>, String> {
    if cursor.kind() != crate::cursor::CursorKind::Integer {
        return Ok(None);
    }
    let too_large =
        || "is too large for an instant; see whether the unit is the right one".to_owned();
    let units = cursor
        .as_u64()
        .and_then(|units| i64::try_from(units).ok())
        .ok_or_else(too_large)?;
    let at = instant(units).map_err(|_| too_large())?;
    let text = format!("{at:.*}", usize::from(digits));
    Cursor::datetime(&text)
        .map(Some)
        .map_err(|error| error.to_string())
}

fn to_epoch(cursor: &Cursor, unit_nanoseconds: i128) -> Result<Option<Cursor>, String> {
    let Some(at) = cursor.timestamp() else {
        return Ok(None);
    };
    let units = at.as_nanosecond().div_euclid(unit_nanoseconds);
    u64::try_from(units)
        .map(|units| Some(Cursor::integer(units)))
        .map_err(|_| "is before 1970, where no integer cursor reaches; give it a later one with a migration of its own first".to_owned())
}

/// Two rules of one name are one rule.
impl PartialEq for CursorRule {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for CursorRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CursorRule({:?})", self.name)
    }
}
