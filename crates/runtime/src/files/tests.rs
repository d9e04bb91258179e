use std::os::unix::fs::symlink;
use std::sync::mpsc;

use super::*;
use crate::store::{Commit, Store};

const CAPTURE: &str = "acmeCo/git";

fn row(path: &str, bytes: u64, documents: u64) -> FileRow {
    FileRow {
        path: path.to_owned(),
        capture: "acmeCo/git".to_owned(),
        collection: "a".to_owned(),
        committed_bytes: bytes,
        committed_documents: documents,
    }
}

#[test]
fn documents_are_lines_in_the_file_of_their_collection() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("deep/out");
    let mut files = OutputFiles::open(&out, &[]).unwrap();
    let id = files.open_collection("acmeCo/commits").unwrap();
    assert_eq!(files.open_collection("acmeCo/commits").unwrap(), id);
    assert_eq!(files.path(id), "acmeCo/commits.jsonl");
    files.append(id, br#"{"a":1}"#).unwrap();
    files.append(id, br#"{"a":2}"#).unwrap();
    let mark = files.mark().unwrap();
    mark.sync().unwrap();
    assert_eq!(mark.lengths().len(), 1);
    assert_eq!(
        (
            mark.lengths()[0].committed_bytes,
            mark.lengths()[0].committed_documents
        ),
        (16, 2)
    );
    assert_eq!(
        std::fs::read(out.join("acmeCo/commits.jsonl")).unwrap(),
        b"{\"a\":1}\n{\"a\":2}\n"
    );
    assert!(
        files.mark().unwrap().lengths().is_empty(),
        "untouched files are not in a mark"
    );
}

#[test]
fn names_that_would_leave_the_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = OutputFiles::open(folder.path(), &[]).unwrap();
    for name in [
        "../a",
        "a/../../b",
        "/etc/a",
        "a\0b",
        "",
        "a//b",
        "./a",
        "a/",
        "a\\b",
    ] {
        let error = files.open_collection(name).unwrap_err();
        assert_eq!(error.code(), "files.bad_name", "{name:?}");
    }
    for path in ["../a.jsonl", "/etc/a.jsonl"] {
        assert_eq!(
            OutputFiles::open(folder.path(), &[row(path, 0, 0)])
                .unwrap_err()
                .code(),
            "files.bad_name"
        );
    }
}

#[test]
fn what_was_never_committed_is_cut_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, b"{\"a\":1}\n{\"a\":2}\n{\"a\":").unwrap();
    let mut files = OutputFiles::open(folder.path(), &[row("a.jsonl", 8, 1)]).unwrap();
    assert_eq!(
        files.recovered(),
        [Recovered {
            path: "a.jsonl".into(),
            dropped_bytes: 13
        }]
    );
    let id = files.open_collection("a").unwrap();
    files.append(id, br#"{"a":3}"#).unwrap();
    let mark = files.mark().unwrap();
    assert_eq!(
        (
            mark.lengths()[0].committed_bytes,
            mark.lengths()[0].committed_documents
        ),
        (16, 2)
    );
    assert_eq!(std::fs::read(&path).unwrap(), b"{\"a\":1}\n{\"a\":3}\n");
}

#[test]
fn committed_documents_that_are_gone_are_refused_before_anything_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (long, short) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
    std::fs::write(&long, b"{}\n{}\n").unwrap();
    std::fs::write(&short, b"{}\n").unwrap();
    let error = OutputFiles::open(folder.path(), &[row("a.jsonl", 3, 1), row("b.jsonl", 6, 2)])
        .unwrap_err();
    assert!(
        matches!(
            error,
            FilesError::Shorter {
                committed: 6,
                found: 3,
                ..
            }
        ),
        "{error}"
    );
    let error = OutputFiles::open(folder.path(), &[row("a.jsonl", 3, 1), row("c.jsonl", 6, 2)])
        .unwrap_err();
    assert!(
        matches!(
            error,
            FilesError::Shorter {
                committed: 6,
                found: 0,
                ..
            }
        ),
        "{error}"
    );
    assert!(!folder.path().join("c.jsonl").exists());
    assert_eq!(std::fs::read(&long).unwrap().len(), 6);
    let error = OutputFiles::open(folder.path(), &[row("a.jsonl", 4, 1)]).unwrap_err();
    assert_eq!(error.code(), "files.altered");
    assert_eq!(std::fs::read(&long).unwrap().len(), 6);
}

#[test]
fn a_file_that_nobody_recorded_is_left_alone_unless_it_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, b"mine\n").unwrap();
    std::fs::write(folder.path().join("b.jsonl"), b"").unwrap();
    let mut files = OutputFiles::open(folder.path(), &[]).unwrap();
    let error = files.open_collection("a").unwrap_err();
    assert!(matches!(error, FilesError::Unknown { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"mine\n");
    files.open_collection("b").unwrap();
}

#[test]
fn a_claimed_file_that_was_never_committed_to_may_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = OutputFiles::open(folder.path(), &[row("x/a.jsonl", 0, 0)]).unwrap();
    let id = files.open_collection("x/a").unwrap();
    files.append(id, b"{}").unwrap();
    assert_eq!(files.mark().unwrap().lengths()[0].committed_bytes, 3);
}

#[test]
fn documents_of_any_size_arrive_whole_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = OutputFiles::open(folder.path(), &[]).unwrap();
    let id = files.open_collection("a").unwrap();
    let mut expected = Vec::new();
    for (index, size) in [
        1,
        BUFFER_BYTES - 1,
        BUFFER_BYTES,
        5,
        BUFFER_BYTES * 3,
        BUFFER_BYTES / 2,
        7,
    ]
    .iter()
    .enumerate()
    {
        let document = vec![b'a' + index as u8; *size];
        files.append(id, &document).unwrap();
        expected.extend_from_slice(&document);
        expected.push(b'\n');
    }
    let mark = files.mark().unwrap();
    assert_eq!(mark.lengths()[0].committed_bytes, expected.len() as u64);
    assert_eq!(mark.lengths()[0].committed_documents, 7);
    assert!(std::fs::read(folder.path().join("a.jsonl")).unwrap() == expected);
}

#[test]
fn memory_and_handles_stay_bounded_over_many_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = OutputFiles::open(folder.path(), &[]).unwrap();
    let ids: Vec<FileId> = (0..300)
        .map(|n| files.open_collection(&format!("c{n}")).unwrap())
        .collect();
    let document = vec![b'x'; 10_000];
    for _ in 0..2 {
        for _ in 0..5 {
            for id in &ids {
                files.append(*id, &document).unwrap();
                assert!(files.buffered_bytes <= ALL_BUFFERS_BYTES);
            }
        }
        let mark = files.mark().unwrap();
        assert_eq!(mark.lengths().len(), 300);
        assert!(files.open_files <= OPEN_FILES);
        assert_eq!(
            files.open_files,
            files.files.iter().filter(|file| file.is_open()).count()
        );
        assert_eq!(files.buffered_bytes, 0);
        mark.sync().unwrap();
    }
    assert_eq!(
        std::fs::metadata(folder.path().join("c299.jsonl"))
            .unwrap()
            .len(),
        100_010
    );
}

#[test]
fn a_rollback_takes_back_what_is_past_the_committed_lengths() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = OutputFiles::open(folder.path(), &[]).unwrap();
    let id = files.open_collection("a").unwrap();
    files.append(id, b"{}").unwrap();
    let committed = files.mark().unwrap();
    files.append(id, b"{\"b\":1}").unwrap();
    files.mark().unwrap();
    files.append(id, b"{\"c\":1}").unwrap();
    files.rollback_to(committed.lengths()).unwrap();
    assert!(files.mark().unwrap().lengths().is_empty());
    files.append(id, b"{\"d\":1}").unwrap();
    assert_eq!(files.mark().unwrap().lengths()[0].committed_documents, 2);
    assert_eq!(
        std::fs::read(folder.path().join("a.jsonl")).unwrap(),
        b"{}\n{\"d\":1}\n"
    );
    let stranger = FileLength {
        path: "z.jsonl".into(),
        committed_bytes: 0,
        committed_documents: 0,
    };
    assert_eq!(
        files.rollback_to(&[stranger]).unwrap_err().code(),
        "files.not_open"
    );
}

#[test]
fn marks_in_a_row_are_one_mark_with_the_later_lengths() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = OutputFiles::open(folder.path(), &[]).unwrap();
    let ids: Vec<FileId> = ["c", "a", "b"]
        .iter()
        .map(|name| files.open_collection(name).unwrap())
        .collect();
    let mut whole = Mark::default();
    for (index, document) in [(2, "{}"), (0, "{}"), (2, "{\"n\":1}"), (1, "{}")] {
        files.append(ids[index], document.as_bytes()).unwrap();
        whole = whole.then(files.mark().unwrap());
    }
    whole.sync().unwrap();
    let lengths: Vec<(&str, u64, u64)> = whole
        .lengths()
        .iter()
        .map(|length| {
            (
                &*length.path,
                length.committed_bytes,
                length.committed_documents,
            )
        })
        .collect();
    assert_eq!(
        lengths,
        [("c.jsonl", 3, 1), ("a.jsonl", 3, 1), ("b.jsonl", 11, 2)]
    );
    assert_eq!(whole.handles.len(), 3);
}

#[test]
fn a_full_disk_is_an_error_of_its_own_and_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    symlink("/dev/full", folder.path().join("a.jsonl")).unwrap();
    let mut files = OutputFiles::open(folder.path(), &[]).unwrap();
    let id = files.open_collection("a").unwrap();
    files.append(id, b"{}").unwrap();
    for _ in 0..2 {
        let error = files.mark().unwrap_err();
        assert!(matches!(error, FilesError::Full { .. }), "{error}");
        assert!(
            error.to_string().contains("nothing committed was lost"),
            "{error}"
        );
    }
    let error = files.append(id, &vec![b'x'; BUFFER_BYTES]).unwrap_err();
    assert_eq!(error.code(), "files.full");
    // With room again, everything that was added arrives.
    std::fs::remove_file(folder.path().join("a.jsonl")).unwrap();
    std::fs::write(folder.path().join("a.jsonl"), b"").unwrap();
    files.files[id.0].rest_for_test();
    assert_eq!(files.mark().unwrap().lengths()[0].committed_documents, 1);
    assert_eq!(
        std::fs::read(folder.path().join("a.jsonl")).unwrap(),
        b"{}\n"
    );
}

#[test]
fn one_thread_appends_a_transaction_while_another_commits_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, out) = (folder.path().join(".staunch"), folder.path().join("out"));
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    let mut files = OutputFiles::open(&out, &[]).unwrap();
    let ids: Vec<FileId> = ["a", "b"]
        .iter()
        .map(|name| files.open_collection(name).unwrap())
        .collect();
    for id in &ids {
        let path = files.path(*id).to_owned();
        store.claim_file(&path, "acmeCo/git", &path).unwrap();
    }
    const TRANSACTIONS: u64 = 40;
    let (send, receive) = mpsc::sync_channel::<(Mark, String)>(1);
    let committer = std::thread::spawn(move || {
        let mut revision = 0;
        for (mark, state) in receive {
            mark.sync().unwrap();
            revision = store
                .commit(&Commit {
                    capture: "acmeCo/git",
                    expected_revision: revision,
                    state: Some(&state),
                    files: mark.lengths(),
                    documents: 20,
                    checkpoints: 1,
                    connector: "test",
                    at: "2026-11-22T13:00:00Z",
                    update: None,
                    cause: None,
                })
                .unwrap();
        }
        store
    });
    for transaction in 0..TRANSACTIONS {
        for n in 0..20 {
            files
                .append(
                    ids[n % 2],
                    format!(r#"{{"t":{transaction},"n":{n}}}"#).as_bytes(),
                )
                .unwrap();
        }
        let mark = files.mark().unwrap();
        send.send((mark, format!(r#"{{"t":{transaction}}}"#)))
            .unwrap();
    }
    drop(send);
    let store = committer.join().unwrap();
    let row = store.load("acmeCo/git").unwrap().unwrap();
    assert_eq!(
        (row.revision, row.documents),
        (TRANSACTIONS, TRANSACTIONS * 20)
    );
    assert_eq!(row.state, r#"{"t":39}"#);
    for file in store.files("acmeCo/git").unwrap() {
        let text = std::fs::read_to_string(out.join(&file.path)).unwrap();
        assert_eq!(text.len() as u64, file.committed_bytes);
        assert_eq!(text.lines().count() as u64, file.committed_documents);
        assert_eq!(file.committed_documents, TRANSACTIONS * 10);
    }
}

#[test]
fn a_mark_and_the_files_can_be_given_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<OutputFiles>();
    is_send::<Mark>();
}

/// A file system of a few hundred kilobytes, gone when this is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None` where we may not mount.
    fn mount() -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let status = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"])
            .arg(folder.path())
            .output();
        status
            .is_ok_and(|output| output.status.success())
            .then(|| SmallDisk(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg(self.0.path())
            .output();
    }
}

#[test]
fn a_run_that_filled_the_disk_goes_on_from_its_last_commit_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("SKIPPED: mounting a small file system takes root");
        return;
    };
    let (dir, out) = (disk.0.path().join(".staunch"), disk.0.path().join("out"));
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    let mut files = OutputFiles::open(&out, &[]).unwrap();
    let id = files.open_collection("a").unwrap();
    store.claim_file("a.jsonl", "acmeCo/git", "a").unwrap();
    let ballast = disk.0.path().join("ballast");
    std::fs::write(&ballast, vec![0; 150_000]).unwrap();
    let transaction = |store: &mut Store, files: &mut OutputFiles, revision: u64| {
        files
            .append(id, &vec![b'x'; 4_000])
            .map_err(|error| error.code())?;
        let mark = files.mark().map_err(|error| error.code())?;
        mark.sync().map_err(|error| error.code())?;
        let state = format!(r#"{{"n":{revision},"p":"{}"}}"#, "y".repeat(4_000));
        let commit = Commit {
            capture: "acmeCo/git",
            expected_revision: revision,
            state: Some(&state),
            files: mark.lengths(),
            documents: 1,
            checkpoints: 1,
            connector: "test",
            at: "2026-11-22T13:00:00Z",
            update: None,
            cause: None,
        };
        store.commit(&commit).map_err(|error| error.code())
    };
    let mut revision = 0;
    let code = loop {
        match transaction(&mut store, &mut files, revision) {
            Ok(next) => revision = next,
            Err(code) => break code,
        }
    };
    assert!(matches!(code, "files.full" | "store.full"), "{code}");
    assert!(revision > 3, "{revision}");
    drop((store, files));
    std::fs::remove_file(ballast).unwrap();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    assert_eq!(
        store.load("acmeCo/git").unwrap().unwrap().revision,
        revision
    );
    let mut files = OutputFiles::open(&out, &store.files("acmeCo/git").unwrap()).unwrap();
    assert_eq!(
        std::fs::metadata(out.join("a.jsonl")).unwrap().len(),
        revision * 4_001
    );
    assert_eq!(
        transaction(&mut store, &mut files, revision),
        Ok(revision + 1)
    );
}
