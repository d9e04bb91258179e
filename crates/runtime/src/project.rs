//! A project: a catalog, how it runs here, and where its state and its documents are.

use std::path::{Path, PathBuf};

use staunch_protocol::Codec;

use crate::catalog::{Capture, Catalog, Endpoint, Settings};
use crate::error::{ConnectorError, RunError};
use crate::process::ConnectorCommand;
use crate::sink::{self, Sink, SinkError, SinkSettings};
use crate::store::{CaptureRow, Store};
use crate::upgrade::Probation;

/// The folder of a project's state, beside its catalog.
const STATE_DIR: &str = ".staunch";

/// The folder of its documents, unless `staunch.yaml` names another.
const OUT_DIR: &str = "out";

/// A catalog and how it runs here.
#[derive(Debug)]
pub struct Project {
    /// What is captured.
    pub catalog: Catalog,
    /// The folder of state and leases.
    pub state_dir: PathBuf,
    /// The folder of documents, where no sink is named.
    out_dir: PathBuf,
    settings: Settings,
}

impl Project {
    /// Reads `catalog`, and `staunch.yaml` beside it if there is one.
    ///
    /// # Errors
    /// When either has mistakes.
    pub fn load(catalog: &Path) -> Result<Self, RunError> {
        let dir = match catalog.parent() {
            Some(dir) if dir != Path::new("") => dir,
            _ => Path::new("."),
        };
        let settings = Settings::load(&dir.join("staunch.yaml"))?;
        let catalog = Catalog::load(catalog)?;
        settings.check(&catalog)?;
        let state_dir = match settings.store_path.as_deref().map(store_dir) {
            None => dir.join(STATE_DIR),
            Some(Some(dir)) => dir,
            Some(None) => {
                return Err(ConnectorError::Unsupported {
                    what: "a state store that is not named `state.db`".into(),
                    instead: "let `state.path` end in `/state.db`".into(),
                }
                .into());
            }
        };
        let out_dir = match settings.sinks.get(sink::DEFAULT) {
            Some(SinkSettings::JsonLines { dir }) => dir.clone(),
            _ => dir.join(OUT_DIR),
        };
        Ok(Self {
            catalog,
            state_dir,
            out_dir,
            settings,
        })
    }

    /// How the connector of a capture is started.
    ///
    /// # Errors
    /// When this version cannot start it.
    pub fn command(&self, capture: &Capture) -> Result<ConnectorCommand, RunError> {
        let unsupported = |what: &str, instead: &str| ConnectorError::Unsupported {
            what: what.into(),
            instead: instead.into(),
        };
        let here = self.settings.connectors.get(&capture.name);
        match (&capture.endpoint, here) {
            (
                Endpoint::Local {
                    command,
                    dir,
                    env,
                    protobuf,
                    ..
                },
                here,
            ) => {
                let argv = here.unwrap_or(command).clone();
                Ok(ConnectorCommand {
                    argv,
                    dir: dir.clone(),
                    env: env.clone(),
                    codec: if *protobuf { Codec::Proto } else { Codec::Json },
                })
            }
            (Endpoint::Image { .. }, Some(argv)) => {
                let dir = self
                    .catalog
                    .path
                    .parent()
                    .map_or_else(PathBuf::new, Path::to_owned);
                let dir = if dir == Path::new("") {
                    PathBuf::from(".")
                } else {
                    dir
                };
                Ok(ConnectorCommand {
                    argv: argv.clone(),
                    dir,
                    env: Default::default(),
                    codec: Codec::Json,
                })
            }
            (Endpoint::Image { .. }, None) => Err(unsupported(
                "running a connector image",
                "name a local command for this capture under `captures` in `staunch.yaml`",
            )
            .into()),
        }
    }

    /// How long a connector is watched that takes this capture over, if `staunch.yaml` says so.
    #[must_use]
    pub fn probation(&self, capture: &Capture) -> Option<Probation> {
        self.settings.probations.get(&capture.name).copied()
    }

    /// The state store, open for writing a capture.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub(crate) fn store(&self, capture: &Capture) -> Result<Store, RunError> {
        let mut store = Store::open(&self.state_dir, &capture.name)?;
        store.retain(self.settings.retention);
        sink::settle(&capture.name, &mut store, |name| {
            self.settings.sinks.get(name)
        })?;
        Ok(store)
    }

    /// The place for the documents of a capture, open: its own, or the one that is named instead.
    pub(crate) fn sink(
        &self,
        capture: &Capture,
        instead: Option<&str>,
        stored: Option<&CaptureRow>,
        store: &mut Store,
    ) -> Result<Sink, RunError> {
        let name = instead.unwrap_or_else(|| self.sink_name(capture));
        let settings = self.sink_settings(name)?;
        let about = sink::Opened {
            capture: &capture.name,
            name,
            settings: &settings,
            state_dir: &self.state_dir,
        };
        Sink::open(&about, stored, store)
    }

    /// What the sink of a capture is called in `staunch.yaml`.
    #[must_use]
    pub fn sink_name(&self, capture: &Capture) -> &str {
        let named = self.settings.capture_sinks.get(&capture.name);
        named.map_or(sink::DEFAULT, String::as_str)
    }

    /// The folder with the output files of a sink, if it has files.
    #[must_use]
    pub fn folder(&self, sink: &str) -> Option<PathBuf> {
        match self.sink_settings(sink) {
            Ok(SinkSettings::JsonLines { dir }) => Some(dir),
            _ => None,
        }
    }

    /// What `staunch.yaml` says of a sink.
    ///
    /// # Errors
    /// When it does not name it.
    fn sink_settings(&self, name: &str) -> Result<SinkSettings, RunError> {
        if let Some(settings) = self.settings.sinks.get(name) {
            return Ok(settings.clone());
        }
        match name {
            sink::DEFAULT => Ok(SinkSettings::JsonLines {
                dir: self.out_dir.clone(),
            }),
            sink::STDOUT => Ok(SinkSettings::Stdout),
            _ => {
                let names = self.settings.sinks.keys().map(String::as_str);
                let names: Vec<_> = names.chain([sink::DEFAULT, sink::STDOUT]).collect();
                Err(SinkError::Unknown {
                    name: name.to_owned(),
                    known: names.join(", "),
                }
                .into())
            }
        }
    }

    /// How another connector is started in place of the capture's own: in the folder in which the command was typed.
    pub(crate) fn command_with(
        &self,
        capture: &Capture,
        to: Option<&[String]>,
    ) -> Result<ConnectorCommand, RunError> {
        let mut command = self.command(capture)?;
        if let Some(argv) = to {
            command.argv = argv.to_vec();
            command.dir = std::env::current_dir().unwrap_or(command.dir);
        }
        Ok(command)
    }
}

/// The folder of a store, whose database has a fixed name.
fn store_dir(path: &Path) -> Option<PathBuf> {
    let is_named = path.file_name().is_some_and(|name| name == "state.db");
    is_named.then(|| {
        path.parent()
            .map_or_else(|| PathBuf::from("."), Path::to_owned)
    })
}
