//! `staunch migrate new`: begins a migration in a connector's crate, with a state of before to try it on.

use serde::Serialize;
use staunch_runtime::inspect;
use staunch_state::{Node, Object};

use super::crate_dir::{CrateDir, NewFile};
use super::name::Name;
use super::template;
use crate::args::NewArgs;
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::given;
use crate::output::{Glyphs, Report, clean, columns};
use crate::pretty::pretty;
use crate::state;

/// A member of the connector state that is a secret.
const REFRESH_TOKEN: &str = "refresh_token";

#[derive(Serialize)]
struct NewReport {
    /// As it is recorded.
    name: String,
    created: Vec<Created>,
    /// What is left for the author to write.
    add: Vec<Addition>,
    fixture: Fixture,
}

#[derive(Serialize)]
struct Created {
    /// From the current folder.
    path: String,
    what: &'static str,
}

#[derive(Serialize)]
struct Addition {
    /// From the current folder.
    path: String,
    code: String,
    place: &'static str,
}

/// Where the state of before is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Fixture {
    /// Made up.
    Example,
    /// A file that was given.
    Given,
    /// What a capture has stored.
    Stored,
}

pub(crate) fn run(context: &Context, args: &NewArgs) -> Result<Exit, Failure> {
    let name = Name::parse(&args.name).map_err(|wrong| Failure::new("migration.name", wrong))?;
    let dir = CrateDir::find()?;
    if let Some((path, line)) = dir.find_line(|line| name.is_in(line))? {
        let message = format!(
            "`{}` is in use, at {path}:{line}; a name stands for one step for ever: choose another",
            name.recorded
        );
        return Err(Failure::new("migration.name", message));
    }
    let (fixture, before) = fixture(context, args)?;
    let connector = dir.find_line(|line| line.contains("impl Connector for"))?;
    let (files, report) = scaffold(
        &name,
        &dir,
        fixture,
        before,
        connector.map(|(path, _)| path),
    );
    dir.create(&files)?;
    let exit = context.output.answer(&report)?;
    if fixture != Fixture::Example {
        context
            .output
            .note("The fixture is a copy of a real state: read it through before you commit it.");
    }
    context.output.next("try it", "cargo test");
    Ok(exit)
}

/// A state of before, as text.
fn fixture(context: &Context, args: &NewArgs) -> Result<(Fixture, String), Failure> {
    let (fixture, state) = match (&args.state, &args.capture) {
        (Some(path), _) => (Fixture::Given, given::state(context, path)?.state),
        (None, Some(capture)) => (Fixture::Stored, stored(context, capture)?),
        (None, None) => return Ok((Fixture::Example, template::EXAMPLE_STATE.to_owned())),
    };
    Ok((fixture, pretty(&without_secrets(state)) + "\n"))
}

fn stored(context: &Context, capture: &str) -> Result<Node, Failure> {
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, Some(capture), Asked::Other)?;
    let row = inspect::state(&project, capture).map_err(context::failed(capture, Asked::Other))?;
    let Some(row) = row.filter(|row| row.revision > 0) else {
        let message = format!(
            "`{}` has no stored state: it never committed; run it first, or name a file with `--state`",
            capture.name
        );
        return Err(Failure::new("state.none", message).about(&capture.name));
    };
    Node::parse(&row.state).map_err(|error| state::unreadable(&capture.name, &error))
}

/// A fixture is committed to version control: a token must not be in it.
fn without_secrets(mut state: Node) -> Node {
    let token = state
        .as_object_mut()
        .and_then(|state: &mut Object| state.get_mut(REFRESH_TOKEN));
    if let Some(token) = token.filter(|token| !token.is_null()) {
        *token = Node::string("(replaced: a fixture holds no secret)");
    }
    state
}

/// The files to write, and what is said of them.
fn scaffold(
    name: &Name,
    dir: &CrateDir,
    fixture: Fixture,
    before: String,
    connector: Option<String>,
) -> (Vec<NewFile>, NewReport) {
    const MODULES: [&str; 2] = ["src/migrations.rs", "src/migrations/mod.rs"];
    let mut files = vec![
        (
            format!("src/migrations/{}.rs", name.module),
            template::step(name),
            "the step, as an example: fill in `applies`, `migrate` and `declares`",
        ),
        (
            format!("tests/states/{}.json", name.recorded),
            before,
            match fixture {
                Fixture::Example => {
                    "the state of before, as an example: put a real one in its place"
                }
                Fixture::Given | Fixture::Stored => "the state of before",
            },
        ),
    ];
    let add = |path: &str, code: String, place| Addition {
        path: path.to_owned(),
        code,
        place,
    };
    let module = MODULES.into_iter().find(|module| dir.has(module));
    let mut additions = match module {
        Some(module) => vec![
            add(
                &dir.shown(module),
                format!("mod {};", name.module),
                "with the others",
            ),
            add(
                &dir.shown(module),
                template::with(name),
                "behind the last step of the chain that `Connector::migrations` answers with",
            ),
        ],
        None => {
            files.push((
                MODULES[0].to_owned(),
                template::chain(name),
                "the chain, with the step in it",
            ));
            let root = ["src/lib.rs", "src/main.rs"]
                .into_iter()
                .find(|root| dir.has(root))
                .unwrap_or("src/lib.rs");
            vec![
                add(
                    &dir.shown(root),
                    "mod migrations;".to_owned(),
                    "with the others",
                ),
                add(
                    &connector.unwrap_or_else(|| dir.shown(root)),
                    template::HOOK.to_owned(),
                    "in your `impl Connector`",
                ),
            ]
        }
    };
    additions.extend([
        add(
            &dir.shown(module.unwrap_or(MODULES[0])),
            template::HARNESS.to_owned(),
            "in the tests, if it is not there yet",
        ),
        add(
            &dir.shown("Cargo.toml"),
            template::HARNESS_CRATE.to_owned(),
            "from where `staunch` is",
        ),
    ]);
    let created = files.iter().map(|(path, _, what)| Created {
        path: dir.shown(path),
        what,
    });
    let report = NewReport {
        name: name.recorded.clone(),
        created: created.collect(),
        add: additions,
        fixture,
    };
    let files = files
        .into_iter()
        .map(|(path, text, _)| NewFile { path, text })
        .collect();
    (files, report)
}

impl Report for NewReport {
    const COMMAND: &'static str = "migrate new";

    fn summary(&self) -> String {
        let paths: Vec<&str> = self.created.iter().map(|file| file.path.as_str()).collect();
        format!("began `{}`: created {}", self.name, paths.join(", "))
    }

    fn text(&self, _: &Glyphs) -> String {
        let created = self
            .created
            .iter()
            .map(|file| [clean(&file.path), file.what.to_owned()]);
        let mut text = format!("created\n{}\nadd\n", columns(&[], created));
        for addition in &self.add {
            text.push_str(&format!(
                "  {}, {}:\n",
                clean(&addition.path),
                addition.place
            ));
            for line in addition.code.lines() {
                text.push_str(&format!("      {line}\n"));
            }
        }
        text
    }
}
