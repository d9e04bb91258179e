//! Reading a catalog: the root file, what it imports, and what only shows when all of it is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    Catalog, Warning,
    captures::{self, Context},
    collections,
    error::{CatalogError, Hint, Location, Problems, enumerate},
    inline, names,
    source::{self, Files, Source, Spot},
};

/// Sections that only Flow runs.
const SKIPPED_SECTIONS: [(&str, &str); 2] =
    [("materializations", "materialization"), ("tests", "test")];

/// Reads the catalog whose root file is `path`.
pub(super) fn load(path: &Path, files: &Files) -> Result<Catalog, CatalogError> {
    let root = files.read(path, None)?;
    let mut loader = Loader {
        files,
        catalog: Catalog {
            captures: BTreeMap::new(),
            collections: BTreeMap::new(),
            warnings: Vec::new(),
            path: path.to_owned(),
        },
        problems: Problems::default(),
        seen: BTreeSet::from([source::identity(path)]),
        waiting: Vec::new(),
        defined: BTreeMap::new(),
        skipped: Vec::new(),
        targets: Vec::new(),
        incomplete: false,
    };
    loader.file(&root);
    while let Some(file) = loader.waiting.pop() {
        loader.file(&file);
    }
    loader.finish()
}

struct Loader<'f> {
    files: &'f Files,
    catalog: Catalog,
    problems: Problems,
    /// Identities of the files that were read: each is read once, so cycles of imports end.
    seen: BTreeSet<PathBuf>,
    waiting: Vec<Source>,
    /// Where each name was defined first, also if the definition is wrong.
    defined: BTreeMap<(&'static str, String), Location>,
    /// What only Flow runs, in words.
    skipped: Vec<String>,
    targets: Vec<(Location, String)>,
    /// Whether a file could not be read, so that what is missing may stand there.
    incomplete: bool,
}

impl Loader<'_> {
    fn file(&mut self, source: &Source) {
        let spot = Spot::root(source);
        if matches!(spot.node.kind, super::node::Kind::Null) {
            return;
        }
        let Some(mut members) = spot.members(&mut self.problems) else {
            return;
        };
        members.accept(&["$schema"]);
        let imports = members.take_filled("import");
        let captures = members.take_filled("captures");
        let collections = members.take_filled("collections");
        let skipped: Vec<_> = SKIPPED_SECTIONS
            .into_iter()
            .filter_map(|(name, what)| Some((what, members.take_filled(name)?)))
            .collect();
        members.finish(&mut self.problems);

        for (what, section) in skipped {
            for (name, _) in section.entries(&mut self.problems).unwrap_or_default() {
                self.skipped.push(format!("{what} `{name}`"));
            }
        }
        for (name, spot) in captures
            .and_then(|spot| spot.entries(&mut self.problems))
            .unwrap_or_default()
        {
            self.capture(name, &spot);
        }
        for (name, spot) in collections
            .and_then(|spot| spot.entries(&mut self.problems))
            .unwrap_or_default()
        {
            self.collection(name, &spot);
        }
        for spot in imports
            .and_then(|spot| spot.list(&mut self.problems))
            .unwrap_or_default()
        {
            self.import(&spot);
        }
    }

    fn import(&mut self, spot: &Spot<'_>) {
        let Some(path) = spot.string(&mut self.problems) else {
            self.incomplete = true;
            return;
        };
        if self
            .seen
            .contains(&source::identity(&source::beside(&spot.source.path, path)))
        {
            return;
        }
        match inline::read(path, spot, "import", self.files) {
            Ok(source) => {
                self.seen.insert(source::identity(&source.path));
                self.waiting.push(source);
            }
            Err(error) => {
                self.incomplete = true;
                self.problems.push(error);
            }
        }
    }

    /// Notes a definition; false if there is one already, or if its name is no name.
    fn define(&mut self, what: &'static str, name: &str, spot: &Spot<'_>) -> bool {
        if let Some(reason) = names::broken_rule(name) {
            self.problems.push(CatalogError::BadName {
                at: spot.at(),
                what,
                name: name.to_owned(),
                reason,
            });
            return false;
        }
        let key = (what, name.to_owned());
        if let Some(other) = self.defined.get(&key) {
            let other = Box::new(other.clone());
            self.problems.push(CatalogError::DuplicateDefinition {
                at: spot.at(),
                what,
                name: key.1,
                other,
            });
            return false;
        }
        self.defined.insert(key, spot.location());
        true
    }

    fn capture(&mut self, name: &str, spot: &Spot<'_>) {
        if !self.define("capture", name, spot) {
            return;
        }
        let mut context = Context {
            files: self.files,
            problems: &mut self.problems,
            warnings: &mut self.catalog.warnings,
            targets: &mut self.targets,
        };
        if let Some(capture) = captures::read(name, spot, &mut context) {
            self.catalog.captures.insert(name.to_owned(), capture);
        }
    }

    fn collection(&mut self, name: &str, spot: &Spot<'_>) {
        if !self.define("collection", name, spot) {
            return;
        }
        let read = collections::read(name, spot, self.files, &mut self.problems);
        if read.derived {
            self.skipped
                .push(format!("the derivation of collection `{name}`"));
        }
        if read.deleted {
            self.defined.remove(&("collection", name.to_owned()));
            let message = format!("collection `{name}` is marked `delete: true` and is left out");
            self.catalog.warnings.push(Warning {
                message,
                location: Some(spot.location()),
            });
        } else if let Some(collection) = read.collection {
            self.catalog.collections.insert(name.to_owned(), collection);
        }
    }

    fn finish(mut self) -> Result<Catalog, CatalogError> {
        // A target may stand in the very file that could not be read; naming it unknown would mislead.
        if !self.incomplete {
            self.check_targets();
        }
        if !self.skipped.is_empty() {
            let message = format!("skipped what only Flow runs: {}", enumerate(self.skipped));
            self.catalog.warnings.push(Warning {
                message,
                location: None,
            });
        }
        self.problems.or(self.catalog)
    }

    /// Flow does not look at the targets of disabled bindings, so neither is it an error here.
    fn check_targets(&mut self) {
        let names: BTreeSet<&str> = self
            .defined
            .keys()
            .filter(|(what, _)| *what == "collection")
            .map(|(_, name)| name.as_str())
            .collect();
        for (at, name) in std::mem::take(&mut self.targets) {
            if !names.contains(name.as_str()) {
                let hint =
                    Hint::meant(&name, names.iter().copied()).or("define it under `collections`");
                self.problems.push(CatalogError::UnknownCollection {
                    at: Box::new(at),
                    name,
                    hint,
                });
            }
        }
    }
}
