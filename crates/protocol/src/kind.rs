//! The names of the messages, as the wire has them.

use std::fmt;

/// Which member of the request envelope is set. Displays as its wire name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the message of the same name")]
pub enum RequestKind {
    Spec,
    Discover,
    Validate,
    Apply,
    Open,
    Acknowledge,
}

impl RequestKind {
    /// The name of the member in the envelope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Discover => "discover",
            Self::Validate => "validate",
            Self::Apply => "apply",
            Self::Open => "open",
            Self::Acknowledge => "acknowledge",
        }
    }

    /// The kind of the first response to it; none for an acknowledgement.
    pub const fn response(self) -> Option<ResponseKind> {
        match self {
            Self::Spec => Some(ResponseKind::Spec),
            Self::Discover => Some(ResponseKind::Discovered),
            Self::Validate => Some(ResponseKind::Validated),
            Self::Apply => Some(ResponseKind::Applied),
            Self::Open => Some(ResponseKind::Opened),
            Self::Acknowledge => None,
        }
    }
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which member of the response envelope is set. Displays as its wire name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the message of the same name")]
pub enum ResponseKind {
    Spec,
    Discovered,
    Validated,
    Applied,
    Opened,
    Captured,
    Checkpoint,
    SourcedSchema,
    BackfillBegin,
    BackfillComplete,
}

impl ResponseKind {
    /// The name of the member in the envelope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Spec => "spec",
            Self::Discovered => "discovered",
            Self::Validated => "validated",
            Self::Applied => "applied",
            Self::Opened => "opened",
            Self::Captured => "captured",
            Self::Checkpoint => "checkpoint",
            Self::SourcedSchema => "sourcedSchema",
            Self::BackfillBegin => "backfillBegin",
            Self::BackfillComplete => "backfillComplete",
        }
    }
}

impl fmt::Display for ResponseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
