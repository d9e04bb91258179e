//! Where the API is, and what time it is.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{Timestamp, Unit};
use staunch::BoxError;

/// The address of the API and of its tokens.
const ADDRESS: &str = "https://api.outreach.io";

/// Another address, for tests and demos. Not a part of the endpoint config: whoever runs the connector says it.
const ADDRESS_VARIABLE: &str = "SOURCE_OUTREACH_URL";

/// A file that holds the time as RFC 3339, for tests and demos. It is read whenever the time is wanted.
const CLOCK_VARIABLE: &str = "SOURCE_OUTREACH_CLOCK";

/// Where the API is, and what time it is there.
///
/// ```
/// use source_outreach::{Place, SourceOutreach};
///
/// let noon = "2025-06-15T12:00:00Z".parse()?;
/// let place = Place::default().at("http://127.0.0.1:8230").with_clock(move || noon);
/// let connector = SourceOutreach::new(place);
/// # let _ = connector;
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Clone)]
pub struct Place {
    address: String,
    clock: Clock,
}

#[derive(Clone)]
enum Clock {
    Machine,
    Told(Arc<dyn Fn() -> Timestamp + Send + Sync>),
    File(PathBuf),
}

/// The real API, by the machine's clock.
impl Default for Place {
    fn default() -> Self {
        Self {
            address: ADDRESS.to_owned(),
            clock: Clock::Machine,
        }
    }
}

impl Place {
    /// As the environment says: `SOURCE_OUTREACH_URL` is the address of a simulator, and `SOURCE_OUTREACH_CLOCK` a file that holds its
    /// time. Without them, the real API.
    #[must_use]
    pub fn from_environment() -> Self {
        let place = match std::env::var(ADDRESS_VARIABLE) {
            Ok(address) => Self::default().at(address),
            Err(_) => Self::default(),
        };
        match std::env::var_os(CLOCK_VARIABLE) {
            Some(file) => Self {
                clock: Clock::File(file.into()),
                ..place
            },
            None => place,
        }
    }

    /// At another address, without a path: `http://127.0.0.1:8230`.
    #[must_use]
    pub fn at(self, address: impl Into<String>) -> Self {
        let address = address.into().trim_end_matches('/').to_owned();
        Self { address, ..self }
    }

    /// By another clock, as that of a simulator.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        let clock = Clock::Told(Arc::new(clock));
        Self { clock, ..self }
    }

    /// Below which the resources are.
    pub(crate) fn base_url(&self) -> String {
        format!("{}/api/v2", self.address)
    }

    /// Where tokens are given.
    pub(crate) fn token_url(&self) -> String {
        format!("{}/oauth/token", self.address)
    }

    /// The present, in whole seconds: the API is asked for no less.
    pub(crate) fn now(&self) -> Result<Timestamp, BoxError> {
        let now = match &self.clock {
            Clock::Machine => staunch::now(),
            Clock::Told(tell) => tell(),
            Clock::File(file) => {
                let wrong = |problem: String| {
                    format!(
                        "{CLOCK_VARIABLE} names no file with a time: {problem}; write one as `2025-06-15T12:00:00Z` into it"
                    )
                };
                let text =
                    std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
                text.trim()
                    .parse()
                    .map_err(|_| wrong("it holds something else".to_owned()))?
            }
        };
        Ok(floor(now, Unit::Second))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// The last whole unit by then.
pub(crate) fn floor(at: Timestamp, unit: Unit) -> Timestamp {
    let rounding = jiff::TimestampRound::new()
        .smallest(unit)
        .mode(jiff::RoundMode::Floor);
    at.round(rounding).unwrap_or(at)
}
