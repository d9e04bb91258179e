//! Documents into PostgreSQL: `staunch run`, beside `psql \copy` of the same rows into the same table of a database of its own.
//!
//! The connector is a shell that hands on lines which are ready, so what is measured is the runtime, the pipe, and the server; validation is on,
//! documents and state are in one transaction. The server is one cluster with the settings that it comes with, in the folder of the build.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use staunch_bench::document::{self, Size};
use staunch_postgres_cluster::Cluster;

use crate::Error;
use crate::measure::STAUNCH;

/// How many documents, and of which size.
const LOADS: [(u64, u64); 2] = [(500_000, 250), (200_000, 1_000)];

/// Documents between two checkpoints.
const SEQUENCE: u64 = 1_000;

/// What the connector answers before it is opened, and then its lines.
const CONNECTOR: &str = r#"while IFS= read -r line; do case "$line" in
    '{"spec"'*) echo '{"spec":{"protocol":3032023,"configSchema":{},"resourceConfigSchema":{},"documentationUrl":"https://example.com","resourcePathPointers":["/name"]}}' ;;
    '{"validate"'*) echo '{"validated":{"bindings":[{"resourcePath":["orders"]}]}}' ;;
    '{"apply"'*) echo '{"applied":{}}' ;;
    '{"open"'*) exec cat lines ;;
esac; done"#;

pub(crate) fn run(rounds: usize) -> Result<(), Error> {
    let Some(cluster) = Cluster::start() else {
        return Ok(()); // It has said so.
    };
    for (documents, bytes) in LOADS {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        write_lines(folder.path(), documents, Size::from_bytes(bytes)?)?;
        for updates in ["standard", "append"] {
            compare(&cluster, folder.path(), (documents, bytes), updates, rounds)?;
        }
    }
    Ok(())
}

fn compare(
    cluster: &Cluster,
    folder: &Path,
    (documents, bytes): (u64, u64),
    updates: &str,
    rounds: usize,
) -> Result<(), Error> {
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let database = format!("bench_{bytes}_{updates}_{round}");
        let _ = cluster.psql(&format!("CREATE DATABASE {database}"));
        let _ = cluster.psql("CHECKPOINT");
        let our = staunch(cluster, &database, folder, updates)?;
        let count = cluster.psql_in(&database, "SELECT count(*) FROM bench_orders");
        if count != documents.to_string() {
            return Err(format!("there are {count} rows, not {documents}").into());
        }
        if round == 0 {
            let rows = File::create(folder.join("rows"))?;
            let copy = "COPY (SELECT id, flow_document FROM bench_orders ORDER BY id) TO STDOUT";
            let mut psql = cluster.psql_command();
            psql.args(["-d", &database, "-c", copy]).stdout(rows);
            succeed(&mut psql)?;
        }
        let _ = cluster.psql_in(&database, "TRUNCATE bench_orders");
        let _ = cluster.psql("CHECKPOINT");
        let copy = format!(
            "\\copy bench_orders (id, flow_document) FROM '{}'",
            folder.join("rows").display()
        );
        let began = Instant::now();
        succeed(cluster.psql_command().args(["-d", &database, "-c", &copy]))?;
        let their = began.elapsed();
        let _ = cluster.psql(&format!("DROP DATABASE {database} WITH (FORCE)"));
        ours.push(our);
        theirs.push(their);
        ratios.push(their.as_secs_f64() / our.as_secs_f64());
    }
    let rate = |times: &mut Vec<Duration>| {
        times.sort();
        documents as f64 / times[times.len() / 2].as_secs_f64()
    };
    ratios.sort_by(f64::total_cmp);
    println!(
        "\n### {documents} documents of about {bytes} bytes into PostgreSQL, `updates: {updates}`\n"
    );
    println!("| | documents/s | rate, of `\\copy`'s |\n| --- | --- | --- |");
    println!("| `psql \\copy` | {:.0} | |", rate(&mut theirs));
    println!(
        "| `staunch run` | {:.0} | {:.0} % ({:.0}–{:.0}) |",
        rate(&mut ours),
        ratios[ratios.len() / 2] * 100.0,
        ratios[0] * 100.0,
        ratios[ratios.len() - 1] * 100.0
    );
    Ok(())
}

fn staunch(
    cluster: &Cluster,
    database: &str,
    lines: &Path,
    updates: &str,
) -> Result<Duration, Error> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    std::fs::hard_link(lines.join("lines"), folder.path().join("lines"))?;
    // JSON is YAML.
    let catalog = json!({
        "captures": { "bench/shop": {
            "endpoint": { "local": { "command": ["sh", "-c", CONNECTOR], "config": {} } },
            "bindings": [{ "resource": { "name": "orders" }, "target": "bench/orders" }],
        } },
        "collections": { "bench/orders": { "schema": document::schema(), "key": ["/id"] } },
    });
    let settings = json!({
        "version": 1,
        "sinks": { "default": { "type": "postgres", "dsn": cluster.dsn_of(database), "updates": updates } },
    });
    std::fs::write(folder.path().join("flow.yaml"), catalog.to_string())?;
    std::fs::write(folder.path().join("staunch.yaml"), settings.to_string())?;
    let began = Instant::now();
    succeed(
        Command::new(STAUNCH)
            .args(["run", "--once", "-q"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null()),
    )?;
    Ok(began.elapsed())
}

fn succeed(command: &mut Command) -> Result<(), Error> {
    match command.status()? {
        status if status.success() => Ok(()),
        status => Err(format!("{:?} failed: {status}", command.get_program()).into()),
    }
}

/// The lines of the connector: documents with a key of their own each, and checkpoints.
fn write_lines(folder: &Path, documents: u64, size: Size) -> Result<(), Error> {
    let mut lines = BufWriter::new(File::create(folder.join("lines"))?);
    writeln!(lines, r#"{{"opened":{{}}}}"#)?;
    let mut records = document::records(size);
    let different = records.len();
    for id in 0..documents {
        let record = &mut records[id as usize % different];
        record.id = id;
        let document = serde_json::to_string(record)?;
        writeln!(lines, r#"{{"captured":{{"binding":0,"doc":{document}}}}}"#)?;
        if (id + 1) % SEQUENCE == 0 {
            let state = json!({ "bindingStateV1": { "orders": { "inc": { "cursor": id } } } });
            let checkpoint =
                json!({ "checkpoint": { "state": { "updated": state, "mergePatch": true } } });
            writeln!(lines, "{checkpoint}")?;
        }
    }
    Ok(lines.flush()?)
}
