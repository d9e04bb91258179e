//! Documents that are posted, and answered when they are acknowledged (W7).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use staunch_bench::usage::{self, DIR_VARIABLE, Usage};

use crate::Error;
use crate::open::{SPEC, open};
use crate::table::{median, median_of};

const WEB: &str = env!("CARGO_BIN_EXE_bench-web");

/// For how long is posted in each run.
const SECONDS: &str = "3";

/// Requests per second where they are due at fixed times.
const RATE: &str = "5000";

/// What is posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Floor,
    Kit,
}

/// How it is posted to.
struct Load {
    name: &'static str,
    connections: &'static str,
    rate: Option<&'static str>,
    /// Until the floor answers, and until a checkpoint is acknowledged.
    delay: Duration,
}

const LOADS: [Load; 5] = [
    Load::of("1 connection", "1"),
    Load::of("16 connections", "16"),
    Load::of("64 connections", "64"),
    Load {
        delay: Duration::from_millis(5),
        ..Load::of("64 connections, acknowledged after 5 ms", "64")
    },
    Load {
        rate: Some(RATE),
        ..Load::of("64 connections, 5,000 requests/s", "64")
    },
];

impl Load {
    const fn of(name: &'static str, connections: &'static str) -> Self {
        Self {
            name,
            connections,
            rate: None,
            delay: Duration::ZERO,
        }
    }
}

/// What one run took.
struct Sample {
    /// Requests answered per second.
    rate: f64,
    median_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
    peak_mib: f64,
    /// Requests for each checkpoint.
    shared: f64,
}

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    println!("\n### Documents of about 250 bytes, posted one by one (W7)\n");
    println!(
        "| | requests/s | of the floor's | CPU us/request | latency ms, median | p99 | requests per checkpoint | peak MB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for load in &LOADS {
        let mut rows: [(Server, Vec<Sample>); 2] =
            [(Server::Floor, Vec::new()), (Server::Kit, Vec::new())];
        for _ in 0..rounds {
            for (server, samples) in &mut rows {
                samples.push(sample(*server, load)?);
            }
        }
        let rates = |n: usize| rows[n].1.iter().map(|sample| sample.rate);
        let ratio = median(
            rates(1)
                .zip(rates(0))
                .map(|(kit, floor)| kit / floor)
                .collect(),
        );
        for (server, samples) in &rows {
            let (name, ratio, shared) = match server {
                Server::Floor => ("floor", String::new(), String::new()),
                Server::Kit => (
                    "kit",
                    format!("{:.0} %", ratio * 100.0),
                    format!("{:.1}", median_of(samples, |sample| sample.shared)),
                ),
            };
            println!(
                "| {name}, {} | {:.0} | {ratio} | {:.1} | {:.2} | {:.2} | {shared} | {:.0} |",
                load.name,
                median_of(samples, |sample| sample.rate),
                median_of(samples, |sample| sample.cpu_us),
                median_of(samples, |sample| sample.median_ms),
                median_of(samples, |sample| sample.p99_ms),
                median_of(samples, |sample| sample.peak_mib),
            );
        }
    }
    Ok(())
}

fn sample(server: Server, load: &Load) -> Result<Sample, Error> {
    let reports = tempfile::tempdir()?;
    let mut command = Command::new(WEB);
    let delay = load.delay.as_millis().to_string();
    if server == Server::Floor {
        command.args(["floor", &delay]);
    }
    let mut child = command
        .env(DIR_VARIABLE, reports.path())
        .env("LOG_LEVEL", "info")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let driver = Driver::start(&mut child, server, load.delay)?;
    let stderr = BufReader::new(child.stderr.take().ok_or("standard error is piped")?);
    let address = address(stderr)?;
    let mut posting = Command::new(WEB);
    posting.args(["load", &address, load.connections, SECONDS]);
    let posted = posting.args(load.rate).output()?;
    if !posted.status.success() {
        return Err(String::from_utf8_lossy(&posted.stderr).into());
    }
    let checkpoints = driver.stop()?;
    if !child.wait()?.success() {
        return Err("the server failed".into());
    }
    let text = String::from_utf8(posted.stdout)?;
    let numbers: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
    let [answered, total, micros, median, p99] = numbers?[..] else {
        return Err(format!("`{text}` is no result of a load").into());
    };
    let Usage { cpu, peak_kib, .. } = usage::collect(reports.path())?;
    Ok(Sample {
        rate: answered / micros * 1e6,
        median_ms: median / 1e3,
        p99_ms: p99 / 1e3,
        cpu_us: cpu.as_secs_f64() * 1e6 / total,
        peak_mib: peak_kib as f64 / 1024.0,
        shared: total / checkpoints.max(1.0),
    })
}

/// The runtime of a connector.
struct Driver {
    input: Arc<Mutex<Option<ChildStdin>>>,
    /// How many checkpoints there were.
    reading: JoinHandle<f64>,
}

impl Driver {
    fn start(child: &mut Child, server: Server, delay: Duration) -> Result<Self, Error> {
        let mut input = child.stdin.take().ok_or("standard input is piped")?;
        let output = child.stdout.take().ok_or("standard output is piped")?;
        if server == Server::Kit {
            let request = open(&json!({}), &["documents".to_owned()], &json!({}));
            input.write_all(&[SPEC, &request].concat())?;
        }
        let input = Arc::new(Mutex::new(Some(input)));
        let to_acknowledge = Arc::clone(&input);
        let (later, due) = mpsc::channel::<Instant>();
        if !delay.is_zero() {
            let input = Arc::clone(&input);
            std::thread::spawn(move || {
                for at in due {
                    std::thread::sleep(at.saturating_duration_since(Instant::now()));
                    acknowledge(&input);
                }
            });
        }
        let reading = std::thread::spawn(move || {
            let mut output = BufReader::with_capacity(256 << 10, output);
            let mut checkpoints = 0.0;
            let mut line = Vec::new();
            while output
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                if line.starts_with(b"{\"checkpoint\"") {
                    checkpoints += 1.0;
                    match delay.is_zero() {
                        true => acknowledge(&to_acknowledge),
                        false => drop(later.send(Instant::now() + delay)),
                    }
                }
                line.clear();
            }
            checkpoints
        });
        Ok(Self { input, reading })
    }

    /// Ends the input, and with it the server. Returns how many checkpoints there were.
    fn stop(self) -> Result<f64, Error> {
        *self.input.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.reading
            .join()
            .map_err(|_| "the driver panicked".into())
    }
}

fn acknowledge(input: &Mutex<Option<ChildStdin>>) {
    let mut input = input.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(input) = &mut *input {
        let _ = input.write_all(b"{\"acknowledge\":{\"checkpoints\":1}}\n"); // It may have gone.
    }
}

/// Where the server listens, as its log says. What else it logs is thrown away.
fn address(mut stderr: BufReader<ChildStderr>) -> Result<String, Error> {
    let mut line = String::new();
    while stderr.read_line(&mut line)? > 0 {
        let record: Value = serde_json::from_str(&line).unwrap_or_default();
        if record["msg"] == "listening" {
            std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
            let address = record["fields"]["address"].as_str();
            return Ok(address.ok_or("an address is text")?.to_owned());
        }
        line.clear();
    }
    Err("the server does not listen".into())
}
