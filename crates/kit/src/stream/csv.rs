//! CSV (RFC 4180, and what goes by its name), row by row.
//!
//! Fields are told apart by `csv-core`. What is added is what a stream from elsewhere needs: an encoding and a dialect that are
//! given or detected, names for the columns, rows of another length refused with their line, and bounds, so that a quote that
//! nobody closed does not take the rest of a file for its field.
//!
//! ```text
//! reader ── decode ── sample: delimiter, quote ── parser ── row: one text, the ends of its fields ── JSON, or a type
//! ```

mod columns;
mod detect;
mod error;
mod parser;
mod reader;
mod row;
mod typed;

pub use columns::{Columns, Renamed};
pub use error::CsvError;
pub use reader::{CsvDialect, CsvReader};
pub use row::CsvRow;

use tokio::io::AsyncBufRead;

use super::Encoding;

/// Bytes of one field, unless told otherwise: a document with it fits what Flow takes.
const FIELD_BYTES: usize = 8 << 20;

/// Bytes of one row, unless told otherwise.
const RECORD_BYTES: usize = 16 << 20;

/// Where the names of the columns come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Header {
    /// From the first row.
    #[default]
    FirstRow,
    /// There are none, the first row is data: columns are called `column_1`, `column_2` and so on.
    None,
    /// They are these. The first row is data.
    Given(Vec<String>),
    /// They are these, in place of those in the first row.
    Replaced(Vec<String>),
}

/// What becomes of a row that has not as many fields as there are columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ragged {
    /// It is an error that says its line. The next call goes on with the next row.
    #[default]
    Refuse,
    /// What is missing is empty. More fields than columns are an error still.
    Pad,
    /// It is taken as it is: what is missing has no member, and what is over is called after its position, as `column_7`.
    Take,
}

/// How CSV is to be read.
///
/// [`Csv::new`] is RFC 4180 in UTF-8, [`Csv::detect`] finds out; whatever is given besides wins.
///
/// ```
/// use staunch::stream::Csv;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // In Windows-1252, as a spreadsheet in Germany writes it.
/// let file: &[u8] = b"Name;Preis\nB\xfcrste;1,50\n\"Kamm; gro\xdf\";2,00\n";
///
/// let mut rows = Csv::detect().read(file);
/// let mut json = Vec::new();
/// while let Some(row) = rows.next().await? {
///     row.write_json(&mut json);
///     json.push(b'\n');
/// }
/// assert_eq!(
///     String::from_utf8(json)?,
///     "{\"Name\":\"Bürste\",\"Preis\":\"1,50\"}\n{\"Name\":\"Kamm; groß\",\"Preis\":\"2,00\"}\n"
/// );
/// # Ok(()) }
/// ```
///
/// Lines end with LF, CRLF or CR, and the last may have none of them. Blank lines are passed over. What
/// follows a closing quote is taken for a part of its field. A quote that is never closed is an error, with the line where it is
/// opened.
#[derive(Clone, Debug)]
pub struct Csv {
    delimiter: Option<u8>,
    quote: Option<Option<u8>>,
    escape: Option<u8>,
    comment: Option<u8>,
    trim: bool,
    encoding: reader::Choice,
    header: Header,
    ragged: Ragged,
    skip_lines: u64,
    field_bytes: usize,
    record_bytes: usize,
}

impl Default for Csv {
    fn default() -> Self {
        Self::new()
    }
}

impl Csv {
    /// Commas, double quotes, a header, and UTF-8 unless a byte order mark says UTF-16.
    pub fn new() -> Self {
        Self {
            delimiter: Some(b','),
            quote: Some(Some(b'"')),
            encoding: reader::Choice::Marked,
            ..Self::detect()
        }
    }

    /// Delimiter (`,`, `;`, tab or `|`), quote (`"` or `'`) and [encoding](Encoding::detect) are those that the first 64 KiB speak
    /// for. Nothing comes out before so much, or the end, has come in.
    pub fn detect() -> Self {
        Self {
            delimiter: None,
            quote: None,
            escape: None,
            comment: None,
            trim: false,
            encoding: reader::Choice::Detect,
            header: Header::default(),
            ragged: Ragged::default(),
            skip_lines: 0,
            field_bytes: FIELD_BYTES,
            record_bytes: RECORD_BYTES,
        }
    }

    /// What is between fields, any ASCII character but the ends of lines.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// What is around a field that holds delimiters or ends of lines; doubled inside, it stands for itself.
    #[must_use]
    pub fn quote(mut self, quote: u8) -> Self {
        self.quote = Some(Some(quote));
        self
    }

    /// No character is a quote: a line is a row.
    #[must_use]
    pub fn no_quote(mut self) -> Self {
        self.quote = Some(None);
        self
    }

    /// What, inside of quotes, makes the next character stand for itself, as `\` does for some.
    #[must_use]
    pub fn escape(mut self, escape: u8) -> Self {
        self.escape = Some(escape);
        self
    }

    /// A line that begins with this is passed over.
    #[must_use]
    pub fn comment(mut self, comment: u8) -> Self {
        self.comment = Some(comment);
        self
    }

    /// Takes away the white space around fields and names, once they are told apart: a quote must be next to its delimiter.
    #[must_use]
    pub fn trim(mut self) -> Self {
        self.trim = true;
        self
    }

    /// The encoding, whatever its bytes look like.
    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = reader::Choice::Given(encoding);
        self
    }

    /// Where the names of the columns come from.
    #[must_use]
    pub fn header(mut self, header: Header) -> Self {
        self.header = header;
        self
    }

    /// What becomes of a row that has not as many fields as there are columns.
    #[must_use]
    pub fn ragged(mut self, ragged: Ragged) -> Self {
        self.ragged = ragged;
        self
    }

    /// Passes over so many lines, for a title above the table.
    #[must_use]
    pub fn skip_lines(mut self, lines: u64) -> Self {
        self.skip_lines = lines;
        self
    }

    /// How many bytes one field may have: 8 MiB by default.
    #[must_use]
    pub fn max_field_bytes(mut self, bytes: usize) -> Self {
        self.field_bytes = bytes;
        self
    }

    /// How many bytes all fields of one row may have together: 16 MiB by default. That, and some bytes for each field, is the memory
    /// that reading takes. A row has 65,536 fields at most.
    #[must_use]
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.record_bytes = bytes;
        self
    }

    /// Reads this way. What contradicts itself here is an error of the first row.
    pub fn read<R: AsyncBufRead + Unpin>(self, reader: R) -> CsvReader<R> {
        CsvReader::new(self, reader)
    }
}

#[cfg(test)]
mod tests;
