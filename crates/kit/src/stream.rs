//! Bodies that are larger than memory, read as they arrive.
//!
//! - [`json`]: the elements of an array inside of a document, lines and values.
//! - [`Csv`]: rows of CSV, in any dialect and encoding, given or detected.
//! - [`decompress`]: gzip, zstd, deflate and bzip2.
//! - [`Archive`]: the entries of a ZIP archive that comes from a stream.
//! - [`decode`]: text of any encoding as UTF-8.
//!
//! Whatever the format, an item is handed out as soon as it is whole, lent from the buffer that it arrived in where it lies there in
//! one piece. Memory is one item and fixed buffers; and an end of input where the format does not end is an error, never the end.
//!
//! All of them read an [`AsyncBufRead`](tokio::io::AsyncBufRead), and the last three are one themselves, so that they can be put
//! one into the other: a CSV file in Windows-1252 in an archive is `Csv::detect().read(entry)`.

mod compression;
mod csv;
mod encoding;
pub mod json;
mod lookahead;
mod zip;

pub use compression::{
    Compression, DecompressError, Decompressed, decompress, decompress_detected,
};
pub use csv::{Columns, Csv, CsvDialect, CsvError, CsvReader, CsvRow, Header, Ragged, Renamed};
pub use encoding::{Decoded, Encoding, EncodingError, decode, decode_detected};
pub use zip::{Archive, ArchiveLimits, Entry, ZipError};
