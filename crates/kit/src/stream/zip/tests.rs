use std::io::Write;
use std::process::{Command, Stdio};

use ::zip::CompressionMethod;
use ::zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};
use tokio::io::{AsyncReadExt, BufReader};

use super::*;

/// Names and contents of the entries, and whether the rest went through a file.
type Found = (Vec<(String, Vec<u8>)>, bool);

async fn read_chunks(bytes: &[u8], chunk: usize, limits: ArchiveLimits) -> Result<Found, ZipError> {
    let mut archive = Archive::with_limits(BufReader::with_capacity(chunk, bytes), limits);
    let mut found = Vec::new();
    let mut spooled = false;
    while let Some(mut entry) = archive.next().await? {
        let (name, size) = (entry.name().to_owned(), entry.size());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).await?;
        assert_eq!(entry.read(&mut [0]).await?, 0, "its end is its end");
        assert!(size.is_none_or(|size| size == content.len() as u64));
        found.push((name, content));
        spooled |= matches!(archive.state, State::Spooled(_));
    }
    assert!(archive.next().await?.is_none());
    Ok((found, spooled))
}

async fn read(bytes: &[u8]) -> Result<Found, ZipError> {
    let limits = ArchiveLimits::default();
    let whole = read_chunks(bytes, 1 << 20, limits).await;
    for chunk in [1, 2, 3, 29, 30, 31, 64, 1000] {
        let chunked = read_chunks(bytes, chunk, limits).await;
        match (&whole, &chunked) {
            (Ok(whole), Ok(chunked)) => assert_eq!(chunked, whole, "in chunks of {chunk}"),
            (Err(whole), Err(chunked)) => assert_eq!(
                std::mem::discriminant(chunked),
                std::mem::discriminant(whole),
                "in chunks of {chunk}: {chunked}"
            ),
            _ => panic!("in chunks of {chunk}: {chunked:?}"),
        }
    }
    whole
}

#[test]
fn reading_may_move_to_another_thread() {
    fn is_send(_: &impl Send) {}
    let limits = ArchiveLimits::default();
    is_send(&read_chunks(b"", 1, limits));
}

/// Contents with what looks like headers in them.
fn contents() -> Vec<(String, Vec<u8>)> {
    let tricky = b"PK\x03\x04PK\x07\x08PK\x01\x02PK\x05\x06 \0\0".repeat(4);
    let rows: Vec<u8> = (0..60)
        .flat_map(|n| format!("{n},{}\n", n * n % 97).into_bytes())
        .collect();
    vec![
        ("folder/größe.csv".to_owned(), rows),
        ("empty".to_owned(), Vec::new()),
        ("tricky".to_owned(), tricky),
        ("x".to_owned(), b"x".to_vec()),
    ]
}

fn options(method: CompressionMethod) -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(method)
}

fn fill<W: Write + std::io::Seek>(mut writer: ZipWriter<W>, options: SimpleFileOptions) -> W {
    for (name, content) in contents() {
        writer.start_file(name, options).unwrap();
        writer.write_all(&content).unwrap();
    }
    writer.finish().unwrap()
}

/// Written to a file, so that headers say the sizes.
fn with_sizes(options: SimpleFileOptions) -> Vec<u8> {
    fill(ZipWriter::new(std::io::Cursor::new(Vec::new())), options).into_inner()
}

/// Written to a stream, so that descriptors say them.
fn with_descriptors(options: SimpleFileOptions) -> Vec<u8> {
    let writer: ZipWriter<StreamWriter<Vec<u8>>> = ZipWriter::new_stream(Vec::new());
    fill(writer, options).into_inner()
}

const METHODS: [CompressionMethod; 4] = [
    CompressionMethod::Stored,
    CompressionMethod::Deflated,
    CompressionMethod::Zstd,
    CompressionMethod::Bzip2,
];

fn archives() -> Vec<(String, Vec<u8>, bool)> {
    let mut archives = Vec::new();
    for method in METHODS {
        let is_common = [CompressionMethod::Stored, CompressionMethod::Deflated].contains(&method);
        for large in [false, true] {
            if large && !is_common {
                continue;
            }
            let options = options(method).large_file(large);
            let what = format!("{method}, large: {large}");
            let spooled = method != CompressionMethod::Deflated;
            archives.push((format!("{what}, sizes"), with_sizes(options), false));
            archives.push((
                format!("{what}, descriptors"),
                with_descriptors(options),
                spooled,
            ));
        }
    }
    archives
}

#[tokio::test]
async fn every_method_is_read_with_sizes_in_front_or_behind() {
    for (what, bytes, spooled) in archives() {
        let (found, was_spooled) = read(&bytes)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(found, contents(), "{what}");
        assert_eq!(was_spooled, spooled, "{what}");
    }
}

#[tokio::test]
async fn an_archive_that_ends_at_any_byte_before_its_end_is_an_error() {
    for (what, bytes, spooled) in archives() {
        for end in 0..bytes.len() {
            let result = read_chunks(&bytes[..end], 4096, ArchiveLimits::default()).await;
            let error = result.expect_err(&what);
            // From a file, something in an entry may be taken for the end; then the list is wrong.
            let is_cut = matches!(error, ZipError::Truncated { .. } | ZipError::NoArchive);
            assert!(is_cut || spooled, "{what} at {end}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_changed_byte_is_an_error_or_changes_no_content() {
    for (what, bytes, spooled) in archives() {
        let (mut noticed, mut tried) = (0, 0);
        // Files take a while.
        for at in (0..bytes.len()).step_by(if spooled { 5 } else { 1 }) {
            tried += 1;
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            match read_chunks(&changed, 4096, ArchiveLimits::default()).await {
                Err(_) => noticed += 1,
                Ok((found, _)) => {
                    let content = |found: &[(String, Vec<u8>)]| {
                        found.iter().map(|one| one.1.clone()).collect::<Vec<_>>()
                    };
                    assert_eq!(content(&found), content(&contents()), "{what} at {at}");
                }
            }
        }
        assert!(noticed * 2 > tried, "{what}: {noticed} of {tried}");
    }
}

#[tokio::test]
async fn what_is_not_read_is_passed_over() {
    for (what, bytes, _) in archives() {
        for read_bytes in [0, 1, 10] {
            let mut archive = Archive::new(&bytes[..]);
            let mut names = Vec::new();
            while let Some(mut entry) = archive.next().await.unwrap() {
                names.push(entry.name().to_owned());
                let mut buffer = vec![0; read_bytes];
                let _ = entry.read(&mut buffer).await.unwrap();
            }
            let expected: Vec<_> = contents().into_iter().map(|one| one.0).collect();
            assert_eq!(names, expected, "{what}");
        }
    }
}

#[tokio::test]
async fn an_archive_behind_something_else_is_found_by_its_end() {
    for (what, bytes, _) in archives() {
        let behind = [&b"#!/bin/sh\nexec unzip $0\n"[..], &bytes].concat();
        let (found, spooled) = read(&behind)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!((found, spooled), (contents(), true), "{what}");
    }
}

#[tokio::test]
async fn no_archive_an_empty_one_and_one_with_a_comment() {
    assert!(matches!(read(b"").await, Err(ZipError::NoArchive)));
    assert!(matches!(
        read(b"<html>not found</html>, says the server").await,
        Err(ZipError::NoArchive)
    ));
    let empty = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    assert_eq!(read(empty).await.unwrap(), (vec![], false));
    let comment = [&empty[..20], b"\x04\0", b"PK\x05\x06"].concat();
    assert_eq!(read(&comment).await.unwrap(), (vec![], false));
    for (what, bytes, _) in archives() {
        let more = [&bytes[..], b"x"].concat();
        assert!(read(&more).await.is_err(), "{what}: something follows");
    }
}

/// Where something occurs last.
fn last(bytes: &[u8], what: &[u8]) -> usize {
    bytes
        .windows(what.len())
        .rposition(|window| window == what)
        .unwrap()
}

#[tokio::test]
async fn an_entry_that_the_list_does_not_have_is_an_error() {
    let one = |name: &str| {
        let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        writer
            .start_file(name, options(CompressionMethod::Stored))
            .unwrap();
        writer.write_all(b"content").unwrap();
        writer.finish().unwrap().into_inner()
    };
    // Two archives one after the other: the list of the second says nothing of the first.
    let (first, second) = (one("a"), one("b"));
    let hidden = [&first[..last(&first, b"PK\x01\x02")], &second].concat();
    let error = read(&hidden).await.unwrap_err();
    assert!(matches!(error, ZipError::List { .. }), "{error}");
    // An entry is listed under another name than it has.
    let mut renamed = first.clone();
    let at = last(&renamed, b"PK\x01\x02");
    renamed[at + 46] = b'z';
    let error = read(&renamed).await.unwrap_err();
    assert!(matches!(error, ZipError::List { .. }), "{error}");
}

#[tokio::test]
async fn entries_that_overlap_are_refused() {
    // Stored with descriptors: the list is what counts. Every entry of it is made the first.
    let mut writer: ZipWriter<StreamWriter<Vec<u8>>> = ZipWriter::new_stream(Vec::new());
    for name in ["a", "b"] {
        writer
            .start_file(name, options(CompressionMethod::Stored))
            .unwrap();
        writer.write_all(b"content").unwrap();
    }
    let mut bytes = writer.finish().unwrap().into_inner();
    assert_eq!(read(&bytes).await.unwrap().0.len(), 2);
    let at = last(&bytes, b"PK\x01\x02");
    bytes[at + 42..at + 46].fill(0);
    bytes[at + 46] = b'a';
    let error = read(&bytes).await.unwrap_err();
    assert!(matches!(error, ZipError::List { .. }), "{error}");
}

#[tokio::test]
async fn what_is_encrypted_in_parts_or_compressed_otherwise_is_told() {
    for (_, bytes, spooled) in archives() {
        let mut encrypted = bytes.clone();
        encrypted[6] |= 1;
        let error = read(&encrypted).await.unwrap_err();
        assert!(matches!(error, ZipError::Encrypted { entry: 1 }), "{error}");
        let mut other = bytes.clone();
        other[8..10].copy_from_slice(&98_u16.to_le_bytes());
        let error = read(&other).await.unwrap_err();
        if !spooled && bytes[6] & 8 == 0 {
            assert!(
                matches!(
                    error,
                    ZipError::Method {
                        entry: 1,
                        method: 98
                    }
                ),
                "{error}"
            );
        }
        let mut part = bytes.clone();
        let at = last(&part, b"PK\x05\x06");
        part[at + 4] = 1;
        let error = read(&part).await.unwrap_err();
        assert!(matches!(error, ZipError::Parts), "{error}");
    }
}

#[tokio::test]
async fn entries_bytes_growth_and_files_are_bounded() {
    let zeros = |method| {
        let mut writer: ZipWriter<StreamWriter<Vec<u8>>> = ZipWriter::new_stream(Vec::new());
        writer.start_file("zeros", options(method)).unwrap();
        writer.write_all(&vec![0; 16 << 20]).unwrap();
        writer.finish().unwrap().into_inner()
    };
    let limits = ArchiveLimits::default();
    for (what, bytes, limits) in [
        (
            "entries",
            with_sizes(options(CompressionMethod::Stored)),
            ArchiveLimits {
                entries: 3,
                ..limits
            },
        ),
        (
            "entries",
            with_descriptors(options(CompressionMethod::Stored)),
            ArchiveLimits {
                entries: 3,
                ..limits
            },
        ),
        (
            "bytes",
            with_sizes(options(CompressionMethod::Deflated)),
            ArchiveLimits {
                bytes: 100,
                ..limits
            },
        ),
        (
            "bytes to be kept in a file",
            with_descriptors(options(CompressionMethod::Stored)),
            ArchiveLimits {
                spool_bytes: 100,
                ..limits
            },
        ),
    ] {
        let Err(ZipError::TooLarge { what: told, .. }) = read_chunks(&bytes, 100, limits).await
        else {
            panic!("{what}");
        };
        assert_eq!(told, what);
    }
    let default = read_chunks(&zeros(CompressionMethod::Deflated), 4096, limits).await;
    assert_eq!(default.unwrap().0[0].1.len(), 16 << 20);
    for (method, limits) in [
        (CompressionMethod::Zstd, limits),
        (CompressionMethod::Bzip2, limits),
        (
            CompressionMethod::Deflated,
            ArchiveLimits {
                ratio: 100,
                ..limits
            },
        ),
    ] {
        let result = read_chunks(&zeros(method), 4096, limits).await;
        assert!(
            matches!(result, Err(ZipError::Ratio { entry: 1, .. })),
            "{method}"
        );
    }
}

#[tokio::test]
async fn two_entries_of_one_name_are_two() {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in [("a", "1"), ("b", "2")] {
        writer
            .start_file(name, options(CompressionMethod::Stored))
            .unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    let mut bytes = writer.finish().unwrap().into_inner();
    for byte in bytes.iter_mut().filter(|byte| **byte == b'b') {
        *byte = b'a';
    }
    let (found, _) = read(&bytes).await.unwrap();
    assert_eq!(
        found,
        [
            ("a".to_owned(), b"1".to_vec()),
            ("a".to_owned(), b"2".to_vec())
        ]
    );
    // Which is why that crate does not read archives here.
    let by_another = ::zip::ZipArchive::new(std::io::Cursor::new(bytes));
    assert_eq!(by_another.unwrap().len(), 1);
}

#[tokio::test]
async fn an_entry_that_failed_ends_the_archive() {
    let mut bytes = with_sizes(options(CompressionMethod::Stored));
    let at = bytes
        .windows(4)
        .position(|window| window == b"0,0\n")
        .unwrap();
    bytes[at] = b'9';
    let mut archive = Archive::new(&bytes[..]);
    let mut entry = archive.next().await.unwrap().unwrap();
    let error: ZipError = entry.read_to_end(&mut Vec::new()).await.unwrap_err().into();
    assert!(
        matches!(error, ZipError::Damaged { entry: 1, .. }),
        "{error}"
    );
    assert!(entry.read(&mut [0]).await.is_err());
    assert!(matches!(archive.next().await, Err(ZipError::Over)));
}

/// Archives by Python's `zipfile`, to a file and to a stream that cannot go back.
const PYTHON: &str = r#"
import sys, zipfile
kind, method = sys.argv[1:]
class Stream:
    def write(self, data): sys.stdout.buffer.write(data); return len(data)
    def flush(self): sys.stdout.buffer.flush()
import io
target = Stream() if kind != "file" else io.BytesIO()
with zipfile.ZipFile(target, "w", int(method)) as z:
    for n in range(3):
        with z.open(zipfile.ZipInfo("größe-%d.csv" % n), "w", force_zip64=kind == "stream64") if int(method) == 0 \
                else z.open("größe-%d.csv" % n, "w", force_zip64=kind == "stream64") as f:
            f.write(b"PK\x03\x04PK\x07\x08,%d\n" % n * 500)
    z.writestr("folder/", b"")
if kind == "file": sys.stdout.buffer.write(target.getvalue())
"#;

#[tokio::test]
async fn archives_that_python_wrote_are_read() {
    let run = |kind: &str, method: &str| {
        let python = Command::new("python3")
            .args(["-c", PYTHON, kind, method])
            .stderr(Stdio::inherit())
            .output();
        let output = python.ok()?;
        assert!(
            output.status.success(),
            "python3 cannot write {kind} {method}"
        );
        Some(output.stdout)
    };
    for (kind, method) in [
        ("file", "0"),
        ("file", "8"),
        ("file", "12"),
        ("stream", "0"),
        ("stream", "8"),
        ("stream", "12"),
        ("stream64", "0"),
        ("stream64", "8"),
    ] {
        let Some(bytes) = run(kind, method) else {
            eprintln!("SKIPPED: there is no python3 here to write archives");
            return;
        };
        let (found, _) = read(&bytes)
            .await
            .unwrap_or_else(|error| panic!("{kind} {method}: {error:?}"));
        assert_eq!(found.len(), 4, "{kind} {method}");
        for (n, (name, content)) in found[..3].iter().enumerate() {
            let expected = [
                &b"PK\x03\x04PK\x07\x08,"[..],
                n.to_string().as_bytes(),
                b"\n",
            ]
            .concat()
            .repeat(500);
            assert_eq!(
                (name.as_str(), content),
                (format!("größe-{n}.csv").as_str(), &expected)
            );
        }
        assert_eq!(found[3], ("folder".to_owned(), Vec::new()));
    }
}
