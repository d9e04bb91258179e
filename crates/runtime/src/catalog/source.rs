//! The files of a catalog: reading them, and telling one place in them from another.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
    time::Duration,
};

use serde_saphyr::Location as Mark;

use super::{
    error::{CatalogError, Hint, Location, Problems},
    names,
    node::{self, FaultKind, Kind, MAX_FILE_BYTES, Member, Node},
};

/// A parsed file.
#[derive(Debug)]
pub(super) struct Source {
    /// As it was reached from the root file's path; what messages show.
    pub(super) path: PathBuf,
    /// Absolute directory of the file: what relative paths in it start from.
    pub(super) dir: PathBuf,
    pub(super) root: Node,
}

/// Reads files, one of which may be replaced by a text: what an edit would make of it.
#[derive(Debug, Default)]
pub(super) struct Files {
    overlay: Option<(PathBuf, String)>,
}

impl Files {
    pub(super) fn with(path: &Path, text: String) -> Self {
        Self {
            overlay: Some((identity(path), text)),
        }
    }

    /// Text of a file; `at` is who names it.
    pub(super) fn text(&self, path: &Path, at: Option<&Location>) -> Result<String, CatalogError> {
        if let Some((replaced, text)) = &self.overlay
            && *replaced == identity(path)
        {
            return Ok(text.clone());
        }
        let mut bytes = Vec::new();
        let read = File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes));
        if let Err(source) = read {
            return Err(match at {
                None if source.kind() == io::ErrorKind::NotFound => CatalogError::NotFound {
                    path: path.to_owned(),
                },
                _ => CatalogError::Unreadable {
                    path: path.to_owned(),
                    at: at.cloned().map(Box::new),
                    source,
                },
            });
        }
        if bytes.len() > MAX_FILE_BYTES {
            let at = at.cloned().map(Box::new);
            return Err(CatalogError::TooLarge {
                path: path.to_owned(),
                at,
                limit: MAX_FILE_BYTES,
            });
        }
        String::from_utf8(bytes).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            let at = Location {
                file: path.to_owned(),
                line,
                column: 1,
                pointer: String::new(),
            };
            CatalogError::Syntax {
                at: Box::new(at),
                reason: "text that is not UTF-8".into(),
            }
        })
    }

    pub(super) fn read(&self, path: &Path, at: Option<&Location>) -> Result<Source, CatalogError> {
        let text = self.text(path, at)?;
        let root = node::parse(&text).map_err(|fault| {
            let place = Location {
                file: path.to_owned(),
                line: fault.line,
                column: fault.column,
                pointer: String::new(),
            };
            match fault.what {
                FaultKind::Syntax(reason) => CatalogError::Syntax {
                    at: Box::new(place),
                    reason,
                },
                FaultKind::Duplicate(name) => CatalogError::DuplicateMember {
                    at: Box::new(place),
                    name,
                },
                FaultKind::Thread(source) => CatalogError::Unreadable {
                    path: path.to_owned(),
                    at: at.cloned().map(Box::new),
                    source,
                },
            }
        })?;
        Ok(Source {
            path: path.to_owned(),
            dir: directory(path),
            root,
        })
    }
}

/// One file is the same file however it was reached.
pub(super) fn identity(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn directory(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.parent().map_or_else(PathBuf::new, Path::to_owned)
}

/// `written` beside `file`, for messages: without `./`, and relative if `file` is.
pub(super) fn beside(file: &Path, written: &str) -> PathBuf {
    let joined = file.parent().unwrap_or(Path::new("")).join(written);
    joined
        .components()
        .filter(|component| !matches!(component, Component::CurDir))
        .collect()
}

/// Whether `text` names something that is fetched, not read.
pub(super) fn is_url(text: &str) -> bool {
    let scheme = |scheme: &str| {
        scheme.len() > 1
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character))
    };
    text.split_once("://")
        .is_some_and(|(before, _)| scheme(before))
}

/// A URL without what may be secret in it: user, password and query.
pub(super) fn bare_url(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            format!(
                "{scheme}://{}{path}",
                host.rsplit('@').next().unwrap_or_default()
            )
        }
        None => url.to_owned(),
    }
}

/// A node together with the way to it.
#[derive(Debug, Clone)]
pub(super) struct Spot<'a> {
    pub(super) source: &'a Source,
    pub(super) node: &'a Node,
    mark: Mark,
    pointer: String,
}

impl<'a> Spot<'a> {
    pub(super) fn root(source: &'a Source) -> Self {
        Self {
            source,
            node: &source.root,
            mark: source.root.mark,
            pointer: String::new(),
        }
    }

    pub(super) fn location(&self) -> Location {
        self.located(self.mark)
    }

    pub(super) fn at(&self) -> Box<Location> {
        Box::new(self.location())
    }

    fn located(&self, mark: Mark) -> Location {
        // A document that is empty has no mark.
        let (line, column) = (mark.line().max(1), mark.column().max(1));
        Location {
            file: self.source.path.clone(),
            line,
            column,
            pointer: self.pointer.clone(),
        }
    }

    /// The place of what `pointer` names below this node, or of the deepest part of it that exists.
    pub(super) fn below(&self, pointer: &str) -> Box<Location> {
        let mut at = self.located(self.node.nearest(pointer).mark);
        at.pointer.push_str(pointer);
        Box::new(at)
    }

    fn child(&self, name: &str, node: &'a Node) -> Spot<'a> {
        let pointer = format!(
            "{}/{}",
            self.pointer,
            name.replace('~', "~0").replace('/', "~1")
        );
        Spot {
            source: self.source,
            node,
            mark: node.mark,
            pointer,
        }
    }

    pub(super) fn unexpected(&self, expected: &'static str, hint: Hint) -> CatalogError {
        CatalogError::Unexpected {
            at: self.at(),
            expected,
            found: self.node.describe().to_owned(),
            hint,
        }
    }

    pub(super) fn string(&self, problems: &mut Problems) -> Option<&'a str> {
        match &self.node.kind {
            Kind::String(text) => Some(text),
            _ => {
                problems.push(self.unexpected("a string", Hint::none()));
                None
            }
        }
    }

    pub(super) fn boolean(&self, problems: &mut Problems) -> Option<bool> {
        match self.node.kind {
            Kind::Bool(value) => Some(value),
            _ => {
                problems.push(self.unexpected("`true` or `false`", Hint::none()));
                None
            }
        }
    }

    pub(super) fn counter(&self, problems: &mut Problems) -> Option<u32> {
        let value = match &self.node.kind {
            Kind::Number(number) => number.as_u64().and_then(|value| u32::try_from(value).ok()),
            _ => None,
        };
        if value.is_none() {
            problems.push(self.unexpected("a whole number from 0 to 4294967295", Hint::none()));
        }
        value
    }

    pub(super) fn duration(&self, problems: &mut Problems) -> Option<Duration> {
        let hint = || Hint::new("write it as `5m` or `1h 30m`");
        let Kind::String(text) = &self.node.kind else {
            problems.push(self.unexpected("a duration", hint()));
            return None;
        };
        let duration = names::duration(text).filter(|span| u32::try_from(span.as_secs()).is_ok());
        if duration.is_none() {
            problems.push(CatalogError::Unexpected {
                at: self.at(),
                expected: "a duration",
                found: format!("`{text}`"),
                hint: hint(),
            });
        }
        duration
    }

    pub(super) fn list(&self, problems: &mut Problems) -> Option<Vec<Spot<'a>>> {
        match &self.node.kind {
            Kind::List(items) => Some(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.child(&index.to_string(), item))
                    .collect(),
            ),
            _ => {
                problems.push(self.unexpected("a list", Hint::none()));
                None
            }
        }
    }

    /// The members of a mapping whose names are free, each placed at its name.
    pub(super) fn entries(&self, problems: &mut Problems) -> Option<Vec<(&'a str, Spot<'a>)>> {
        let entry = |member: &'a Member| {
            let spot = Spot {
                mark: member.mark,
                ..self.child(&member.name, &member.value)
            };
            (member.name.as_str(), spot)
        };
        Some(self.mapping(problems)?.iter().map(entry).collect())
    }

    /// The members of a mapping whose names are known: take each, then [`Members::finish`].
    pub(super) fn members(&self, problems: &mut Problems) -> Option<Members<'a>> {
        let members = self.mapping(problems)?;
        Some(Members {
            spot: self.clone(),
            members,
            known: Vec::new(),
        })
    }

    fn mapping(&self, problems: &mut Problems) -> Option<&'a [Member]> {
        match &self.node.kind {
            Kind::Map(members) => Some(members),
            _ => {
                problems.push(self.unexpected("a mapping", Hint::none()));
                None
            }
        }
    }
}

/// The members of one mapping, and which of them the reader knows.
#[derive(Debug)]
pub(super) struct Members<'a> {
    spot: Spot<'a>,
    members: &'a [Member],
    known: Vec<&'static str>,
}

impl<'a> Members<'a> {
    pub(super) fn take(&mut self, name: &'static str) -> Option<Spot<'a>> {
        self.known.push(name);
        let member = self.members.iter().find(|member| member.name == name)?;
        Some(self.spot.child(name, &member.value))
    }

    /// As [`take`](Self::take), where a member without a value (all of it commented out) counts as absent.
    pub(super) fn take_filled(&mut self, name: &'static str) -> Option<Spot<'a>> {
        self.take(name)
            .filter(|spot| !matches!(spot.node.kind, Kind::Null))
    }

    pub(super) fn require(
        &mut self,
        name: &'static str,
        hint: Hint,
        problems: &mut Problems,
    ) -> Option<Spot<'a>> {
        let member = self.take(name);
        if member.is_none() {
            problems.push(CatalogError::MissingMember {
                at: self.spot.at(),
                name,
                hint,
            });
        }
        member
    }

    /// Members that are right where they are, and not read.
    pub(super) fn accept(&mut self, names: &[&'static str]) {
        self.known.extend(names);
    }

    /// Members of the design that do not exist yet.
    pub(super) fn refuse(&mut self, names: &[&'static str], problems: &mut Problems) {
        self.known.extend(names);
        for member in self
            .members
            .iter()
            .filter(|member| names.contains(&member.name.as_str()))
        {
            let at = Box::new(self.spot.located(member.mark));
            problems.push(CatalogError::Unsupported {
                at,
                name: member.name.clone(),
            });
        }
    }

    /// Reports every member that nobody took.
    pub(super) fn finish(self, problems: &mut Problems) {
        for member in self
            .members
            .iter()
            .filter(|member| !self.known.contains(&member.name.as_str()))
        {
            problems.push(CatalogError::UnknownMember {
                at: Box::new(self.spot.located(member.mark)),
                name: member.name.clone(),
                hint: Hint::meant(&member.name, self.known.iter().copied()),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        for (url, bare) in [
            (
                "https://user:pass@example.com/a/b.yaml?token=x#y",
                "https://example.com/a/b.yaml",
            ),
            ("http://example.com", "http://example.com"),
        ] {
            assert!(is_url(url));
            assert_eq!(bare_url(url), bare);
        }
        assert!(!is_url("./a.yaml") && !is_url("a b://c") && !is_url("C://x"));
    }

    #[test]
    fn a_path_is_shown_relative_to_the_file_that_names_it() {
        for (file, written, shown) in [
            ("flow.yaml", "./a.yaml", "a.yaml"),
            ("./p/flow.yaml", "b/./a.yaml", "p/b/a.yaml"),
            ("p/flow.yaml", "../a.yaml", "p/../a.yaml"),
            ("p/flow.yaml", "/abs/a.yaml", "/abs/a.yaml"),
        ] {
            assert_eq!(
                beside(Path::new(file), written),
                Path::new(shown),
                "{file} {written}"
            );
        }
    }
}
