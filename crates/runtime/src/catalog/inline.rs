//! A value that is written in place, or in a file of its own.

use super::{
    error::{CatalogError, Hint, Location, Problems},
    node::Kind,
    source::{self, Files, Source, Spot},
};

/// What a value may be, when it is not there in place.
const PATH_OR_MAPPING: &str = "a mapping, or the path of a `.yaml`, `.yml` or `.json` file";

/// A mapping, wherever it was written.
#[derive(Debug)]
pub(super) enum Inline<'a> {
    Here(Spot<'a>),
    File(Source),
}

impl Inline<'_> {
    pub(super) fn spot(&self) -> Spot<'_> {
        match self {
            Self::Here(spot) => spot.clone(),
            Self::File(source) => Spot::root(source),
        }
    }
}

/// Reads a mapping in place or the file that the spot names. `what` is the value's role in messages.
///
/// The text of a string that is no path is never told: it may be a config that lost its shape.
pub(super) fn mapping<'a>(
    spot: Spot<'a>,
    what: &'static str,
    files: &Files,
    problems: &mut Problems,
) -> Option<Inline<'a>> {
    match &spot.node.kind {
        Kind::Map(_) => Some(Inline::Here(spot)),
        Kind::String(path) if is_data_path(path) => {
            let source = match read(path, &spot, what, files) {
                Ok(source) => source,
                Err(error) => {
                    problems.push(error);
                    return None;
                }
            };
            if !matches!(source.root.kind, Kind::Map(_)) {
                problems.push(Spot::root(&source).unexpected("a mapping", Hint::none()));
                return None;
            }
            Some(Inline::File(source))
        }
        _ => {
            problems.push(spot.unexpected(PATH_OR_MAPPING, Hint::none()));
            None
        }
    }
}

/// Reads the file at `path`, which `spot` names.
pub(super) fn read(
    path: &str,
    spot: &Spot<'_>,
    what: &'static str,
    files: &Files,
) -> Result<Source, CatalogError> {
    read_from(path, &spot.source.path, &spot.location(), what, files)
}

/// Reads the file at `path`, relative to the file `from`, on behalf of `at`.
pub(super) fn read_from(
    path: &str,
    from: &std::path::Path,
    at: &Location,
    what: &'static str,
    files: &Files,
) -> Result<Source, CatalogError> {
    if source::is_url(path) {
        return Err(CatalogError::Remote {
            at: Box::new(at.clone()),
            what,
            url: source::bare_url(path),
        });
    }
    files
        .read(&source::beside(from, path), Some(at))
        .map_err(|error| match error {
            CatalogError::Unreadable { source, .. }
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                CatalogError::MissingFile {
                    at: Box::new(at.clone()),
                    what,
                    path: path.to_owned(),
                }
            }
            other => other,
        })
}

fn is_data_path(text: &str) -> bool {
    [".yaml", ".yml", ".json"]
        .iter()
        .any(|extension| text.ends_with(extension))
        && !text.contains('\n')
}
