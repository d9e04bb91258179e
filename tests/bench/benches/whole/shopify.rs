//! What a bulk job of Shopify results in, on its way to a pipe; and the opening of many stores.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use source_shopify_native::streams::{Kind, STREAMS};

use crate::Error;
use crate::measure::{SHOPIFY, Sample, Teller, to_pipe, to_pipe_until};
use crate::open::{SPEC, open, open_keyed};
use crate::server::Server;
use crate::table::{median_of, millis};

/// Bytes of rows.
const BYTES: u64 = 5_000_000_000;

/// With which the one checkpoint begins.
const CHECKPOINT: &[u8] = b"{\"checkpoint\"";

const STORES: usize = 200;

/// With which an open capture begins.
const OPENED: &[u8] = b"{\"opened\"";

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    result(rounds)?;
    many_stores(rounds)
}

fn result(rounds: usize) -> Result<(), Error> {
    let server = Server::start(SHOPIFY, &["serve", &BYTES.to_string()])?;
    let url = format!("{}/result", server.place);
    let reader = |how: &str| {
        let mut command = Command::new(SHOPIFY);
        to_pipe(command.args([how, &url]), &[], Teller::Reports).map(|(sample, _)| sample)
    };
    // A state, so that nothing but the result needs a checkpoint.
    let begun = Timestamp::now() - SignedDuration::from_hours(240);
    let begun = begun.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let state = json!({ "bindingStateV1": { "orders": {
        "inc": { "store-0": { "cursor": begun } }, "last_initialized": begun,
    } } });
    let input = [SPEC, &open(&config(1), &["orders".into()], &state)].concat();
    let mut rows: [(&str, Vec<Sample>); 3] = [
        ("the kit's reader of JSON lines", Vec::new()),
        ("rows put together as documents", Vec::new()),
        ("`source-shopify-native`, to a pipe", Vec::new()),
    ];
    for _ in 0..rounds {
        rows[0].1.push(reader("read")?);
        rows[1].1.push(reader("assemble")?);
        let mut connector = Command::new(SHOPIFY);
        let connector = connector.env("SOURCE_SHOPIFY_NATIVE_URL", &server.place);
        let (sample, lines) = to_pipe_until(connector, &input, CHECKPOINT)?;
        // About 3.4 kB of rows each.
        if lines < BYTES / 5_000 {
            return Err(format!("the connector wrote {lines} messages").into());
        }
        rows[2].1.push(sample);
    }
    println!(
        "\n### {:.1} GB that a bulk job of Shopify results in\n",
        BYTES as f64 / 1e9
    );
    println!("| | MB/s | CPU s | peak MB |");
    println!("| --- | --- | --- | --- |");
    for (name, samples) in &rows {
        println!(
            "| {name} | {:.0} | {:.1} | {:.0} |",
            median_of(samples, |sample| BYTES as f64
                / 1e6
                / sample.wall.as_secs_f64()),
            median_of(samples, |sample| sample.usage.cpu.as_secs_f64()),
            median_of(samples, |sample| sample.usage.peak_kib as f64 / 1024.0)
        );
    }
    Ok(())
}

fn many_stores(rounds: usize) -> Result<(), Error> {
    let server = Server::start(SHOPIFY, &["serve", "0"])?;
    let bound = STREAMS.iter().map(|stream| match stream.kind {
        Kind::Snapshot { .. } => (stream.name, &["/_meta/store", "/_meta/row_id"][..]),
        _ => (stream.name, &["/_meta/store", "/id"][..]),
    });
    let input = [SPEC, &open_keyed(&config(STORES), bound, &json!({}))].concat();
    let mut rows = [
        Opening::new("until `Opened`", OPENED),
        Opening::new("until the first checkpoint", CHECKPOINT),
    ];
    for _ in 0..rounds {
        for row in &mut rows {
            let mut connector = Command::new(SHOPIFY);
            let connector = connector.env(
                "SOURCE_SHOPIFY_NATIVE_URL",
                format!("{}/{{store}}", server.place),
            );
            row.samples
                .push(to_pipe_until(connector, &input, row.last)?.0);
            row.most.push(most_at_once(&server.place)?);
        }
    }
    println!(
        "\n### {STORES} stores, {} bindings: from the start of the process to its end\n",
        STREAMS.len()
    );
    println!("| | ms | CPU ms | peak MB | requests at once |");
    println!("| --- | --- | --- | --- | --- |");
    for Opening {
        name,
        samples,
        most,
        ..
    } in &rows
    {
        println!(
            "| {name} | {:.0} | {:.0} | {:.0} | {:.0} |",
            median_of(samples, |sample| millis(sample.wall)),
            median_of(samples, |sample| millis(sample.usage.cpu)),
            median_of(samples, |sample| sample.usage.peak_kib as f64 / 1024.0),
            median_of(most, |most| *most)
        );
    }
    Ok(())
}

/// How many stores are opened, up to a message that begins with `last`.
struct Opening {
    name: &'static str,
    last: &'static [u8],
    samples: Vec<Sample>,
    /// Requests that the server answered at once, at most.
    most: Vec<f64>,
}

impl Opening {
    fn new(name: &'static str, last: &'static [u8]) -> Self {
        let (samples, most) = (Vec::new(), Vec::new());
        Self {
            name,
            last,
            samples,
            most,
        }
    }
}

fn config(stores: usize) -> Value {
    let store = |number: usize| {
        json!({
            "store": format!("store-{number}"),
            "credentials": { "credentials_title": "Private App Credentials", "access_token": "shpat_bench" },
        })
    };
    let stores: Vec<Value> = (0..stores).map(store).collect();
    let start = Timestamp::now() - SignedDuration::from_hours(240);
    json!({ "stores": stores, "start_date": start.to_string(), "advanced": { "should_use_composite_key": true } })
}

/// How many requests the server answered at a time, since it was asked last.
fn most_at_once(place: &str) -> Result<f64, Error> {
    let host = place.trim_start_matches("http://");
    let mut connection = TcpStream::connect(host)?;
    write!(
        connection,
        "GET /most HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let body = answer.rsplit("\r\n\r\n").next().unwrap_or_default();
    Ok(body.parse()?)
}
