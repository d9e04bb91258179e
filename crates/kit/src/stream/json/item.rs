//! One item of a stream.

use std::fmt;

use serde::Deserialize;

use super::{JsonError, Place};
use crate::config;

/// The text of one JSON value that was checked, lent by whoever read it.
///
/// There is no white space around it; that within is as it was sent.
///
/// ```
/// # use staunch::stream::json::{JsonError, Splitter};
/// # fn main() -> Result<(), JsonError> {
/// let mut splitter = Splitter::array("")?;
/// let mut chunk: &[u8] = br#"[ {"id": 17} ]"#;
/// let item = splitter.split(&mut chunk)?.expect("there is one");
/// assert_eq!((item.as_str(), item.offset()), (r#"{"id": 17}"#, 2));
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     id: u64,
/// }
/// assert_eq!(item.parse::<Order>()?.id, 17);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Item<'a> {
    pub(super) text: &'a str,
    pub(super) place: Place,
    pub(super) offset: u64,
}

impl<'a> Item<'a> {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// Which item it is.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// Where it begins, in bytes from the start of the input.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads it as a type, which may borrow from it.
    ///
    /// # Errors
    /// [`JsonError::Shape`], which says what does not fit and no value.
    pub fn parse<T: Deserialize<'a>>(&self) -> Result<T, JsonError> {
        serde_json::from_str(self.text).map_err(|error| JsonError::Shape {
            problem: config::without_values(&error),
            place: self.place,
        })
    }
}

impl AsRef<[u8]> for Item<'_> {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

impl AsRef<str> for Item<'_> {
    fn as_ref(&self) -> &str {
        self.text
    }
}

/// Where it stands and how long it is: its text is a customer's.
impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("place", &self.place)
            .field("offset", &self.offset)
            .field("bytes", &self.text.len())
            .finish()
    }
}
