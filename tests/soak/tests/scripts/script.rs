//! Random scripts: resources of every strategy, whose functions mostly do what they may, and now and then what they may not.

use serde_json::{Map, Value, json};

use crate::random::Random;

/// A script, and the bindings of its capture by the names of resources.
pub(crate) struct Script {
    pub(crate) script: Value,
    pub(crate) bindings: Vec<String>,
}

impl Script {
    pub(crate) fn generate(random: &mut Random) -> Self {
        let names: Vec<String> = (0..1 + random.below(3)).map(|n| format!("r{n}")).collect();
        let resources: Vec<Value> = names
            .iter()
            .map(|name| resource(random, name, &names))
            .collect();
        let mut bindings = names.clone();
        if bindings.len() > 1 && random.one_in(6) {
            bindings.remove(random.below(bindings.len()));
        }
        Self {
            script: json!({ "resources": resources }),
            bindings,
        }
    }
}

/// What a cursor of one function is made of: a kind, and a count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    DateTime,
    Tuple,
}

impl Kind {
    fn at(self, n: u64) -> Value {
        match self {
            Kind::Integer => json!(n),
            // Long ago: what follows is due at once.
            Kind::DateTime => json!(format!("2024-03-01T{:02}:{:02}:00Z", n / 60, n % 60)),
            Kind::Tuple => json!([format!("t{n}")]),
        }
    }
}

fn resource(random: &mut Random, name: &str, names: &[String]) -> Value {
    let mut resource = Map::new();
    resource.insert("name".into(), json!(name));
    resource.insert("interval".into(), json!("PT1H"));
    if random.one_in(5) {
        resource.insert("explicit_acks".into(), json!(true));
    }
    if random.one_in(8) {
        resource.insert("open_sourced_schema".into(), schema(random));
    }
    let subtasks: Vec<String> = match random.one_in(2) {
        true => Vec::new(),
        false => (0..1 + random.below(3)).map(|n| format!("s{n}")).collect(),
    };
    if random.one_in(4) {
        let part = by_subtask(&subtasks, || snapshot(random));
        resource.insert("snapshot".into(), part);
        if !subtasks.is_empty() {
            // Rows of subtasks are told apart by more than their number.
            resource.insert("key".into(), json!(["/store", "/_meta/row_id"]));
            let tombstones = subtasks
                .iter()
                .map(|name| (name.clone(), json!({ "store": name })));
            let tombstones: Map<String, Value> = tombstones.collect();
            resource.insert("tombstone".into(), json!({ "subtasks": tombstones }));
        } else {
            resource.insert("key".into(), json!(["/_meta/row_id"]));
            if random.one_in(2) {
                resource.insert("tombstone".into(), json!({ "store": "x" }));
            }
        }
        return Value::Object(resource);
    }
    resource.insert("key".into(), json!(["/id"]));
    let kind = *random.pick(&[Kind::Integer, Kind::DateTime, Kind::Tuple]);
    let begin = 10 + random.below(20) as u64;
    let mut initial = Map::new();
    let has_incremental = !random.one_in(6);
    if has_incremental {
        initial.insert(
            "inc".into(),
            entries(&subtasks, || json!({ "cursor": kind.at(begin) })),
        );
        let part = by_subtask(&subtasks, || incremental(random, kind, begin, name, names));
        resource.insert("incremental".into(), part);
    }
    if !has_incremental || random.one_in(2) {
        initial.insert(
            "backfill".into(),
            entries(&subtasks, || json!({ "cutoff": kind.at(begin) })),
        );
        let part = by_subtask(&subtasks, || backfill(random, name, names));
        resource.insert("backfill".into(), part);
    }
    resource.insert("initial_state".into(), Value::Object(initial));
    Value::Object(resource)
}

fn by_subtask(subtasks: &[String], mut function: impl FnMut() -> Value) -> Value {
    match subtasks.is_empty() {
        true => function(),
        false => json!({ "subtasks": entries(subtasks, function) }),
    }
}

fn entries(subtasks: &[String], mut entry: impl FnMut() -> Value) -> Value {
    match subtasks.is_empty() {
        true => entry(),
        false => subtasks
            .iter()
            .map(|name| (name.clone(), entry()))
            .collect(),
    }
}

/// Invocations that follow each other from one cursor to the next, and then no more.
fn incremental(random: &mut Random, kind: Kind, begin: u64, own: &str, names: &[String]) -> Value {
    let mut at = begin;
    let mut invocations = Vec::new();
    for _ in 0..random.below(4) {
        let mut steps = Vec::new();
        let from = at;
        for _ in 0..random.below(4) {
            documents(random, own, names, &mut steps);
            at += 1 + random.below(3) as u64;
            let odd = random.below(60);
            if odd == 0 && kind == Kind::Tuple {
                steps.push(json!({ "cursor": kind.at(at) })); // A tuple may come again.
            }
            steps.push(match odd {
                0 if kind != Kind::Tuple => json!({ "cursor": kind.at(begin) }), // Backward, or where it was.
                1 => json!({ "cursor": if kind == Kind::Integer { Kind::Tuple } else { Kind::Integer }.at(at) }),
                _ => json!({ "cursor": kind.at(at) }),
            });
        }
        match random.below(50) {
            0 => steps.push(json!({ "doc": { "id": "without a cursor" } })),
            1 => steps.push(json!({ "error": "as the script says" })),
            2 => steps.push(json!({ "trigger_backfill": true })),
            _ => {}
        }
        let mut invocation = json!({ "steps": steps });
        if !random.one_in(4) {
            invocation["at"] = kind.at(from);
        } else {
            invocation["call"] = json!(invocations.len() + 1);
        }
        invocations.push(invocation);
        if from == at {
            break; // It would be invoked again only after its interval.
        }
    }
    json!({ "invocations": invocations })
}

fn backfill(random: &mut Random, own: &str, names: &[String]) -> Value {
    let mut invocations = Vec::new();
    let kind = random.below(3);
    let count = 1 + random.below(4);
    for n in 1..=count {
        let mut steps = Vec::new();
        for _ in 0..random.below(3) {
            documents(random, own, names, &mut steps);
            steps.push(json!({ "page": page(random, kind, n) }));
        }
        documents(random, own, names, &mut steps);
        if n < count {
            steps.push(json!({ "page": page(random, kind, n) }));
        }
        match random.below(60) {
            0 => steps.push(json!({ "page": null })),
            1 => steps.push(json!({ "error": "as the script says" })),
            2 => steps.push(json!({ "return": true })),
            _ => {}
        }
        if random.one_in(5) {
            steps.insert(0, json!({ "echo": format!("call {n}") }));
        }
        invocations.push(json!({ "call": n, "steps": steps }));
    }
    // Whatever else comes is the last.
    invocations.push(json!({ "steps": [] }));
    json!({ "recurring": random.one_in(3), "invocations": invocations })
}

fn page(random: &mut Random, kind: usize, n: usize) -> Value {
    match (kind, random.one_in(40)) {
        (0, _) | (_, true) => json!(format!("page {n}")),
        (1, _) => json!(n),
        _ => {
            let name = format!("m{}", random.below(3));
            match random.below(4) {
                0 => json!({ name: null, "n": n }),
                1 => json!({ name: { "deep": n, "gone": null } }),
                _ => json!({ name: n }),
            }
        }
    }
}

fn snapshot(random: &mut Random) -> Value {
    let steps: Vec<Value> = (0..random.below(5))
        .map(|n| match random.below(4) {
            0 => json!({ "docs": { "from": n, "count": random.below(4), "set": { "name": "é" } } }),
            1 => json!({ "doc": { "id": n, "_meta": { "of": "the source", "op": "x" } } }),
            2 => json!({ "echo": "row" }),
            _ => json!({ "doc": { "id": n, "at": random.below(2) } }),
        })
        .collect();
    json!({ "invocations": [{ "steps": steps }] })
}

/// No documents, or some; of this resource or of another.
fn documents(random: &mut Random, own: &str, names: &[String], steps: &mut Vec<Value>) {
    for _ in 0..random.below(3) {
        let to = random.pick(names);
        let is_other = to != own && random.one_in(3);
        let mut step = match random.below(6) {
            0 => {
                json!({ "docs": { "from": random.below(9), "count": random.below(30), "pad": random.below(200), "set": { "b": 1 } } })
            }
            1 => json!({ "sourced_schema": schema(random) }),
            2 if !is_other => json!({ "echo": format!("e{}", random.below(99)) }),
            _ => {
                json!({ "doc": { "id": random.next(), "text": "line\nbreak \u{1F600}", "deep": { "n": [1, null, 2.5] } } })
            }
        };
        if is_other {
            step["to"] = json!(to);
        }
        steps.push(step);
    }
}

fn schema(random: &mut Random) -> Value {
    json!({ "properties": { format!("p{}", random.below(5)): { "type": "string" } } })
}
