//! What an answer is, where its status does not say it.

/// What a [judge](super::ClientBuilder::judge) says of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// What its status says.
    AsUsual,
    /// An answer to go on with, whatever its status.
    Accept,
    /// The server has too many requests: it did nothing, and is asked again, more slowly.
    Throttled,
    /// The server failed at something that may pass, and is asked again.
    Retry,
    /// A refusal: the text says what is wrong and what to do about it, and holds no secret.
    Refuse(String),
}
