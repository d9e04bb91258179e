//! A fresh folder with a catalog and a connector that is a shell script, and commands typed in it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// What every well-behaved connector here answers, but for what follows `Open`.
const ANSWERS: &str = r#"
    '{"spec"'*) echo '{"spec":{"protocol":3032023,"configSchema":{"type":"object","required":["url"],"properties":{"url":{"type":"string","title":"Address","description":"Where the shop is."},"token":{"type":"string","secret":true}}},"resourceConfigSchema":{"properties":{"stream":{"type":"string"}}},"documentationUrl":"https://example.com/shop","resourcePathPointers":["/stream"]}}' ;;
    '{"discover"'*) echo '{"discovered":{"bindings":[{"recommendedName":"orders","resourceConfig":{"stream":"orders"},"documentSchema":{"type":"object","required":["id"]},"key":["/id"]},{"recommendedName":"refunds","resourceConfig":{"stream":"refunds"},"documentSchema":{"type":"object","required":["id"]},"key":["/id"]}]}}' ;;
    '{"validate"'*) echo '{"validated":{"bindings":[{"resourcePath":["orders"]}]}}' ;;
    '{"apply"'*) echo '{"applied":{}}' ;;
"#;

/// A session with two documents, one checkpoint, and an end.
pub(crate) const CAPTURES: &str = r#"
      echo '{"opened":{}}'
      echo '{"ts":"2026-03-01T09:12:44Z","level":"info","msg":"read a page","fields":{"binding":"orders","page":1}}' >&2
      echo '{"captured":{"binding":0,"doc":{"id":1}}}'
      echo '{"captured":{"binding":0,"doc":{"id":2}}}'
      echo '{"checkpoint":{"state":{"updated":{"bindingStateV1":{"orders":{"inc":{"cursor":2}}}},"mergePatch":true}}}'
      exit 0"#;

/// The catalog of the shop; its connector is `./connector`.
pub(crate) const CATALOG: &str = r#"# The shop.
captures:
  acme/shop:
    endpoint:
      local:
        command: [./connector]
        config: { url: "https://shop.example" }
    bindings:
      - resource: { stream: orders }
        target: acme/orders
collections:
  acme/orders:
    schema: { type: object, required: [id], properties: { id: { type: integer } } }
    key: [/id]
"#;

/// A project in a folder of its own.
pub(crate) struct Shop(TempDir);

/// What a command came to.
#[derive(Debug)]
pub(crate) struct Typed {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Shop {
    /// Nothing in it.
    pub(crate) fn empty() -> Self {
        Self(TempDir::new().unwrap())
    }

    /// A catalog whose connector does `after_open` (shell) once it is opened.
    pub(crate) fn that(after_open: &str) -> Self {
        let shop = Self::empty();
        shop.write("flow.yaml", CATALOG);
        shop.script(&format!("while IFS= read -r line; do case \"$line\" in {ANSWERS} '{{\"open\"'*) {after_open} ;; esac; done"));
        shop
    }

    pub(crate) fn dir(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir().join(name), text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir().join(name)).unwrap()
    }

    /// Makes the connector a shell script.
    pub(crate) fn script(&self, body: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        // A file that is being written cannot be executed, and another thread's child may hold it open: so it is moved here.
        let path = self.dir().join("connector");
        self.write("connector.new", &format!("#!/bin/sh\n{body}\n"));
        let made = Command::new("cp")
            .arg(self.dir().join("connector.new"))
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Has the connector answer with this plan when it is asked for one, and be what it was otherwise.
    pub(crate) fn plans(&self, plan: &serde_json::Value) {
        let answers = self.read("connector.new");
        let answers = answers.trim_start_matches("#!/bin/sh");
        self.script(&format!(
            "case \"$1 $2\" in 'plan --probe') echo '{{\"staunch\":{{\"plan\":1}}}}'; exit 0;; plan*) cat > /dev/null; echo '{plan}'; exit 0;; esac\n{answers}"
        ));
    }

    /// `staunch …`, in the folder, with an environment of its own.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_staunch"));
        command
            .args(line.split_whitespace())
            .current_dir(self.dir())
            .stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("LANG", "C.UTF-8")
            // A connector that is quiet is watched for as long as this.
            .env("STAUNCH_PROBATION", "3,300ms");
        command
    }

    /// Types a line and waits for its end.
    pub(crate) fn staunch(&self, line: &str) -> Typed {
        let mut command = assert_cmd::Command::from_std(self.command(line));
        let output = command.timeout(Duration::from_secs(60)).output().unwrap();
        Typed {
            code: output.status.code(),
            stdout: self.stable(&output.stdout),
            stderr: self.stable(&output.stderr),
        }
    }

    /// Text without what differs from one run to the next.
    pub(crate) fn stable(&self, text: &[u8]) -> String {
        let text = String::from_utf8(text.to_vec()).unwrap();
        text.replace(self.dir().canonicalize().unwrap().to_str().unwrap(), "DIR")
            .replace(self.dir().to_str().unwrap(), "DIR")
    }
}

/// As Ctrl-C does.
pub(crate) fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

impl Typed {
    /// The one JSON value on standard output.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// The JSON values on standard output, one per line.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Everything that a person sees.
    pub(crate) fn shown(&self) -> String {
        format!(
            "exit: {:?}\n--- stdout\n{}--- stderr\n{}",
            self.code.unwrap(),
            self.stdout,
            self.stderr
        )
    }
}

/// Shows what a person sees, with times and digests made the same.
macro_rules! assert_shown {
    ($typed:expr) => {
        insta::with_settings!({ filters => vec![
            (r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z", "TIME"),
            (r"@[0-9a-f]{8,32}", "@DIGEST"),
            (r"\d{8}T\d{6}\.\d+Z-\d+", "TIME-N"),
            (r"\b(\d+\.\ds|\d+ms)\b", "SECONDS"),
        ] }, { insta::assert_snapshot!($typed.shown()) })
    };
}
pub(crate) use assert_shown;
