//! The laws, and how a broken one is told.

use crate::mutation::Mutation;

/// What holds for every connector's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Law {
    /// The released states can be read, and every step of the chain has one that it changes.
    Fixtures,
    /// What a file says of its update or of the state after is what comes out.
    Expected,
    /// Nothing panics.
    NoPanic,
    /// Every state that a release could have written is migrated.
    Migrates,
    /// The same state becomes the same state, each time.
    Pure,
    /// The chain leaves its own result alone.
    FixedPoint,
    /// What comes out can be read.
    Decodes,
    /// A plan accepts what comes out, with what the chain declares.
    Accepted,
    /// The update makes the new state of the old one.
    Exact,
    /// The update is one merge patch, unless the chain declares a replacement.
    OneUpdate,
    /// The update touches nothing but the bindings that a step applied to.
    Scope,
    /// What the state before would still read, the state after reads; and no more than is declared.
    Positions,
    /// A state key with a counter of backfills is migrated like the one without.
    Counter,
    /// Undone right away, a reversible migration gives back the state before.
    Undone,
    /// Undone later, it is never ahead of what was captured.
    UndoneLater,
    /// A state that is half each is refused or carried over; nothing of it gets lost.
    Residue,
    /// A plan refuses this mistake.
    Refuses(Mutation),
    /// A kill at any boundary leads to the state that no kill leads to.
    Crash,
}

impl Law {
    pub(crate) fn sentence(self) -> String {
        match self {
            Law::Fixtures => {
                "the released states can be read, and each step of the chain changes one of them"
                    .into()
            }
            Law::Expected => "the migration does what the file says".into(),
            Law::NoPanic => "a migration never panics".into(),
            Law::Migrates => "every state that a release could have written is migrated".into(),
            Law::Pure => "the same state becomes the same state, each time".into(),
            Law::FixedPoint => "the chain leaves its own result alone".into(),
            Law::Decodes => "the migrated state can be read".into(),
            Law::Accepted => "a plan accepts the migration".into(),
            Law::Exact => "the update makes the migrated state of the state before".into(),
            Law::OneUpdate => "the update is one checkpoint".into(),
            Law::Scope => "the update touches only bindings that a step applied to".into(),
            Law::Positions => {
                "nothing is missed, and nothing is read again that is not declared".into()
            }
            Law::Counter => {
                "a state key with a backfill counter is migrated like the one without".into()
            }
            Law::Undone => "a reverse gives back the state before".into(),
            Law::UndoneLater => "a reverse is never ahead of what was captured".into(),
            Law::Residue => "a state that is half each is refused, or carried over whole".into(),
            Law::Refuses(mutation) => format!("a plan refuses a migration that {mutation}"),
            Law::Crash => "a kill at any boundary changes nothing about what comes out".into(),
        }
    }
}

/// A law that does not hold of a state.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) law: Law,
    /// What came out instead.
    pub(crate) came_out: String,
    /// What to do about it.
    pub(crate) remedy: String,
    /// The code of the error behind it; empty where there is none. A smaller state must show the same one.
    pub(crate) code: &'static str,
}

impl Violation {
    pub(crate) fn new(law: Law, came_out: impl Into<String>, remedy: impl Into<String>) -> Self {
        Violation {
            law,
            came_out: came_out.into(),
            remedy: remedy.into(),
            code: "",
        }
    }

    pub(crate) fn with_code(self, code: &'static str) -> Self {
        Violation { code, ..self }
    }

    /// Whether it is the same mistake, seen in another state.
    pub(crate) fn is_like(&self, other: &Violation) -> bool {
        (self.law, self.code) == (other.law, other.code)
    }
}
