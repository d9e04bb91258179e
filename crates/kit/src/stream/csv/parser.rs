//! From chunks of text to records. No I/O: it is pushed.

use csv_core::{ReadRecordResult, ReaderBuilder};
use memchr::{memchr2, memchr2_iter};

use super::CsvError;

/// How many fields a record may have.
pub(super) const FIELDS_MAX: usize = 1 << 16;

/// What a text's rows look like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Syntax {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
    pub(super) skip_lines: u64,
    pub(super) field_bytes: usize,
    pub(super) record_bytes: usize,
}

impl Syntax {
    /// Whether each character means one thing, and none of them half a character.
    pub(super) fn check(&self) -> Result<(), CsvError> {
        let meanings = [Some(self.delimiter), self.quote, self.escape, self.comment];
        for (index, one) in meanings.iter().enumerate() {
            match one {
                Some(b'\r' | b'\n') => {
                    return Err(CsvError::Dialect("the end of a line can mean nothing else"));
                }
                Some(byte) if !byte.is_ascii() => {
                    return Err(CsvError::Dialect(
                        "only ASCII characters can have a meaning",
                    ));
                }
                Some(_) if meanings[..index].contains(one) => {
                    return Err(CsvError::Dialect("one character has two meanings"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// How far a push came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All of the input was taken, and there is no whole record yet.
    More,
    /// A record is here, until the next push.
    Record,
    /// The input has ended, and there is no further record.
    End,
}

/// Tells records and their fields apart.
pub(super) struct Parser {
    core: csv_core::Reader,
    syntax: Syntax,
    lines: Lines,
    /// Where in the text this is.
    place: Place,
    /// The fields of the record one after the other, and where each of them ends.
    text: Vec<u8>,
    text_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    /// The line that the record begins in.
    record_line: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before a record, or a line that is none.
    Between,
    Comment,
    Record,
    Whole,
}

impl Parser {
    pub(super) fn new(syntax: Syntax) -> Self {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(syntax.delimiter).escape(syntax.escape);
        match syntax.quote {
            Some(quote) => builder.quote(quote),
            None => builder.quoting(false),
        };
        let mut core = builder.build();
        // It would take a byte order mark away if it came in one piece. This is a blank line before the text, after which none is
        // looked for: the mark of the text is gone already, and whether a second one stays must not depend on the chunks.
        core.read_record(b"\n", &mut [0], &mut [0]);
        Self {
            core,
            syntax,
            lines: Lines::default(),
            place: Place::Between,
            // One more than allowed, to see that it is too much.
            text: vec![0; (1 << 10).min(syntax.record_bytes.saturating_add(1))],
            text_len: 0,
            ends: vec![0; 32],
            ends_len: 0,
            record_line: 1,
        }
    }

    /// Takes what comes next of the text, all or some of it: the number of bytes says. Without input, the text has ended.
    pub(super) fn push(&mut self, input: &[u8]) -> Result<(usize, Step), CsvError> {
        if self.place == Place::Whole {
            (self.text_len, self.ends_len) = (0, 0);
            self.place = Place::Between;
        }
        let mut used = 0;
        if self.place != Place::Record {
            used = self.pass_over(input);
            if used == input.len() {
                let step = if input.is_empty() {
                    Step::End
                } else {
                    Step::More
                };
                return Ok((used, step));
            }
            self.place = Place::Record;
            self.record_line = self.lines.line;
        }
        // The end of the text ends a line, and the record with it unless that line end is inside of a quote.
        let at_end = input.is_empty();
        let input = if at_end { b"\n" } else { input };
        loop {
            let most = self.text.len().min(self.field_end());
            let (result, read, written, ended) = self.core.read_record(
                &input[used..],
                &mut self.text[self.text_len..most],
                &mut self.ends[self.ends_len..],
            );
            if at_end && (written > 0 || result == ReadRecordResult::InputEmpty) {
                return Err(self.unclosed_quote());
            }
            if !at_end {
                self.lines.pass(&input[used..used + read]);
            }
            used += read;
            self.text_len += written;
            self.ends_len += ended;
            match result {
                ReadRecordResult::InputEmpty => {
                    self.check_open_field()?;
                    return Ok((used, Step::More));
                }
                ReadRecordResult::OutputFull => {
                    self.check_open_field()?;
                    if self.text_len == self.text.len() {
                        self.grow_text()?;
                    }
                }
                ReadRecordResult::OutputEndsFull => self.grow_ends()?,
                ReadRecordResult::Record => {
                    if self.ends_len > FIELDS_MAX {
                        return Err(self.many_fields());
                    }
                    self.place = Place::Whole;
                    return Ok((if at_end { 0 } else { used }, Step::Record));
                }
                ReadRecordResult::End => unreachable!("only the parser without input ends"),
            }
        }
    }

    /// Passes over what is between records: lines to be skipped, blank ones, comments. `csv-core` would do the latter two, but then
    /// nobody knew which line a record begins in, and a comment that ends with CR would go on to the next LF.
    fn pass_over(&mut self, input: &[u8]) -> usize {
        let mut used = 0;
        while used < input.len() {
            let rest = &input[used..];
            let skipped = self.lines.line <= self.syntax.skip_lines;
            let passed = match rest[0] {
                b'\r' | b'\n' => {
                    self.place = Place::Between;
                    1
                }
                byte if skipped
                    || self.place == Place::Comment
                    || Some(byte) == self.syntax.comment =>
                {
                    self.place = Place::Comment;
                    memchr2(b'\r', b'\n', rest).unwrap_or(rest.len())
                }
                _ => break,
            };
            self.lines.pass(&rest[..passed]);
            used += passed;
        }
        used
    }

    /// Whether this is inside of a quoted field: an end of line is a part of it then. There is no other way to ask, and no going on
    /// after the question: a clone of the parser has not all of its tables.
    fn is_quoted(&mut self) -> bool {
        let (_, _, written, _) = self.core.read_record(b"\n", &mut [0], &mut [0]);
        written > 0
    }

    fn unclosed_quote(&self) -> CsvError {
        CsvError::UnclosedQuote {
            line: self.field_line(self.ends_len),
            bytes: self.text_len - self.field_start(self.ends_len),
        }
    }

    fn field_start(&self, index: usize) -> usize {
        index.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    /// The line that a field of the record begins in: only inside of a quoted field a line ends.
    fn field_line(&self, index: usize) -> u64 {
        let mut line = self.record_line;
        for field in 0..index {
            let mut lines = Lines::default();
            lines.pass(&self.text[self.field_start(field)..self.ends[field]]);
            line += lines.line - 1;
        }
        line
    }

    /// Where the open field must have ended, and one byte, to see that it is too long. Stopping there, and not where a chunk ends,
    /// makes the error the same whatever the chunks.
    fn field_end(&self) -> usize {
        let start = self.field_start(self.ends_len);
        start
            .saturating_add(self.syntax.field_bytes)
            .saturating_add(1)
    }

    fn check_open_field(&mut self) -> Result<(), CsvError> {
        if self.text_len < self.field_end() {
            Ok(())
        } else if self.is_quoted() {
            Err(self.unclosed_quote())
        } else {
            Err(CsvError::LongField {
                line: self.field_line(self.ends_len),
                limit: self.syntax.field_bytes,
            })
        }
    }

    fn grow_text(&mut self) -> Result<(), CsvError> {
        if self.text_len > self.syntax.record_bytes {
            return Err(if self.is_quoted() {
                self.unclosed_quote()
            } else {
                CsvError::LongRecord {
                    line: self.record_line,
                    limit: self.syntax.record_bytes,
                }
            });
        }
        let most = self.syntax.record_bytes.saturating_add(1);
        self.text.resize((self.text.len() * 2).min(most), 0);
        Ok(())
    }

    fn grow_ends(&mut self) -> Result<(), CsvError> {
        if self.ends.len() > FIELDS_MAX {
            return Err(self.many_fields());
        }
        self.ends
            .resize((self.ends.len() * 2).min(FIELDS_MAX + 1), 0);
        Ok(())
    }

    fn many_fields(&self) -> CsvError {
        CsvError::ManyFields {
            line: self.record_line,
            limit: FIELDS_MAX,
        }
    }

    /// The fields of the record, one after the other.
    pub(super) fn text(&self) -> &[u8] {
        &self.text[..self.text_len]
    }

    /// Where in that text each field ends.
    pub(super) fn ends(&self) -> &[usize] {
        &self.ends[..self.ends_len]
    }

    /// The line that the record begins in, from one.
    pub(super) fn record_line(&self) -> u64 {
        self.record_line
    }

    /// The line that parsing has come to, from one.
    pub(super) fn line(&self) -> u64 {
        self.lines.line
    }
}

/// Counts lines, which end with LF, CRLF or CR.
#[derive(Clone, Copy, Debug)]
struct Lines {
    line: u64,
    after_cr: bool,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            line: 1,
            after_cr: false,
        }
    }
}

impl Lines {
    fn pass(&mut self, bytes: &[u8]) {
        for at in memchr2_iter(b'\r', b'\n', bytes) {
            let after_cr = match at.checked_sub(1) {
                Some(before) => bytes[before] == b'\r',
                None => self.after_cr,
            };
            self.line += u64::from(bytes[at] == b'\r' || !after_cr);
        }
        if let Some(last) = bytes.last() {
            self.after_cr = *last == b'\r';
        }
    }
}
