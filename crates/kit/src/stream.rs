//! Bodies larger than memory: read as they arrive, with memory for one element and for fixed buffers.
//!
//! - [`Csv`]: rows of CSV, in any dialect and encoding, given or detected.
//! - [`decompress`]: gzip, zstd, deflate and bzip2.
//! - [`Archive`]: the entries of a ZIP archive that comes from a stream.
//! - [`decode`]: text of any encoding as UTF-8.
//!
//! All of them read an [`AsyncBufRead`](tokio::io::AsyncBufRead), and the last three are one themselves, so that they can be put
//! one into the other: a CSV file in Windows-1252 in an archive is `Csv::detect().read(entry)`.

mod compression;
mod csv;
mod encoding;
mod lookahead;
mod zip;

pub use compression::{
    Compression, DecompressError, Decompressed, decompress, decompress_detected,
};
pub use csv::{Columns, Csv, CsvDialect, CsvError, CsvReader, CsvRow, Header, Ragged, Renamed};
pub use encoding::{Decoded, Encoding, EncodingError, decode, decode_detected};
pub use zip::{Archive, ArchiveLimits, Entry, ZipError};
