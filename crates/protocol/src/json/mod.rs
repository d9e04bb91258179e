//! The newline-JSON codec: one compact JSON object per line, UTF-8, ended by a line feed.
//!
//! ```text
//! {"open":{"capture":{…},"version":"v1","range":{…},"state":{}}}⏎      request, to standard input
//! {"captured":{"binding":3,"doc":{…}}}⏎                              response, from standard output
//! {"checkpoint":{"state":{"updated":{…},"mergePatch":true}}}⏎
//! ```
//!
//! Written: camelCase, defaults left out except those that a peer demands. Read: camelCase and snake_case
//! names, unknown members ignored, a member given twice refused. Documents are by far the most lines,
//! so they have a way of their own past serde: [`begin_captured`] and [`split_captured`].

mod captured;
mod decode;
mod encode;
mod excerpt;
mod lines;
mod place;

pub use captured::{append_captured, begin_captured, end_captured, split_captured};
pub(crate) use decode::problem;
pub use decode::{DecodeError, Malformed, decode_request, decode_response};
pub use encode::{encode_request, encode_response};
pub use excerpt::excerpt;
pub use lines::{FrameError, Lines};

#[cfg(test)]
mod tests;
