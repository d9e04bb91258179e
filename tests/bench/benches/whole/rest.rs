//! Pages of a server to a pipe, a checkpoint for each page (W2).

use std::process::Command;

use serde_json::json;
use staunch_bench::pages::{PAGE_DOCUMENTS, PAGES};

use crate::Error;
use crate::measure::{CONNECTOR, FLOOR, Teller};
use crate::open::{SPEC, open};
use crate::program::{Program, run_all};
use crate::server::Server;

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    let server = Server::start(FLOOR, &["rest-serve"])?;
    let floor = |mode: &'static str| {
        let port = server.place.clone();
        move || {
            let mut command = Command::new(FLOOR);
            command.args([mode, &port]);
            command
        }
    };
    let kit = |name, floor, how: &str, is_limited: bool| {
        let url = format!("http://127.0.0.1:{}", server.place);
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
