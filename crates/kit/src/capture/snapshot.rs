//! Snapshots: the whole of a small resource, emitted only if it differs from the last.
//!
//! Rows are numbered. Their number and count tell creations from updates, and rows that are no more from rows that are; the digest
//! of all rows tells whether anything has changed at all. The digest is that of the reference implementation, byte for byte, so
//! that a capture moved from one to the other does not repeat its snapshots.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use memchr::memmem;
use serde::Serialize;
use serde_json::{Map, Value};
use staunch_protocol::json::begin_captured;
use staunch_state::{DateTime, Node, Snapshot};
use twox_hash::XxHash3_128;

use super::incremental::until_due;
use super::lane::Loan;
use super::{Lane, SnapshotFn, TaskError};
use crate::tasks::Strategy;

/// What a snapshot function pushes into: every row there is, in an order that does not change by itself.
///
/// ```
/// use staunch::{FetchResult, Rows};
///
/// async fn fetch_labels(mut emit: Rows) -> FetchResult {
///     for name in ["bug", "feature"] {
///         emit.document(&serde_json::json!({ "name": name }))?;
///     }
///     Ok(())
/// }
/// # let _ = staunch::Resource::new("labels").snapshot(fetch_labels);
/// ```
pub struct Rows(Loan<SnapshotLane>);

pub(crate) struct SnapshotLane {
    lane: Lane,
    fetch: SnapshotFn,
    /// The members of a deletion, besides `_meta`.
    tombstone: Arc<Map<String, Value>>,
    last: Option<Snapshot>,
    rows: u64,
    digest: XxHash3_128,
    scratch: Vec<u8>,
    scratch_line: Vec<u8>,
}

impl Rows {
    /// Captures a row.
    ///
    /// # Errors
    /// When it does not serialise to a JSON object, or cannot be spooled.
    pub fn document<T: Serialize + ?Sized>(&mut self, document: &T) -> Result<(), TaskError> {
        let this = &mut *self.0;
        let mut row = std::mem::take(&mut this.scratch);
        row.clear();
        let result = match crate::document::write(&mut row, document) {
            Ok(()) => this.row(&row),
            Err(source) => {
                let binding = this.lane.binding.name.clone();
                Err(this.lane.fail(TaskError::Serialize { binding, source }))
            }
        };
        this.scratch = row;
        result
    }

    /// Captures a row that is JSON already, as [`Changes::raw`](super::Changes::raw) does.
    ///
    /// # Errors
    /// When it cannot be an object, or cannot be spooled.
    pub fn raw(&mut self, document: impl AsRef<[u8]>) -> Result<(), TaskError> {
        self.0.row(document.as_ref())
    }

    /// Says what the documents' schema is, as the source tells it. It takes effect with the next checkpoint.
    ///
    /// Every object in it that lists its properties is closed (`additionalProperties: false`).
    ///
    /// # Errors
    /// When it can be the schema of no document, or cannot be spooled.
    pub fn sourced_schema(&mut self, schema: &Value) -> Result<(), TaskError> {
        let lane = &mut self.0.lane;
        lane.sourced_schema(lane.binding.index, schema)
    }

    /// Whether the capture is to stop. A function that runs for long may then return an error: nothing of it is captured.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.lane.session.stopping.is_cancelled()
    }
}

impl SnapshotLane {
    pub(crate) fn new(
        lane: Lane,
        fetch: SnapshotFn,
        tombstone: Arc<Map<String, Value>>,
        last: Option<Snapshot>,
    ) -> Self {
        Self {
            lane,
            fetch,
            tombstone,
            last,
            rows: 0,
            digest: XxHash3_128::new(),
            scratch: Vec::new(),
            scratch_line: Vec::new(),
        }
    }

    pub(crate) async fn run(mut self) -> Result<(), TaskError> {
        self.lane.task.is_a(Strategy::Snapshot);
        loop {
            let wait = self.until_due();
            if !self.lane.turn(wait).await {
                return Ok(());
            }
            // It is of when it began: what changes while it is taken may be in it or not, and is for the next.
            let began = self.lane.session.clock.now();
            self = self.invoke().await?;
            self.conclude(began).await?;
        }
    }

    fn until_due(&self) -> Duration {
        let Some(last) = &self.last else {
            return Duration::ZERO;
        };
        let now = self.lane.session.clock.now();
        until_due(last.updated_at.timestamp(), self.lane.binding.interval, now)
    }

    async fn invoke(mut self) -> Result<Self, TaskError> {
        let task = self.lane.task();
        self.rows = 0;
        self.digest = XxHash3_128::new();
        let fetch = Arc::clone(&self.fetch);
        let binding = Arc::clone(&self.lane.binding);
        let (loan, home) = Loan::new(self);
        let result = binding.invoke(|| fetch(Rows(loan))).await;
        let mut this = home.take().ok_or(TaskError::EmitterKept { task })?;
        this.lane.finish(result)?;
        Ok(this)
    }

    fn last_count(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.last_count)
    }

    fn row(&mut self, document: &[u8]) -> Result<(), TaskError> {
        let document = document.trim_ascii();
        let op = if self.rows < self.last_count() {
            'u'
        } else {
            'c'
        };
        let meta = format!("{{\"op\":\"{op}\",\"row_id\":{}", self.rows);
        let Some(body) = body_with_meta(document, &meta) else {
            let binding = self.lane.binding.name.clone();
            return Err(self.lane.fail(TaskError::NotAnObject { binding }));
        };
        // As the line that it would be in JSON, without its line break, whatever codec it leaves in.
        self.scratch_line.clear();
        begin_captured(self.lane.binding.index, &mut self.scratch_line);
        self.digest.write(&self.scratch_line);
        self.digest.write(&body);
        self.digest.write(b"}}");
        self.rows += 1;
        self.lane.object(self.lane.binding.index, &body)
    }

    /// Deletes the rows that are no more, and sends all of it if anything differs from the last snapshot.
    async fn conclude(&mut self, began: Timestamp) -> Result<(), TaskError> {
        let digest = format!("{:032x}", self.digest.finish_128());
        let is_unchanged = self
            .last
            .as_ref()
            .is_some_and(|last| last.last_digest == digest);
        if is_unchanged {
            self.lane.spool.clear();
            self.lane.documents = 0;
        } else {
            for row in self.rows..self.last_count() {
                self.delete(row)?;
            }
        }
        let updated_at = DateTime::parse(&began.to_string()).expect("a timestamp is a date-time");
        let next = Snapshot {
            updated_at,
            last_count: self.rows,
            last_digest: digest,
        };
        let patch = self.lane.patch("snapshot", &to_json(&next));
        self.lane.checkpoint(patch).await?;
        self.last = Some(next);
        Ok(())
    }

    fn delete(&mut self, row: u64) -> Result<(), TaskError> {
        let deletion = deletion(&self.tombstone, row);
        self.lane.document(self.lane.binding.index, &deletion)
    }
}

/// The deletion of a row: its tombstone, with the operation and the row in `_meta`.
pub(crate) fn deletion(tombstone: &Map<String, Value>, row: u64) -> Map<String, Value> {
    let mut deletion = Map::clone(tombstone);
    let meta = deletion.entry("_meta").or_insert_with(|| Map::new().into());
    if !meta.is_object() {
        *meta = Map::new().into();
    }
    meta["op"] = "d".into();
    meta["row_id"] = row.into();
    deletion
}

fn to_json(snapshot: &Snapshot) -> String {
    let value = serde_json::json!({
        "updated_at": snapshot.updated_at.as_str(),
        "last_count": snapshot.last_count,
        "last_digest": snapshot.last_digest,
    });
    value.to_string()
}

/// `document` as an object that begins with `_meta`, which begins with the members of `meta` (an object without its end) and goes
/// on with whatever members the document's own has. None if the document is not an object.
fn body_with_meta(document: &[u8], meta: &str) -> Option<Vec<u8>> {
    let inner = document.strip_prefix(b"{")?.strip_suffix(b"}")?;
    let mut body = Vec::with_capacity(document.len() + meta.len() + 16);
    body.extend_from_slice(b"{\"_meta\":");
    body.extend_from_slice(meta.as_bytes());
    if memmem::find(inner, b"_meta").is_none() && memmem::find(inner, b"\\u").is_none() {
        body.push(b'}');
        let is_empty = inner.trim_ascii().is_empty();
        if !is_empty {
            body.push(b',');
            body.extend(inner.iter().map(|&byte| {
                if byte == b'\n' || byte == b'\r' {
                    b' '
                } else {
                    byte
                }
            }));
        }
        body.push(b'}');
        return Some(body);
    }
    let Ok(Node::Object(mut members)) = Node::parse_bytes(document) else {
        return None;
    };
    if let Some(Node::Object(own)) = members.remove("_meta") {
        for (name, value) in own
            .iter()
            .filter(|(name, _)| !matches!(*name, "op" | "row_id"))
        {
            append_member(name, value, &mut body);
        }
    }
    body.push(b'}');
    for (name, value) in members.iter() {
        append_member(name, value, &mut body);
    }
    body.push(b'}');
    Some(body)
}

fn append_member(name: &str, value: &Node, out: &mut Vec<u8>) {
    out.push(b',');
    out.extend_from_slice(
        serde_json::to_string(name)
            .expect("a string is JSON")
            .as_bytes(),
    );
    out.push(b':');
    let json = value.to_json().replace(['\n', '\r'], " ");
    out.extend_from_slice(json.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_deletion_keeps_what_its_tombstone_says_beside_the_operation_and_the_row() {
        for (what, tombstone, expected) in [
            (
                "nothing",
                json!({}),
                json!({"_meta": {"op": "d", "row_id": 7}}),
            ),
            (
                "members",
                json!({"store": "a"}),
                json!({"store": "a", "_meta": {"op": "d", "row_id": 7}}),
            ),
            (
                "members of `_meta`",
                json!({"_meta": {"file": "a", "op": "c"}}),
                json!({"_meta": {"file": "a", "op": "d", "row_id": 7}}),
            ),
            (
                "a `_meta` that is none",
                json!({"_meta": null}),
                json!({"_meta": {"op": "d", "row_id": 7}}),
            ),
        ] {
            let Value::Object(tombstone) = tombstone else {
                panic!("{what}");
            };
            assert_eq!(Value::Object(deletion(&tombstone, 7)), expected, "{what}");
        }
    }

    #[test]
    fn a_row_begins_with_its_operation_and_number_and_keeps_the_rest_in_order() {
        for (what, document, expected) in [
            ("empty", "{}", r#"{"_meta":{"op":"c","row_id":0}}"#),
            (
                "plain",
                r#"{"id":1,"name":"one"}"#,
                r#"{"_meta":{"op":"c","row_id":0},"id":1,"name":"one"}"#,
            ),
            (
                "own meta",
                r#"{"id":1,"_meta":{"at":7,"op":"x"},"b":2}"#,
                r#"{"_meta":{"op":"c","row_id":0,"at":7},"id":1,"b":2}"#,
            ),
            (
                "a value",
                r#"{"id":"_meta"}"#,
                r#"{"_meta":{"op":"c","row_id":0},"id":"_meta"}"#,
            ),
            (
                "escaped",
                r#"{"\u005fmeta":{"a":1}}"#,
                r#"{"_meta":{"op":"c","row_id":0,"a":1}}"#,
            ),
            (
                "lines",
                "{\"a\":\n1}",
                r#"{"_meta":{"op":"c","row_id":0},"a": 1}"#,
            ),
        ] {
            let body = body_with_meta(document.as_bytes(), r#"{"op":"c","row_id":0"#).unwrap();
            assert_eq!(String::from_utf8(body).unwrap(), expected, "{what}");
        }
        assert!(body_with_meta(b"[1]", "{").is_none());
    }
}
