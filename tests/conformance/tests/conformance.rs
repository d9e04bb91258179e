//! Runs the conformance suite.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

/// The suite, beside the repository.
const SUITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance");

/// Scenarios of our own, with their goldens beside them.
const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");

/// Runs at once. Most of a run is waiting, but two runs of the suite beside each other would wait for the processor.
const JOBS: &str = "4";
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Between the suite, which speaks JSON, and a connector that speaks protobuf.
const BRIDGE: &str = env!("CARGO_BIN_EXE_bridge");

#[test]
fn every_recorded_scenario_goes_as_it_was_recorded() {
    compare(in_json, &Path::new(SUITE).join("scenarios"));
}

#[test]
fn every_recorded_scenario_goes_as_it_was_recorded_in_protobuf() {
    compare(in_protobuf, &Path::new(SUITE).join("scenarios"));
}

#[test]
fn every_scenario_of_our_own_goes_as_the_rules_say() {
    compare(in_json, Path::new(OWN));
}

#[test]
fn every_scenario_of_our_own_goes_as_the_rules_say_in_protobuf() {
    compare(in_protobuf, Path::new(OWN));
}

/// The command line of the connector.
fn in_json() -> String {
    format!("'{}'", scenario().display())
}

/// The command line of the connector behind the bridge.
fn in_protobuf() -> String {
    format!("'{BRIDGE}' '{}'", scenario().display())
}

/// Scenarios of which the classes of errors are not compared, each with why.
const OTHER_WORDS: [(&str, &str); 1] = [(
    "malformed-requests",
    "what is no JSON is called a malformed request here, where the recorded one has no word for it",
)];

/// Compares all scenarios of a folder with their goldens.
fn compare(connector: impl FnOnce() -> String, folder: &Path) {
    if let Some(missing) = missing() {
        // Where all is to be there nothing is skipped: a check that is not made must not look like one that was passed.
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("SKIPPED: {missing}");
        return;
    }
    let connector = &connector();
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let files = std::fs::read_dir(folder).expect("the folder can be read");
    let files = files.map(|file| file.expect("the folder can be read").path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    assert!(
        !files.is_empty(),
        "there is no scenario in {}",
        folder.display()
    );
    files.sort();
    let has_other_words = |path: &PathBuf| {
        OTHER_WORDS
            .iter()
            .any(|(name, _)| path.file_stem().is_some_and(|stem| stem == *name))
    };
    let (lax, strict): (Vec<_>, Vec<_>) = files.into_iter().partition(has_other_words);
    let mismatches = [(strict, &["--strict-errors"][..]), (lax, &[])]
        .into_iter()
        .filter(|(files, _)| !files.is_empty())
        .filter_map(|(files, options)| mismatches(connector, options, &files));
    let mismatches: Vec<String> = mismatches.collect();
    assert!(
        mismatches.is_empty(),
        "the suite found mismatches:\n{}",
        mismatches.join("\n")
    );
}

/// What the suite says of these scenarios, if anything is wrong with them.
fn mismatches(connector: &str, options: &[&str], scenarios: &[PathBuf]) -> Option<String> {
    let output = Command::new("python3")
        .arg(Path::new(SUITE).join("compare.py"))
        .args(["--connector", connector, "--include", "all", "--quiet"])
        // A scenario that fails once because the machine was busy fails for no reason of ours.
        .args(["--jobs", JOBS, "--retries", "1", "--max-lines", "40"])
        .args(options)
        .args(scenarios)
        .stdin(Stdio::null())
        .output();
    let output = output.expect("`python3` is there");
    let said = || {
        let (out, err) = (output.stdout.as_slice(), output.stderr.as_slice());
        format!(
            "{}{}",
            String::from_utf8_lossy(out),
            String::from_utf8_lossy(err)
        )
    };
    (!output.status.success()).then(said)
}

/// What the suite needs and is not there, and what to do about it.
fn missing() -> Option<String> {
    if !Path::new(SUITE).join("compare.py").is_file() {
        return Some(format!(
            "there is no conformance suite at {SUITE}; put the shared folder beside the repository"
        ));
    }
    let python = Command::new("python3").arg("--version").output();
    let is_there = python.is_ok_and(|output| output.status.success());
    (!is_there).then(|| {
        "the conformance suite needs `python3`, 3.9 or later; install it: apt-get install python3".to_owned()
    })
}

/// The connector, built once: it belongs to another package, which alone is told where it lies.
fn scenario() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args([
            "build",
            "--quiet",
            "--package",
            "scenario",
            "--bin",
            "scenario",
        ]);
        build.args(["--message-format", "json-render-diagnostics"]);
        let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
        if let Some(dir) = target_dir {
            build.arg("--target-dir").arg(dir);
        }
        build
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::inherit());
        let built = build.output().expect("cargo can be started");
        assert!(built.status.success(), "building `scenario` failed");
        let messages = String::from_utf8(built.stdout).expect("cargo writes UTF-8");
        let messages = messages
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut executables =
            messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
        executables.next().expect("cargo names the executable")
    })
}
