//! Reading files of 2 GiB takes the memory of their rows, and no more. Alone in its process, whose peak it looks at.
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.
#![forbid(unsafe_code)]

use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::tokio::write::{DeflateEncoder, GzipEncoder};
use staunch::stream::{Archive, Compression, Csv, Header, decompress};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWriteExt, ReadBuf};

/// How often the block comes.
const BLOCKS: usize = 2048;

/// Rows of a block: it is a little larger than a MiB.
const ROWS: usize = 1025;

/// How much memory reading may take: buffers of 64 KiB here and there, the decoders, and what the allocator keeps.
const GROWTH_BYTES: u64 = 8 << 20;

/// A thousand rows of a thousand bytes.
fn block() -> Vec<u8> {
    let row = |n: usize| format!("{n},\"x, \"\"y\"\"\",{}\n", "z".repeat(1024 - 18));
    (10_000..10_000 + ROWS)
        .flat_map(|n| row(n).into_bytes())
        .collect()
}

/// Something, a block again and again, and something else.
struct Repeated {
    head: Vec<u8>,
    block: Vec<u8>,
    tail: Vec<u8>,
    part: usize,
    at: usize,
}

impl Repeated {
    fn new(head: Vec<u8>, block: Vec<u8>, tail: Vec<u8>) -> Self {
        let (part, at) = (0, 0);
        Self {
            head,
            block,
            tail,
            part,
            at,
        }
    }

    fn part(&self) -> Option<&[u8]> {
        match self.part {
            0 => Some(&self.head),
            part if part <= BLOCKS => Some(&self.block),
            part if part == BLOCKS + 1 => Some(&self.tail),
            _ => None,
        }
    }
}

impl AsyncBufRead for Repeated {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.part().is_some_and(|part| part.len() == this.at) {
            (this.part, this.at) = (this.part + 1, 0);
        }
        let rest = this.part().map_or(&[][..], |part| &part[this.at..]);
        // As much as a connection would give.
        Poll::Ready(Ok(&rest[..rest.len().min(64 << 10)]))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.at += count;
    }
}

impl AsyncRead for Repeated {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        unreachable!("it is read by its buffer")
    }
}

/// How many bytes the process had at most.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

async fn read(what: &str, reader: impl AsyncBufRead + Unpin) {
    let before = peak();
    let names = ["id", "note", "text"].map(str::to_owned).to_vec();
    let mut rows = Csv::new().header(Header::Given(names)).read(reader);
    let (mut count, mut bytes, mut json) = (0, 0, Vec::new());
    while let Some(row) = rows.next().await.unwrap() {
        count += 1;
        bytes += row.fields().map(str::len).sum::<usize>();
        if count % 1000 == 1 {
            json.clear();
            row.write_json(&mut json);
            assert_eq!(&json[json.len() - 2..], b"\"}");
        }
    }
    assert_eq!(count, ROWS * BLOCKS, "{what}");
    assert_eq!(bytes, count * (5 + 6 + 1024 - 18), "{what}");
    let growth = peak() - before;
    println!("{what}: the peak grew by {} KiB", growth >> 10);
    assert!(
        growth < GROWTH_BYTES,
        "{what}: the peak grew by {growth} bytes"
    );
}

#[tokio::test]
async fn two_gibibytes_are_read_in_fixed_memory() {
    if !std::path::Path::new("/proc/self/status").exists() {
        eprintln!("SKIPPED: only Linux says how much memory a process had at most");
        return;
    }
    let block = block();
    let size = (block.len() * BLOCKS) as u64;
    assert!(size > 2 << 30);
    read("CSV", Repeated::new(Vec::new(), block.clone(), Vec::new())).await;

    let mut gzip = GzipEncoder::new(Vec::new());
    gzip.write_all(&block).await.unwrap();
    gzip.shutdown().await.unwrap();
    let members = Repeated::new(Vec::new(), gzip.into_inner(), Vec::new());
    read("CSV in gzip", decompress(members, Compression::Gzip)).await;

    // Flushed, a block ends with a byte; and as it refers to nothing before it, it can be repeated. An empty last block ends them.
    let mut deflate = DeflateEncoder::new(Vec::new());
    deflate.write_all(&block).await.unwrap();
    deflate.flush().await.unwrap();
    let deflate = deflate.get_ref().clone();
    let (head, tail) = archive(&block, deflate.len());
    let mut archive = Archive::new(Repeated::new(head, deflate, tail));
    read(
        "CSV in a ZIP archive",
        archive.next().await.unwrap().unwrap(),
    )
    .await;
    assert!(archive.next().await.unwrap().is_none());
}

/// What is around the blocks of the only entry: its header, which does not say its size, and then all that ends an archive.
fn archive(block: &[u8], deflated: usize) -> (Vec<u8>, Vec<u8>) {
    let mut one = crc32fast::Hasher::new();
    one.update(block);
    let mut all = crc32fast::Hasher::new();
    (0..BLOCKS).for_each(|_| all.combine(&one));
    let word = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let sizes = [
        all.finalize().to_le_bytes(),
        word(deflated * BLOCKS + 2),
        word(block.len() * BLOCKS),
    ]
    .concat();
    let lengths = [1, 0, 0, 0];
    let kind = [20, 0, 8, 0, 8, 0, 0, 0, 0, 0];
    let head = [b"PK\x03\x04", &kind[..], &[0; 12], &lengths, b"a"].concat();
    let list = [
        b"PK\x01\x02\x14\0",
        &kind[..],
        &sizes,
        &lengths,
        &[0; 14],
        b"a",
    ]
    .concat();
    let list_at = head.len() + deflated * BLOCKS + 2 + 4 + sizes.len();
    let end = [
        b"PK\x05\x06\0\0\0\0\x01\0\x01\0",
        &word(list.len())[..],
        &word(list_at),
        &[0; 2],
    ]
    .concat();
    (
        head,
        [&[3, 0][..], b"PK\x07\x08", &sizes, &list, &end].concat(),
    )
}
