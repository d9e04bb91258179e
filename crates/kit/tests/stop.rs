//! What only a process shows of how a capture stops: signals, threads that block, and files that are left behind.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod support;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::process::Process;
use support::{PATIENCE, binding, open_with};

/// A request to open these resources, each with so many subtasks.
fn open(resources: &[(&str, u32)], flood_bytes: u64) -> String {
    let bindings: Vec<_> = resources.iter().map(|(name, _)| binding(name)).collect();
    let states = resources.iter().map(|(name, subtasks)| {
        let inc: serde_json::Map<_, _> = (0..*subtasks)
            .map(|n| (format!("s{n}"), json!({"cursor": 0})))
            .collect();
        let state = json!({"inc": inc, "last_initialized": "2026-01-01T00:00:00Z"});
        ((*name).to_owned(), state)
    });
    let states: serde_json::Map<_, _> = states.collect();
    let state = json!({"bindingStateV1": states}).to_string();
    open_with(
        json!({"chain": "none", "flood_bytes": flood_bytes}),
        &bindings,
        &state,
    )
}

fn tasks(logs: &[Value]) -> Vec<&Value> {
    let tasks = logs.iter().filter(|record| record["msg"] == "task");
    tasks.map(|record| &record["fields"]).collect()
}

#[test]
fn a_quit_signal_has_every_task_told_and_the_process_goes_on() {
    let mut process = Process::start(&[]);
    process.send(open(&[("parked", 45)], 0));
    // As many as there are slots; and others, if they came to wait while those were not parked yet.
    process.until(1 + 40);
    process.until_quiet(Duration::from_secs(1));
    process.signal("-QUIT");
    process.is_waiting(Duration::from_secs(1));
    process.signal("-TERM");
    process.is_waiting(Duration::from_millis(300));
    process.signal("-INT");
    let ended = process.wait();
    assert_eq!(ended.code, Some(1), "{:#?}", ended.logs);
    let told = tasks(&ended.logs);
    let at_first: Vec<_> = told.iter().take(45).collect();
    let states = |state: &str| {
        at_first
            .iter()
            .filter(|task| task["state"].as_str().unwrap().starts_with(state))
            .count()
    };
    assert_eq!(states("running its function"), 40, "{told:#?}");
    assert_eq!(states("waiting for a slot"), 5, "{told:#?}");
    let names = |task: &Value| task["subtask"].as_str().unwrap().to_owned();
    let named: std::collections::BTreeSet<_> = at_first.iter().map(|task| names(task)).collect();
    assert_eq!(named.len(), 45);
    assert!(at_first.iter().all(|task| task["since"].is_string()));
    let [error] = ended
        .logged("error")
        .into_iter()
        .filter(|text| *text != "task")
        .collect::<Vec<_>>()[..]
    else {
        panic!("{:#?}", ended.logs);
    };
    assert!(
        error.starts_with("cancelled by a second signal; still running: `parked: s"),
        "{error}"
    );
    assert!(error.ends_with("more"), "{error}");
}

#[test]
fn threads_that_block_do_not_keep_the_process() {
    let mut process = Process::start(&[]);
    let threads = u32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    process.send(open(&[("blocking", threads + 3)], 0));
    process.until_quiet(Duration::from_secs(1)); // All threads of the runtime are blocked by now.
    process.signal("-QUIT"); // Even now.
    process.signal("-TERM");
    process.is_waiting(Duration::from_secs(1));
    process.signal("-TERM");
    let ended = process.wait();
    assert_eq!(ended.code, Some(1), "{:#?}", ended.logs);
    assert!(
        tasks(&ended.logs).len() >= threads as usize,
        "{:#?}",
        ended.logs
    );
    let error = ended.logged("error").pop().unwrap_or_default().to_owned();
    assert!(error.contains("still running: `blocking: s"), "{error}");
}

#[test]
fn a_capture_says_that_it_started_and_how_far_it_came() {
    let mut process = Process::start(&[]);
    process.send(open(&[("a", 1)], 0));
    process.until(1 + 2 * 9);
    process.is_waiting(Duration::from_millis(2500));
    let ended = process.stop();
    assert_eq!(ended.code, Some(0));
    let started = ended
        .logs
        .iter()
        .find(|record| record["msg"] == "Capture started.");
    assert_eq!(
        started.unwrap()["fields"],
        json!({"eventType": "connectorStatus"})
    );
    let progress: Vec<_> = ended
        .logs
        .iter()
        .filter(|record| record["msg"] == "progress")
        .collect();
    let last = &progress.last().expect("something moved")["fields"];
    assert_eq!(
        (&last["documents"], &last["checkpoints"]),
        (&json!(9), &json!(9))
    );
    assert_eq!(last["tasks"][0]["binding"], "a");
    assert!(progress.len() <= 2, "{progress:#?}");
    assert_eq!(ended.count("capture ended"), 1);
}

/// Waits until the process has an unnamed file in the folder, and tells its size.
fn unnamed_file(id: u32, folder: &Path) -> u64 {
    let deadline = Instant::now() + PATIENCE;
    let find = || {
        let files = std::fs::read_dir(format!("/proc/{id}/fd")).ok()?;
        let is_ours = |path: &std::path::PathBuf| {
            let target = std::fs::read_link(path).unwrap_or_default();
            target.starts_with(folder) && target.to_string_lossy().ends_with("(deleted)")
        };
        let ours = files.flatten().map(|file| file.path()).find(is_ours)?;
        std::fs::metadata(ours).ok().map(|file| file.len())
    };
    loop {
        match find() {
            Some(bytes) if bytes > 20 << 20 => return bytes,
            _ => assert!(
                Instant::now() < deadline,
                "nothing is spooled in {}",
                folder.display()
            ),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A figure of `/proc/ID/status`, in kB.
fn status(id: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim_matches([':', ' ', '\t', 'k', 'B'])
        .parse()
        .unwrap()
}

#[test]
fn a_spool_is_a_file_without_a_name_so_nothing_is_left_behind_by_a_process_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().to_str().expect("the folder's name is text");
    let mut process = Process::start_in(&[], &[("TMPDIR", temporary)]);
    process.send(open(&[("flood", 1)], 48 << 20));
    let path = folder.path().canonicalize().unwrap();
    assert!(unnamed_file(process.id(), &path) > 20 << 20);
    let peak = status(process.id(), "VmHWM");
    assert!(peak < 64 << 10, "{peak} kB");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "it has no name"
    );
    let ended = process.kill();
    assert_eq!(ended.lines.len(), 1, "only `Opened`: no half sequence");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Takes a minute or more, and 5 GiB of disk: `cargo test -p staunch --test stop -- --ignored --nocapture`.
#[test]
#[ignore = "writes 5 GiB"]
fn a_checkpoint_of_five_gib_stays_within_the_bounds_of_memory() {
    const BYTES: u64 = 5 << 30;
    let mut child = Command::new(env!("CARGO_BIN_EXE_kit-test-connector"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(
        child.stdin.as_mut().unwrap(),
        "{}",
        open(&[("flood", 1)], BYTES)
    )
    .unwrap();
    let (mut out, mut read, mut chunk) = (child.stdout.take().unwrap(), 0, vec![0; 1 << 20]);
    while read < BYTES {
        match out.read(&mut chunk).unwrap() {
            0 => panic!("it ended after {read} bytes"),
            n => read += n as u64,
        }
    }
    let peak = status(child.id(), "VmHWM");
    child.kill().unwrap();
    child.wait().unwrap();
    println!("peak memory with a checkpoint of {BYTES} bytes: {peak} kB");
    assert!(peak < 64 << 10, "{peak} kB");
}
