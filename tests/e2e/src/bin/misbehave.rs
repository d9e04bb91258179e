//! A capture connector that misbehaves on demand: `misbehave MODE [NUMBER]`.
//!
//! It speaks the protocol by hand, over plain lines, so that it can break every rule of it. A mode departs from good
//! behaviour at one point; up to there, and in the mode `good`, this is an ordinary connector with one document per
//! number: it starts after the cursor of its state, checkpoints every second document, and ends at document `NUMBER`.
//!
//! Modes are grouped by the moment of their misdeed: the answer to `spec`, to `validate`, to `apply`, to `open`, and the
//! session. Those of the session first capture two documents with a checkpoint, and a third without.
#![forbid(unsafe_code)]

use std::io::{self, BufRead, Write};
use std::process::{Command, Stdio, exit};
use std::time::Duration;

use serde_json::{Value, json};

/// The bound on a line of the protocol, without its line feed.
const LINE_BYTES: usize = 64 << 20;

/// Ends the process as a connector does that lost its runtime.
fn gone<T>(_: io::Error) -> T {
    exit(1)
}

fn put(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .unwrap_or_else(gone);
}

fn say(message: &Value) {
    put(format!("{message}\n").as_bytes());
}

/// Writes an error record, and ends.
fn fail(message: &str) -> ! {
    log("error", message);
    exit(1)
}

fn log(level: &str, message: &str) {
    let record = json!({"level": level, "msg": message, "fields": {}});
    let _ = writeln!(io::stderr(), "{record}");
}

fn main() {
    let mut args = std::env::args().skip(1);
    let mode = args.next().unwrap_or_else(|| "good".into());
    let number = args.next().and_then(|text| text.parse().ok()).unwrap_or(10);
    let mut requests = io::stdin().lock().lines();
    while let Some(line) = requests.next() {
        let line = line.unwrap_or_else(gone);
        let Ok(Value::Object(request)) = serde_json::from_str(&line) else {
            fail("a request that is no object");
        };
        let Some((kind, body)) = request.iter().next() else {
            fail("a request without a message");
        };
        match kind.as_str() {
            "spec" => spec(&mode),
            "discover" => say(&json!({"discovered": {"bindings": []}})),
            "validate" => validate(&mode, body),
            "apply" => apply(&mode),
            "open" => {
                let mut session = Session::of(body, mode, number);
                session.run(&mut requests);
                return;
            }
            other => fail(&format!("a request that is not expected: {other}")),
        }
    }
}

fn spec(mode: &str) {
    let answer = |protocol: u32| {
        json!({"spec": {
            "protocol": protocol,
            "configSchema": {"type": "object", "properties": {"token": {"type": "string", "secret": true}}},
            "resourceConfigSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
            "documentationUrl": "https://example.com/misbehave",
            "resourcePathPointers": ["/name"],
        }})
    };
    match mode {
        "spec-garbage" => put(b"Starting up...\n"),
        "spec-silent" => exit(0),
        "spec-fails" => fail("the licence has run out"),
        "spec-fails-wordless" => exit(3),
        "spec-aborts" => std::process::abort(),
        "spec-old" => say(&answer(3_032_022)),
        "spec-wrong-kind" => say(&json!({"opened": {}})),
        "spec-not-utf8" => put(b"\xff\xfe{}\n"),
        "spec-blank" => put(b"\n"),
        "spec-partial" => {
            put(b"{\"spec\":");
            exit(0);
        }
        "spec-partial-fails" => {
            put(b"{\"spec\":");
            fail("the licence has run out");
        }
        "spec-several" => put(b"{\"opened\":{},\"checkpoint\":{}}\n"),
        "spec-endless-line" => {
            let chunk = vec![b'x'; 1 << 20];
            (0..66).for_each(|_| put(&chunk));
        }
        _ => say(&answer(3_032_023)),
    }
}

fn validate(mode: &str, body: &Value) {
    let bindings = body["bindings"].as_array().map_or(&[][..], Vec::as_slice);
    let mut paths: Vec<Value> = bindings
        .iter()
        .map(|binding| json!({"resourcePath": [binding["resourceConfig"]["name"]]}))
        .collect();
    match mode {
        "validated-short" => paths.clear(),
        "validated-long" => paths.push(json!({"resourcePath": ["more"]})),
        "validated-same" => paths.fill(json!({"resourcePath": ["same"]})),
        "validated-nameless" => paths.fill(json!({"resourcePath": []})),
        "validate-fails" => fail("the table `numbers` is not there; create it"),
        "validate-hangs" => {
            write_pid(std::process::id());
            std::thread::sleep(Duration::from_secs(600));
        }
        _ => {}
    }
    say(&json!({"validated": {"bindings": paths}}));
    match mode {
        "validated-twice" => say(&json!({"validated": {"bindings": paths}})),
        "validated-then-fails" => fail("the answer was wrong"),
        "validated-then-lingers" => std::thread::sleep(Duration::from_secs(600)),
        _ => {}
    }
}

fn apply(mode: &str) {
    match mode {
        "apply-fails" => fail("the endpoint is read-only"),
        "apply-restless" => {
            say(&json!({"applied": {"state": {"updated": {"again": true}, "mergePatch": true}}}))
        }
        "apply-bad-state" => {
            say(&json!({"applied": {"state": {"updated": [1], "mergePatch": true}}}))
        }
        _ => say(&json!({"applied": {}})),
    }
}

/// An open capture.
struct Session {
    mode: String,
    /// The document at which the capture is complete, or what the mode takes its argument for.
    number: u64,
    state_key: String,
    cursor: u64,
}

impl Session {
    fn of(open: &Value, mode: String, number: u64) -> Self {
        let state_key = open["capture"]["bindings"][0]["stateKey"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let cursor = match &open["state"]["bindingStateV1"][&state_key]["inc"]["cursor"] {
            Value::Null => 0,
            Value::Number(cursor) => cursor.as_u64().unwrap_or_default(),
            _ => fail(&format!(
                "the state of `{state_key}` has no whole number at /inc/cursor; put it right"
            )),
        };
        Self {
            mode,
            number,
            state_key,
            cursor,
        }
    }

    fn document(&mut self) {
        self.cursor += 1;
        put(format!("{}\n", captured(self.cursor)).as_bytes());
    }

    fn checkpoint(&self) {
        let (key, cursor) = (&self.state_key, self.cursor);
        let update = json!({"bindingStateV1": {key: {"inc": {"cursor": cursor}}}});
        say(&json!({"checkpoint": {"state": {"updated": update, "mergePatch": true}}}));
    }

    fn opened(&self, explicit_acknowledgements: bool) {
        say(&json!({"opened": {"explicitAcknowledgements": explicit_acknowledgements}}));
    }

    fn run(&mut self, requests: &mut impl Iterator<Item = io::Result<String>>) {
        let mode = self.mode.clone();
        match mode.as_str() {
            "open-fails" => fail("the state is of another source; reset it"),
            "open-checkpoint-first" => self.checkpoint(),
            "open-captured-first" => self.document(),
            "open-garbage" => put(b"hello\n"),
            "burst-acknowledged" | "huge-sequence" => self.opened(true),
            _ => self.opened(false),
        }
        match mode.as_str() {
            "good" => self.good(),
            "steady-until" => self.steady_until(),
            "steady" => self.steady(requests),
            "endless-sequence" => self.endless_sequence(),
            "stubborn" => self.stubborn(),
            "grandchild" => self.grandchild(),
            "talkative" => self.talkative(),
            "burst" => self.burst(),
            "burst-acknowledged" => {
                self.burst();
                await_acknowledgements(self.number, requests);
            }
            "huge-sequence" => self.huge_sequence(requests),
            "line-of" => self.line_of(self.number),
            "fills" => self.fills(),
            "hoards" => self.hoards(),
            _ => self.misbehave(&mode),
        }
    }

    fn good(&mut self) {
        while self.cursor < self.number {
            self.document();
            if self.cursor.is_multiple_of(2) || self.cursor == self.number {
                self.checkpoint();
            }
        }
    }

    /// A document and its checkpoint every few milliseconds, up to `NUMBER`: many small commits.
    fn steady_until(&mut self) {
        while self.cursor < self.number {
            self.document();
            self.checkpoint();
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// A document and its checkpoint every few milliseconds, until the input ends.
    fn steady(&mut self, requests: &mut impl Iterator<Item = io::Result<String>>) {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                loop {
                    self.document();
                    self.checkpoint();
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
            while requests.next().is_some() {}
            exit(0) // Possibly within a sequence: the runtime asked for the end, and forgets the rest.
        })
    }

    /// A checkpoint, and then documents without one, whatever is asked.
    fn endless_sequence(&mut self) {
        self.document();
        self.document();
        self.checkpoint();
        loop {
            self.document();
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stays when its input ends.
    fn stubborn(&mut self) {
        self.document();
        self.document();
        self.checkpoint();
        write_pid(std::process::id());
        std::thread::sleep(Duration::from_secs(600));
    }

    /// Leaves a process behind that holds standard error.
    fn grandchild(&mut self) {
        let child = Command::new("sleep")
            .arg("600")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        write_pid(child.unwrap_or_else(gone).id());
        self.good();
    }

    /// Logs `NUMBER` MB, and then captures.
    fn talkative(&mut self) {
        let record = json!({"level": "info", "msg": "m".repeat(990), "fields": {}});
        let lines = format!("{record}\n").repeat(1000);
        for _ in 0..self.number {
            io::stderr()
                .write_all(lines.as_bytes())
                .unwrap_or_else(gone);
        }
        self.number = 10;
        self.good();
    }

    /// `NUMBER` checkpoints of one document each, whose updates also set, change and remove other members.
    fn burst(&mut self) {
        let mut lines = String::new();
        while self.cursor < self.number {
            self.cursor += 1;
            let n = self.cursor;
            let mut update = json!({"bindingStateV1": {&self.state_key: {"inc": {"cursor": n}}}});
            update["scratch"] = scratch(n);
            let checkpoint =
                json!({"checkpoint": {"state": {"updated": update, "mergePatch": true}}});
            lines += &format!("{}\n{checkpoint}\n", captured(n));
            if lines.len() > 1 << 14 {
                put(lines.as_bytes());
                lines.clear();
            }
        }
        put(lines.as_bytes());
    }

    /// `NUMBER` MB of documents in one sequence. Once that is durable, says how much memory the runtime has needed.
    fn huge_sequence(&mut self, requests: &mut impl Iterator<Item = io::Result<String>>) {
        let text = "t".repeat(10_000 - 60);
        for _ in 0..self.number * 100 {
            self.cursor += 1;
            let document = format!("{{\"id\":{},\"text\":\"{text}\"}}", self.cursor);
            put(format!("{{\"captured\":{{\"binding\":0,\"doc\":{document}}}}}\n").as_bytes());
        }
        self.checkpoint();
        await_acknowledgements(1, requests);
        let status = format!("/proc/{}/status", std::os::unix::process::parent_id());
        let status = std::fs::read_to_string(status).unwrap_or_else(gone);
        std::fs::write("runtime-status", status).unwrap_or_else(gone);
    }

    /// A document whose line has exactly so many bytes.
    fn line_of(&mut self, bytes: u64) {
        let (begin, end) = (
            "{\"captured\":{\"binding\":0,\"doc\":{\"id\":1,\"text\":\"",
            "\"}}}\n",
        );
        let fill = bytes as usize + 1 - begin.len() - end.len();
        put(begin.as_bytes());
        put(&vec![b'x'; fill]);
        put(end.as_bytes());
        self.cursor = 1;
        self.checkpoint();
    }

    /// `NUMBER` checkpoints, each of which leaves another 45 MiB in the state.
    fn hoards(&mut self) {
        let text = "s".repeat(45 << 20);
        for n in 0..self.number {
            self.document();
            let update = json!({format!("hoard{n}"): text});
            say(&json!({"checkpoint": {"state": {"updated": update, "mergePatch": true}}}));
        }
    }

    /// Like `good`, but of documents of 100 kB: a small disk is full before the end.
    fn fills(&mut self) {
        let text = "t".repeat(100_000);
        while self.cursor < self.number {
            self.cursor += 1;
            say(&json!({"captured": {"binding": 0, "doc": {"id": self.cursor, "text": text}}}));
            self.checkpoint();
        }
    }

    /// The misdeeds of a session, after two documents that are committed and one that is not.
    fn misbehave(&mut self, mode: &str) {
        self.document();
        self.document();
        self.checkpoint();
        self.document();
        match mode {
            "garbage" => put(b"Traceback (most recent call last):\n"),
            "exits-1" => {
                log("info", "reading page 2");
                fail("page 2 could not be read; look at the source");
            }
            "exits-0" => exit(0),
            "exits-in-line" => {
                put(b"{\"captured\":{\"binding\":0,\"doc\":{\"id\":4,");
                fail("page 2 could not be read; look at the source");
            }
            "aborts" => std::process::abort(),
            "wrong-message" => say(&json!({"validated": {"bindings": []}})),
            "opened-twice" => self.opened(false),
            "unknown-binding" => say(&json!({"captured": {"binding": 7, "doc": {"id": 4}}})),
            "negative-binding" => say(&json!({"captured": {"binding": -1, "doc": {"id": 4}}})),
            "document-array" => put(b"{\"captured\":{\"binding\":0,\"doc\":[4]}}\n"),
            "document-string" => put(b"{\"captured\":{\"binding\":0,\"doc\":\"four\"}}\n"),
            "document-null" => put(b"{\"captured\":{\"binding\":0,\"doc\":null}}\n"),
            "document-number" => put(b"{\"captured\":{\"doc\":4}}\n"),
            "document-spaced" => put(b"{\"captured\": {\"binding\": 0, \"doc\": [4]}}\n"),
            "document-not-utf8" => put(b"{\"captured\":{\"binding\":0,\"doc\":{\"id\":4,\"text\":\"\xff\xfe\"}}}\n"),
            "document-not-json" => put(b"{\"captured\":{\"binding\":0,\"doc\":{\"id\":4,\"text\":\"ada@example.com\",}}}\n"),
            "document-twice-json" => put(b"{\"captured\":{\"binding\":0,\"doc\":{\"id\":4} {\"id\":5}}}\n"),
            "document-too-deep" => {
                let (open, close) = ("[".repeat(200), "]".repeat(200));
                put(format!("{{\"captured\":{{\"binding\":0,\"doc\":{{\"id\":4,\"deep\":{open}{close}}}}}}}\n").as_bytes());
            }
            "document-wrong-type" => say(&json!({"captured": {"binding": 0, "doc": {"id": "ada@example.com"}}})),
            "document-missing-key" => say(&json!({"captured": {"binding": 0, "doc": {"text": "ada@example.com"}}})),
            "line-too-long" => {
                put(b"{\"captured\":{\"binding\":0,\"doc\":{\"id\":4,\"text\":\"");
                put(&vec![b'x'; LINE_BYTES]);
                put(b"\"}}}\n");
            }
            "line-not-utf8" => put(b"\xff\xfe\xfd\n"),
            "line-blank" => put(b"\n"),
            "two-messages" => put(b"{\"captured\":{\"binding\":0,\"doc\":{\"id\":4}},\"checkpoint\":{}}\n"),
            "state-array" => put(b"{\"checkpoint\":{\"state\":{\"updated\":[1],\"mergePatch\":true}}}\n"),
            "state-string" => put(b"{\"checkpoint\":{\"state\":{\"updated\":\"{}\",\"mergePatch\":true}}}\n"),
            "state-missing" => put(b"{\"checkpoint\":{\"state\":{\"mergePatch\":true}}}\n"),
            "state-too-deep" => {
                let (open, close) = ("{\"a\":".repeat(200), "}".repeat(200));
                put(format!("{{\"checkpoint\":{{\"state\":{{\"updated\":{open}1{close},\"mergePatch\":true}}}}}}\n").as_bytes());
            }
            "state-not-json" => put(b"{\"checkpoint\":{\"state\":{\"updated\":{\"a\":},\"mergePatch\":true}}}\n"),
            "marker-in-sequence" => say(&json!({"backfillBegin": {"binding": 0}})),
            other => fail(&format!("there is no mode `{other}`")),
        }
        // After its misdeed it goes on as if all was well: what it checkpoints now must not be committed either.
        self.checkpoint();
        self.number = 10;
        self.good();
    }
}

/// A document of the common form, as a line without its line feed.
fn captured(id: u64) -> Value {
    json!({"captured": {"binding": 0, "doc": {"id": id, "text": format!("number {id}")}}})
}

/// What checkpoint `n` of a burst does to the member `scratch`: builds it up, prunes it, and removes it.
fn scratch(n: u64) -> Value {
    match n % 7 {
        0 => Value::Null,
        3 => json!({"tree": null}),
        _ => json!({"tree": {format!("leaf{}", n % 5): n}, "last": n}),
    }
}

fn await_acknowledgements(wanted: u64, requests: &mut impl Iterator<Item = io::Result<String>>) {
    let mut seen = 0;
    while seen < wanted {
        let Some(Ok(line)) = requests.next() else {
            fail(&format!(
                "{seen} of {wanted} checkpoints were acknowledged when the input ended"
            ));
        };
        let request: Value = serde_json::from_str(&line).unwrap_or_default();
        seen += request["acknowledge"]["checkpoints"]
            .as_u64()
            .unwrap_or_default();
    }
    if seen > wanted {
        fail(&format!(
            "{seen} checkpoints were acknowledged, and {wanted} written"
        ));
    }
}

/// Leaves a process id in the folder of the project.
fn write_pid(pid: u32) {
    std::fs::write("pid", pid.to_string()).unwrap_or_else(gone);
}
