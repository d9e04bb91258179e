#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

use async_compression::tokio::bufread::{
    BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
};
use tokio::io::AsyncReadExt;

use super::*;

/// Text that compresses, and is longer than any buffer.
fn text() -> Vec<u8> {
    let lines = (0..8_000u64).map(|n| format!("{{\"id\":{n},\"x\":{}}}\n", n * n % 997));
    lines.collect::<String>().into_bytes()
}

async fn read_all(mut reader: impl AsyncRead + Unpin) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

macro_rules! encoded {
    ($encoder:ident, $bytes:expr) => {
        read_all($encoder::new(&$bytes[..])).await.unwrap()
    };
}

async fn encode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    match coding {
        Coding::Gzip => encoded!(GzipEncoder, bytes),
        Coding::Deflate => encoded!(ZlibEncoder, bytes),
        Coding::Brotli => encoded!(BrotliEncoder, bytes),
        Coding::Zstd => encoded!(ZstdEncoder, bytes),
    }
}

const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

const LARGE: u64 = 64 << 20;

/// Decodes what arrives in pieces of so many bytes.
async fn decode(bytes: &[u8], codings: &[Coding], piece: usize, max: u64) -> io::Result<Vec<u8>> {
    let pieces: Vec<_> = bytes
        .chunks(piece)
        .map(|piece| Ok::<_, io::Error>(bytes::Bytes::copy_from_slice(piece)))
        .collect();
    let arriving = tokio_util::io::StreamReader::new(futures::stream::iter(pieces));
    read_all(decoded(arriving, codings, max)).await
}

#[tokio::test]
async fn what_was_encoded_in_any_way_is_decoded_however_it_arrives() {
    let text = text();
    for coding in ALL {
        let bytes = encode(coding, &text).await;
        for piece in [1, 7, 4096, bytes.len()] {
            let back = decode(&bytes, &[coding], piece, LARGE).await.unwrap();
            assert!(back == text, "{coding:?} in pieces of {piece}");
        }
    }
    let raw = encoded!(DeflateEncoder, text);
    assert!(decode(&raw, &[Coding::Deflate], 1000, LARGE).await.unwrap() == text);
}

#[tokio::test]
async fn codings_one_around_the_other_are_undone_from_the_last_to_the_first() {
    let text = text();
    let inner = encode(Coding::Brotli, &text).await;
    let bytes = encode(Coding::Gzip, &inner).await;
    let codings = codings(["br", "x-GZIP, identity"]).unwrap();
    assert_eq!(codings, [Coding::Brotli, Coding::Gzip]);
    assert!(decode(&bytes, &codings, 100, LARGE).await.unwrap() == text);
}

#[tokio::test]
async fn several_members_and_frames_are_one_body() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let mut bytes = encode(coding, b"one ").await;
        bytes.extend(encode(coding, b"and two").await);
        let back = decode(&bytes, &[coding], 3, LARGE).await.unwrap();
        assert_eq!(back, b"one and two", "{coding:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_short_anywhere_is_an_error() {
    for coding in ALL {
        let bytes = encode(coding, b"a short text, a short text").await;
        for length in 1..bytes.len() {
            let cut = decode(&bytes[..length], &[coding], 5, LARGE).await;
            assert!(cut.is_err(), "{coding:?} cut at {length}");
        }
    }
}

#[tokio::test]
async fn a_body_that_goes_on_after_its_end_is_an_error() {
    for coding in ALL {
        for garbage in [
            &b"x"[..],
            b"\0\0\0\0",
            b"more than a header has, of nothing",
        ] {
            let mut bytes = encode(coding, b"a text").await;
            bytes.extend_from_slice(garbage);
            for piece in [1, 1000] {
                let read = decode(&bytes, &[coding], piece, LARGE).await;
                assert!(read.is_err(), "{coding:?} {garbage:?}: {read:?}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_nothing_in_any_coding() {
    for coding in ALL {
        assert_eq!(decode(b"", &[coding], 1, LARGE).await.unwrap(), b"");
    }
}

#[tokio::test]
async fn a_body_that_grows_beyond_its_bound_is_an_error() {
    let zeros = vec![0; 1 << 20];
    for coding in ALL {
        let bytes = encode(coding, &zeros).await;
        assert!(bytes.len() < 20_000, "{coding:?}: {}", bytes.len());
        let error = decode(&bytes, &[coding], 512, 1 << 18).await.unwrap_err();
        assert!(error.get_ref().unwrap().is::<TooLarge>(), "{error}");
        let exactly = decode(&bytes, &[coding], 512, 1 << 20).await.unwrap();
        assert_eq!(exactly.len(), zeros.len());
    }
    // Members of nothing decode to nothing, for as long as one sends them.
    let bytes = encode(Coding::Gzip, b"").await.repeat(1000);
    let error = decode(&bytes, &[Coding::Gzip], 512, 1000)
        .await
        .unwrap_err();
    assert!(error.get_ref().unwrap().is::<TooLarge>(), "{error}");
}

#[test]
fn codings_that_nobody_can_undo_are_named() {
    assert_eq!(codings(["", " identity "]), Ok(Vec::new()));
    assert_eq!(
        codings(["gzip, compress"]),
        Err(CodingError::Unknown("compress".into()))
    );
    assert_eq!(
        codings(["gzip,gzip,gzip", "br, br"]),
        Err(CodingError::TooMany)
    );
}
