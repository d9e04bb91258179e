//! A capture that runs, handed over to the next release of its connector: for how long it pauses, and how soon it is back where the next
//! release panics on probation.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};

use crate::Error;
use crate::measure::{STAUNCH, UPGRADE};
use crate::table::median;

const BINDINGS: [u64; 2] = [100, 10_000];

/// No step takes as long on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A document of the first binding: which it is, and when it was captured.
struct Captured {
    id: u64,
    at: u64,
}

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    println!(
        "\n### A running capture handed over: `migrate apply`, three checkpoints of probation; and to a candidate that panics\n"
    );
    println!(
        "| bindings | paused ms, as told | ms between the last document of before and the first of after | ms from the panic to the next document |"
    );
    println!("| --- | --- | --- | --- |");
    for bindings in BINDINGS {
        let (mut told, mut gaps, mut back) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (pause, gap) = handed_over(bindings)?;
            told.push(pause);
            gaps.push(gap);
            back.push(comes_back(bindings)?);
        }
        let (told, gaps, back) = (spread(told), spread(gaps), spread(back));
        println!("| {bindings} | {told} | {gaps} | {back} |");
    }
    Ok(())
}

/// The median, the least and the most.
fn spread(values: Vec<f64>) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{:.0} ({least:.0} to {most:.0})", median(values))
}

/// For how many milliseconds a capture paused: as it is told, and between two documents.
fn handed_over(bindings: u64) -> Result<(f64, f64), Error> {
    let folder = project(bindings)?;
    let dir = folder.path();
    let mut run = Running::start(dir)?;
    let applied = apply(dir, "bench-second")?;
    let pause = applied["result"]["pauseSeconds"].as_f64();
    let pause = pause.ok_or_else(|| format!("it was not handed over: {applied}"))?;
    run.end()?;
    let captured = documents(dir)?;
    check_whole(&captured)?;
    let gaps = captured.windows(2).map(|pair| pair[1].at - pair[0].at);
    let gap = gaps.max().ok_or("there are documents")?;
    Ok((pause * 1e3, gap as f64))
}

/// How many milliseconds after its candidate has panicked a capture goes on as before.
fn comes_back(bindings: u64) -> Result<f64, Error> {
    let folder = project(bindings)?;
    let dir = folder.path();
    let mut run = Running::start(dir)?;
    let applied = apply(dir, "bench-panics")?;
    if applied["error"]["code"] != json!("upgrade.taken_back") {
        return Err(format!("it was not taken back: {applied}").into());
    }
    let panicked: u64 = std::fs::read_to_string(dir.join("panicked"))?.parse()?;
    let began = Instant::now();
    let next = loop {
        let captured = documents(dir)?;
        if let Some(next) = captured.iter().find(|document| document.at > panicked) {
            break next.at;
        }
        if began.elapsed() > PATIENCE {
            return Err("the connector of before does not come back".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    run.end()?;
    check_whole(&documents(dir)?)?;
    Ok((next - panicked) as f64)
}

/// A capture of so many bindings, and the releases of its connector.
fn project(bindings: u64) -> Result<tempfile::TempDir, Error> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    for release in ["first", "second", "panics"] {
        // The version of a connector is its program, so each release is one of its own.
        let program = folder.path().join(format!("bench-{release}"));
        std::fs::copy(UPGRADE, &program)?;
        let mut file = std::fs::OpenOptions::new().append(true).open(&program)?;
        std::io::Write::write_all(&mut file, release.as_bytes())?;
    }
    let name = |n: u64| format!("resource-{n:05}");
    let bound = (0..bindings).map(
        |n| json!({ "resource": { "name": name(n) }, "target": format!("bench/{}", name(n)) }),
    );
    let collection = |n: u64| {
        let schema = json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "integer" } } });
        (
            format!("bench/{}", name(n)),
            json!({ "schema": schema, "key": ["/id"] }),
        )
    };
    // JSON is YAML.
    let catalog = json!({
        "captures": { "bench/many": {
            "endpoint": { "local": { "command": ["./bench-first"], "config": { "bindings": bindings } } },
            "bindings": bound.collect::<Vec<_>>(),
        } },
        "collections": (0..bindings).map(collection).collect::<Map<String, Value>>(),
    });
    let catalog = serde_json::to_vec(&catalog)?;
    std::fs::write(folder.path().join("flow.yaml"), catalog)?;
    Ok(folder)
}

struct Running(Child);

impl Running {
    /// Runs the capture, until it captures.
    fn start(dir: &Path) -> Result<Self, Error> {
        let mut command = Command::new(STAUNCH);
        command.args(["run", "-q"]).current_dir(dir);
        let run = Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
        let began = Instant::now();
        while documents(dir)?.len() < 20 {
            if began.elapsed() > PATIENCE {
                return Err("the capture does not begin".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(run)
    }

    fn end(&mut self) -> Result<(), Error> {
        kill_process(Pid::from_child(&self.0), Signal::INT)?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill(); // It has ended, but for a failure that is told.
        let _ = self.0.wait();
    }
}

fn apply(dir: &Path, release: &str) -> Result<Value, Error> {
    let to = format!("./{release}");
    let output = Command::new(STAUNCH)
        .args(["migrate", "apply", "--to", &to])
        .args(["--probation", "10,60s", "--json"])
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// What is in the file, but for a line that is being written.
fn documents(dir: &Path) -> Result<Vec<Captured>, Error> {
    let file = dir.join("out/bench/resource-00000.jsonl");
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error.into()),
    };
    let number = |value: &Value, name: &str| value[name].as_u64().ok_or("a document has numbers");
    let lines = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let read = |line: &str| -> Result<Captured, Error> {
        let value: Value = serde_json::from_str(line)?;
        Ok(Captured {
            id: number(&value, "id")?,
            at: number(&value, "at")?,
        })
    };
    lines.map(read).collect()
}

/// Whether nothing was lost, and nothing captured twice.
fn check_whole(captured: &[Captured]) -> Result<(), Error> {
    let is_whole = captured
        .iter()
        .zip(1..)
        .all(|(document, id)| document.id == id);
    match is_whole {
        true => Ok(()),
        false => Err("documents are lost, or there twice".into()),
    }
}
