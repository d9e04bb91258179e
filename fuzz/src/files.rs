//! What the fuzz targets of files do with their bytes. The tests of the kit run the same on every file of the corpus.

// Each target uses one of these, and the test all of them.
#![allow(dead_code, clippy::unwrap_used)]

use staunch::stream::{
    Archive, ArchiveLimits, Compression, Csv, Encoding, Header, Ragged, decode_detected,
    decompress, decompress_detected,
};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader};

/// A target: its name, and what it does with an input.
type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: [Target; 2] = [("csv", csv), ("decoders", decoders)];

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn chunks(bytes: &[u8], size: usize) -> BufReader<&[u8]> {
    BufReader::with_capacity(size, bytes)
}

/// The first three bytes say how to read the rest: what comes out is the same whatever the chunks, and a bound is a bound.
pub(crate) fn csv(data: &[u8]) {
    let Some(([how, what, chunk], text)) = data.split_first_chunk() else {
        return;
    };
    let mut csv = if how & 1 == 0 {
        Csv::new()
    } else {
        Csv::detect()
    };
    csv = csv.max_field_bytes(200).max_record_bytes(500);
    if how & 2 != 0 {
        csv = csv.delimiter(*what);
    }
    csv = match how >> 2 & 7 {
        1 => csv.no_quote(),
        2 => csv.quote(b'\''),
        3 => csv.escape(b'\\'),
        4 => csv.comment(b'#'),
        5 => csv.trim(),
        6 => csv.skip_lines(1),
        7 => csv.encoding(Encoding::WINDOWS_1252),
        _ => csv,
    };
    csv = match how >> 5 & 3 {
        1 => csv.header(Header::None),
        2 => csv.header(Header::Given(vec!["a".to_owned(), "a".to_owned()])),
        3 => csv.ragged(Ragged::Take),
        _ => csv,
    };
    if how & 0x80 != 0 {
        csv = csv.ragged(Ragged::Pad);
    }
    let whole = block_on(rows(csv.clone(), chunks(text, 1 << 20)));
    let chunked = block_on(rows(csv, chunks(text, usize::from(*chunk) % 50 + 1)));
    assert_eq!(whole, chunked);
}

/// The rows as JSON, and what was wrong with which line.
async fn rows(csv: Csv, reader: impl AsyncBufRead + Unpin) -> (Vec<Vec<u8>>, Vec<String>) {
    let mut rows = csv.read(reader);
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    let mut line = 0;
    loop {
        match rows.next().await {
            Ok(Some(row)) => {
                assert!(row.line() > line, "lines go on");
                line = row.line();
                assert!(row.fields().map(str::len).sum::<usize>() <= 500 * 3);
                let mut json = Vec::new();
                row.write_json(&mut json);
                assert!(
                    serde_json::from_slice::<serde_json::Value>(&json)
                        .unwrap()
                        .is_object()
                );
                assert_eq!(serde_json::to_vec(&row).unwrap(), json);
                let _ = row.deserialize::<(u64, Option<bool>, String)>();
                found.push(json);
            }
            Ok(None) => return (found, errors),
            Err(error) => {
                errors.push(error.to_string());
                if !error.is_of_one_row() {
                    return (found, errors);
                }
            }
        }
    }
}

/// Whatever the bytes are: every decoder ends, within its bounds, and alike whatever the chunks.
pub(crate) fn decoders(data: &[u8]) {
    let Some((chunk, bytes)) = data.split_first() else {
        return;
    };
    let size = usize::from(*chunk) % 50 + 1;
    for compression in [
        Compression::Gzip,
        Compression::Zstd,
        Compression::Deflate,
        Compression::Bzip2,
    ] {
        let whole = block_on(all(
            decompress(chunks(bytes, 1 << 20), compression).limit(1 << 20)
        ));
        let chunked = block_on(all(
            decompress(chunks(bytes, size), compression).limit(1 << 20)
        ));
        alike(&whole, &chunked);
    }
    let plain = block_on(all(decompress_detected(bytes).limit(1 << 20)));
    assert!(Compression::detect(bytes).is_some() || plain.as_deref() == Some(bytes));
    let text = block_on(all(decode_detected(chunks(bytes, 1 << 20))));
    assert_eq!(text, block_on(all(decode_detected(chunks(bytes, size)))));
    assert!(text.is_none_or(|text| String::from_utf8(text).is_ok()));

    let mut limits = ArchiveLimits::default();
    (limits.entries, limits.bytes) = (20, 1 << 20);
    let whole = block_on(entries(chunks(bytes, 1 << 20), limits));
    let chunked = block_on(entries(chunks(bytes, size), limits));
    assert_eq!(whole.is_some(), chunked.is_some());
    if whole.is_some() {
        assert_eq!(whole, chunked);
    }
}

fn alike(whole: &Option<Vec<u8>>, chunked: &Option<Vec<u8>>) {
    assert_eq!(whole.is_some(), chunked.is_some());
    assert_eq!(whole, chunked);
}

/// Everything, unless there is an error.
async fn all(mut reader: impl AsyncBufRead + Unpin) -> Option<Vec<u8>> {
    let mut found = Vec::new();
    loop {
        let bytes = reader.fill_buf().await.ok()?;
        if bytes.is_empty() {
            return Some(found);
        }
        found.extend_from_slice(bytes);
        let count = bytes.len();
        assert!(found.len() <= 8 << 20);
        reader.consume(count);
    }
}

async fn entries(
    reader: impl AsyncBufRead + Unpin,
    limits: ArchiveLimits,
) -> Option<Vec<(String, Vec<u8>)>> {
    let mut archive = Archive::with_limits(reader, limits);
    let mut found = Vec::new();
    while let Some(entry) = archive.next().await.ok()? {
        let name = entry.name().to_owned();
        assert!(!name.starts_with('/') && !name.split('/').any(|part| part == ".."));
        found.push((name, all(entry).await?));
    }
    Some(found)
}
