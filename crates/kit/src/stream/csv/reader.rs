//! Reads rows from a stream.

use std::future::poll_fn;
use std::pin::Pin;

use tokio::io::AsyncBufRead;

use super::parser::{Parser, Step, Syntax};
use super::{Columns, Csv, CsvError, CsvRow, Header, Ragged, detect};
use crate::stream::encoding::{Decoded, Encoding};
use crate::stream::lookahead::{Lookahead, SAMPLE_BYTES};

pub(super) use crate::stream::encoding::Choice;

/// How a file turned out to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CsvDialect {
    /// What is between fields.
    pub delimiter: u8,
    /// What is around fields, if anything.
    pub quote: Option<u8>,
    /// What its text is in.
    pub encoding: Encoding,
}

/// Rows of CSV, one after the other. [`Csv::read`] makes one.
///
/// Memory is fixed buffers and one row. Every method may be cancelled: the next call goes on where it was.
pub struct CsvReader<R> {
    options: Csv,
    // UTF-8 is checked row by row: what is wrong is one row then, and it is the cheaper way besides.
    text: Lookahead<Decoded<R>>,
    /// Once the dialect is known.
    parser: Option<Parser>,
    dialect: Option<CsvDialect>,
    /// Once the header is read, or the first row if there is none.
    columns: Option<Columns>,
    /// Whether the record that the parser has is a row not handed out yet.
    held: bool,
    over: bool,
}

impl<R> std::fmt::Debug for CsvReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvReader")
            .field("options", &self.options)
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

impl<R: AsyncBufRead + Unpin> CsvReader<R> {
    pub(super) fn new(options: Csv, reader: R) -> Self {
        let decoded = Decoded::new(Lookahead::new(reader), options.encoding, false);
        Self {
            options,
            text: Lookahead::new(decoded),
            parser: None,
            dialect: None,
            columns: None,
            held: false,
            over: false,
        }
    }

    /// The next row, or `None` after the last.
    ///
    /// # Errors
    /// Those of [`CsvError`]. If it [is of one row](CsvError::is_of_one_row), the next call gives the row after it.
    pub async fn next(&mut self) -> Result<Option<CsvRow<'_>>, CsvError> {
        self.columns().await?;
        if !std::mem::take(&mut self.held) && !self.read_record().await? {
            return Ok(None);
        }
        self.row().map(Some)
    }

    /// The columns: those that the header names, or as many as the first row has. None in an empty file.
    ///
    /// # Errors
    /// Those of the first row.
    pub async fn columns(&mut self) -> Result<&Columns, CsvError> {
        if self.columns.is_none() {
            let columns = self.read_columns().await?;
            let renamed = columns.renamed().len();
            if renamed > 0 {
                tracing::warn!(
                    renamed,
                    "columns without a name of their own were given one"
                );
            }
            self.columns = Some(columns);
        }
        Ok(self.columns.as_ref().expect("they are set above"))
    }

    /// How the file is written, as given or detected.
    ///
    /// # Errors
    /// [`CsvError::Read`], and [`CsvError::Dialect`] if what was asked for contradicts itself.
    pub async fn dialect(&mut self) -> Result<CsvDialect, CsvError> {
        match self.dialect {
            Some(dialect) => Ok(dialect),
            None => self.begin().await,
        }
    }

    async fn begin(&mut self) -> Result<CsvDialect, CsvError> {
        let Csv {
            delimiter, quote, ..
        } = self.options;
        let mut syntax = Syntax {
            delimiter: b',',
            quote: None,
            escape: self.options.escape,
            comment: self.options.comment,
            skip_lines: self.options.skip_lines,
            field_bytes: self.options.field_bytes,
            record_bytes: self.options.record_bytes,
        };
        (syntax.delimiter, syntax.quote) = match (delimiter, quote) {
            (Some(delimiter), Some(quote)) => {
                // Also what is given needs the first bytes, which say the encoding.
                self.text
                    .peek(1)
                    .await
                    .map_err(|error| Self::unread(1, error))?;
                (delimiter, quote)
            }
            _ => {
                let sample = self.text.peek(SAMPLE_BYTES).await;
                let sample = sample.map_err(|error| Self::unread(1, error))?;
                let whole = sample.len() < SAMPLE_BYTES;
                detect::detect(sample, whole, delimiter, quote, syntax)
            }
        };
        syntax.check()?;
        let dialect = CsvDialect {
            delimiter: syntax.delimiter,
            quote: syntax.quote,
            encoding: self.text.get_ref().encoding().unwrap_or(Encoding::UTF_8),
        };
        self.parser = Some(Parser::new(syntax));
        self.dialect = Some(dialect);
        Ok(dialect)
    }

    async fn read_columns(&mut self) -> Result<Columns, CsvError> {
        match &self.options.header {
            Header::Given(names) => return Ok(Columns::new(names.clone())),
            Header::Replaced(names) => {
                let columns = Columns::new(names.clone());
                self.read_record().await?;
                return Ok(columns);
            }
            Header::FirstRow | Header::None => {}
        }
        if !self.read_record().await? {
            return Ok(Columns::default());
        }
        let numbered = Columns::numbered(self.parser().ends().len());
        if self.options.header == Header::None {
            self.held = true;
            return Ok(numbered);
        }
        self.columns = Some(numbered); // Of the row that the names are.
        let names = self
            .row()
            .map(|row| row.fields().map(str::to_owned).collect());
        self.columns = None;
        // Without its header a file has no rows to go on with.
        self.over = names.is_err();
        Ok(Columns::new(names?))
    }

    fn parser(&self) -> &Parser {
        self.parser
            .as_ref()
            .expect("nothing is read before it begins")
    }

    fn unread(line: u64, source: std::io::Error) -> CsvError {
        CsvError::Read { line, source }
    }

    /// Reads until the parser has a whole record. Without one, the file has ended.
    async fn read_record(&mut self) -> Result<bool, CsvError> {
        if self.over {
            return Err(CsvError::Over);
        }
        if self.parser.is_none() {
            self.begin().await?;
        }
        let parser = self.parser.as_mut().expect("it has begun");
        loop {
            let text = &mut self.text;
            // Not `fill_buf`, whose loan would last until the record is handed out.
            let pushed = poll_fn(|cx| {
                Pin::new(&mut *text)
                    .poll_fill_buf(cx)
                    .map(|input| match input {
                        Ok(input) => Ok(parser.push(input)),
                        Err(error) => Err(error),
                    })
            });
            let result = match pushed.await {
                Ok(result) => result,
                Err(error) => Err(Self::unread(parser.line(), error)),
            };
            self.over = result.is_err();
            let (used, step) = result?;
            Pin::new(&mut self.text).consume(used);
            match step {
                Step::More => {}
                Step::Record => return Ok(true),
                Step::End => return Ok(false),
            }
        }
    }

    /// The record that the parser has, as a row.
    fn row(&self) -> Result<CsvRow<'_>, CsvError> {
        let (parser, ends) = (self.parser(), self.parser().ends());
        let columns = self.columns.as_ref().expect("they are read before any row");
        let line = parser.record_line();
        let text = match std::str::from_utf8(parser.text()) {
            // Two halves of a character in two fields are one in the text.
            Ok(text) if ends.iter().all(|end| text.is_char_boundary(*end)) => text,
            _ => return Err(not_text(parser)),
        };
        let (expected, found) = (columns.len(), ends.len());
        let len = match self.options.ragged {
            Ragged::Take => found,
            Ragged::Pad if found < expected => expected,
            _ if found == expected => found,
            _ => {
                return Err(CsvError::Ragged {
                    line,
                    expected,
                    found,
                });
            }
        };
        Ok(CsvRow {
            columns,
            text,
            ends,
            line,
            trim: self.options.trim,
            len,
        })
    }
}

/// Says which field it is that is not text.
fn not_text(parser: &Parser) -> CsvError {
    let mut start = 0;
    let mut is_text = |end: &usize| {
        let field = &parser.text()[start..*end];
        start = *end;
        std::str::from_utf8(field).is_ok()
    };
    CsvError::NotText {
        line: parser.record_line(),
        column: 1 + parser.ends().iter().take_while(|end| is_text(end)).count(),
    }
}
