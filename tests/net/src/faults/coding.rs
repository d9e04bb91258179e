//! Bodies in content codings.

use async_compression::Level;
use async_compression::tokio::bufread::{
    BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
};
use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt};

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip`.
    Gzip,
    /// `deflate`, in the zlib wrapper that it should have.
    Deflate,
    /// `deflate` without it, as many servers send it.
    RawDeflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
}

impl Coding {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Gzip,
        Self::Deflate,
        Self::RawDeflate,
        Self::Brotli,
        Self::Zstd,
    ];

    /// As `content-encoding` names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate | Self::RawDeflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// These bytes in a coding.
#[must_use]
pub fn encoded(bytes: &[u8], coding: Coding) -> Vec<u8> {
    match coding {
        Coding::Gzip => read(GzipEncoder::new(bytes)),
        Coding::Deflate => read(ZlibEncoder::new(bytes)),
        Coding::RawDeflate => read(DeflateEncoder::new(bytes)),
        Coding::Brotli => read(BrotliEncoder::with_quality(bytes, Level::Fastest)),
        Coding::Zstd => read(ZstdEncoder::new(bytes)),
    }
}

fn read(mut encoder: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reading = encoder.read_to_end(&mut bytes).now_or_never();
    reading
        .expect("nobody waits for memory")
        .expect("a body can be encoded");
    bytes
}
