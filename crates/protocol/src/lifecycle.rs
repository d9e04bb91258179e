//! Which message may come when: the rules that both sides hold each other to.
//!
//! ```text
//!            spec | discover | validate | apply
//!      ┌────────────────────────────────────────► answering ─┐
//!    idle ◄──────────── its one response ────────────────────┘
//!      │ open             opened
//!      └──────► opening ─────────► open: ( captured | sourcedSchema )* checkpoint …
//!                                        ( backfillBegin | backfillComplete ) checkpoint …
//!                                        ◄ acknowledge, of no more than were written
//! ```
//!
//! A *sequence* is what lies between two checkpoints. The stream may end between sequences, never
//! within one. A connector feeds this with the requests it reads and the responses it is about to
//! write, a runtime with those it writes and reads; one automaton, so they cannot disagree.

use crate::{Request, RequestKind, Response, ResponseKind};

/// Follows one process's streams of requests and responses.
///
/// Decides only. After an error the streams cannot be trusted any more: the message was not counted,
/// and the session is to end.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    phase: Phase,
    sequence: Sequence,
    /// Bindings of the capture once `Opened` was said; none before, so that none is in range.
    open_bindings: u32,
    checkpoints: u64,
    acknowledged: u64,
    wants_acknowledgements: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    #[default]
    Idle,
    /// A unary request waits for its response; of Validate, with so many bindings.
    Answering(RequestKind, usize),
    /// `open` of so many bindings waits for `opened`.
    Opening(u32),
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sequence {
    #[default]
    Empty,
    /// Documents or schemas, so far.
    Documents,
    /// A backfill marker: only a checkpoint may follow.
    Marker,
}

/// How a message breaks the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The request may not come now.
    #[error("protocol error: `{request}` request {when}")]
    UnexpectedRequest {
        /// Which request came.
        request: RequestKind,
        /// What made it wrong.
        when: RequestFault,
    },
    /// More checkpoints were acknowledged than wait for it.
    #[error(
        "protocol error: an `acknowledge` of {excess} more checkpoints than the {pending} that are pending; \
         the runtime counts checkpoints that this session did not write"
    )]
    UnexpectedAcknowledge {
        /// How many too many.
        excess: u64,
        /// How many were written and not acknowledged.
        pending: u64,
    },
    /// The response may not come now.
    #[error("protocol error: `{response}` response, expected {expected}")]
    UnexpectedResponse {
        /// Which response came.
        response: ResponseKind,
        /// What was to come.
        expected: Expected,
    },
    /// The response names a binding that the capture does not have.
    #[error(
        "protocol error: invalid `{response}` binding {binding}, as the capture has {bindings}; \
         bindings are counted from 0, in the order of `open`"
    )]
    InvalidBinding {
        /// Which response it is.
        response: ResponseKind,
        /// The index that it has.
        binding: u32,
        /// How many bindings there are.
        bindings: u32,
    },
    /// `validated` has not as many bindings as `validate`.
    #[error(
        "protocol error: `validated` has {actual} bindings, expected {expected}; \
         answer each binding of the request, in its order"
    )]
    BindingCount {
        /// As many as were asked about.
        expected: usize,
        /// As many as were answered.
        actual: usize,
    },
    /// A backfill marker shares its sequence.
    #[error(
        "protocol error: `{response}` in one sequence with a backfill marker or what it must not share; \
         write a checkpoint before the marker and another right after it"
    )]
    MarkerNotAlone {
        /// The response that came second.
        response: ResponseKind,
    },
    /// The responses ended in a sequence.
    #[error(
        "protocol error: unexpected connector EOF within a capture checkpoint sequence; \
         end documents with a checkpoint before exiting"
    )]
    IncompleteSequence,
    /// The responses ended before that to a request.
    #[error("protocol error: unexpected connector EOF, expected the response to `{request}`")]
    Unanswered {
        /// The request that had none.
        request: RequestKind,
    },
}

/// What is wrong with a request's moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestFault {
    /// The previous request has no response yet.
    #[error("before the response to `{0}`; send one request at a time")]
    Unanswered(RequestKind),
    /// The capture is open, or about to be.
    #[error("after `open`; only `acknowledge` may follow it")]
    AfterOpen,
    /// There is no capture yet that it could be about.
    #[error("before `opened`; there is no checkpoint to speak of")]
    BeforeOpened,
}

/// What was to come instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Expected {
    /// Nothing: every request has its response.
    #[error("none, as every request has its response")]
    Nothing,
    /// The response to the last request.
    #[error("`{0}`")]
    Response(ResponseKind),
    /// A response of an open capture.
    #[error(
        "one of an open capture: `captured`, `sourcedSchema`, `checkpoint` or a backfill marker"
    )]
    Streaming,
}

impl ProtocolError {
    /// A stable name of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnexpectedRequest { .. } => "protocol.unexpected_request",
            Self::UnexpectedAcknowledge { .. } => "protocol.unexpected_acknowledge",
            Self::UnexpectedResponse { .. } => "protocol.unexpected_response",
            Self::InvalidBinding { .. } => "protocol.invalid_binding",
            Self::BindingCount { .. } => "protocol.binding_count",
            Self::MarkerNotAlone { .. } => "protocol.marker_not_alone",
            Self::IncompleteSequence => "protocol.incomplete_sequence",
            Self::Unanswered { .. } => "protocol.unanswered_request",
        }
    }
}

impl Lifecycle {
    /// Of a process that was just started.
    pub fn new() -> Self {
        Self::default()
    }

    /// The runtime sends, or the connector read, a request.
    ///
    /// # Errors
    /// [`ProtocolError::UnexpectedRequest`], [`ProtocolError::UnexpectedAcknowledge`].
    pub fn request(&mut self, request: &Request) -> Result<(), ProtocolError> {
        let kind = request.kind();
        let fault = |when| {
            Err(ProtocolError::UnexpectedRequest {
                request: kind,
                when,
            })
        };
        self.phase = match (self.phase, request) {
            (Phase::Open, Request::Acknowledge(acknowledge)) => {
                return self.acknowledge(acknowledge.checkpoints);
            }
            (_, Request::Acknowledge(_)) => return fault(RequestFault::BeforeOpened),
            (Phase::Answering(waiting, _), _) => return fault(RequestFault::Unanswered(waiting)),
            (Phase::Opening(_) | Phase::Open, _) => return fault(RequestFault::AfterOpen),
            (Phase::Idle, Request::Open(open)) => {
                // Indices are 32 bits wide: bindings beyond cannot be named, so they need no range.
                Phase::Opening(u32::try_from(open.capture.bindings.len()).unwrap_or(u32::MAX))
            }
            (Phase::Idle, Request::Validate(validate)) => {
                Phase::Answering(kind, validate.bindings.len())
            }
            (Phase::Idle, _) => Phase::Answering(kind, 0),
        };
        Ok(())
    }

    fn acknowledge(&mut self, checkpoints: u32) -> Result<(), ProtocolError> {
        let (count, pending) = (u64::from(checkpoints), self.unacknowledged());
        if count > pending {
            return Err(ProtocolError::UnexpectedAcknowledge {
                excess: count - pending,
                pending,
            });
        }
        self.acknowledged += count;
        Ok(())
    }

    /// The connector is about to write, or the runtime read, a response.
    ///
    /// # Errors
    /// Every [`ProtocolError`] that is about responses.
    pub fn response(&mut self, response: &Response<'_>) -> Result<(), ProtocolError> {
        let kind = response.kind();
        match response {
            Response::Captured(captured) => return self.captured(captured.binding),
            Response::SourcedSchema(schema) => return self.document(kind, schema.binding),
            Response::BackfillBegin(marker) | Response::BackfillComplete(marker) => {
                return self.marker(kind, marker.binding);
            }
            Response::Checkpoint(_) => return self.checkpoint(),
            _ => {}
        }
        match (self.phase, response) {
            (Phase::Opening(bindings), Response::Opened(opened)) => {
                self.phase = Phase::Open;
                self.open_bindings = bindings;
                self.wants_acknowledgements = opened.explicit_acknowledgements;
                Ok(())
            }
            (Phase::Answering(request, asked), _) if request.response() == Some(kind) => {
                if let Response::Validated(validated) = response
                    && validated.bindings.len() != asked
                {
                    let actual = validated.bindings.len();
                    return Err(ProtocolError::BindingCount {
                        expected: asked,
                        actual,
                    });
                }
                self.phase = Phase::Idle;
                Ok(())
            }
            _ => Err(self.unexpected(kind)),
        }
    }

    /// As [`response`](Self::response) of a captured document, for those who do not build one.
    ///
    /// # Errors
    /// As there.
    #[inline]
    pub fn captured(&mut self, binding: u32) -> Result<(), ProtocolError> {
        self.document(ResponseKind::Captured, binding)
    }

    #[inline]
    fn document(&mut self, kind: ResponseKind, binding: u32) -> Result<(), ProtocolError> {
        if binding < self.open_bindings && self.sequence != Sequence::Marker {
            self.sequence = Sequence::Documents;
            return Ok(());
        }
        Err(self.refused(kind, binding))
    }

    fn marker(&mut self, kind: ResponseKind, binding: u32) -> Result<(), ProtocolError> {
        if binding < self.open_bindings && self.sequence == Sequence::Empty {
            self.sequence = Sequence::Marker;
            return Ok(());
        }
        Err(self.refused(kind, binding))
    }

    fn checkpoint(&mut self) -> Result<(), ProtocolError> {
        if self.phase != Phase::Open {
            return Err(self.unexpected(ResponseKind::Checkpoint));
        }
        self.sequence = Sequence::Empty;
        self.checkpoints += 1;
        Ok(())
    }

    /// Why a response of a binding may not come.
    #[cold]
    fn refused(&self, response: ResponseKind, binding: u32) -> ProtocolError {
        if self.phase != Phase::Open {
            self.unexpected(response)
        } else if binding >= self.open_bindings {
            ProtocolError::InvalidBinding {
                response,
                binding,
                bindings: self.open_bindings,
            }
        } else {
            ProtocolError::MarkerNotAlone { response }
        }
    }

    #[cold]
    fn unexpected(&self, response: ResponseKind) -> ProtocolError {
        let expected = match self.phase {
            Phase::Idle => Expected::Nothing,
            Phase::Answering(request, _) => request
                .response()
                .map_or(Expected::Nothing, Expected::Response),
            Phase::Opening(_) => Expected::Response(ResponseKind::Opened),
            Phase::Open => Expected::Streaming,
        };
        ProtocolError::UnexpectedResponse { response, expected }
    }

    /// The stream of responses ended: whether it may.
    ///
    /// # Errors
    /// [`ProtocolError::IncompleteSequence`], [`ProtocolError::Unanswered`].
    pub fn finish(&self) -> Result<(), ProtocolError> {
        match self.phase {
            Phase::Answering(request, _) => Err(ProtocolError::Unanswered { request }),
            Phase::Opening(_) => Err(ProtocolError::Unanswered {
                request: RequestKind::Open,
            }),
            Phase::Idle => Ok(()),
            Phase::Open if self.in_sequence() => Err(ProtocolError::IncompleteSequence),
            Phase::Open => Ok(()),
        }
    }

    /// Whether `opened` was said.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether there are responses that no checkpoint has ended yet.
    pub fn in_sequence(&self) -> bool {
        self.sequence != Sequence::Empty
    }

    /// Checkpoints so far.
    pub fn checkpoints(&self) -> u64 {
        self.checkpoints
    }

    /// Checkpoints that were not acknowledged, be that asked for or not.
    pub fn unacknowledged(&self) -> u64 {
        self.checkpoints - self.acknowledged
    }

    /// Whether the connector asked for acknowledgements when it opened.
    pub fn wants_acknowledgements(&self) -> bool {
        self.wants_acknowledgements
    }
}

#[cfg(test)]
mod tests;
