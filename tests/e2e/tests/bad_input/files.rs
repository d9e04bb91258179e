//! The output files: changed between runs, in the way, taken by another capture, and on a disk that is full.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use crate::support::{MISBEHAVE, OUTPUT, Outcome, Project, catalog, cursor};

#[test]
fn a_file_that_lost_committed_documents_is_refused_before_anything_is_done() {
    type Change = fn(&str) -> Option<String>;
    let cases: [(&str, Change, &[&str]); 4] = [
        (
            "shortened",
            |text| Some(text[..text.len() / 2].to_owned()),
            &["files.shorter", "documents were removed"],
        ),
        (
            "emptied",
            |_| Some(String::new()),
            &["files.shorter", "has 0 bytes"],
        ),
        ("deleted", |_| None, &["files.shorter", "has 0 bytes"]),
        (
            "edited",
            |text| Some(text.replacen("number 1", "number one", 1)),
            &["files.altered", "edited by something else"],
        ),
    ];
    for (what, change, said) in cases {
        let project = Project::new(&["good", "4"]);
        project.run().succeeded(what);
        let (path, stored) = (project.path(OUTPUT), project.stored());
        let text = fs::read_to_string(&path).unwrap();
        match change(&text) {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let changed = fs::read(&path).ok();
        project.connector(&["good", "10"]);
        project.run().failed(1, said, what).failed(
            1,
            &["numbers.jsonl", "put the file back"],
            what,
        );
        assert_eq!(
            fs::read(&path).ok(),
            changed,
            "{what}: the file is left as it is"
        );
        assert_eq!(
            project.stored(),
            stored,
            "{what}: the state is left as it is"
        );
        fs::write(&path, text).unwrap();
        project.assert_completes(10, what);
    }
}

#[test]
fn a_file_that_is_longer_than_what_is_committed_is_cut_and_completed() {
    let project = Project::new(&["good", "4"]);
    project.run().succeeded("first");
    let mut text = fs::read_to_string(project.path(OUTPUT)).unwrap();
    text.push_str("{\"id\":5,\"text\":\"num");
    fs::write(project.path(OUTPUT), text).unwrap();
    project.assert_completes(10, "with half a document at its end");
}

#[test]
fn what_is_in_the_way_of_a_new_file_is_left_as_it_is() {
    for (what, is_folder) in [("a file", false), ("a folder", true)] {
        let project = Project::new(&["good", "4"]);
        if is_folder {
            fs::create_dir_all(project.path(OUTPUT)).unwrap();
        } else {
            project.write(OUTPUT, "{\"id\":1,\"text\":\"mine\"}\n");
        }
        project
            .run()
            .failed(1, &["files.unknown", "numbers.jsonl", "move it away"], what);
        assert_eq!(cursor(project.stored().as_ref()), 0, "{what}");
        fs::rename(project.path(OUTPUT), project.path("mine")).unwrap();
        assert!(
            is_folder
                || fs::read_to_string(project.path("mine"))
                    .unwrap()
                    .contains("mine"),
            "{what}"
        );
        project.assert_completes(4, what);
    }
}

#[test]
fn an_output_folder_that_is_a_file_is_a_failure_that_names_it() {
    let project = Project::new(&["good", "4"]);
    project.write("out", "mine");
    project
        .run()
        .failed(1, &["out", "failed"], "a file for a folder");
    assert_eq!(fs::read_to_string(project.path("out")).unwrap(), "mine");
    fs::remove_file(project.path("out")).unwrap();
    project.assert_completes(4, "moved away");
}

/// The catalog with a second capture, `acme/others`, that goes into the same collection.
fn two_captures() -> String {
    let text = catalog(&[MISBEHAVE, "good", "4"], "interval: 1s");
    let (first, collections) = text
        .split_once("collections:\n")
        .expect("the catalog has collections");
    let second = first.split_once('\n').expect("it has lines").1.replacen(
        "acme/numbers:",
        "acme/others:",
        1,
    );
    format!("{first}{second}collections:\n{collections}")
}

#[test]
fn two_captures_cannot_write_one_collection() {
    let project = Project::new(&["good"]);
    project.write("flow.yaml", two_captures());
    project
        .staunch(&["run", "acme/numbers", "--once"])
        .succeeded("first");
    let documents = fs::read(project.path(OUTPUT)).unwrap();
    let second = project.staunch(&["run", "acme/others", "--once"]);
    second.failed(1, &["acme/others", "numbers.jsonl"], "second");
    assert_eq!(fs::read(project.path(OUTPUT)).unwrap(), documents);
    project
        .staunch(&["run", "acme/numbers", "--once"])
        .succeeded("first, again");
    project.assert_completes(6, "alone");
}

#[test]
fn a_capture_that_would_write_the_file_of_another_is_told_whose_it_is() {
    let project = Project::new(&["good"]);
    project.write("flow.yaml", two_captures());
    project
        .staunch(&["run", "acme/numbers", "--once"])
        .succeeded("first");
    let second = project.staunch(&["run", "acme/others", "--once"]);
    second.failed(
        1,
        &[
            "store.file_claimed",
            "written by capture `acme/numbers`",
            "another collection",
        ],
        "second",
    );
}

/// A small disk, which goes with this value.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where this user may not mount.
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(dir.path());
        let mounted = mount.output().is_ok_and(|output| output.status.success());
        mounted.then_some(Self(dir))
    }

    fn resize(&self, size: &str) {
        let mut mount = Command::new("mount");
        let resized = mount
            .args(["-o", &format!("remount,size={size}")])
            .arg(self.0.path())
            .status();
        assert!(
            resized.is_ok_and(|status| status.success()),
            "the disk can be resized"
        );
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status(); // Best effort, as in every drop.
    }
}

/// A project of which these folders are on a small disk.
fn project_on(disk: &SmallDisk, folders: &[&str]) -> Project {
    let project = Project::new(&["fills", "60"]);
    for name in folders {
        let folder = disk.0.path().join(name.trim_start_matches('.'));
        fs::create_dir(&folder).expect("the disk has room for a folder");
        std::os::unix::fs::symlink(&folder, project.path(name)).expect("the folder can be linked");
    }
    project
}

fn skipped() {
    println!(
        "SKIPPED: a small disk cannot be mounted here; run as root to see what a full disk does"
    );
}

#[test]
fn a_disk_that_fills_up_loses_nothing_and_the_run_goes_on_once_there_is_room() {
    for (what, folders) in [
        ("the documents", &["out"][..]),
        ("documents and state", &["out", ".staunch"]),
    ] {
        let Some(disk) = SmallDisk::mount("2m") else {
            return skipped();
        };
        let project = project_on(&disk, folders);
        project
            .run()
            .failed(1, &["no space left", "make room and run again"], what);
        let n = cursor(project.stored().as_ref());
        assert!((1..60).contains(&n), "{what}: full after {n} documents");
        project.assert_committed(n, what);
        project.run().failed(1, &["no space left"], what);
        disk.resize("64m");
        project.run().succeeded(what);
        project.assert_committed(60, what);
    }
}

/// Runs a capture whose store has so much room left, sees that nothing is lost by it, and answers how it was told.
fn run_without_room(room_kib: u64) -> Option<Outcome> {
    let disk = SmallDisk::mount("2m")?;
    let what = format!("{room_kib} KiB of room");
    let project = project_on(&disk, &[".staunch"]);
    project.connector(&["fills", "1"]);
    project.run().succeeded(&what);
    let mut ballast = fs::File::create(disk.0.path().join("ballast")).expect("a file can be made");
    while ballast.write_all(&[1; 4096]).is_ok() {}
    let full = ballast.metadata().expect("the ballast is there").len();
    ballast
        .set_len(full - room_kib * 1024)
        .expect("a file can be cut");

    project.connector(&["steady-until", "400"]);
    let outcome = project.run();
    disk.resize("64m"); // To look into a database, too, takes room.
    let n = cursor(project.stored().as_ref());
    assert!((1..400).contains(&n), "{what}: full after {n} documents");
    project.assert_committed(n, &what);
    project.run().succeeded(&what);
    project.assert_committed(400, &what);
    Some(outcome)
}

const TOLD: [&str; 3] = ["store.full", "no space left", "make room and run again"];

#[test]
fn a_store_whose_disk_is_full_loses_nothing_however_little_room_there_is() {
    // The lock, the index of the log, the log at its beginning, and a later commit fail in turn.
    for (room_kib, said) in [
        (0, &TOLD[..]),
        (4, &[]),
        (32, &[]),
        (36, &TOLD),
        (48, &TOLD),
        (64, &TOLD),
    ] {
        match run_without_room(room_kib) {
            None => return skipped(),
            Some(outcome) if said.is_empty() => {
                assert!(matches!(outcome.code, Some(1 | 3)), "{outcome:#?}")
            }
            Some(outcome) => _ = outcome.failed(1, said, &format!("{room_kib} KiB of room")),
        }
    }
}

#[test]
fn a_disk_without_room_for_the_index_of_the_log_is_told_as_full() {
    for room_kib in [4, 32] {
        match run_without_room(room_kib) {
            None => return skipped(),
            Some(outcome) => _ = outcome.failed(1, &TOLD, &format!("{room_kib} KiB of room")),
        }
    }
}
