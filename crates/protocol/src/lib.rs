//! The capture protocol: what a connector and a runtime may say to each other, and when.
//!
//! Messages ([`Request`], [`Response`], [`flow`]), their codecs ([`json`], [`proto`], and [`Codec`] for
//! either), the order in which they may come ([`lifecycle`]), and what a connector says beside them on
//! standard error ([`log`]). Both sides use the same types and the same automaton.
//!
//! A document, a configuration, a schema and a state are JSON *text* here ([`RawValue`]): carried as
//! they came, never interpreted. There is no clock, no task and no I/O but [`std::io::Read`].
#![forbid(unsafe_code)]

mod buffer;
mod codec;
pub mod flow;
mod hidden;
pub mod json;
mod kind;
pub mod lifecycle;
pub mod log;
pub mod oauth2;
pub mod proto;
mod read;
pub mod request;
pub mod response;
mod state_key;
mod write;

#[cfg(test)]
mod samples;

pub use codec::{Begun, Codec, DecodeError, FrameError, Messages, UnknownCodec};
pub use kind::{RequestKind, ResponseKind};
pub use proto::EncodeError;
pub use request::Request;
pub use response::Response;
pub use serde_json::value::RawValue;
pub use state_key::state_key;

/// The version that `Response.Spec.protocol` must state; proxies refuse any other.
pub const PROTOCOL_VERSION: u32 = 3_032_023;

/// Bytes of one response, without its line feed or the length before it: the peers' limit for a message, in any codec.
pub const MAX_RESPONSE_BYTES: usize = 64 << 20;

/// Bytes of one request, without its line feed or the length before it: what the strictest reader of requests takes.
pub const MAX_REQUEST_BYTES: usize = 128 << 20;
