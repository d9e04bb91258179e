//! Items out of a reader.

use std::fmt;

use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::splitter::Located;
use super::{Array, Format, Item, JsonError, Splitter};

/// Reads items one by one, each lent until the next one is asked for.
///
/// Made by [`elements`](super::elements), [`lines`](super::lines) and [`values`](super::values). An item that lies whole in the
/// reader's buffer is lent from there, without a copy. Nothing is read ahead, and a wait that is cancelled loses nothing.
pub struct Items<R, F> {
    reader: R,
    splitter: Splitter<F>,
    /// Bytes of the reader's buffer that are done with once the item is given back.
    taken: usize,
    /// An item that was found and not handed out.
    located: Option<Located>,
}

impl<R: AsyncBufRead + Unpin, F: Format> Items<R, F> {
    pub(super) fn new(reader: R, splitter: Splitter<F>) -> Self {
        Self {
            reader,
            splitter,
            taken: 0,
            located: None,
        }
    }

    /// Bounds an item (a line with its white space); [`MAX_ITEM_BYTES`](super::MAX_ITEM_BYTES) otherwise.
    #[must_use]
    pub fn max_item_bytes(mut self, bytes: usize) -> Self {
        self.splitter = self.splitter.max_item_bytes(bytes);
        self
    }

    /// The next item, or `None` after the last one: then the input has ended where its JSON does.
    ///
    /// # Errors
    /// When the input is no JSON, or not what was asked for, or cannot be read; see [`JsonError`].
    pub async fn next(&mut self) -> Result<Option<Item<'_>>, JsonError> {
        // The buffer is asked for again below: one that was lent in this loop could not be read on.
        let located = match self.located {
            Some(located) => located,
            None => match self.find().await? {
                Some(located) => *self.located.insert(located),
                None => return Ok(None),
            },
        };
        let buffer = if located.is_carried {
            &[]
        } else {
            let buffer = self.reader.fill_buf().await?;
            let taken = buffer.get(..self.taken);
            taken.ok_or_else(|| {
                std::io::Error::other("the reader took back bytes that it had shown")
            })?
        };
        self.located = None;
        self.splitter.hand_out(located, buffer).map(Some)
    }

    /// As [`next`](Self::next), read as a type, which may borrow from the buffer.
    ///
    /// # Errors
    /// As there; and [`JsonError::Shape`] if the item is of another type, after which the next one can be read.
    pub async fn next_as<'a, T: Deserialize<'a>>(&'a mut self) -> Result<Option<T>, JsonError> {
        match self.next().await? {
            Some(item) => item.parse().map(Some),
            None => Ok(None),
        }
    }

    async fn find(&mut self) -> Result<Option<Located>, JsonError> {
        loop {
            self.reader.consume(std::mem::take(&mut self.taken));
            let buffer = self.reader.fill_buf().await?;
            if buffer.is_empty() {
                return self.splitter.locate_last();
            }
            let (taken, located) = self.splitter.locate(buffer)?;
            self.taken = taken;
            if located.is_some() {
                return Ok(located);
            }
        }
    }
}

/// How far it got.
impl<R, F: Format> fmt::Debug for Items<R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("splitter", &self.splitter)
            .finish_non_exhaustive()
    }
}

impl<R: AsyncBufRead + Unpin> Items<R, Array> {
    /// Takes `null` at the path, and nothing there at all, for an empty array.
    ///
    /// Otherwise they are errors: a source that has renamed its array would look like one that has no more.
    #[must_use]
    pub fn or_absent(mut self) -> Self {
        self.splitter = self.splitter.or_absent();
        self
    }

    /// Bounds what surrounds the array; [`MAX_ITEM_BYTES`](super::MAX_ITEM_BYTES) otherwise.
    #[must_use]
    pub fn max_remainder_bytes(mut self, bytes: usize) -> Self {
        self.splitter = self.splitter.max_remainder_bytes(bytes);
        self
    }

    /// The document with its array empty, once [`next`](Self::next) has returned `None`.
    ///
    /// # Errors
    /// [`JsonError::Unread`] before that, [`JsonError::Shape`] if it is of another type.
    pub fn remainder<'a, T: Deserialize<'a>>(&'a self) -> Result<T, JsonError> {
        self.splitter.remainder()
    }
}
