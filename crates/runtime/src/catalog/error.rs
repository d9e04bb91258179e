//! What can be wrong with a catalog, told to the person who wrote it.
//!
//! A message is `file:line:column: what at /pointer; remedy`. It names members, names and paths, and never
//! a value of a config.

use std::{fmt, io, path::PathBuf};

use thiserror::Error;

/// A place in a file of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file, as it was reached from the root file's path.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// JSON pointer (RFC 6901) of the value within the file; empty for the whole file.
    pub pointer: String,
}

impl Location {
    /// `flow.yaml:12:5`: the place without its pointer.
    #[must_use]
    pub fn position(&self) -> String {
        format!("{}:{}:{}", self.file.display(), self.line, self.column)
    }

    fn within(&self) -> &str {
        if self.pointer.is_empty() {
            "the top level"
        } else {
            &self.pointer
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.position(), self.within())
    }
}

/// A remedy, if there is one: told after a semicolon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hint(Option<String>);

impl Hint {
    pub(super) fn none() -> Self {
        Self(None)
    }

    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(Some(text.into()))
    }

    /// "did you mean …?", if a candidate is close.
    pub(super) fn meant<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        Self(
            super::suggest::closest(wrong, candidates)
                .map(|name| format!("did you mean `{name}`?")),
        )
    }

    pub(super) fn or(self, text: impl Into<String>) -> Self {
        Self(self.0.or_else(|| Some(text.into())))
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => write!(f, "; {text}"),
            None => Ok(()),
        }
    }
}

/// Why a catalog, or `staunch.yaml`, cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The file that was asked for is not there.
    #[error("`{path}` is not there; create it, or name another file with `-f`", path = path.display())]
    NotFound {
        /// The path as it was asked for.
        path: PathBuf,
    },
    /// A file is there and cannot be read.
    #[error("cannot read `{path}`{}", from(at), path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Who names it, unless it is the root file.
        at: Option<Box<Location>>,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file is beyond the bound on files.
    #[error("`{path}` is larger than {limit} bytes{}", from(at), path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Who names it, unless it is the root file.
        at: Option<Box<Location>>,
        /// The bound, in bytes.
        limit: usize,
    },
    /// A file that another one names is not there.
    #[error("{}: {what} `{path}` is not there, named at {}; paths are relative to the file that names them", at.position(), at.within())]
    MissingFile {
        /// Who names it.
        at: Box<Location>,
        /// What the file is for: `import`, `config`, `schema`, `resource`.
        what: &'static str,
        /// The path as it is written.
        path: String,
    },
    /// Not one YAML (or JSON) document.
    #[error("{}: {reason}; the file must be one YAML or JSON document", at.position())]
    Syntax {
        /// Where the parser stopped.
        at: Box<Location>,
        /// What it met, without any value of the file.
        reason: String,
    },
    /// A mapping has two members of one name.
    #[error("{}: duplicate member{}; remove one of the two", at.position(), quoted(name))]
    DuplicateMember {
        /// The second of the two.
        at: Box<Location>,
        /// The name, where the parser knows it.
        name: Option<String>,
    },
    /// A member that does not belong there.
    #[error("{}: unknown member `{name}` at {}{hint}", at.position(), at.within())]
    UnknownMember {
        /// Position of the member; pointer of the mapping that holds it.
        at: Box<Location>,
        /// The member.
        name: String,
        /// A close name.
        hint: Hint,
    },
    /// A member that must be there and is not.
    #[error("{}: missing member `{name}` at {}{hint}", at.position(), at.within())]
    MissingMember {
        /// The mapping that lacks it.
        at: Box<Location>,
        /// The member.
        name: &'static str,
        /// What to write.
        hint: Hint,
    },
    /// A value that is not of the expected form.
    #[error("{}: expected {expected}, found {found} at {}{hint}", at.position(), at.within())]
    Unexpected {
        /// The value.
        at: Box<Location>,
        /// The form that is expected.
        expected: &'static str,
        /// The form it has; not the value itself.
        found: String,
        /// What to write.
        hint: Hint,
    },
    /// A name that is not a catalog name, or not a safe one.
    #[error("{}: `{name}` is not a name of a {what} at {}: {reason}; names look like `acme/orders`", at.position(), at.within())]
    BadName {
        /// Where it stands.
        at: Box<Location>,
        /// `capture` or `collection`.
        what: &'static str,
        /// The name.
        name: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// The same capture or collection twice.
    #[error("{}: {what} `{name}` is also defined at {}; keep one of the two", at.position(), other.position())]
    DuplicateDefinition {
        /// The second definition.
        at: Box<Location>,
        /// `capture` or `collection`.
        what: &'static str,
        /// The name.
        name: String,
        /// The first definition.
        other: Box<Location>,
    },
    /// Two enabled bindings of one capture with the same resource.
    #[error("{}: the resource at {} is bound at {} already; disable or remove one of the two", at.position(), at.within(), other.position())]
    DuplicateBinding {
        /// The second binding.
        at: Box<Location>,
        /// The first binding.
        other: Box<Location>,
    },
    /// A URL where only local files are read.
    #[error("{}: {what} `{url}` at {} is a URL; download it and name the local file", at.position(), at.within())]
    Remote {
        /// Who names it.
        at: Box<Location>,
        /// What it is for.
        what: &'static str,
        /// The URL, without its query.
        url: String,
    },
    /// A binding's target that no file defines.
    #[error("{}: collection `{name}` at {} is not defined{hint}", at.position(), at.within())]
    UnknownCollection {
        /// The target.
        at: Box<Location>,
        /// The name.
        name: String,
        /// A close name.
        hint: Hint,
    },
    /// A config with a `sops` member.
    #[error("{}: encrypted configs are not supported yet, at {}; decrypt it with `sops` into a file that stays out of version control", at.position(), at.within())]
    EncryptedConfig {
        /// The config.
        at: Box<Location>,
    },
    /// A schema that does not compile, or that cannot be put together.
    #[error("{}: schema at {}: {reason}{hint}", at.position(), at.within())]
    BadSchema {
        /// The part of the schema, or the schema.
        at: Box<Location>,
        /// What is wrong.
        reason: String,
        /// What to do.
        hint: Hint,
    },
    /// A key that is no list of JSON pointers into a document.
    #[error("{}: key at {}: {reason}; write JSON pointers such as `/id`", at.position(), at.within())]
    BadKey {
        /// The key, or the pointer.
        at: Box<Location>,
        /// What is wrong.
        reason: String,
    },
    /// A member that is part of the design and does not exist yet.
    #[error("{}: `{name}` at {} is not supported by this version; remove it", at.position(), at.within())]
    Unsupported {
        /// Where it stands.
        at: Box<Location>,
        /// The member or value.
        name: String,
    },
    /// No capture of that name.
    #[error("no capture is named `{name}`{hint}")]
    UnknownCapture {
        /// What was asked for.
        name: String,
        /// A close name, or all of them.
        hint: Hint,
    },
    /// Several captures end like that.
    #[error("`{name}` could be {}; write the full name", list(candidates))]
    AmbiguousCapture {
        /// What was asked for.
        name: String,
        /// The captures that it could be, sorted.
        candidates: Vec<String>,
    },
    /// None was named, and there is more than one.
    #[error("the catalog has several captures; name one of {}", list(candidates))]
    SeveralCaptures {
        /// All captures, sorted.
        candidates: Vec<String>,
    },
    /// The catalog has no capture at all.
    #[error("`{path}` has no captures; add one under `captures`", path = path.display())]
    NoCaptures {
        /// The root file.
        path: PathBuf,
    },
    /// An edit that could damage the file.
    #[error("{}: cannot edit: {reason} at {}; {remedy}", at.position(), at.within())]
    CannotEdit {
        /// Where the edit would go.
        at: Box<Location>,
        /// What stands in the way.
        reason: &'static str,
        /// What the person can do.
        remedy: &'static str,
    },
    /// The bindings that a connector validated do not fit the capture.
    #[error("capture `{capture}`: {reason}; this is a fault of its connector")]
    BadResourcePath {
        /// The capture.
        capture: String,
        /// What does not fit.
        reason: String,
    },
    /// Two bindings of a capture would share one state.
    #[error(
        "bindings {first} and {second} of capture `{capture}` have the state key `{state_key}`; change the backfill counter or the resource of one of them"
    )]
    StateKeyCollision {
        /// The capture.
        capture: String,
        /// The key.
        state_key: String,
        /// Index of the first binding.
        first: usize,
        /// Index of the second binding.
        second: usize,
    },
    /// Everything that was found wrong in one go; two errors at least.
    #[error("{0}")]
    Several(CatalogErrors),
}

impl CatalogError {
    /// A stable name for machines; of several errors, the first one's.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "catalog.not_found",
            Self::Unreadable { .. } => "catalog.unreadable",
            Self::TooLarge { .. } => "catalog.too_large",
            Self::MissingFile { .. } => "catalog.missing_file",
            Self::Syntax { .. } => "catalog.syntax",
            Self::DuplicateMember { .. } => "catalog.duplicate_member",
            Self::UnknownMember { .. } => "catalog.unknown_member",
            Self::MissingMember { .. } => "catalog.missing_member",
            Self::Unexpected { .. } => "catalog.unexpected_value",
            Self::BadName { .. } => "catalog.bad_name",
            Self::DuplicateDefinition { .. } => "catalog.duplicate_definition",
            Self::DuplicateBinding { .. } => "catalog.duplicate_binding",
            Self::Remote { .. } => "catalog.remote",
            Self::UnknownCollection { .. } => "catalog.unknown_collection",
            Self::EncryptedConfig { .. } => "catalog.encrypted_config",
            Self::BadSchema { .. } => "catalog.bad_schema",
            Self::BadKey { .. } => "catalog.bad_key",
            Self::Unsupported { .. } => "catalog.unsupported",
            Self::UnknownCapture { .. } => "catalog.unknown_capture",
            Self::AmbiguousCapture { .. } => "catalog.ambiguous_capture",
            Self::SeveralCaptures { .. } => "catalog.several_captures",
            Self::NoCaptures { .. } => "catalog.no_captures",
            Self::CannotEdit { .. } => "catalog.cannot_edit",
            Self::BadResourcePath { .. } => "catalog.bad_resource_path",
            Self::StateKeyCollision { .. } => "catalog.state_key_collision",
            Self::Several(errors) => errors.0.first().map_or("catalog.invalid", Self::code),
        }
    }

    /// Where it is wrong, if that is one place.
    #[must_use]
    pub fn location(&self) -> Option<&Location> {
        match self {
            Self::Unreadable { at, .. } | Self::TooLarge { at, .. } => at.as_deref(),
            Self::MissingFile { at, .. }
            | Self::Syntax { at, .. }
            | Self::DuplicateMember { at, .. }
            | Self::UnknownMember { at, .. }
            | Self::MissingMember { at, .. }
            | Self::Unexpected { at, .. }
            | Self::BadName { at, .. }
            | Self::DuplicateDefinition { at, .. }
            | Self::DuplicateBinding { at, .. }
            | Self::Remote { at, .. }
            | Self::UnknownCollection { at, .. }
            | Self::EncryptedConfig { at }
            | Self::BadSchema { at, .. }
            | Self::BadKey { at, .. }
            | Self::Unsupported { at, .. }
            | Self::CannotEdit { at, .. } => Some(at),
            Self::NotFound { .. }
            | Self::UnknownCapture { .. }
            | Self::AmbiguousCapture { .. }
            | Self::SeveralCaptures { .. }
            | Self::NoCaptures { .. }
            | Self::BadResourcePath { .. }
            | Self::StateKeyCollision { .. }
            | Self::Several(_) => None,
        }
    }

    /// Each error by itself, in the order of the files' lines.
    #[must_use]
    pub fn each(&self) -> Vec<&CatalogError> {
        match self {
            Self::Several(errors) => errors.0.iter().collect(),
            one => vec![one],
        }
    }
}

/// Several errors; displayed one per line.
#[derive(Debug)]
pub struct CatalogErrors(Vec<CatalogError>);

impl fmt::Display for CatalogErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

/// Errors told in one go; a file that is wrong throughout does not fill a screen more than once.
const MAX_ERRORS: usize = 50;

/// Collects what is wrong while reading goes on.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<CatalogError>);

impl Problems {
    pub(super) fn push(&mut self, error: CatalogError) {
        if self.0.len() < MAX_ERRORS {
            self.0.push(error);
        }
    }

    /// `value`, unless something was wrong.
    pub(super) fn or<T>(mut self, value: T) -> Result<T, CatalogError> {
        match self.0.len() {
            0 => Ok(value),
            1 => Err(self.0.remove(0)),
            _ => {
                self.0
                    .sort_by(|left, right| left.location().cmp(&right.location()));
                Err(CatalogError::Several(CatalogErrors(self.0)))
            }
        }
    }
}

fn from(at: &Option<Box<Location>>) -> String {
    at.as_ref()
        .map_or_else(String::new, |at| format!(", named at {at}"))
}

fn quoted(name: &Option<String>) -> String {
    name.as_ref()
        .map_or_else(String::new, |name| format!(" `{name}`"))
}

/// Names shown in full in a message.
const MAX_LISTED: usize = 20;

fn list(names: &[String]) -> String {
    enumerate(names.iter().map(|name| format!("`{name}`")))
}

/// Joins by commas; what is beyond the first few is only counted.
pub(super) fn enumerate(items: impl IntoIterator<Item = String>) -> String {
    let mut items = items.into_iter();
    let mut shown: Vec<String> = items.by_ref().take(MAX_LISTED).collect();
    match items.count() {
        0 => {}
        more => shown.push(format!("{more} more")),
    }
    shown.join(", ")
}
