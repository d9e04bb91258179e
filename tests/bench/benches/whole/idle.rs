//! Bindings that find nothing: how long until they are there, and what they take then (W3).

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use staunch_bench::usage::status_kib;

use crate::Error;
use crate::measure::{CONNECTOR, FLOOR, cpu_of_threads};
use crate::open::{SPEC, open};
use crate::table::{median_of, millis};

/// For how long an idle capture is watched.
const WATCHED: Duration = Duration::from_secs(10);

struct Sample {
    opened: Duration,
    ready: Duration,
    cpu_until_ready: Duration,
    resident_mib: f64,
    peak_mib: f64,
    idle_cpu: Duration,
}

struct Row {
    name: &'static str,
    arguments: &'static [&'static str],
    program: &'static str,
    input: Vec<u8>,
    samples: Vec<Sample>,
}

/// How many bindings are there. The fewest are what a process takes that has hardly any.
const BINDINGS: [u64; 3] = [100, 1_000, 10_000];

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    let mut resident_of_fewest = Vec::new();
    for bindings in BINDINGS {
        let names: Vec<String> = (0..bindings).map(|n| format!("resource-{n:05}")).collect();
        let config = json!({ "mode": "idle", "bindings": bindings });
        let state = |name: &String| {
            let state =
                json!({ "inc": { "cursor": 7 }, "last_initialized": "2026-11-22T13:04:05Z" });
            (name.clone(), state)
        };
        let states: Map<String, Value> = names.iter().map(state).collect();
        let resumed = open(&config, &names, &json!({ "bindingStateV1": states }));
        let new = open(&config, &names, &json!({}));
        let mut rows = [
            Row {
                name: "floor, a task each",
                arguments: &["idle"],
                program: FLOOR,
                input: resumed.clone(),
                samples: Vec::new(),
            },
            Row {
                name: "kit, state there",
                arguments: &[],
                program: CONNECTOR,
                input: resumed,
                samples: Vec::new(),
            },
            Row {
                name: "kit, a new capture",
                arguments: &[],
                program: CONNECTOR,
                input: new,
                samples: Vec::new(),
            },
            Row {
                name: "kit, as many subtasks",
                arguments: &[],
                program: CONNECTOR,
                input: subtasks(bindings),
                samples: Vec::new(),
            },
        ];
        for round in 0..rounds {
            for row in &mut rows {
                // Watching takes its time, and hardly varies: once is enough.
                let watched = if round == 0 { WATCHED } else { Duration::ZERO };
                row.samples.push(sample(row, watched)?);
            }
        }
        println!(
            "\n### {bindings} idle bindings (W3), `Open` of {} kB\n",
            rows[0].input.len() / 1000
        );
        println!(
            "| | opened ms | ready ms | CPU until ready, ms | resident MB | peak MB | CPU in {} s idle, ms | resident bytes for each |",
            WATCHED.as_secs()
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
        for (n, row) in rows.iter().enumerate() {
            let resident = median_of(&row.samples, |sample| sample.resident_mib);
            if bindings == BINDINGS[0] {
                resident_of_fewest.push(resident);
            }
            let more = bindings - BINDINGS[0];
            let each = match more {
                0 => String::new(),
                _ => format!(
                    "{:.0}",
                    (resident - resident_of_fewest[n]) * 1024.0 * 1024.0 / more as f64
                ),
            };
            println!(
                "| {} | {:.0} | {:.0} | {:.0} | {resident:.1} | {:.1} | {:.2} | {each} |",
                row.name,
                median_of(&row.samples, |sample| millis(sample.opened)),
                median_of(&row.samples, |sample| millis(sample.ready)),
                median_of(&row.samples, |sample| millis(sample.cpu_until_ready)),
                median_of(&row.samples, |sample| sample.peak_mib),
                millis(row.samples[0].idle_cpu),
            );
        }
    }
    Ok(())
}

/// One binding of so many subtasks.
fn subtasks(subtasks: u64) -> Vec<u8> {
    let name = "resource-00000".to_owned();
    let inc: Map<String, Value> = (0..subtasks)
        .map(|n| (format!("subtask-{n:05}"), json!({ "cursor": 7 })))
        .collect();
    let state = json!({ "inc": inc, "last_initialized": "2026-11-22T13:04:05Z" });
    open(
        &json!({ "mode": "idle", "bindings": 1, "subtasks": subtasks }),
        std::slice::from_ref(&name),
        &json!({ "bindingStateV1": { &name: state } }),
    )
}

fn sample(row: &Row, watched: Duration) -> Result<Sample, Error> {
    let mut child = Command::new(row.program)
        .args(row.arguments)
        .env("LOG_LEVEL", "info")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let mut stdout =
        BufReader::with_capacity(256 << 10, child.stdout.take().expect("stdout is piped"));
    let stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
    stdin.write_all(SPEC)?;
    let mut line = Vec::new();
    stdout.read_until(b'\n', &mut line)?;

    let began = Instant::now();
    stdin.write_all(&row.input)?;
    line.clear();
    stdout.read_until(b'\n', &mut line)?;
    let opened = began.elapsed();
    if !line.starts_with(b"{\"opened\"") {
        return Err(format!(
            "{} did not open: {}",
            row.name,
            String::from_utf8_lossy(&line)
        )
        .into());
    }
    let rest = std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
    // The level is that of production, as what is kept for the log takes memory, too.
    let mut lines = stderr.lines().map_while(Result::ok);
    if !lines.any(|line| line == "ready") {
        return Err(format!("{} did not become ready", row.name).into());
    }
    let ready = began.elapsed();
    let cpu_until_ready = cpu_of_threads(child.id())?;

    std::thread::sleep(Duration::from_millis(500)); // Whatever `ready` has left to do is not idleness.
    let before = cpu_of_threads(child.id())?;
    std::thread::sleep(watched);
    let idle_cpu = cpu_of_threads(child.id())?.saturating_sub(before);
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let mib = |name| {
        status_kib(&status, name)
            .map(|kib| kib as f64 / 1024.0)
            .ok_or("a status has no memory")
    };
    let (resident_mib, peak_mib) = (mib("VmRSS:")?, mib("VmHWM:")?);
    drop(stdin);
    rest.join().expect("the reader does not panic")?;
    let status = child.wait()?;
    if !status.success() {
        return Err(format!("{} failed: {status}", row.name).into());
    }
    Ok(Sample {
        opened,
        ready,
        cpu_until_ready,
        resident_mib,
        peak_mib,
        idle_cpu,
    })
}
