//! What a stream of 2 GiB takes of memory: an element, and fixed buffers.
//!
//! The peak of a process counts everything that it did, so the stream is read in a process of its own: this program again, asked
//! for the one test that is left out otherwise.

use std::pin::Pin;
use std::process::Command;
use std::task::{Context, Poll};

use serde_json::Value;
use staunch::stream::json;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

const STREAM_BYTES: u64 = 2 << 30;

const CHUNK_BYTES: usize = 64 << 10;

/// The one large element, after all others.
const LARGE_BYTES: usize = 16 << 20;

/// For buffers that are allocated late, and pages of the program that are touched late.
const SLACK_KIB: u64 = 2 << 10;

/// `{"data":[`, elements until there are enough bytes, one large element, and `],"next":"abc"}`: made as it is read.
struct Stream {
    parts: [Vec<u8>; 3],
    /// The part that is read, and how far.
    part: usize,
    at: usize,
    /// Bytes of the second part, which is repeated, that are left.
    left: u64,
}

impl Stream {
    fn new(bytes: u64) -> Self {
        let mut elements = Vec::new();
        for id in 0..997 {
            let note = "it was said that the parcel would arrive before Friday, \\\"soon\\\", or in Zürich ".repeat(10 + id % 3);
            let element = format!(
                "{{\"id\":{id},\"tags\":[\"a\",null,true],\"score\":{id}.25e1,\"note\":\"{note}\"}},\n"
            );
            elements.extend_from_slice(element.as_bytes());
        }
        let large = format!("\"{}\"],\"next\":\"abc\"}}", "x".repeat(LARGE_BYTES - 2));
        Self {
            left: bytes.next_multiple_of(elements.len() as u64),
            parts: [b"{\"data\":[".to_vec(), elements, large.into_bytes()],
            part: 0,
            at: 0,
        }
    }
}

impl AsyncBufRead for Stream {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<&[u8]>> {
        let this = self.get_mut();
        let part = this.parts.get(this.part).map_or(&[][..], Vec::as_slice);
        let rest = &part[this.at..];
        Poll::Ready(Ok(&rest[..rest.len().min(CHUNK_BYTES)]))
    }

    fn consume(self: Pin<&mut Self>, bytes: usize) {
        let this = self.get_mut();
        this.at += bytes;
        let is_repeated = this.part == 1;
        if is_repeated {
            this.left -= bytes as u64;
        }
        if this
            .parts
            .get(this.part)
            .is_some_and(|part| this.at == part.len())
        {
            this.at = 0;
            this.part += usize::from(!is_repeated || this.left == 0);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        unreachable!("it is read from its buffer")
    }
}

/// The most memory that was resident so far.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "the test below runs it, in a process of its own"]
async fn a_stream_of_2_gib() {
    let mut elements = json::elements(Stream::new(STREAM_BYTES), "/data").unwrap();
    let (mut bytes, mut before, mut most) = (0, 0, 0);
    while let Some(element) = elements.next().await.unwrap() {
        let length = element.as_str().len();
        if length == LARGE_BYTES {
            most = peak_kib(); // Of all elements before it, while this one is there.
        }
        bytes += length as u64;
        if before == 0 && bytes > 64 << 20 {
            before = peak_kib();
        }
    }
    let rest: Value = elements.remainder().unwrap();
    assert_eq!(rest, serde_json::json!({ "data": [], "next": "abc" }));
    assert!(bytes > STREAM_BYTES * 9 / 10, "{bytes}");
    println!("peaks: {before} {most} {}", peak_kib());
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_an_element_and_fixed_buffers_over_2_gib() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "memory::a_stream_of_2_gib",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let peaks: Vec<u64> = text
        .lines()
        .find_map(|line| line.split_once("peaks: "))
        .map(|(_, peaks)| peaks.split(' ').map(|peak| peak.parse().unwrap()).collect())
        .unwrap_or_else(|| panic!("it told no peaks:\n{text}"));
    let [before, with_large, after] = peaks[..] else {
        panic!("it told other peaks:\n{text}");
    };
    println!(
        "peaks after 64 MiB, with the large element, and at the end: {before}, {with_large}, {after} KiB"
    );
    // Besides the stream's own parts, which are there from the beginning.
    let large_kib = (LARGE_BYTES >> 10) as u64;
    assert!(with_large <= before + large_kib + SLACK_KIB, "{peaks:?}");
    assert!(after <= with_large + SLACK_KIB, "{peaks:?}");
}
