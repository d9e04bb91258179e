//! Pages of a server to a pipe, a checkpoint for each page (W2).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;
use staunch_bench::pages::{PAGE_DOCUMENTS, PAGES};

use crate::Error;
use crate::measure::{CONNECTOR, FLOOR, Teller};
use crate::open::{SPEC, open};
use crate::program::{Program, run_all};

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    let server = Server::start()?;
    let floor = |mode: &'static str| {
        let port = server.port.clone();
        move || {
            let mut command = Command::new(FLOOR);
            command.args([mode, &port]);
            command
        }
    };
    let kit = |name, floor, how: &str, is_limited: bool| {
        let url = format!("http://127.0.0.1:{}", server.port);
        let config = json!({ "mode": "rest", "url": url, "how": how, "is_limited": is_limited });
        let input = [SPEC, &open(&config, &["documents".into()], &json!({}))].concat();
        Program::kit(name, floor, || Command::new(CONNECTOR), input)
    };
    let programs = [
        Program::new(
            "floor, fetch only",
            None,
            floor("rest-fetch"),
            Teller::Reports,
        )
        .silent(),
        Program::new(
            "floor, checked raw elements",
            None,
            floor("rest-raw"),
            Teller::Reports,
        ),
        kit("raw, streamed", 1, "raw-streamed", true),
        kit("raw, streamed, no limiter", 1, "raw-streamed", false),
        kit("raw, whole pages", 1, "raw-whole", true),
        Program::new("floor, typed", None, floor("rest-typed"), Teller::Reports),
        kit("typed, streamed", 5, "typed-streamed", true),
        kit("typed, streamed, no limiter", 5, "typed-streamed", false),
        kit("typed, whole pages", 5, "typed-whole", true),
    ];
    let documents = PAGES * PAGE_DOCUMENTS;
    let title =
        format!("Capture {PAGES} pages of {PAGE_DOCUMENTS} documents of about 1 kB over HTTP (W2)");
    run_all(&title, &programs, documents, documents + PAGES, rounds)
}

/// A process that serves pages until it is dropped.
struct Server {
    process: Child,
    port: String,
}

impl Server {
    fn start() -> Result<Self, Error> {
        let mut process = Command::new(FLOOR)
            .arg("rest-serve")
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().expect("stdout is piped");
        let mut port = String::new();
        BufReader::new(stdout).read_line(&mut port)?;
        let port = port.trim().to_owned();
        Ok(Self { process, port })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
