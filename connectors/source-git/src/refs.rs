//! What the names of a repository point at.
//!
//! Loose refs are read before `packed-refs`, and `packed-refs` anew each time: git packs a ref by writing it
//! there first and removing the loose file afterwards, so in this order a ref that moves while we
//! look is seen. Seen too late it would look deleted, and its branch be captured again.

use std::{collections::BTreeMap, path::Path};

use gix::{
    ObjectId,
    bstr::BString,
    objs::{Kind, TagRefIter},
    refs::{Target, file::find::ReferenceDecode},
};

use crate::{GitError, RefDocument, Repository, repository::object, text};

/// Where `HEAD` is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Head {
    /// The full name of the branch it is on, `refs/heads/main`; none if it is detached.
    pub branch: Option<String>,
    /// The commit; none if the branch has no commit yet.
    pub tip: Option<ObjectId>,
}

/// A name and the commit it leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tip {
    /// The full name, as in [`RefDocument::name`].
    pub name: String,
    /// Through other refs and annotated tags, if need be.
    pub id: ObjectId,
}

/// A ref that leads to no commit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SkippedRef {
    /// As in [`Tip::name`].
    pub name: String,
    /// To be read after the name: `points at a tree`.
    pub reason: String,
}

/// The commits that names lead to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tips {
    /// Sorted by name. Several may have the same commit.
    pub tips: Vec<Tip>,
    /// Sorted by name.
    pub skipped: Vec<SkippedRef>,
}

/// How many symbolic refs git follows in a row.
const SYMBOLIC_LIMIT: usize = 5;

/// How many tags of tags are followed.
const TAG_LIMIT: usize = 64;

impl Repository {
    /// Where `HEAD` is, in the work tree that the repository was opened at.
    ///
    /// # Errors
    /// [`GitError::Refs`]; [`GitError::Missing`] or [`GitError::NotACommit`] if it names no commit; errors of
    /// reading.
    pub fn head(&self) -> Result<Head, GitError> {
        let local = self.local();
        let names = Names::read(&local)?;
        let head = BString::from("HEAD");
        let branch = match names.targets.get(&head) {
            Some(Target::Symbolic(name)) => Some(text::ref_name(name.as_bstr())),
            _ => None,
        };
        let tip = match names.resolve(&head) {
            None => None,
            Some(target) => match peel(&local, target)? {
                Peeled::Object(id, Kind::Commit) => Some(id),
                Peeled::Object(id, kind) => return Err(GitError::NotACommit { id, kind }),
                Peeled::Missing(id) => return Err(GitError::Missing { id }),
            },
        };
        Ok(Head { branch, tip })
    }

    /// Every ref, and `HEAD`, whose full name begins with one of `prefixes` and that leads to a commit.
    ///
    /// `refs/heads/` are the branches. `""` is what `git rev-list --all` begins at: all refs, `HEAD`, and the
    /// heads of other work trees, under git's names for them (`main-worktree/HEAD`, `worktrees/<id>/HEAD`).
    ///
    /// # Errors
    /// [`GitError::Refs`]; errors of reading.
    pub fn tips(&self, prefixes: &[&str]) -> Result<Tips, GitError> {
        let local = self.local();
        let mut names = Names::read(&local)?;
        names.add_other_heads(&local)?;
        let is_wanted = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let mut tips = Tips::default();
        for raw in names.targets.keys() {
            let name = text::ref_name(raw);
            if !is_wanted(&name) {
                continue;
            }
            let reason = match names.resolve(raw) {
                // A `HEAD` without commits is no oddity.
                None if !raw.starts_with(b"refs/") => continue,
                None => "names a ref that is not there".into(),
                Some(target) => match peel(&local, target)? {
                    Peeled::Object(id, Kind::Commit) => {
                        tips.tips.push(Tip { name, id });
                        continue;
                    }
                    Peeled::Object(id, kind) => format!("points at the {kind} `{id}`"),
                    Peeled::Missing(id) => {
                        format!("points at `{id}`, which is not in the repository")
                    }
                },
            };
            tips.skipped.push(SkippedRef { name, reason });
        }
        for raw in &names.broken {
            let name = text::ref_name(raw);
            if is_wanted(&name) {
                tips.skipped.push(SkippedRef {
                    name,
                    reason: "has a file that is neither an id nor a name".into(),
                });
            }
        }
        tips.tips.sort_by(|one, other| one.name.cmp(&other.name));
        tips.skipped.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(tips)
    }

    /// All refs as they stand now, `HEAD` among them, sorted by name. Broken ones are left out, as
    /// git does; [`Repository::tips`] tells them.
    ///
    /// # Errors
    /// [`GitError::Refs`]; errors of reading.
    pub fn refs(&self) -> Result<Vec<RefDocument>, GitError> {
        let local = self.local();
        let names = Names::read(&local)?;
        let document = |(name, target)| document(&local, &names, name, target);
        let mut refs: Vec<RefDocument> = names
            .targets
            .iter()
            .map(document)
            .collect::<Result<_, _>>()?;
        refs.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(refs)
    }
}

fn document(
    local: &gix::Repository,
    names: &Names,
    name: &BString,
    target: &Target,
) -> Result<RefDocument, GitError> {
    let resolved = names.resolve(name);
    let peeled = match resolved {
        Some(id) => match peel(local, id)? {
            Peeled::Object(peeled, _) if peeled != id => Some(peeled),
            _ => None,
        },
        None => None,
    };
    Ok(RefDocument {
        name: text::ref_name(name),
        target: resolved.map(|id| id.to_string()),
        symbolic_target: target.try_name().map(|name| text::ref_name(name.as_bstr())),
        peeled: peeled.map(|id| id.to_string()),
    })
}

/// The names of a repository at one moment.
#[derive(Default)]
struct Names {
    targets: BTreeMap<BString, Target>,
    broken: Vec<BString>,
}

impl Names {
    /// All refs, and `HEAD`.
    fn read(local: &gix::Repository) -> Result<Self, GitError> {
        let mut names = Names::default();
        // `HEAD` first: it may name a ref that is made afterwards, but not miss one that was there.
        names.add_head(local, "HEAD")?;
        for found in local
            .refs
            .loose_iter()
            .map_err(|error| failed(gix::Error::from_error(error)))?
        {
            match found {
                Ok(found) => {
                    names.targets.insert(found.name.into(), found.target);
                }
                // Deleted, or packed, since its folder was listed; if packed, it comes below.
                Err(error) if error.is_not_found() => {}
                Err(error) => match broken(&error) {
                    Some(name) => names.broken.push(name),
                    None => return Err(failed(error)),
                },
            }
        }
        let Some(packed) = local.refs.open_packed_buffer().map_err(failed)? else {
            return Ok(names);
        };
        for found in packed.iter().map_err(failed)? {
            let found = found.map_err(failed)?;
            let name = BString::from(found.name.as_bstr());
            // A loose ref, be it broken, is newer than a packed one.
            if !names.broken.contains(&name) {
                names
                    .targets
                    .entry(name)
                    .or_insert_with(|| Target::Object(found.target()));
            }
        }
        Ok(names)
    }

    /// The heads of the work trees that the repository was not opened at.
    fn add_other_heads(&mut self, local: &gix::Repository) -> Result<(), GitError> {
        if local.git_dir() != local.common_dir() {
            self.add_head(local, "main-worktree/HEAD")?;
        }
        let folder = local.common_dir().join("worktrees");
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Ok(());
        };
        for entry in entries
            .filter_map(Result::ok)
            .filter(|entry| !is_same(&entry.path(), local.git_dir()))
        {
            let name = entry.file_name();
            if let Some(name) = name.to_str() {
                self.add_head(local, &format!("worktrees/{name}/HEAD"))?;
            }
        }
        Ok(())
    }

    fn add_head(&mut self, local: &gix::Repository, name: &str) -> Result<(), GitError> {
        match local.refs.try_find_loose(name) {
            Ok(Some(head)) => {
                self.targets.insert(name.into(), head.target);
            }
            Ok(None) => {}
            Err(error) => match broken(&error) {
                Some(_) => self.broken.push(name.into()),
                None => return Err(failed(error)),
            },
        }
        Ok(())
    }

    /// The object that a name leads to through other names.
    fn resolve(&self, name: &BString) -> Option<ObjectId> {
        let mut target = self.targets.get(name)?;
        for _ in 0..=SYMBOLIC_LIMIT {
            match target {
                Target::Object(id) => return Some(*id),
                Target::Symbolic(name) => target = self.targets.get(name.as_bstr())?,
            }
        }
        None
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// The name of the ref, if the error is that its file cannot be understood.
fn broken(error: &gix::Error) -> Option<BString> {
    let decode = error.downcast_any_ref::<ReferenceDecode>()?;
    gix::path::into_bstr(decode.relative_path.as_path())
        .ok()
        .map(|name| name.into_owned())
}

fn failed(source: gix::Error) -> GitError {
    GitError::Refs {
        source: Box::new(source),
    }
}

enum Peeled {
    Object(ObjectId, Kind),
    Missing(ObjectId),
}

/// What an id is, through annotated tags.
fn peel(local: &gix::Repository, mut id: ObjectId) -> Result<Peeled, GitError> {
    for _ in 0..TAG_LIMIT {
        let header = local
            .try_find_header(id)
            .map_err(|source| GitError::Object {
                id,
                source: Box::new(source),
            })?;
        match header.map(|header| header.kind()) {
            None => return Ok(Peeled::Missing(id)),
            Some(Kind::Tag) => {}
            Some(kind) => return Ok(Peeled::Object(id, kind)),
        }
        let Some(tag) = object(local, id)? else {
            return Ok(Peeled::Missing(id));
        };
        id = TagRefIter::from_bytes(&tag.data, local.object_hash())
            .target_id()
            .map_err(|_| GitError::Corrupt {
                id,
                reason: "it is a tag without an object",
            })?;
    }
    Ok(Peeled::Object(id, Kind::Tag))
}

#[cfg(test)]
mod tests {
    use gix::{ObjectId, refs::Target};

    use super::Names;

    fn symbolic(name: &str) -> Target {
        Target::Symbolic(name.try_into().unwrap())
    }

    #[test]
    fn a_name_is_followed_to_an_object_and_never_in_circles() {
        let id = ObjectId::empty_tree(gix::hash::Kind::Sha1);
        let mut names = Names::default();
        for (name, target) in [
            ("HEAD", symbolic("refs/heads/a")),
            ("refs/heads/a", symbolic("refs/heads/b")),
            ("refs/heads/b", Target::Object(id)),
            ("refs/heads/c", symbolic("refs/heads/d")),
            ("refs/heads/d", symbolic("refs/heads/c")),
            ("refs/heads/e", symbolic("refs/heads/unborn")),
        ] {
            names.targets.insert(name.into(), target);
        }
        for (name, expected) in [
            ("HEAD", Some(id)),
            ("refs/heads/b", Some(id)),
            ("refs/heads/c", None),
            ("refs/heads/e", None),
            ("refs/heads/f", None),
        ] {
            assert_eq!(names.resolve(&name.into()), expected, "{name}");
        }
    }
}
