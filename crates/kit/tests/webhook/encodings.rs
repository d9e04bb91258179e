//! Bodies that are compressed.

use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::capture::{Acknowledge, Capture};

/// So compressed.
fn encoded(coding: &str, body: &[u8]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut out = Vec::new();
    runtime
        .block_on(async {
            match coding {
                "gzip" => GzipEncoder::new(body).read_to_end(&mut out).await,
                "deflate" => ZlibEncoder::new(body).read_to_end(&mut out).await,
                "br" => {
                    BrotliEncoder::with_quality(body, async_compression::Level::Fastest)
                        .read_to_end(&mut out)
                        .await
                }
                "zstd" => ZstdEncoder::new(body).read_to_end(&mut out).await,
                _ => AsyncReadExt::read_to_end(&mut &body[..], &mut out).await,
            }
        })
        .unwrap();
    out
}

#[test]
fn every_coding_that_is_named_is_undone_also_one_around_the_other() {
    let capture = Capture::start(json!({}), Acknowledge::AtOnce);
    let mut client = capture.client();
    let body = format!("[{}{{\"n\":0}}]", "{\"n\":1},".repeat(50_000));
    for coding in ["gzip", "deflate", "br", "zstd", "identity"] {
        let header = format!("content-encoding: {coding}\r\n");
        let sent = encoded(coding, body.as_bytes());
        assert_eq!(
            client.post_with("/orders", &header, &sent).published(),
            50_001,
            "{coding}"
        );
    }
    let twice = encoded("br", &encoded("gzip", b"{\"a\":1}"));
    let answer = client.post_with("/orders", "content-encoding: gzip, br\r\n", &twice);
    assert_eq!(answer.published(), 1);
}

#[test]
fn a_zstd_body_that_asks_for_more_memory_than_a_body_may_is_refused() {
    let capture = Capture::start(json!({}), Acknowledge::AtOnce);
    let header = "content-encoding: zstd\r\n";
    // A frame whose window is of 64 MiB, and an empty last block.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 16 << 3, 0x01, 0x00, 0x00];
    assert_eq!(
        capture.client().post_with("/orders", header, &frame).status,
        400
    );
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 13 << 3, 0x01, 0x00, 0x00];
    let answer = capture.client().post_with("/orders", header, &frame);
    assert!(answer.error().contains("empty"), "one of 8 MiB is read");
}

#[test]
fn unknown_codings_broken_bodies_and_bombs_are_refused() {
    let capture = Capture::start(json!({"max_body_bytes": 1 << 20}), Acknowledge::AtOnce);
    let mut client = capture.client();
    for coding in [
        "rot13",
        "gzip, gzip, gzip",
        "gzip\r\ncontent-encoding: compress",
    ] {
        let header = format!("content-encoding: {coding}\r\n");
        let answer = client.post_with("/orders", &header, b"{}");
        assert_eq!(answer.status, 415, "{coding}");
        answer.error();
    }
    for coding in ["gzip", "deflate", "br", "zstd"] {
        let header = format!("content-encoding: {coding}\r\n");
        let whole = encoded(
            coding,
            format!("{{\"a\":\"{}\"}}", "abcdefgh".repeat(999)).as_bytes(),
        );
        let short = &whole[..whole.len() - 5];
        assert_eq!(
            client.post_with("/orders", &header, short).status,
            400,
            "{coding}, cut"
        );
        let mut client = capture.client();
        assert_eq!(
            client.post_with("/orders", &header, b"{\"a\":1}").status,
            400,
            "{coding}, plain"
        );
        let bomb = encoded(
            coding,
            format!("{{\"a\":\"{}\"}}", "a".repeat(2 << 20)).as_bytes(),
        );
        assert!(bomb.len() < 1 << 20);
        assert_eq!(
            client.post_with("/orders", &header, &bomb).status,
            413,
            "{coding}, a bomb"
        );
    }
    assert_eq!(capture.client().post("/orders", "{}").published(), 1);
    assert_eq!(capture.stop().runtime.documents().count(), 1);
}
