//! Records at exactly the cutoff, and at exactly a cursor, are captured once: by the backfill or by the changes, cut and resumed
//! at any checkpoint.
//!
//! Which of the two owns such a record is for a connector to say, once, for both of its functions. The kit's part is that both are
//! given the same position, in the words of the state, at the first open and at every later one.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use serde_json::{Value, json};
use staunch::state::{Chain, Node, StateUpdate, transform};
use staunch::{Changes, Cursor, Page, Pages, Resource};
use support::{Capture, Scripted, binding, open, streams};

/// Where the backfill ends and the changes begin.
const CUTOFF: u64 = 10;

/// The position of the last record.
const LAST: u64 = 16;

/// The positions of all records. Several share one, at the cutoff, at page ends and at cursors too; others are empty.
const RECORDS: [u64; 17] = [0, 3, 3, 6, 8, 9, 10, 10, 10, 11, 11, 12, 13, 14, 14, 16, 16];

/// What a cursor says of the records at its position.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    /// They are captured.
    Through,
    /// They are the next ones.
    Before,
}

/// How positions are written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Integer,
    /// Milliseconds, with an offset that must come back as it is.
    Instant,
}

impl Kind {
    fn cursor(self, at: u64) -> Cursor {
        match self {
            Kind::Integer => Cursor::integer(at),
            Kind::Instant => {
                Cursor::datetime(&format!("2025-06-10T08:00:00.{at:03}+02:00")).unwrap()
            }
        }
    }

    /// The position, of a cursor in these very words.
    fn position(self, cursor: &Cursor) -> u64 {
        let at = (0..=LAST).find(|at| self.cursor(*at) == *cursor);
        at.unwrap_or_else(|| panic!("{cursor} is in other words"))
    }
}

/// The records from one position up to another, as the rule counts them.
fn between(rule: Rule, after: u64, to: u64) -> impl Iterator<Item = Value> {
    let is_in = move |at: u64| match rule {
        Rule::Through => after < at && at <= to,
        Rule::Before => after <= at && at < to,
    };
    let records = RECORDS.iter().enumerate();
    records
        .filter(move |(_, at)| is_in(**at))
        .map(|(id, _)| json!(id))
}

/// Two positions to a checkpoint.
async fn changes(
    by: &'static str,
    (rule, kind): (Rule, Kind),
    cursor: Cursor,
    mut emit: Changes,
) -> staunch::FetchResult {
    let mut at = kind.position(&cursor);
    while at < LAST {
        let next = LAST.min(at + 2);
        for id in between(rule, at, next) {
            emit.document(&json!({ "id": id, "by": by }))?;
        }
        emit.checkpoint(kind.cursor(next)).await?;
        at = next;
    }
    Ok(())
}

/// Three positions to a page.
async fn pages(
    (rule, kind): (Rule, Kind),
    page: Option<Page>,
    cutoff: Cursor,
    mut emit: Pages,
) -> staunch::FetchResult {
    let end = kind.position(&cutoff);
    let from = match page {
        Some(Page::Integer(from)) => u64::try_from(from)?,
        _ => 0,
    };
    let to = end.min(from + 3);
    // The first position is nobody else's.
    let first = between(Rule::Before, 0, 1).filter(|_| from == 0 && rule == Rule::Through);
    for id in first.chain(between(rule, from, to)) {
        emit.document(&json!({ "id": id, "by": "backfill" }))?;
    }
    if to < end {
        emit.checkpoint(Page::Integer(i64::try_from(to)?)).await?;
    }
    Ok(())
}

fn log(how: (Rule, Kind)) -> Resource {
    let cursor = how.1.cursor(CUTOFF);
    let initial = format!(
        r#"{{"inc":{{"cursor":{0}}},"backfill":{{"cutoff":{0}}}}}"#,
        cursor.as_json()
    );
    Resource::new("log")
        .key(["/id"])
        .interval(Duration::from_millis(20))
        .initial_state(Node::parse(&initial).unwrap())
        .incremental(move |cursor, emit| changes("changes", how, cursor, emit))
        .backfill(move |page, cutoff, emit| pages(how, page, cutoff, emit))
}

/// The ids that were captured, by these functions, in their order.
fn ids(streams: &[(Vec<Value>, Value)], by: &[&str]) -> Vec<u64> {
    let docs = streams.iter().flat_map(|(docs, _)| docs);
    let of = docs.filter(|doc| by.contains(&doc["by"].as_str().unwrap()));
    let mut ids: Vec<u64> = of.map(|doc| doc["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    ids
}

/// The ids of the records in the rule's words: those that a cursor at `from` has not, up to the last that one at the end has.
fn ids_after(rule: Rule, from: u64) -> Vec<u64> {
    let all = between(rule, from, LAST);
    all.map(|id| id.as_u64().unwrap()).collect()
}

fn applied(state: &Value, streams: &[(Vec<Value>, Value)]) -> Value {
    let updates = streams.iter().map(|(_, update)| Node::from_value(update));
    updates
        .fold(Node::from_value(state), |state, update| {
            StateUpdate::merge(update).apply(state)
        })
        .to_value()
}

/// Runs until every record that there is to capture is captured and checkpointed, and whatever else comes while it stops.
fn run(
    resource: impl Fn() -> Resource + Send + Sync + 'static,
    state: Value,
    is_done: fn(&Value) -> bool,
) -> Vec<(Vec<Value>, Value)> {
    let before = state.clone();
    let connector = Scripted::new(move || vec![resource()]);
    let mut capture = Capture::open(connector, open(&[binding("log")], state));
    capture.until(|lines| is_done(&applied(&before, &streams(lines))["bindingStateV1"]["log"]));
    streams(&capture.stop().unwrap())
}

/// The flat cursor is at the end, and no backfill is left.
fn is_done(state: &Value) -> bool {
    let end = [Kind::Integer, Kind::Instant].map(|kind| kind.cursor(LAST).to_node().to_value());
    end.contains(&state["inc"]["cursor"]) && state.get("backfill").is_none_or(Value::is_null)
}

#[test]
fn m27_records_at_the_cutoff_are_captured_once_wherever_the_capture_is_cut_and_resumed() {
    for rule in [Rule::Through, Rule::Before] {
        for kind in [Kind::Integer, Kind::Instant] {
            let how = (rule, kind);
            let whole = run(move || log(how), json!({}), is_done);
            let mut expected: Vec<u64> = (0..RECORDS.len() as u64).collect();
            if rule == Rule::Before {
                expected.retain(|id| RECORDS[*id as usize] < LAST); // They are the next ones.
            }
            let all = ["backfill", "changes"];
            assert_eq!(ids(&whole, &all), expected, "{how:?}");
            assert_eq!(
                ids(&whole, &["changes"]),
                ids_after(rule, CUTOFF),
                "{how:?}"
            );

            for cut in 1..whole.len() {
                let committed = &whole[..cut];
                let state = applied(&json!({}), committed);
                let rest = run(move || log(how), state, is_done);
                let mut captured = [ids(committed, &all), ids(&rest, &all)].concat();
                captured.sort_unstable();
                assert_eq!(captured, expected, "{how:?}, cut after checkpoint {cut}");
            }
        }
    }
}

#[test]
fn m27_a_backfill_that_begins_anew_ends_where_the_changes_go_on() {
    for rule in [Rule::Through, Rule::Before] {
        let how = (rule, Kind::Integer);
        let lose = move |cursor: Cursor, mut emit: Changes| async move {
            if cursor.as_u64() == Some(1) && !emit.is_backfilling() {
                return Ok(emit.restart(Cursor::integer(CUTOFF), None).await?);
            }
            changes("changes", how, cursor, emit).await
        };
        let state = json!({"bindingStateV1": {"log": {"inc": {"cursor": 1}, "last_initialized": "2026-01-01T00:00:00Z"}}});
        let streams = run(move || log(how).incremental(lose), state, is_done);
        let mut expected: Vec<u64> = (0..RECORDS.len() as u64).collect();
        expected.retain(|id| rule == Rule::Through || RECORDS[*id as usize] < LAST);
        assert_eq!(
            ids(&streams, &["backfill", "changes"]),
            expected,
            "{rule:?}"
        );
        assert_eq!(
            ids(&streams, &["changes"]),
            ids_after(rule, CUTOFF),
            "{rule:?}"
        );
    }
}

#[test]
fn m27_subtasks_of_a_split_miss_nothing_and_read_again_no_more_than_their_lag() {
    const LAG: u64 = 3;
    let how = (Rule::Through, Kind::Instant);
    let resource = move || {
        let of = |by: &'static str| move |cursor, emit| changes(by, how, cursor, emit);
        Resource::new("log")
            .key(["/id"])
            .interval(Duration::from_millis(20))
            .incremental_subtask("realtime", of("realtime"))
            .incremental_subtask("lookback", of("lookback"))
            .backfill(move |page, cutoff, emit| pages(how, page, cutoff, emit))
    };
    let connector = Scripted::new(move || vec![resource()]).migrating(|| {
        let lag = Duration::from_millis(LAG);
        let subtasks = [("realtime", Duration::ZERO), ("lookback", lag)];
        Chain::new().with(transform::flat_to_subtasks(subtasks))
    });
    let at = how.1.cursor(CUTOFF).to_node().to_value();
    let state = json!({"bindingStateV1": {"log": {
        "inc": {"cursor": at}, "backfill": {"cutoff": at, "next_page": 6}, "last_initialized": "2026-01-01T00:00:00Z"}}});
    let mut capture = Capture::open(connector, open(&[binding("log")], state.clone()));
    capture.until(|lines| lines.len() == 2);
    capture.send(&json!({"acknowledge": {"checkpoints": 1}}));
    let end = how.1.cursor(LAST).to_node().to_value();
    capture.until(|lines| {
        let state = &applied(&state, &streams(lines))["bindingStateV1"]["log"];
        let is_at_end = |subtask: &str| state["inc"][subtask]["cursor"] == end;
        is_at_end("realtime") && is_at_end("lookback") && state.get("backfill").is_none()
    });
    let streams = streams(&capture.stop().unwrap());
    let left: Vec<u64> = ids_after(Rule::Through, 6);
    assert_eq!(ids(&streams, &["backfill", "realtime"]), left, "each once");
    assert_eq!(
        ids(&streams, &["realtime"]),
        ids_after(Rule::Through, CUTOFF)
    );
    assert_eq!(
        ids(&streams, &["lookback"]),
        ids_after(Rule::Through, CUTOFF - LAG)
    );
}
