//! `staunch.yaml`: how a catalog runs here. Optional, strict, and honest about what does not exist yet.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    Catalog,
    captures::read_command,
    error::{CatalogError, Hint, Problems},
    names,
    node::Kind,
    source::{Files, Members, Spot},
};
use crate::sink::{DEFAULT, PostgresSettings, STDOUT, SinkSettings, TableSettings, Updates};
use crate::store::Retention;
use crate::upgrade::Probation;

/// What `staunch.yaml` says; all of it is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// File of the SQLite state store.
    pub store_path: Option<PathBuf>,
    /// Places for documents, by name.
    pub sinks: BTreeMap<String, SinkSettings>,
    /// Per capture (full name), the name of the sink that its documents go to.
    pub capture_sinks: BTreeMap<String, String>,
    /// Per capture (full name), the command that runs instead of the one in the catalog. A program with a slash
    /// is an absolute path.
    pub connectors: BTreeMap<String, Vec<String>>,
    /// How much is kept of what is done to states.
    pub retention: Retention,
    /// Per capture (full name), how long a connector is watched that takes it over.
    pub probations: BTreeMap<String, Probation>,
    /// Whether a sink could not be read: then it may be the one that is named somewhere.
    has_broken_sinks: bool,
}

impl Settings {
    /// Reads the file at `path`; one that is not there sets nothing. Paths in it start from its directory.
    ///
    /// # Errors
    /// As [`Catalog::load`]; and [`CatalogError::Unsupported`] for what is designed and not there yet.
    pub fn load(path: &Path) -> Result<Settings, CatalogError> {
        let source = match Files::default().read(path, None) {
            Ok(source) => source,
            Err(CatalogError::NotFound { .. }) => return Ok(Settings::default()),
            Err(error) => return Err(error),
        };
        let mut settings = Settings::default();
        let mut problems = Problems::default();
        settings.read(&Spot::root(&source), &mut problems);
        problems.or(settings)
    }

    /// Whether each capture that is named here is one of the catalog: a mistyped name would set nothing.
    ///
    /// # Errors
    /// [`CatalogError::UnknownCapture`] for the first that is not.
    pub fn check(&self, catalog: &Catalog) -> Result<(), CatalogError> {
        match self
            .connectors
            .keys()
            .chain(self.capture_sinks.keys())
            .chain(self.probations.keys())
            .find(|name| !catalog.captures.contains_key(*name))
        {
            None => Ok(()),
            Some(name) => Err(CatalogError::UnknownCapture {
                name: name.clone(),
                hint: Hint::meant(name, catalog.captures.keys().map(String::as_str))
                    .or("`staunch.yaml` names captures in full"),
            }),
        }
    }

    fn read(&mut self, spot: &Spot<'_>, problems: &mut Problems) {
        let Some(mut members) = spot.members(problems) else {
            return;
        };
        let version = members.require(
            "version",
            Hint::new("begin the file with `version: 1`"),
            problems,
        );
        let state = members.take_filled("state");
        let sinks = members.take_filled("sinks");
        let captures = members.take_filled("captures");
        members.refuse(
            &["serve", "telemetry", "profiles", "alerts", "upgrade"],
            problems,
        );
        members.finish(problems);
        if let Some(spot) = version
            && let Some(version) = spot.counter(problems)
            && version != 1
        {
            unsupported(&spot, &format!("version: {version}"), problems);
        }
        if let Some(state) = state {
            self.state(&state, problems);
        }
        if let Some(sinks) = sinks {
            self.sinks(&sinks, problems);
        }
        for (name, spot) in captures
            .and_then(|spot| spot.entries(problems))
            .unwrap_or_default()
        {
            self.capture(name, &spot, problems);
        }
    }

    fn state(&mut self, spot: &Spot<'_>, problems: &mut Problems) {
        let Some(mut members) = spot.members(problems) else {
            return;
        };
        let store = members.take("store");
        let path = members.take("path");
        let changes = members.take("changes");
        let snapshots = members.take_filled("snapshots");
        members.refuse(&["dsn"], problems);
        members.finish(problems);
        if let Some(store) = store
            && let Some(name) = store.string(problems)
            && name != "sqlite"
        {
            unsupported(&store, &format!("store: {name}"), problems);
        }
        self.store_path = path.and_then(|spot| read_path(&spot, problems));
        if let Some(changes) = changes.and_then(|spot| spot.counter(problems)) {
            self.retention.changes = changes as usize;
        }
        if let Some(snapshots) = snapshots {
            self.snapshots(&snapshots, problems);
        }
    }

    fn snapshots(&mut self, spot: &Spot<'_>, problems: &mut Problems) {
        let Some(mut members) = spot.members(problems) else {
            return;
        };
        let keep = members.take("keep");
        let max_age = members.take("max_age");
        members.finish(problems);
        if let Some(keep) = keep.and_then(|spot| spot.counter(problems)) {
            self.retention.snapshots = keep as usize;
        }
        if let Some(max_age) = max_age.and_then(|spot| spot.duration(problems)) {
            self.retention.max_age = max_age;
        }
    }

    fn sinks(&mut self, spot: &Spot<'_>, problems: &mut Problems) {
        for (name, spot) in spot.entries(problems).unwrap_or_default() {
            if name == STDOUT {
                unsupported(
                    &spot,
                    "a sink of one's own that is called `stdout`",
                    problems,
                );
            } else if let Some(sink) = read_sink(&spot, problems) {
                self.sinks.insert(name.to_owned(), sink);
            } else {
                self.has_broken_sinks = true;
            }
        }
    }

    fn capture(&mut self, name: &str, spot: &Spot<'_>, problems: &mut Problems) {
        if let Some(reason) = names::broken_rule(name) {
            problems.push(CatalogError::BadName {
                at: spot.at(),
                what: "capture",
                name: name.to_owned(),
                reason,
            });
        }
        let Some(mut members) = spot.members(problems) else {
            return;
        };
        let connector = members.take("connector");
        let upgrade = members.take_filled("upgrade");
        let sink = members.take("sink");
        members.refuse(&["alerts", "env"], problems);
        members.finish(problems);
        if let Some(spot) = sink
            && let Some(sink) = spot.string(problems)
        {
            let is_known = [DEFAULT, STDOUT].contains(&sink) || self.sinks.contains_key(sink);
            if is_known {
                self.capture_sinks.insert(name.to_owned(), sink.to_owned());
            } else if !self.has_broken_sinks {
                let known = self.sinks.keys().map(String::as_str);
                problems.push(
                    spot.unexpected(
                        "the name of a sink",
                        Hint::meant(sink, known.chain([DEFAULT, STDOUT]))
                            .or("name it under `sinks`, with its `type`"),
                    ),
                );
            }
        }
        if let Some(probation) = upgrade.and_then(|spot| read_upgrade(&spot, problems)) {
            self.probations.insert(name.to_owned(), probation);
        }
        if let Some(connector) = connector
            && let Some(command) = read_command(&connector, problems)
            && !command
                .iter()
                .any(|word| interpolates(word, &connector, problems))
        {
            self.connectors.insert(name.to_owned(), command);
        }
    }
}

/// `{ type: postgres, dsn: …, updates: standard }`
fn read_sink(spot: &Spot<'_>, problems: &mut Problems) -> Option<SinkSettings> {
    let mut members = spot.members(problems)?;
    let hint = Hint::new("add `type: jsonl`, `type: sqlite` or `type: postgres`");
    let kind = members.require("type", hint, problems)?;
    match kind.string(problems)? {
        "jsonl" => {
            let dir = members.require("dir", Hint::new("add `dir: ./out`"), problems);
            members.refuse(&["rotate", "compress", "partition"], problems);
            members.finish(problems);
            let dir = read_path(&dir?, problems)?;
            Some(SinkSettings::JsonLines { dir })
        }
        "sqlite" => {
            let path = members.require("path", Hint::new("add `path: ./lake.db`"), problems);
            let tables = read_tables(&mut members, problems);
            members.finish(problems);
            let path = read_path(&path?, problems)?;
            Some(SinkSettings::Sqlite {
                path,
                tables: tables?,
            })
        }
        "postgres" => {
            let hint = Hint::new("add `dsn: postgres://user:${env:PASSWORD}@host/database`");
            let dsn = members.require("dsn", hint, problems);
            let schema = members.take("schema");
            let document = members.take("document");
            let roots = members.take("root_certificates");
            let tables = read_tables(&mut members, problems);
            members.finish(problems);
            let schema = match schema {
                Some(spot) => spot.string(problems)?.to_owned(),
                None => "public".to_owned(),
            };
            let document = match document {
                Some(spot) => word(&spot, &["jsonb", "json"], "`jsonb` or `json`", problems)?,
                None => "jsonb",
            };
            let root_certificates = match roots {
                Some(spot) => Some(read_path(&spot, problems)?),
                None => None,
            };
            Some(SinkSettings::Postgres(Box::new(PostgresSettings {
                dsn: dsn?.string(problems)?.to_owned(),
                schema,
                document,
                root_certificates,
                tables: tables?,
            })))
        }
        name => {
            // The other members belong to a sink that is not there; nothing useful can be said of them.
            unsupported(&kind, &format!("type: {name}"), problems);
            None
        }
    }
}

/// How collections become tables: what all databases have in common.
fn read_tables(members: &mut Members<'_>, problems: &mut Problems) -> Option<TableSettings> {
    let mut settings = TableSettings::default();
    let updates = members.take("updates");
    let hard_deletes = members.take("hard_deletes");
    let tables = members.take_filled("tables");
    let fields = members.take_filled("fields");
    if let Some(spot) = updates {
        settings.updates = match word(
            &spot,
            &["standard", "append"],
            "`standard` or `append`",
            problems,
        )? {
            "append" => Updates::Append,
            _ => Updates::Standard,
        };
    }
    if let Some(spot) = hard_deletes {
        settings.hard_deletes = spot.boolean(problems)?;
    }
    for (collection, spot) in tables
        .and_then(|spot| spot.entries(problems))
        .unwrap_or_default()
    {
        let table = spot.string(problems)?;
        settings
            .tables
            .insert(collection.to_owned(), table.to_owned());
    }
    for (collection, spot) in fields
        .and_then(|spot| spot.entries(problems))
        .unwrap_or_default()
    {
        let of_collection = settings.fields.entry(collection.to_owned()).or_default();
        for (column, spot) in spot.entries(problems).unwrap_or_default() {
            let pointer = spot.string(problems)?;
            if let Some(reason) = names::broken_pointer(pointer) {
                problems.push(CatalogError::BadKey {
                    at: spot.at(),
                    reason: format!("`{pointer}`: {reason}"),
                });
                return None;
            }
            of_collection.insert(column.to_owned(), pointer.to_owned());
        }
    }
    Some(settings)
}

/// One of several words.
fn word(
    spot: &Spot<'_>,
    words: &[&'static str],
    expected: &'static str,
    problems: &mut Problems,
) -> Option<&'static str> {
    let found = spot.string(problems)?;
    let known = words.iter().find(|word| **word == found).copied();
    if known.is_none() {
        problems.push(spot.unexpected(expected, Hint::meant(found, words.iter().copied())));
    }
    known
}

/// `upgrade: { probation: { checkpoints: 3, within: 10m }, on_failure: rollback }`
fn read_upgrade(spot: &Spot<'_>, problems: &mut Problems) -> Option<Probation> {
    let mut members = spot.members(problems)?;
    let probation = members.take_filled("probation");
    let on_failure = members.take("on_failure");
    members.finish(problems);
    if let Some(on_failure) = on_failure
        && let Some(what) = on_failure.string(problems)
        && what != "rollback"
    {
        unsupported(&on_failure, &format!("on_failure: {what}"), problems);
    }
    let mut members = probation?.members(problems)?;
    let checkpoints = members.take("checkpoints");
    let within = members.take("within");
    members.finish(problems);
    let mut probation = Probation::default();
    if let Some(checkpoints) = checkpoints.and_then(|spot| spot.counter(problems)) {
        probation.checkpoints = checkpoints.into();
    }
    if let Some(within) = within.and_then(|spot| spot.duration(problems)) {
        probation.within = within;
    }
    Some(probation)
}

fn unsupported(spot: &Spot<'_>, what: &str, problems: &mut Problems) {
    problems.push(CatalogError::Unsupported {
        at: spot.at(),
        name: what.to_owned(),
    });
}

/// Whether `text` hopes for a variable's value; a folder named `${env:HOME}` is never what was meant.
fn interpolates(text: &str, spot: &Spot<'_>, problems: &mut Problems) -> bool {
    let interpolates = text.contains("${");
    if interpolates {
        unsupported(spot, "${…}", problems);
    }
    interpolates
}

fn read_path(spot: &Spot<'_>, problems: &mut Problems) -> Option<PathBuf> {
    let path = match &spot.node.kind {
        Kind::String(text) if !text.is_empty() => text,
        _ => {
            problems.push(spot.unexpected("a path", Hint::none()));
            return None;
        }
    };
    if interpolates(path, spot, problems) {
        return None;
    }
    Some(
        spot.source
            .dir
            .join(path.strip_prefix("./").unwrap_or(path)),
    )
}
