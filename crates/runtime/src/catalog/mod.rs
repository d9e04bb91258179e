//! Reads what a project captures: a Flow catalog (`flow.yaml`), and how it runs here (`staunch.yaml`).
//!
//! The reader is strict: what it does not know is an error with file, line, column and JSON pointer, because a
//! member that is silently dropped is a setting that its author believes in. What only Flow runs
//! (materializations, tests, derivations) is named in one warning and skipped. All that is wrong is told in one
//! go, as far as one mistake does not hide the next.
//!
//! Files, in the order of a reader: `error` what can be wrong, `node` the tree with places, `source` files and
//! the way through them, `load` the whole, `captures`, `collections`, `schema`, `inline`, `names` its parts,
//! `settings` the sidecar, [`edit`] adding to a file, [`spec`] what a connector is told.
//!
//! # Source
//! Flow's catalog, and what peers of its capture protocol demand of names and keys.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

mod captures;
mod collections;
pub mod edit;
mod error;
mod inline;
mod load;
mod names;
mod node;
mod schema;
mod settings;
mod source;
pub mod spec;
mod suggest;
#[cfg(test)]
mod tests;

pub use edit::{Edited, Found, write_discovered};
pub use error::{CatalogError, CatalogErrors, Hint, Location};
pub use settings::Settings;

/// Everything that a root file and its imports define.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// By name.
    pub captures: BTreeMap<String, Capture>,
    /// By name; each target of an enabled binding is among them.
    pub collections: BTreeMap<String, Collection>,
    /// What was skipped, or is not acted on.
    pub warnings: Vec<Warning>,
    /// The root file, as it was asked for.
    pub path: PathBuf,
}

/// Something that the reader of a catalog should know, and that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What, in words.
    pub message: String,
    /// Where, if it is one place.
    pub location: Option<Location>,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{}: {}", location.position(), self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// A task that reads one endpoint into collections.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// Full name, `acme/shop`.
    pub name: String,
    /// How its connector is started, and with which config.
    pub endpoint: Endpoint,
    /// The enabled bindings, in order: a binding's place is its index on the wire.
    pub bindings: Vec<Binding>,
    /// The disabled bindings, in order.
    pub disabled: Vec<Binding>,
    /// Time from one start of the connector to the next, if it exits; five minutes by default.
    pub interval: Duration,
    /// Where it is defined.
    pub location: Location,
}

/// How a connector is started, and with which config.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum Endpoint {
    /// A command of this machine.
    Local {
        /// The program and its arguments. A program with a slash is an absolute path; another is a name to be
        /// looked up on `PATH`.
        command: Vec<String>,
        /// Absolute directory of the file that names the command.
        dir: PathBuf,
        /// The endpoint config.
        config: Config,
        /// Variables added to the environment; their values may be secrets.
        env: BTreeMap<String, String>,
        /// Whether the connector is asked for protobuf instead of JSON.
        protobuf: bool,
    },
    /// A container image.
    Image {
        /// `registry/name:tag`
        image: String,
        /// The endpoint config.
        config: Config,
    },
}

impl Endpoint {
    /// The endpoint config, however the connector is started.
    #[must_use]
    pub fn config(&self) -> &Config {
        match self {
            Self::Local { config, .. } | Self::Image { config, .. } => config,
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local {
                command,
                dir,
                config,
                env,
                protobuf,
            } => f
                .debug_struct("Local")
                .field("command", command)
                .field("dir", dir)
                .field("config", config)
                .field("env", &env.keys())
                .field("protobuf", protobuf)
                .finish(),
            Self::Image { image, config } => f
                .debug_struct("Image")
                .field("image", image)
                .field("config", config)
                .finish(),
        }
    }
}

/// An endpoint config: one JSON object, as text. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Config(String);

impl Config {
    /// From its value.
    #[must_use]
    pub fn new(value: &Value) -> Self {
        Self(value.to_string())
    }

    /// The JSON text; it may hold secrets.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The value; it may hold secrets.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.0).expect("a config was made from a value")
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Config(hidden)")
    }
}

/// One resource of the endpoint, bound to one collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The resource config: an object.
    pub resource: Value,
    /// Name of the collection.
    pub target: String,
    /// Counts how often the binding was made to start over.
    pub backfill: u32,
    /// Where it is defined.
    pub location: Location,
}

/// Documents of one shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// Full name, `acme/orders`.
    pub name: String,
    /// What a document must hold to be written; needs no file besides itself.
    pub write_schema: Value,
    /// What a reader may rely on, if that is another schema.
    pub read_schema: Option<Value>,
    /// JSON pointers into the document; at least one.
    pub key: Vec<String>,
    /// Where it is defined.
    pub location: Location,
}

impl Catalog {
    /// Reads the catalog whose root file is `path`, and all that it imports.
    ///
    /// # Errors
    /// All that was found wrong in one go; several of them as [`CatalogError::Several`].
    pub fn load(path: &Path) -> Result<Catalog, CatalogError> {
        load::load(path, &source::Files::default())
    }

    /// The capture of that full name or unique suffix (`shop` for `acme/shop`); with no name, the only one.
    ///
    /// # Errors
    /// [`CatalogError::UnknownCapture`], [`CatalogError::AmbiguousCapture`], [`CatalogError::SeveralCaptures`]
    /// and [`CatalogError::NoCaptures`]; each lists the candidates, where there are any.
    pub fn capture(&self, name_or_suffix: Option<&str>) -> Result<&Capture, CatalogError> {
        if self.captures.is_empty() {
            return Err(CatalogError::NoCaptures {
                path: self.path.clone(),
            });
        }
        let names = || self.captures.keys().map(String::as_str);
        let Some(asked) = name_or_suffix else {
            return match self.captures.len() {
                1 => Ok(self.captures.values().next().expect("one of one")),
                _ => Err(CatalogError::SeveralCaptures {
                    candidates: names().map(str::to_owned).collect(),
                }),
            };
        };
        if let Some(capture) = self.captures.get(asked) {
            return Ok(capture);
        }
        let ends = |name: &str| {
            name.strip_suffix(asked)
                .is_some_and(|before| before.ends_with('/'))
        };
        let found: Vec<&Capture> = self
            .captures
            .values()
            .filter(|capture| ends(&capture.name))
            .collect();
        match found.as_slice() {
            [capture] => Ok(capture),
            [] => {
                let short = names().filter_map(|name| name.rsplit('/').next());
                let hint = Hint::meant(asked, names().chain(short)).or(format!(
                    "there is {}",
                    error::enumerate(names().map(|name| format!("`{name}`")))
                ));
                Err(CatalogError::UnknownCapture {
                    name: asked.to_owned(),
                    hint,
                })
            }
            several => Err(CatalogError::AmbiguousCapture {
                name: asked.to_owned(),
                candidates: several.iter().map(|capture| capture.name.clone()).collect(),
            }),
        }
    }
}
