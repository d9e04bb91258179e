//! What a capture does of a script: an interpreter that knows nothing of the kit. One lane after another, without time.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use twox_hash::XxHash3_128;

/// How the times of snapshots begin that are due again.
pub(crate) const LONG_AGO: &str = "2024-01-01";

/// What a transaction holds besides its state.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Document(usize, Value),
    /// A schema of a binding that has at least this property.
    Schema(usize, String),
}

/// A sequence, with the update that ends it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Transaction {
    pub(crate) items: Vec<Item>,
    pub(crate) update: Value,
    /// Whether a capture that is to stop may stop behind it: its invocation ends there.
    pub(crate) may_be_last: bool,
}

/// How a function of the script ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With nothing more to do for now.
    Rests,
    /// With an error.
    Fails,
    /// With the request of a backfill.
    Requests,
}

/// What one function does.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) end: End,
}

/// What a session does: for each stream what comes in it, and how it ends.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// Before the functions of a binding, in order.
    pub(crate) setup: BTreeMap<String, Vec<Transaction>>,
    pub(crate) lanes: BTreeMap<String, Lane>,
}

impl Expected {
    /// Whether the capture ends by itself, with an error or for a backfill.
    pub(crate) fn ends(&self) -> bool {
        self.lanes.values().any(|lane| lane.end != End::Rests)
    }

    pub(crate) fn transactions(&self) -> usize {
        let of_setup = self.setup.values().map(Vec::len).sum::<usize>();
        of_setup
            + self
                .lanes
                .values()
                .map(|lane| lane.transactions.len())
                .sum::<usize>()
    }
}

/// RFC 7396.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let target = target.as_object_mut().expect("it was made one");
    for (name, value) in patch {
        match value {
            Value::Null => drop(target.remove(name)),
            value => merge(target.entry(name.clone()).or_insert(Value::Null), value),
        }
    }
}

/// The session of a script that opens with this state.
pub(crate) fn session(script: &Value, bindings: &[String], state: &Value) -> Expected {
    let mut expected = Expected::default();
    for (index, name) in bindings.iter().enumerate() {
        let resource = script["resources"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|resource| resource["name"] == json!(name))
            .expect("bindings are of the script's resources");
        let binding = Binding {
            index,
            name,
            resource,
            bindings,
        };
        let setup = expected.setup.entry(name.clone()).or_default();
        let mut is = state["bindingStateV1"][name].clone();
        if state["backfillRequests"][name] == json!(true) {
            let cleared =
                json!({ "backfillRequests": { name: null }, "bindingStateV1": { name: null } });
            setup.push(transaction(Vec::new(), cleared));
            is = Value::Null;
        }
        if is.is_null() {
            is = resource
                .get("initial_state")
                .cloned()
                .unwrap_or_else(|| json!({}));
            is["last_initialized"] = json!("<now>");
            setup.push(transaction(
                Vec::new(),
                json!({ "bindingStateV1": { name: is } }),
            ));
        }
        if let Some(schema) = resource.get("open_sourced_schema") {
            let items = vec![Item::Schema(index, property(schema))];
            setup.push(transaction(items, json!({})));
        }
        for (part, strategy) in [
            ("incremental", "inc"),
            ("backfill", "backfill"),
            ("snapshot", "snapshot"),
        ] {
            let Some(function) = resource.get(part) else {
                continue;
            };
            let lanes: Vec<(Option<&str>, &Value)> = match function.get("subtasks") {
                None => vec![(None, function)],
                Some(subtasks) => subtasks
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(name, function)| (Some(name.as_str()), function))
                    .collect(),
            };
            for (subtask, function) in lanes {
                let entry = match subtask {
                    None => &is[strategy],
                    Some(subtask) => &is[strategy][subtask],
                };
                if strategy == "backfill" && entry.is_null() {
                    continue; // Complete, or never begun.
                }
                let stream = match subtask {
                    None => format!("{name}/{strategy}"),
                    Some(subtask) => format!("{name}/{strategy}/{subtask}"),
                };
                let run = Run::new(&binding, strategy, subtask, function);
                let lane = match strategy {
                    "inc" => run.incremental(&entry["cursor"]),
                    "backfill" => run.backfill(entry),
                    _ => run.snapshot(entry),
                };
                expected.lanes.insert(stream, lane);
            }
        }
    }
    expected
}

struct Binding<'a> {
    index: usize,
    name: &'a str,
    resource: &'a Value,
    bindings: &'a [String],
}

struct Run<'a> {
    binding: &'a Binding<'a>,
    part: &'static str,
    subtask: Option<&'a str>,
    function: &'a Value,
    pending: Vec<Item>,
    transactions: Vec<Transaction>,
}

impl<'a> Run<'a> {
    fn new(
        binding: &'a Binding<'a>,
        part: &'static str,
        subtask: Option<&'a str>,
        function: &'a Value,
    ) -> Self {
        Self {
            binding,
            part,
            subtask,
            function,
            pending: Vec::new(),
            transactions: Vec::new(),
        }
    }

    fn end(self, end: End) -> Lane {
        Lane {
            transactions: self.transactions,
            end,
        }
    }

    /// The steps of the invocation that is chosen.
    fn steps(&self, at: Option<&Value>, call: usize) -> Option<Vec<&'a Value>> {
        let mut invocations = self.function["invocations"].as_array()?.iter();
        let chosen = invocations.find(|invocation| {
            let fits_at = match (invocation.get("at"), at) {
                (None, _) => true,
                (Some(wanted), Some(at)) => wanted == at,
                (Some(_), None) => false,
            };
            fits_at
                && invocation
                    .get("call")
                    .is_none_or(|wanted| *wanted == json!(call))
        })?;
        Some(chosen["steps"].as_array().into_iter().flatten().collect())
    }

    /// What a step captures. None if it is a step of another kind.
    fn items(&self, step: &Value, args: &Value) -> Option<Vec<Item>> {
        let index = match step.get("to").and_then(Value::as_str) {
            None => Some(self.binding.index),
            Some(name) => self.binding.bindings.iter().position(|bound| bound == name),
        };
        let document = |document: Value| index.map(|index| Item::Document(index, document));
        if let Some(doc) = step.get("doc") {
            return Some(document(doc.clone()).into_iter().collect());
        }
        if let Some(docs) = step.get("docs") {
            let number = |name: &str| docs.get(name).and_then(Value::as_u64).unwrap_or(0);
            let one = |n: u64| {
                let mut members = Map::new();
                members.insert("id".into(), json!(number("from") + n));
                members.extend(docs["set"].as_object().cloned().unwrap_or_default());
                if number("pad") > 0 {
                    members.insert("pad".into(), json!("x".repeat(number("pad") as usize)));
                }
                document(Value::Object(members))
            };
            return Some((0..number("count")).filter_map(one).collect());
        }
        if let Some(id) = step.get("echo") {
            let echo = json!({ "id": id, "echo": true, "args": args });
            return Some(document(echo).into_iter().collect());
        }
        let schema = step.get("sourced_schema")?;
        let item = index.map(|index| Item::Schema(index, property(schema)));
        Some(item.into_iter().collect())
    }

    fn has_documents(&self) -> bool {
        self.pending
            .iter()
            .any(|item| matches!(item, Item::Document(..)))
    }

    fn patch(&self, value: Value) -> Value {
        let value = match self.subtask {
            None => value,
            Some(subtask) => json!({ subtask: value }),
        };
        json!({ "bindingStateV1": { self.binding.name: { self.part: value } } })
    }

    fn checkpoint(&mut self, update: Value) {
        let items = std::mem::take(&mut self.pending);
        let mut transaction = transaction(items, update);
        transaction.may_be_last = false;
        self.transactions.push(transaction);
    }

    fn invocation_ends(&mut self) {
        if let Some(last) = self.transactions.last_mut() {
            last.may_be_last = true;
        }
    }

    fn incremental(mut self, cursor: &Value) -> Lane {
        let mut cursor = cursor.clone();
        for call in 1.. {
            let Some(steps) = self.steps(Some(&cursor), call) else {
                break;
            };
            let (args, before) = (json!({ "cursor": cursor }), self.transactions.len());
            for step in steps {
                if let Some(items) = self.items(step, &args) {
                    self.pending.extend(items);
                } else if let Some(next) = step.get("cursor") {
                    if !follows(&cursor, next) {
                        return self.end(End::Fails);
                    }
                    cursor = next.clone();
                    let patch = self.patch(json!({ "cursor": cursor }));
                    self.checkpoint(patch);
                } else if step.get("trigger_backfill").is_some() {
                    self.checkpoint(json!({ "backfillRequests": { self.binding.name: true } }));
                    self.invocation_ends();
                    return self.end(End::Requests);
                } else if step.get("error").is_some() {
                    return self.end(End::Fails);
                }
            }
            if self.has_documents() {
                return self.end(End::Fails);
            }
            self.invocation_ends();
            if self.transactions.len() == before {
                break; // Nothing new: it waits for its interval.
            }
        }
        self.end(End::Rests)
    }

    fn backfill(mut self, entry: &Value) -> Lane {
        let cutoff = entry["cutoff"].clone();
        let mut page = entry.get("next_page").cloned().unwrap_or(Value::Null);
        for call in 1.. {
            let Some(steps) = self.steps(Some(&page), call) else {
                return self.end(End::Fails);
            };
            let mut args = json!({ "page": page, "cutoff": cutoff });
            if self.function["recurring"] == json!(true) {
                args["connector_initiated"] = json!(false);
            }
            let mut goes_on = false;
            for step in steps {
                if let Some(items) = self.items(step, &args) {
                    goes_on &= !items.iter().any(|item| matches!(item, Item::Document(..)));
                    self.pending.extend(items);
                } else if let Some(next) = step.get("page") {
                    let is_patch_of_none = next.is_object() && !page.is_null() && !page.is_object();
                    if next.is_null() || is_patch_of_none {
                        return self.end(End::Fails);
                    }
                    let patch = self.patch(json!({ "cutoff": cutoff, "next_page": next }));
                    self.checkpoint(patch);
                    merge(&mut page, next);
                    goes_on = true;
                } else if step.get("error").is_some() {
                    return self.end(End::Fails);
                } else if step.get("return").is_some() {
                    break;
                }
            }
            if !goes_on {
                let patch = self.patch(Value::Null);
                self.checkpoint(patch);
                self.invocation_ends();
                break;
            }
            self.invocation_ends();
        }
        self.end(End::Rests)
    }

    fn snapshot(mut self, entry: &Value) -> Lane {
        if entry["updated_at"]
            .as_str()
            .is_some_and(|at| !at.starts_with(LONG_AGO))
        {
            return self.end(End::Rests); // Its interval is not over.
        }
        let last_count = entry["last_count"].as_u64().unwrap_or(0);
        let steps = self.steps(None, 1).expect("every call has an invocation");
        let mut lines = String::new();
        let mut rows = 0;
        for step in steps {
            for item in self.items(step, &json!({})).into_iter().flatten() {
                let Item::Document(_, document) = item else {
                    continue;
                };
                let op = if rows < last_count { "u" } else { "c" };
                lines.push_str(&line(self.binding.index, &document, op, rows));
                let document = with_meta(document, op, rows);
                self.pending
                    .push(Item::Document(self.binding.index, document));
                rows += 1;
            }
        }
        let digest = format!("{:032x}", XxHash3_128::oneshot(lines.as_bytes()));
        if entry["last_digest"] == json!(digest) {
            self.pending.clear();
        } else {
            for row in rows..last_count {
                let tombstone = &self.binding.resource["tombstone"];
                let fields = match self.subtask {
                    None => tombstone.as_object().map(|_| tombstone.clone()),
                    Some(subtask) => Some(tombstone["subtasks"][subtask].clone()),
                };
                let document = with_meta(fields.unwrap_or_else(|| json!({})), "d", row);
                self.pending
                    .push(Item::Document(self.binding.index, document));
            }
        }
        let patch =
            self.patch(json!({ "updated_at": "<now>", "last_count": rows, "last_digest": digest }));
        self.checkpoint(patch);
        self.invocation_ends();
        self.end(End::Rests)
    }
}

fn transaction(items: Vec<Item>, update: Value) -> Transaction {
    Transaction {
        items,
        update,
        may_be_last: true,
    }
}

/// Whether a cursor may follow another: of its kind, and later, if its kind has an order.
fn follows(was: &Value, is: &Value) -> bool {
    match (was, is) {
        (Value::Number(was), Value::Number(is)) => was.as_u64() < is.as_u64(),
        (Value::String(was), Value::String(is)) => was < is, // All in one form: their order is that of their text.
        (Value::Array(_), Value::Array(_)) => true,
        _ => false,
    }
}

/// A row as the line that is hashed: `_meta` first, and in it the operation and the row.
fn line(binding: usize, document: &Value, op: &str, row: u64) -> String {
    let rest = |members: Option<&Map<String, Value>>, but: &[&str]| -> String {
        let members = members.into_iter().flatten();
        let rest = members.filter(|(name, _)| !but.contains(&name.as_str()));
        rest.map(|(name, value)| format!(",{}:{value}", Value::from(name.as_str())))
            .collect()
    };
    let meta = rest(document["_meta"].as_object(), &["op", "row_id"]);
    let members = match document.get("echo") {
        // The one kind of document whose members are not in the order of their names.
        Some(Value::Bool(true)) => ["id", "echo", "args"]
            .map(|name| format!(",\"{name}\":{}", document[name]))
            .concat(),
        _ => rest(document.as_object(), &["_meta"]),
    };
    format!(
        "{{\"captured\":{{\"binding\":{binding},\"doc\":{{\"_meta\":{{\"op\":\"{op}\",\"row_id\":{row}{meta}}}{members}}}}}}}"
    )
}

fn with_meta(document: Value, op: &str, row: u64) -> Value {
    let Value::Object(mut members) = document else {
        unreachable!("documents are objects")
    };
    let mut meta = Map::new();
    meta.insert("op".into(), json!(op));
    meta.insert("row_id".into(), json!(row));
    if let Some(Value::Object(own)) = members.remove("_meta") {
        meta.extend(
            own.into_iter()
                .filter(|(name, _)| name != "op" && name != "row_id"),
        );
    }
    let mut all = Map::new();
    all.insert("_meta".into(), Value::Object(meta));
    all.extend(members);
    Value::Object(all)
}

fn property(schema: &Value) -> String {
    let mut names = schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(Map::keys);
    names.next().cloned().unwrap_or_default()
}
