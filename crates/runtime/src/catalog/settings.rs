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
    source::{Files, Spot},
};
use crate::store::Retention;
use crate::upgrade::Probation;

/// What `staunch.yaml` says; all of it is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// File of the SQLite state store.
    pub store_path: Option<PathBuf>,
    /// Directory of the default sink.
    pub out_dir: Option<PathBuf>,
    /// Per capture (full name), the command that runs instead of the one in the catalog. A program with a slash
    /// is an absolute path.
    pub connectors: BTreeMap<String, Vec<String>>,
    /// How much is kept of what is done to states.
    pub retention: Retention,
    /// Per capture (full name), how long a connector is watched that takes it over.
    pub probations: BTreeMap<String, Probation>,
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
        for (name, sink) in spot.entries(problems).unwrap_or_default() {
            if name == "default" {
                self.default_sink(&sink, problems);
            } else {
                unsupported(&sink, name, problems);
            }
        }
    }

    fn default_sink(&mut self, spot: &Spot<'_>, problems: &mut Problems) {
        let Some(mut members) = spot.members(problems) else {
            return;
        };
        let kind = members.require("type", Hint::new("add `type: jsonl`"), problems);
        let Some(kind) = kind else { return };
        let Some(name) = kind.string(problems) else {
            return;
        };
        if name != "jsonl" {
            // The other members belong to a sink that is not there; nothing useful can be said of them.
            unsupported(&kind, &format!("type: {name}"), problems);
            return;
        }
        let dir = members.require("dir", Hint::new("add `dir: ./out`"), problems);
        members.refuse(&["rotate", "compress", "partition"], problems);
        members.finish(problems);
        self.out_dir = dir.and_then(|spot| read_path(&spot, problems));
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
        members.refuse(&["alerts", "sink", "env"], problems);
        members.finish(problems);
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
