//! Kills the runtime at every step of a capture whose documents go into a database, and of the opening that finds out what is committed there.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use staunch_crash_tests::script::{self, ARCHIVE, EVENTS, LABELS, Release};
use staunch_postgres_cluster::Cluster;
use staunch_runtime::store::Store;

use crate::found::{self, Found, parse, without_times};
use crate::point::step_orders;
use crate::project::{CAPTURE, Into, Pace, Project};
use crate::reference::is_at_end;

const SIGKILL: i32 = 9;

const WORKERS: usize = 4;

/// Runs that a recovery may take, on a slow machine.
const RUNS: usize = 8;

/// What a database has.
struct There {
    /// The capture's revision, and the one of the store that it builds on.
    revision: u64,
    base: u64,
    state: Option<String>,
    is_migration: bool,
    /// By resource, in order.
    documents: Vec<(&'static str, Vec<String>)>,
}

/// Asks a database for what it has, if it has heard of the capture.
fn ask(project: &Project) -> Option<There> {
    let one = |sql: &str| match &project.into {
        Into::Files => unreachable!("there is no database"),
        Into::Sqlite => {
            let lake = rusqlite::Connection::open(project.path("lake.db")).ok()?;
            let mut statement = lake.prepare(sql).ok()?;
            let rows = statement
                .query_map([], |row| row.get::<_, String>(0))
                .ok()?;
            Some(rows.map(|row| row.expect("it is text")).collect::<Vec<_>>())
        }
        Into::Postgres(cluster, name) => {
            let output = cluster
                .psql_command()
                .args(["-d", name, "-Atc", sql])
                .output()
                .expect("psql can be started");
            let text = String::from_utf8(output.stdout).expect("it is UTF-8");
            let lines = text.lines().map(str::to_owned).collect();
            output.status.success().then_some(lines)
        }
    };
    // All of it in one statement each, of a capture that is not running.
    let record = one("SELECT revision || ' ' || base || ' ' || details FROM staunch_checkpoints")?;
    let record = record.first()?.clone();
    let mut parts = record.splitn(3, ' ');
    let mut number = || parts.next().and_then(|part| part.parse().ok());
    let (revision, base) = (number()?, number()?);
    let details = parse(parts.next()?).expect("details are JSON");
    let state = one("SELECT state FROM staunch_checkpoints WHERE state IS NOT NULL")?;
    let documents = [EVENTS, ARCHIVE, LABELS].map(|resource| {
        let sql = format!(
            "SELECT CAST(flow_document AS text) FROM crash_{resource} ORDER BY flow_sequence"
        );
        (resource, one(&sql).unwrap_or_default())
    });
    Some(There {
        revision,
        base,
        state: state.first().cloned(),
        is_migration: details["cause"]["kind"] == "migration",
        documents: documents.into(),
    })
}

/// Looks at a project and its database, and finds fault with whatever is never allowed: documents that are not those of the state beside them,
/// each once; a store that is neither at the same transaction nor at the one before.
fn look(project: &Project) -> Result<Found, String> {
    let there = ask(project);
    let reader = match Store::open_readonly(&project.path(".staunch")) {
        Ok(reader) => Some(reader),
        Err(error) if error.code() == "store.not_found" => None,
        Err(error) => return Err(format!("the store cannot be opened: {error}")),
    };
    let row = reader
        .as_ref()
        .and_then(|reader| reader.load(CAPTURE).expect("the store can be read"));
    let here = row.as_ref().map_or(0, |row| row.revision);
    let Some(there) = there else {
        return match here {
            0 => Ok(found::nothing()),
            _ => Err(format!(
                "the store is at {here}, and the database has nothing"
            )),
        };
    };
    let is_ahead = there.revision == here + 1 && there.base == here;
    if !is_ahead && there.revision != here {
        return Err(format!(
            "the store is at {here}, and the database at {} after {}",
            there.revision, there.base
        ));
    }
    let mut found = found::nothing();
    found.state = match &there.state {
        Some(state) => parse(state)?,
        None => found.state,
    };
    if !is_ahead && let Some(row) = &row {
        let same = parse(&row.state)? == found.state || there.state.is_none();
        if !same {
            return Err("the states of store and database differ at one revision".to_owned());
        }
    }
    if let Some(reader) = &reader {
        reader
            .check_history(CAPTURE)
            .map_err(|error| error.to_string())?;
        found.migrations = found::migrations(reader)?;
    }
    if is_ahead && there.is_migration {
        found.migrations.push((Value::Null, Value::Null)); // It is there, and will be here.
    }
    for (resource, documents) in &there.documents {
        let documents = documents.iter().map(|text| parse(text));
        let documents = documents.collect::<Result<Vec<_>, _>>()?;
        found
            .documents
            .insert(format!("crash/{resource}.jsonl"), documents);
    }
    let told = script::told(&found.state)?;
    found::agree(&told, &found)?;
    found.state = without_times(found.state);
    Ok(found)
}

/// Runs a release to its end.
fn recover(project: &Project, release: Release) -> Result<Found, String> {
    for _ in 0..RUNS {
        let ended = project.run(release, &[]);
        if !ended.status.success() {
            return Err(format!("it does not recover: {}", ended.said));
        }
        let found = look(project).map_err(|fault| format!("after the recovery, {fault}"))?;
        if is_at_end(release, &found) {
            return Ok(found);
        }
    }
    Err(format!(
        "{release:?} did not come to its end in {RUNS} runs"
    ))
}

/// Kills at every step of both releases that is `wanted`, and at the first steps of the run that recovers from some of them.
fn kill_all(into: Into, wanted: impl Fn(&str) -> bool) {
    let nothing = Project::of(Pace::Paced, into);
    let begun = nothing.copy();
    let mut points = Vec::new();
    let mut play = |project: &Project, release| {
        let ended = project.run(release, &[]);
        assert!(ended.status.success(), "{}", ended.said);
        let steps = ended.steps.into_iter().enumerate();
        let steps = steps.filter(|(_, name)| wanted(name));
        points.extend(steps.map(|(nth, name)| (release, nth + 1, name)));
        recover(project, release).expect("a run that was not killed leaves all in order")
    };
    let end_of_first = play(&begun, Release::First);
    let end_of_second = play(&begun.copy(), Release::Second);
    let is_as = |found: &Found, end: &Found| {
        (&found.state, &found.documents, found.migrations.len())
            == (&end.state, &end.documents, end.migrations.len())
    };
    let begins = Mutex::new(());
    let of_sinks = points.iter().filter(|(.., name)| name.starts_with("sink."));
    assert!(of_sinks.count() > 20, "{points:?}");

    let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let faults = Mutex::new(Vec::new());
    let exercise = |release, nth: usize, name: &str| -> Result<(), String> {
        let project = {
            let _one_at_a_time = begins.lock().expect("no worker panics with it");
            match release {
                Release::First => nothing.copy(),
                Release::Second => begun.copy(),
            }
        };
        let ended = project.run(release, &step_orders(nth));
        if ended.status.signal() != Some(SIGKILL) {
            return Ok(()); // A slow machine has ended it before.
        }
        killed.fetch_add(1, Ordering::Relaxed);
        look(&project).map_err(|fault| format!("right after the kill, {fault}"))?;
        if name == "sink.after_commit" {
            // The recovery is killed, too, while it finds out: at its first steps.
            for step in 1..=12 {
                project.run(release, &step_orders(step));
                look(&project).map_err(|fault| format!("after a kill at {step}, {fault}"))?;
            }
        }
        let mut found = recover(&project, release)?;
        if release == Release::First && is_as(&found, &end_of_first) {
            found = recover(&project, Release::Second)?;
        }
        match is_as(&found, &end_of_second) {
            true => Ok(()),
            false => Err(format!("it differs: {found:?}")),
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((release, nth, name)) =
                    points.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    if let Err(fault) = exercise(*release, *nth, name) {
                        let mut faults = faults.lock().expect("no worker panics with it");
                        faults.push(format!("{release:?}, step {nth} ({name}): {fault}"));
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().expect("no worker panics with it");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let killed = killed.into_inner();
    println!("{killed} of {} steps exercised", points.len());
    assert!(
        killed > points.len() * 4 / 5,
        "{killed} of {}",
        points.len()
    );
}

#[test]
fn killing_a_capture_into_sqlite_at_every_step_loses_and_repeats_nothing() {
    kill_all(Into::Sqlite, |_| true);
}

#[test]
fn killing_a_capture_into_postgres_at_every_step_there_loses_and_repeats_nothing() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    // What is done to the store alone is the same whichever database there is.
    let wanted = |name: &str| name.starts_with("sink.") || name.ends_with("after_sink");
    kill_all(
        Into::Postgres(Arc::new(cluster), "template1".to_owned()),
        wanted,
    );
}
