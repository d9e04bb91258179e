//! What can be wrong with CSV.

use std::io;

/// Why a row could not be read. No message holds a value of the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvError {
    /// The row has not as many fields as there are columns. Reading can go on with the next one.
    #[error(
        "the row in line {line} has {found} fields instead of {expected}; \
         if such rows are meant, pad them or take them as they are"
    )]
    Ragged {
        /// The line that it begins in, from one.
        line: u64,
        /// The number of columns.
        expected: usize,
        /// The number of its fields.
        found: usize,
    },
    /// A field does not fit the type that the row is read as. Reading can go on with the next one.
    #[error("column {column} of the row in line {line}: {problem}")]
    Field {
        /// The line that the row begins in, from one.
        line: u64,
        /// The name of the column in backticks, or its number from one.
        column: String,
        /// What was expected.
        problem: String,
    },
    /// The row as a whole does not fit the type that it is read as. Reading can go on with the next one.
    #[error("the row in line {line}: {problem}")]
    Row {
        /// The line that it begins in, from one.
        line: u64,
        /// What was expected.
        problem: String,
    },
    /// A field is not text in the encoding of the file. Reading can go on with the next row.
    #[error(
        "column {column} of the row in line {line} is not UTF-8; say which encoding the file is in"
    )]
    NotText {
        /// The line that the row begins in, from one.
        line: u64,
        /// The number of the column, from one.
        column: usize,
    },
    /// A quote is not closed before the end, or before the field is too long.
    #[error(
        "a quote that is opened in line {line} is not closed within {bytes} bytes; \
         the file is cut there, or it has another quote or none, or longer fields must be allowed"
    )]
    UnclosedQuote {
        /// The line where it is opened, from one.
        line: u64,
        /// How many bytes follow it at least.
        bytes: usize,
    },
    /// A field is longer than allowed.
    #[error(
        "a field in line {line} has more than {limit} bytes; if that is meant, allow more of them"
    )]
    LongField {
        /// The line that it begins in, from one.
        line: u64,
        /// How many bytes are allowed.
        limit: usize,
    },
    /// A row is longer than allowed.
    #[error(
        "the row in line {line} has more than {limit} bytes; if that is meant, allow more of them"
    )]
    LongRecord {
        /// The line that it begins in, from one.
        line: u64,
        /// How many bytes are allowed.
        limit: usize,
    },
    /// A row has more fields than anybody's table.
    #[error(
        "the row in line {line} has more than {limit} fields; see whether the delimiter is right"
    )]
    ManyFields {
        /// The line that it begins in, from one.
        line: u64,
        /// How many are allowed.
        limit: usize,
    },
    /// What was asked for contradicts itself.
    #[error("such CSV cannot be: {0}")]
    Dialect(&'static str),
    /// It could not be read, decompressed or decoded.
    #[error("reading CSV after line {line}")]
    Read {
        /// The line that reading had come to, from one.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// An earlier error left nothing to go on with.
    #[error("reading CSV ended with an earlier error; begin anew")]
    Over,
}

impl CsvError {
    /// Whether it is about one row alone, so that the next call gives the next one.
    pub fn is_of_one_row(&self) -> bool {
        matches!(
            self,
            Self::Ragged { .. } | Self::Field { .. } | Self::Row { .. } | Self::NotText { .. }
        )
    }

    /// The line that it is about, from one.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Ragged { line, .. }
            | Self::Field { line, .. }
            | Self::Row { line, .. }
            | Self::NotText { line, .. }
            | Self::UnclosedQuote { line, .. }
            | Self::LongField { line, .. }
            | Self::LongRecord { line, .. }
            | Self::ManyFields { line, .. }
            | Self::Read { line, .. } => Some(*line),
            Self::Dialect(_) | Self::Over => None,
        }
    }
}
