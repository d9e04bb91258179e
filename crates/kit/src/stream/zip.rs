//! ZIP archives (APPNOTE 6.3.10) that come from a stream, which cannot go back.
//!
//! What is in an archive is listed at its end. Each entry has a header of its own, too, but that may leave its size open until
//! after its bytes. So this reads from the front as long as that is sure:
//!
//! ```text
//! header with sizes ─────────────────────────── entry as it arrives
//! header without, deflate: it ends itself ───── entry as it arrives, then checked against the descriptor after it
//! header without, anything else ─────────────── the rest goes to a file without a name, and the list at its end is followed
//! no header where one should be (a program that unpacks itself) ── likewise
//! ```
//!
//! Either way the list at the end is read and compared with what was handed out: an archive that is cut, that hides an entry from
//! its list, or whose entries lie one inside of the other is an error, at the latest in place of its end. Headers are read here
//! rather than by a library, since none reads all legal archives from a stream; the `zip` crate reads them from files, and is what
//! the tests compare with. There, two entries of one name are one.

mod body;
mod directory;
mod entry;
mod error;
mod headers;
mod input;
mod name;
mod spool;

pub use entry::Entry;
pub use error::ZipError;

use std::collections::{HashMap, VecDeque};

use tokio::io::AsyncBufRead;

use super::lookahead::Lookahead;
use body::{Body, Expected};
use directory::Listed;
use entry::Current;
use headers::LocalHeader;
use input::Input;
use spool::Spooled;

/// How large an archive may be in what respect. Memory depends on the number of entries alone, some 100 bytes for each.
///
/// ```
/// use staunch::stream::ArchiveLimits;
///
/// let mut limits = ArchiveLimits::default();
/// limits.entries = 10;
/// limits.spool_bytes = 1 << 30;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchiveLimits {
    /// How many entries: 100,000.
    pub entries: usize,
    /// How many bytes all of them may hold: 256 GiB.
    pub bytes: u64,
    /// By how much an entry may grow when it is decompressed, looked at from its second MiB on: 2,000 times. Deflate cannot do more
    /// than 1,032; zstd and bzip2 can make anything out of nothing.
    pub ratio: u64,
    /// How many bytes may go to a temporary file: 16 GiB. It is in the folder that `TMPDIR` names, and vanishes with the archive.
    pub spool_bytes: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            entries: 100_000,
            bytes: 256 << 30,
            ratio: 2_000,
            spool_bytes: 16 << 30,
        }
    }
}

/// A ZIP archive that is read from a stream, entry by entry.
///
/// Entries may be stored, or compressed by deflate, deflate64, bzip2 or zstd; encrypted ones are an error. They arrive as the
/// archive does, unless one is stored without its size: from there on the archive goes through a temporary file, as told in
/// [`ArchiveLimits`].
///
/// ```
/// use staunch::stream::{Archive, Csv};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let body: &[u8] = include_bytes!("zip/example.zip");
/// let mut archive = Archive::new(body); // of a response, for one
/// let mut orders = Vec::new();
/// while let Some(entry) = archive.next().await? {
///     if !entry.name().ends_with(".csv") {
///         continue; // It is passed over.
///     }
///     let mut rows = Csv::new().read(entry);
///     while let Some(row) = rows.next().await? {
///         orders.push(row.named("id").map(str::to_owned));
///     }
/// }
/// assert_eq!(orders, [Some("1".to_owned()), Some("2".to_owned())]);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Archive<R> {
    limits: ArchiveLimits,
    /// Which entry is next, or handed out, from one.
    number: usize,
    /// How many bytes all entries may still hold.
    bytes_left: u64,
    /// What is taken while something is under way: what fails or is cancelled leaves [`State::Over`].
    state: State<R>,
    /// The entry that is handed out.
    current: Option<Current<R>>,
}

#[derive(Debug)]
enum State<R> {
    /// Entries come from the stream, and what they were is kept for when they are listed.
    Streaming(Lookahead<Input<R>>, Passed),
    /// The reader is in the entry that is handed out.
    Lent(Passed),
    /// Entries come from a file, which begins where it is not sure any more what the stream says.
    Spooled(Spooled),
    Ended,
    Over,
}

/// The entries that came from the stream, by where they begin.
type Passed = HashMap<u64, Listed>;

impl<R: AsyncBufRead + Unpin> Archive<R> {
    /// Reads an archive within the default limits.
    pub fn new(reader: R) -> Self {
        Self::with_limits(reader, ArchiveLimits::default())
    }

    /// Reads an archive within these limits.
    pub fn with_limits(reader: R, limits: ArchiveLimits) -> Self {
        Self {
            limits,
            number: 0,
            bytes_left: limits.bytes,
            state: State::Streaming(Lookahead::new(Input::Stream(reader)), Passed::new()),
            current: None,
        }
    }

    /// The next entry, or `None` after the last. What was not read of the one before is passed over.
    ///
    /// A call that is cancelled ends the archive with an error; reading from an entry may be cancelled.
    ///
    /// # Errors
    /// Those of [`ZipError`]. There is nothing to go on with then.
    pub async fn next(&mut self) -> Result<Option<Entry<'_, R>>, ZipError> {
        let state = std::mem::replace(&mut self.state, State::Over);
        self.state = match (state, self.current.take()) {
            (State::Lent(mut passed), Some(current)) => {
                let (reader, listed) = current.finish().await?;
                passed.insert(listed.offset, listed);
                State::Streaming(reader, passed)
            }
            (state, _) => state,
        };
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Streaming(mut reader, passed) => match self.look(&mut reader).await? {
                    Next::Entry(header) => {
                        let expected = header.expected();
                        self.lend(reader, header, expected);
                        self.state = State::Lent(passed);
                        break;
                    }
                    Next::Unsure => {
                        let most = self.limits.spool_bytes;
                        let spooled =
                            Spooled::new(reader, most, self.limits.entries, passed).await?;
                        self.state = State::Spooled(spooled);
                    }
                    Next::List => {
                        let start = reader.taken();
                        let listed =
                            directory::read(&mut reader, start, 0, self.limits.entries).await?;
                        directory::compare(passed, listed)?;
                        self.state = State::Ended;
                    }
                },
                State::Spooled(mut spooled) => {
                    let Some((reader, header, listed)) = spooled.next(self.number + 1).await?
                    else {
                        self.state = State::Ended;
                        continue;
                    };
                    self.count_entry()?;
                    self.lend(reader, header, Expected::Known(listed));
                    self.state = State::Spooled(spooled);
                    break;
                }
                State::Ended => {
                    self.state = State::Ended;
                    return Ok(None);
                }
                State::Lent(_) | State::Over => return Err(ZipError::Over),
            }
        }
        Ok(Some(Entry { archive: self }))
    }

    fn lend(&mut self, reader: Lookahead<Input<R>>, header: LocalHeader, expected: Expected) {
        let body = Body::new(reader, self.number, &header, expected, self.limits.ratio);
        self.current = Some(Current::new(header, body));
    }

    fn count_entry(&mut self) -> Result<(), ZipError> {
        self.number += 1;
        if self.number > self.limits.entries {
            let limit = self.limits.entries as u64;
            return Err(ZipError::TooLarge {
                what: "entries",
                limit,
            });
        }
        Ok(())
    }

    /// What comes next in the stream.
    async fn look(&mut self, reader: &mut Lookahead<Input<R>>) -> Result<Next, ZipError> {
        match headers::signature(reader.peek(4).await?) {
            Some(headers::LOCAL_HEADER) => {}
            Some(headers::LISTED | headers::END | headers::END_64) => return Ok(Next::List),
            // It may be preceded by something, such as a program that unpacks it.
            _ if reader.taken() == 0 => return Ok(Next::Unsure),
            Some(_) => return Err(ZipError::damaged(self.number, "no header follows it")),
            None => {
                return Err(ZipError::Truncated {
                    read: reader.taken(),
                });
            }
        }
        let header = headers::read_local(reader, self.number + 1).await?;
        if !header.is_sure() {
            return Ok(Next::Unsure); // Nothing is taken yet.
        }
        self.count_entry()?;
        header.check(self.number)?;
        std::pin::Pin::new(reader).consume(header.bytes);
        Ok(Next::Entry(header))
    }
}

enum Next {
    Entry(LocalHeader),
    /// The list of all entries.
    List,
    /// It takes the list to know.
    Unsure,
}

/// Entries of a spooled archive that are still to come.
type Waiting = VecDeque<Listed>;

#[cfg(test)]
mod tests;
