//! Chunks in, items out: no reader, no waiting.

use std::fmt;

use serde::Deserialize;
use simdutf8::compat::{Utf8Error, from_utf8};

use super::pointer::Pointer;
use super::{Array, Item, JsonError, Lines, MAX_ITEM_BYTES, Place, Values};

/// How items follow one another: [`Array`], [`Lines`] or [`Values`].
pub trait Format: Find {}

impl<F: Find> Format for F {}

/// Finds items. It sees each byte once, and remembers what it must of those that are gone.
pub trait Find {
    /// Goes on, from `offset` in the input, to the end of an item or of `chunk`.
    fn find(&mut self, chunk: &[u8], offset: u64) -> Result<Step, JsonError>;

    /// What of an item's bytes is the item; `None` if they are blank.
    fn accept<'a>(&mut self, bytes: &'a [u8], offset: u64) -> Result<Option<&'a [u8]>, JsonError> {
        let _ = offset;
        Ok(Some(bytes))
    }

    /// The input ends here, within an item if one `is_begun`. Whether what there is of that is a whole one.
    fn end(&mut self, is_begun: bool, offset: u64) -> Result<bool, JsonError>;

    /// Where the last step has led to.
    fn place(&self) -> Place;

    /// The item that was found last, until it is accepted.
    fn item(&self) -> Place {
        self.place()
    }
}

/// How far a format got.
pub enum Step {
    /// To the end of the chunk; an item has begun there, or goes on from before.
    More {
        /// Where in the chunk.
        item: Option<usize>,
    },
    /// To the end of an item.
    Item {
        /// Where in the chunk it begins; 0 if it goes on from before.
        start: usize,
        /// Where it ends, and the next step begins.
        end: usize,
    },
}

/// Splits chunks of bytes into items, wherever the chunks end.
///
/// An item that lies in one chunk is lent from there. One that does not is put together in a buffer, which is the only one there is.
///
/// ```
/// use staunch::stream::json::{JsonError, Splitter};
///
/// # fn main() -> Result<(), JsonError> {
/// let mut splitter = Splitter::array("/data")?;
/// let mut items = Vec::new();
/// for mut chunk in [&br#"{"data":[1,{"a":"#[..], br#"2}],"more":true}"#] {
///     while let Some(item) = splitter.split(&mut chunk)? {
///         items.push(item.as_str().to_owned());
///     }
/// }
/// assert!(splitter.end()?.is_none()); // Without this, what was cut off would pass for whole.
/// assert_eq!(items, ["1", r#"{"a":2}"#]);
/// # Ok(())
/// # }
/// ```
pub struct Splitter<F> {
    format: F,
    /// An item's bytes out of chunks that are gone.
    carry: Vec<u8>,
    /// Whether what was carried has been handed out.
    is_carry_done: bool,
    /// Bytes of the chunks that are gone.
    offset: u64,
    /// Where the carried item begins.
    carry_offset: u64,
    max_item_bytes: usize,
    /// How much of a byte order mark was seen; all of it once there can be none.
    mark: usize,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Reading,
    Ended,
    Failed,
}

/// Where an item is: in the chunk, or in what is carried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located {
    pub(super) is_carried: bool,
    start: usize,
    end: usize,
    place: Place,
    offset: u64,
}

const MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

impl Splitter<Array> {
    /// For the elements of the array at `path`, as [`elements`](super::elements) reads them.
    ///
    /// # Errors
    /// [`JsonError::Pointer`] if `path` is none.
    pub fn array(path: &str) -> Result<Self, JsonError> {
        Ok(Self::new(Array::new(Pointer::parse(path)?)))
    }

    /// The document less the array's elements, once [`end`](Self::end) has said that there are no more.
    ///
    /// # Errors
    /// [`JsonError::Unread`] before that, [`JsonError::Shape`] if it is of another type.
    pub fn remainder<'a, T: Deserialize<'a>>(&'a self) -> Result<T, JsonError> {
        if self.progress != Progress::Ended {
            return Err(JsonError::Unread);
        }
        let rest = Item {
            text: self.format.around(),
            place: Place::Around,
            offset: 0,
        };
        rest.parse()
    }

    /// Takes `null` at the path, and nothing there at all, for an empty array.
    pub fn or_absent(mut self) -> Self {
        self.format.or_absent();
        self
    }

    /// Bounds what surrounds the array; [`MAX_ITEM_BYTES`] otherwise.
    pub fn max_remainder_bytes(mut self, bytes: usize) -> Self {
        self.format.max_remainder_bytes(bytes);
        self
    }
}

impl Splitter<Lines> {
    /// For lines, as [`lines`](super::lines) reads them.
    #[must_use]
    pub fn lines() -> Self {
        Self::new(Lines::new())
    }
}

impl Splitter<Values> {
    /// For values that follow one another, as [`values`](super::values) reads them.
    #[must_use]
    pub fn values() -> Self {
        Self::new(Values::new())
    }
}

impl<F: Format> Splitter<F> {
    fn new(format: F) -> Self {
        Self {
            format,
            carry: Vec::new(),
            is_carry_done: false,
            offset: 0,
            carry_offset: 0,
            max_item_bytes: MAX_ITEM_BYTES,
            mark: 0,
            progress: Progress::Reading,
        }
    }

    /// Bounds an item (a line with its white space); [`MAX_ITEM_BYTES`] otherwise.
    #[must_use]
    pub fn max_item_bytes(mut self, bytes: usize) -> Self {
        self.max_item_bytes = bytes;
        self
    }

    /// Takes from `chunk` up to the end of an item, which is handed out, or all of it.
    ///
    /// # Errors
    /// When the bytes are no JSON, or not what was asked for; see [`JsonError`].
    pub fn split<'a, 'c: 'a>(
        &'a mut self,
        chunk: &mut &'c [u8],
    ) -> Result<Option<Item<'a>>, JsonError> {
        let (taken, located) = self.locate(chunk)?;
        let (used, rest) = chunk.split_at(taken);
        *chunk = rest;
        match located {
            Some(located) => self.hand_out(located, used).map(Some),
            None => Ok(None),
        }
    }

    /// There are no further chunks: hands out what they ended with, if that is an item that needs no end, and then `None`.
    ///
    /// # Errors
    /// [`JsonError::Truncated`] if the JSON is not whole; [`JsonError::Missing`] or [`JsonError::Null`] if there was no array.
    pub fn end(&mut self) -> Result<Option<Item<'_>>, JsonError> {
        match self.locate_last()? {
            Some(located) => self.hand_out(located, &[]).map(Some),
            None => Ok(None),
        }
    }

    /// How many bytes of `chunk` were taken, and the item that they end with.
    pub(super) fn locate(&mut self, chunk: &[u8]) -> Result<(usize, Option<Located>), JsonError> {
        match self.progress {
            Progress::Failed => return Err(JsonError::Failed),
            Progress::Ended => return Ok((chunk.len(), None)), // Whoever says `end` means it.
            Progress::Reading => {}
        }
        self.drop_carried();
        let found = self.locate_in(chunk);
        match &found {
            Ok((taken, _)) => self.offset += *taken as u64,
            Err(_) => self.progress = Progress::Failed,
        }
        found
    }

    fn locate_in(&mut self, chunk: &[u8]) -> Result<(usize, Option<Located>), JsonError> {
        let mut at = self.skip_mark(chunk)?;
        while at < chunk.len() {
            let offset = self.offset + at as u64;
            match self.format.find(&chunk[at..], offset)? {
                Step::More { item: None } => break,
                Step::More { item: Some(start) } => {
                    if self.carry.is_empty() {
                        self.carry_offset = offset + start as u64;
                    }
                    self.carry_on(&chunk[at + start..], self.format.place())?;
                    break;
                }
                Step::Item { start, end } => {
                    let bytes = &chunk[at + start..at + end];
                    let offset = offset + start as u64;
                    at += end;
                    let located = if self.carry.is_empty() {
                        self.has_room(bytes.len(), self.format.item())?;
                        self.accepted(bytes, offset, at - bytes.len())?
                    } else {
                        self.carry_on(bytes, self.format.item())?;
                        self.accepted_carry()?
                    };
                    if located.is_some() {
                        return Ok((at, located));
                    }
                }
            }
        }
        Ok((chunk.len(), None))
    }

    /// Goes past a byte order mark, which only the start of the input has.
    fn skip_mark(&mut self, chunk: &[u8]) -> Result<usize, JsonError> {
        let mut at = 0;
        while self.mark < MARK.len() && at < chunk.len() {
            if chunk[at] == MARK[self.mark] {
                self.mark += 1;
                at += 1;
            } else if self.mark == 0 {
                self.mark = MARK.len();
            } else {
                return Err(self.half_a_mark());
            }
        }
        Ok(at)
    }

    fn half_a_mark(&self) -> JsonError {
        JsonError::Syntax {
            problem: "half of a byte order mark",
            offset: 0,
            place: self.format.place(),
        }
    }

    /// The item that the end of the input is the end of.
    pub(super) fn locate_last(&mut self) -> Result<Option<Located>, JsonError> {
        match self.progress {
            Progress::Failed => return Err(JsonError::Failed),
            Progress::Ended => return Ok(None),
            Progress::Reading => self.progress = Progress::Failed,
        }
        if (1..MARK.len()).contains(&self.mark) {
            return Err(self.half_a_mark());
        }
        self.drop_carried();
        let is_item = self.format.end(!self.carry.is_empty(), self.offset)?;
        let last = if is_item {
            self.accepted_carry()?
        } else {
            None
        };
        self.progress = Progress::Ended;
        Ok(last)
    }

    /// The item that was located in `chunk`, or is carried.
    pub(super) fn hand_out<'a>(
        &'a mut self,
        located: Located,
        chunk: &'a [u8],
    ) -> Result<Item<'a>, JsonError> {
        let bytes = if located.is_carried {
            self.is_carry_done = true;
            &self.carry[located.start..located.end]
        } else {
            &chunk[located.start..located.end]
        };
        match from_utf8(bytes) {
            Ok(text) => Ok(Item {
                text,
                place: located.place,
                offset: located.offset,
            }),
            Err(error) => {
                self.progress = Progress::Failed;
                Err(not_utf8(error, located.offset, located.place))
            }
        }
    }

    fn accepted(
        &mut self,
        bytes: &[u8],
        offset: u64,
        start: usize,
    ) -> Result<Option<Located>, JsonError> {
        let place = self.format.item();
        let accepted = self.format.accept(bytes, offset)?;
        Ok(accepted.map(|item| {
            let skipped = item.as_ptr().addr() - bytes.as_ptr().addr();
            Located {
                is_carried: false,
                start: start + skipped,
                end: start + skipped + item.len(),
                place,
                offset: offset + skipped as u64,
            }
        }))
    }

    fn accepted_carry(&mut self) -> Result<Option<Located>, JsonError> {
        let carry = std::mem::take(&mut self.carry);
        let accepted = self.accepted(&carry, self.carry_offset, 0);
        self.carry = carry;
        self.is_carry_done = !matches!(accepted, Ok(Some(_)));
        let located = accepted?;
        self.drop_carried();
        Ok(located.map(|located| Located {
            is_carried: true,
            ..located
        }))
    }

    fn carry_on(&mut self, bytes: &[u8], place: Place) -> Result<(), JsonError> {
        self.has_room(bytes.len(), place)?;
        self.carry.extend_from_slice(bytes);
        Ok(())
    }

    fn drop_carried(&mut self) {
        if self.is_carry_done {
            self.carry.clear();
            self.is_carry_done = false;
        }
    }

    fn has_room(&self, bytes: usize, place: Place) -> Result<(), JsonError> {
        if self.carry.len() + bytes > self.max_item_bytes {
            return Err(JsonError::TooLarge {
                limit: self.max_item_bytes,
                place,
                allow: "max_item_bytes",
            });
        }
        Ok(())
    }
}

/// How far it got: what it holds is a customer's.
impl<F: Format> fmt::Debug for Splitter<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Splitter")
            .field("place", &self.format.place())
            .field("offset", &self.offset)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// What there is to say of bytes, from `offset` on, that are no text.
pub(super) fn not_utf8(error: Utf8Error, offset: u64, place: Place) -> JsonError {
    JsonError::Syntax {
        problem: "a byte that is not UTF-8",
        offset: offset + error.valid_up_to() as u64,
        place,
    }
}
