//! JSON that is larger than memory: the elements of an array, lines, or values one after the other.
//!
//! [`elements`] walks to an array by its path and lends its elements one by one, as text that was checked to the last digit or as
//! values of a type. What stands around the array is kept, with the array empty, and read at the end:
//!
//! ```
//! use staunch::stream::json;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), json::JsonError> {
//! let body: &[u8] = br#"{"data": [{"id": 1}, {"id": 2}], "next": "abc"}"#;
//! let mut orders = json::elements(body, "/data")?;
//! let mut seen = Vec::new();
//! while let Some(order) = orders.next().await? {
//!     seen.push(order.as_str().to_owned()); // Or `emit.raw(order)?`.
//! }
//! assert_eq!(seen, [r#"{"id": 1}"#, r#"{"id": 2}"#]);
//!
//! #[derive(serde::Deserialize)]
//! struct Rest {
//!     next: Option<String>,
//! }
//! let rest: Rest = orders.remainder()?;
//! assert_eq!(rest.next.as_deref(), Some("abc"));
//! # Ok(())
//! # }
//! ```
//!
//! [`lines`] reads newline-delimited JSON, [`values`] values that follow one another. All three are an [`Items`] over a reader;
//! below it is a [`Splitter`], which takes chunks of bytes and knows of no reader.
//!
//! # What is checked
//!
//! Everything: the grammar of RFC 8259 in each item and around the array, UTF-8, halves of surrogate pairs, the end of the
//! document and what follows it. An item that is handed out is one that a parser reads; the items before a fault are handed out,
//! and the fault is an error that says at which byte and in which item. Two liberties: a byte order mark is skipped, and a number
//! may be larger than any type, since its text is kept.
//!
//! # Why this is not a parser's work
//!
//! A parser makes a value of what it reads; a capture mostly wants to hand it on. One machine here looks at each byte once, in
//! whatever chunks it comes, and remembers where it is in a few words. There is no second pass, nothing is parsed again after a
//! chunk that ended within an item, and nothing is built. That costs a machine of our own, and the tests that compare it with parsers.

mod array;
mod error;
mod item;
mod items;
mod lines;
mod pointer;
mod scan;
mod splitter;
mod values;

use tokio::io::AsyncBufRead;

pub use array::Array;
pub use error::{JsonError, Place};
pub use item::Item;
pub use items::Items;
pub use lines::Lines;
pub use splitter::{Format, Splitter};
pub use values::Values;

/// Containers (objects and arrays) that may stand inside each other in an item, and in what surrounds the array; as many as
/// `serde_json` reads.
pub const MAX_DEPTH: usize = 127;

/// Bytes of one item, and of the remainder, unless said otherwise: as many as a message to the runtime may have.
pub const MAX_ITEM_BYTES: usize = staunch_protocol::MAX_RESPONSE_BYTES;

/// The elements of the array at `path` in the one JSON document that `body` is.
///
/// `path` is an RFC 6901 pointer: `""` is the document itself, `"/data/items"` a member of a member, `"/0"` an element of an array.
/// An unbuffered reader goes into a [`tokio::io::BufReader`]; 64 KiB suit it. See [`Items`] for how to go on.
///
/// # Errors
/// [`JsonError::Pointer`] if `path` is none.
///
/// # Source
/// RFC 8259 for the document, RFC 6901 for the path.
///
/// ```
/// # use staunch::stream::json;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), json::JsonError> {
/// #[derive(serde::Deserialize)]
/// struct Order<'a> {
///     id: u64,
///     name: &'a str, // Borrowed from the body's buffer.
/// }
///
/// let mut orders = json::elements(&br#"[{"id": 1, "name": "one"}]"#[..], "")?;
/// while let Some(order) = orders.next_as::<Order>().await? {
///     assert_eq!((order.id, order.name), (1, "one"));
/// }
/// # Ok(())
/// # }
/// ```
pub fn elements<R>(body: R, path: &str) -> Result<Items<R, Array>, JsonError>
where
    R: AsyncBufRead + Unpin,
{
    Ok(Items::new(body, Splitter::array(path)?))
}

/// The values of newline-delimited JSON, one on each line.
///
/// Blank lines are skipped, lines end with `\n` or `\r\n`, and the last one need not end. A value that goes on in the next line is an error.
///
/// ```
/// # use staunch::stream::json;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), json::JsonError> {
/// let mut lines = json::lines(&b"{\"id\":1}\n\n{\"id\":2}"[..]);
/// let mut read = 0;
/// while let Some(line) = lines.next().await? {
///     read += 1;
///     assert_eq!(line.as_str(), format!("{{\"id\":{read}}}"));
/// }
/// assert_eq!(read, 2);
/// # Ok(())
/// # }
/// ```
pub fn lines<R>(body: R) -> Items<R, Lines>
where
    R: AsyncBufRead + Unpin,
{
    Items::new(body, Splitter::lines())
}

/// Values that follow one another, with any white space between them or none.
///
/// A number, `true`, `false` or `null` is followed by white space, an object, an array or a string: `truefalse` is an error.
///
/// ```
/// # use staunch::stream::json;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), json::JsonError> {
/// let mut values = json::values(&b"{\"id\":1}{\"id\":2} [3]"[..]);
/// let mut read = Vec::new();
/// while let Some(value) = values.next().await? {
///     read.push(value.as_str().to_owned());
/// }
/// assert_eq!(read, [r#"{"id":1}"#, r#"{"id":2}"#, "[3]"]);
/// # Ok(())
/// # }
/// ```
pub fn values<R>(body: R) -> Items<R, Values>
where
    R: AsyncBufRead + Unpin,
{
    Items::new(body, Splitter::values())
}

#[cfg(test)]
mod tests;
