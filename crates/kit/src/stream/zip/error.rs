//! What can be wrong with an archive.

use std::io;

/// Why an archive could not be read. Entries give it as the inside of their [`io::Error`]. They are told by their number, from one,
/// as a name may say something about a customer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZipError {
    /// It ends before its end: the rest is missing.
    #[error("the archive ends early, after {read} bytes; read it again from its source")]
    Truncated {
        /// How many bytes of it there were.
        read: u64,
    },
    /// It is none, or was changed on its way.
    #[error("entry {entry} of the archive is damaged: {what}")]
    Damaged {
        /// Which entry.
        entry: usize,
        /// What is wrong.
        what: &'static str,
        /// What the decoder says, if it is about what is compressed.
        source: Option<io::Error>,
    },
    /// What is listed at its end is not what came before.
    #[error("the archive and the list at its end contradict each other: {what}")]
    List {
        /// What is wrong.
        what: &'static str,
    },
    /// It has no list at its end.
    #[error("this is no ZIP archive, or its end is missing; read it again from its source")]
    NoArchive,
    /// An entry is encrypted.
    #[error(
        "entry {entry} of the archive is encrypted, and cannot be read; have it without a password"
    )]
    Encrypted {
        /// Which entry.
        entry: usize,
    },
    /// An entry is compressed in a way that is not known here.
    #[error("entry {entry} of the archive is compressed by method {method}, which cannot be read")]
    Method {
        /// Which entry.
        entry: usize,
        /// The number of the method (APPNOTE 4.4.5).
        method: u16,
    },
    /// It is a part of an archive.
    #[error("the archive is in several parts, which cannot be read; have it in one")]
    Parts,
    /// It is larger than allowed.
    #[error("the archive has more than {limit} {what}; if that is meant, allow more in its limits")]
    TooLarge {
        /// In what respect.
        what: &'static str,
        /// How many are allowed.
        limit: u64,
    },
    /// An entry grows more than is credible.
    #[error(
        "entry {entry} of the archive grows to more than {limit} times its size; if that is meant, allow it in its limits"
    )]
    Ratio {
        /// Which entry.
        entry: usize,
        /// How many times are allowed.
        limit: u64,
    },
    /// The temporary file could not be written or read.
    #[error("keeping the archive in a temporary file; see that `TMPDIR` names a folder with room")]
    Spool(#[source] io::Error),
    /// The stream could not be read.
    #[error("reading the archive")]
    Read(#[source] io::Error),
    /// An earlier error, or a cancelled call, left nothing to go on with.
    #[error("reading the archive ended earlier; begin anew")]
    Over,
}

impl ZipError {
    pub(super) fn damaged(entry: usize, what: &'static str) -> Self {
        let source = None;
        Self::Damaged {
            entry,
            what,
            source,
        }
    }
}

impl From<io::Error> for ZipError {
    fn from(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(Self::Read)
    }
}

impl From<ZipError> for io::Error {
    fn from(error: ZipError) -> Self {
        let kind = match &error {
            ZipError::Truncated { .. } => io::ErrorKind::UnexpectedEof,
            ZipError::Read(source) | ZipError::Spool(source) => source.kind(),
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}
