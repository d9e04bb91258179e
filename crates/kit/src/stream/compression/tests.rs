use async_compression::tokio::write::{
    BzEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};

use super::*;

macro_rules! compressed {
    ($encoder:ident, $text:expr) => {{
        let mut encoder = $encoder::new(Vec::new());
        encoder.write_all($text).await.unwrap();
        encoder.shutdown().await.unwrap();
        encoder.into_inner()
    }};
}

fn text() -> Vec<u8> {
    (0..300)
        .flat_map(|n| format!("{n},{}\n", n * n % 97).into_bytes())
        .collect()
}

async fn streams(text: &[u8]) -> Vec<(&'static str, Compression, Vec<u8>)> {
    vec![
        ("gzip", Compression::Gzip, compressed!(GzipEncoder, text)),
        ("zstd", Compression::Zstd, compressed!(ZstdEncoder, text)),
        (
            "deflate",
            Compression::Deflate,
            compressed!(DeflateEncoder, text),
        ),
        ("zlib", Compression::Deflate, compressed!(ZlibEncoder, text)),
        ("bzip2", Compression::Bzip2, compressed!(BzEncoder, text)),
    ]
}

async fn read(bytes: &[u8], chunk: usize, compression: Compression) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let reader = BufReader::with_capacity(chunk, bytes);
    decompress(reader, compression)
        .read_to_end(&mut out)
        .await?;
    Ok(out)
}

fn reason(error: &io::Error) -> &DecompressError {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .unwrap_or_else(|| panic!("{error:?}"))
}

#[tokio::test]
async fn each_compression_is_decoded_whatever_the_chunks() {
    for text in [text(), Vec::new(), b"x".to_vec()] {
        for (name, compression, stream) in streams(&text).await {
            for chunk in [1, 2, 3, 7, 4096] {
                let out = read(&stream, chunk, compression).await;
                assert_eq!(out.unwrap(), text, "{name} in chunks of {chunk}");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_ends_at_any_byte_before_its_end_is_an_error() {
    for text in [text(), Vec::new()] {
        for (name, compression, stream) in streams(&text).await {
            for end in 0..stream.len() {
                for chunk in [1, 4096] {
                    let out = read(&stream[..end], chunk, compression).await;
                    let error = out.expect_err(name);
                    assert!(
                        matches!(reason(&error), DecompressError::Truncated { .. }),
                        "{name} at {end} in {chunk}: {error:?}"
                    );
                    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
                }
            }
        }
    }
}

#[tokio::test]
async fn all_members_are_read_and_a_half_one_is_an_error() {
    let text = text();
    let twice = [&text[..], &text[..]].concat();
    for (name, compression, stream) in streams(&text).await {
        if name == "deflate" {
            continue;
        }
        let both = [&stream[..], &stream[..]].concat();
        for chunk in [1, stream.len(), stream.len() + 1, 4096] {
            assert_eq!(
                read(&both, chunk, compression).await.unwrap(),
                twice,
                "{name}"
            );
            for end in stream.len() + 1..both.len() {
                let out = read(&both[..end], chunk, compression).await;
                assert!(out.is_err(), "{name} at {end} in chunks of {chunk}");
            }
        }
    }
}

#[tokio::test]
async fn whatever_else_follows_is_an_error() {
    for (name, compression, stream) in streams(&text()).await {
        for rest in [
            &b"\n"[..],
            b"\0\0\0\0",
            b"garbage that follows, of some length",
        ] {
            let more = [&stream[..], rest].concat();
            for chunk in [1, stream.len(), 4096] {
                let out = read(&more, chunk, compression).await;
                assert!(out.is_err(), "{name}, {rest:?} in chunks of {chunk}");
            }
        }
    }
}

#[tokio::test]
async fn a_changed_byte_is_an_error_or_changes_nothing() {
    // Raw deflate has no checksum, and some bits of a header are free.
    let text = text();
    for (name, compression, stream) in streams(&text).await {
        let mut noticed = 0;
        for at in 0..stream.len() {
            let mut changed = stream.clone();
            changed[at] ^= 0x10;
            match read(&changed, 4096, compression).await {
                Err(_) => noticed += 1,
                Ok(out) if name == "deflate" || name == "zstd" => drop(out),
                Ok(out) => assert_eq!(out, text, "{name} at {at}"),
            }
        }
        assert!(noticed > 0, "{name}");
    }
}

#[tokio::test]
async fn what_a_stream_is_can_be_seen_in_its_first_bytes() {
    for text in [text(), Vec::new()] {
        for (name, compression, stream) in streams(&text).await {
            let detected = Compression::detect(&stream);
            let expected = (compression != Compression::Deflate).then_some(compression);
            assert_eq!(detected, expected, "{name}");
            let mut out = Vec::new();
            let reader = BufReader::with_capacity(1, &stream[..]);
            decompress_detected(reader)
                .read_to_end(&mut out)
                .await
                .unwrap();
            let expected = if detected.is_some() { &text } else { &stream };
            assert_eq!(&out, expected, "{name}");
        }
    }
    for plain in [&b""[..], b"B", b"BZh1 is no mark", b"id,name\n1,x\n"] {
        let mut out = Vec::new();
        decompress_detected(plain)
            .read_to_end(&mut out)
            .await
            .unwrap();
        assert_eq!(out, plain);
    }
}

#[tokio::test]
async fn more_than_allowed_is_an_error() {
    let zeros = vec![0; 1 << 20];
    for (name, compression, stream) in streams(&zeros).await {
        for (limit, fits) in [(zeros.len() as u64, true), (zeros.len() as u64 - 1, false)] {
            let mut out = Vec::new();
            let mut reader = decompress(&stream[..], compression).limit(limit);
            let result = reader.read_to_end(&mut out).await;
            assert_eq!(result.is_ok(), fits, "{name}");
            assert!(out.len() as u64 <= limit);
            if let Err(error) = result {
                assert!(matches!(reason(&error), DecompressError::TooLarge { .. }));
                assert!(
                    reader.read_to_end(&mut out).await.is_err(),
                    "it ends after an error"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_error_of_the_reader_is_handed_on() {
    struct Broken;
    impl AsyncRead for Broken {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }
    }
    let text = text();
    for (name, compression, stream) in streams(&text).await {
        let reader = (&stream[..stream.len() / 2]).chain(Broken);
        let mut out = Vec::new();
        let reader = BufReader::with_capacity(5, reader);
        let error = decompress(reader, compression).read_to_end(&mut out).await;
        assert_eq!(
            error.unwrap_err().kind(),
            io::ErrorKind::ConnectionReset,
            "{name}"
        );
    }
}
