//! Consent: the named word of a person for what a plan would otherwise not do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is consented to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsentKind {
    /// A window is read again.
    Rewind,
    /// It starts over.
    Backfill,
    /// Data is missed.
    Skip,
    /// Nobody can tell.
    Unknown,
}

/// Consent to one kind of effect on one binding: `rewind:payouts`.
///
/// ```
/// use staunch_state::{Consent, ConsentKind};
///
/// let consent: Consent = "rewind:acme/payouts".parse()?;
/// assert_eq!((consent.kind, consent.state_key.as_str()), (ConsentKind::Rewind, "acme/payouts"));
/// # Ok::<(), staunch_state::ConsentError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// What to.
    pub kind: ConsentKind,
    /// For which binding.
    pub state_key: String,
}

/// Why a text is no consent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no consent; name a kind and a binding, as in `rewind:payouts` (kinds: rewind, backfill, skip, unknown)"
)]
pub struct ConsentError {
    text: String,
}

impl FromStr for Consent {
    type Err = ConsentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ConsentError {
            text: text.to_owned(),
        };
        let (kind, state_key) = text.split_once(':').ok_or_else(refused)?;
        let kind = match kind {
            "rewind" => ConsentKind::Rewind,
            "backfill" => ConsentKind::Backfill,
            "skip" => ConsentKind::Skip,
            "unknown" => ConsentKind::Unknown,
            _ => return Err(refused()),
        };
        if state_key.is_empty() {
            return Err(refused());
        }
        Ok(Consent {
            kind,
            state_key: state_key.to_owned(),
        })
    }
}

impl fmt::Display for ConsentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConsentKind::Rewind => "rewind",
            ConsentKind::Backfill => "backfill",
            ConsentKind::Skip => "skip",
            ConsentKind::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.state_key)
    }
}
