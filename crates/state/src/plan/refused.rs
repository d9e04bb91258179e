//! What a plan refuses, and what to do about it.

use super::consent::Consent;
use crate::model::ModelError;

/// Why a change of state is not planned. Nothing was emitted.
///
/// `migration` names the steps that changed the binding, or says that none is known.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A state key that had state has none.
    #[error(
        "migration `{migration}` loses the state of binding `{state_key}`; keep it, or declare `reset()` or \
         `retire()` if that is meant"
    )]
    BindingLost {
        /// The steps.
        migration: String,
        /// The binding.
        state_key: String,
    },
    /// A member changed that the migration is not about.
    #[error(
        "migration `{migration}` changes `{pointer}` of {}; keep that member, or declare \
         `edits(\"{pointer}\")` if changing it is meant",
        holder(.state_key)
    )]
    SiblingLost {
        /// The steps.
        migration: String,
        /// The binding; empty for a member of the connector state itself.
        state_key: String,
        /// From the root of the binding's state.
        pointer: String,
    },
    /// A new cursor is later than all that it can have been made from.
    #[error(
        "migration `{migration}` moves `{pointer}` of binding `{state_key}` {by}; what lies between would never be \
         captured: keep the cursor, or declare `forward(…)` if that is meant"
    )]
    CursorProvenance {
        /// The steps.
        migration: String,
        /// The binding.
        state_key: String,
        /// From the root of the binding's state.
        pointer: String,
        /// How far, for people.
        by: String,
    },
    /// A cursor became one of another type or granularity.
    #[error(
        "migration `{migration}` makes `{pointer}` of binding `{state_key}` a cursor of kind {after}, where it was \
         {before}; keep the kind, or declare `changes_cursor_kind()` if that is meant"
    )]
    CursorKindChanged {
        /// The steps.
        migration: String,
        /// The binding.
        state_key: String,
        /// From the root of the binding's state.
        pointer: String,
        /// The kind before, for people.
        before: String,
        /// The kind after, for people.
        after: String,
    },
    /// An unfinished backfill is nowhere any more.
    #[error(
        "migration `{migration}` loses the unfinished backfill at `{pointer}` of binding `{state_key}`; keep its \
         cutoff and page, or declare `backfill()` if it is meant to start again"
    )]
    BackfillLost {
        /// The steps.
        migration: String,
        /// The binding.
        state_key: String,
        /// From the root of the binding's state, before.
        pointer: String,
    },
    /// A finished backfill is unfinished again.
    #[error(
        "migration `{migration}` starts a backfill at `{pointer}` of binding `{state_key}` that was finished; leave \
         its entry out, or declare `backfill()` if that is meant"
    )]
    BackfillReopened {
        /// The steps.
        migration: String,
        /// The binding.
        state_key: String,
        /// From the root of the binding's state.
        pointer: String,
    },
    /// What the last snapshot held is forgotten.
    #[error(
        "migration `{migration}` loses the snapshot at `{pointer}` of binding `{state_key}`, so that deletions would \
         be missed; keep its count and digest, or declare `reset()` if that is meant"
    )]
    SnapshotLost {
        /// The steps.
        migration: String,
        /// The binding.
        state_key: String,
        /// From the root of the binding's state, before.
        pointer: String,
    },
    /// A snapshot that was never taken.
    #[error(
        "migration `{migration}` writes a snapshot at `{pointer}` of binding `{state_key}` that was never taken, so that \
         what it is said to have held would not be captured; leave the entry out, or its digest empty"
    )]
    SnapshotMadeUp {
        /// The steps.
        migration: String,
        /// The binding.
        state_key: String,
        /// From the root of the binding's state.
        pointer: String,
    },
    /// The new state does not fit the model.
    #[error("migration `{migration}` leaves a state that cannot be read; correct the migration")]
    NotDecodable {
        /// The steps.
        migration: String,
        /// Where and why.
        #[source]
        source: ModelError,
    },
    /// The update does not make the new state of the old one.
    #[error(
        "the update does not make the migrated state of the state before; this is a defect of the engine: keep the \
         state and report it"
    )]
    NotExact,
    /// Something is beyond the budget.
    #[error(
        "the {what} would have {bytes} bytes, {budget} are allowed; make the state smaller, or raise the budget"
    )]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The most it may have.
        budget: usize,
    },
    /// The new state could not be read back.
    #[error(
        "the migrated state is nested {depth} deep, {} are allowed; make it flatter",
        crate::MAX_DEPTH
    )]
    TooDeep {
        /// Containers inside each other.
        depth: usize,
    },
    /// A person has to say that this is meant.
    #[error(
        "{} of the migration {} consent; look at the plan, and allow what is meant: {}",
        effects(.needed),
        if .needed.len() == 1 { "needs" } else { "need" },
        flags(.needed)
    )]
    ConsentMissing {
        /// One for each binding that needs it.
        needed: Vec<Consent>,
    },
}

/// Consents that a message names; the plan lists all.
const NAMED_CONSENTS: usize = 5;

fn effects(needed: &[Consent]) -> String {
    if needed.len() == 1 {
        "an effect".to_owned()
    } else {
        format!("{} effects", needed.len())
    }
}

fn flags(needed: &[Consent]) -> String {
    let named: Vec<String> = needed
        .iter()
        .take(NAMED_CONSENTS)
        .map(|consent| format!("`--allow {consent}`"))
        .collect();
    let more = needed.len().saturating_sub(NAMED_CONSENTS);
    if more == 0 {
        named.join(" ")
    } else {
        format!("{} and {more} more", named.join(" "))
    }
}

fn holder(state_key: &str) -> String {
    match state_key {
        "" => "the connector state".to_owned(),
        key => format!("binding `{key}`"),
    }
}

impl Refused {
    /// A stable name of this kind of refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Refused::BindingLost { .. } => "binding-lost",
            Refused::SiblingLost { .. } => "sibling-lost",
            Refused::CursorProvenance { .. } => "cursor-provenance",
            Refused::CursorKindChanged { .. } => "cursor-kind-changed",
            Refused::BackfillLost { .. } => "backfill-lost",
            Refused::BackfillReopened { .. } => "backfill-reopened",
            Refused::SnapshotLost { .. } => "snapshot-lost",
            Refused::SnapshotMadeUp { .. } => "snapshot-made-up",
            Refused::NotDecodable { .. } => "not-decodable",
            Refused::NotExact => "not-exact",
            Refused::TooLarge { .. } => "too-large",
            Refused::TooDeep { .. } => "too-deep",
            Refused::ConsentMissing { .. } => "consent-missing",
        }
    }
}
