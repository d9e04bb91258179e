//! Which files differ between two trees, and by how many lines.
//!
//! The counts are those of `git diff-tree --numstat --no-renames`: Myers' algorithm on lines, binary as git
//! decides without attributes. What git would ask of the configuration or of `.gitattributes` (drivers, text
//! conversion) is not asked: it may name programs, and differs from machine to machine.

use std::{cell::Cell, ops::ControlFlow};

use gix::{
    ObjectId,
    bstr::{BStr, BString, ByteSlice},
    diff::{
        blob::{Algorithm, Diff, InternedInput, sources::byte_lines},
        tree::{
            Error as DiffError, Recorder, State, Visit,
            visit::{Action, Change as Visited},
        },
    },
    objs::{Find, TreeRefIter, tree::EntryMode},
};

use crate::{FileChange, GitError, repository::object};

/// Files and folders of one commit that are looked at before giving up. Trees that repeat themselves can
/// make a few kilobytes stand for billions of files.
const CHANGE_LIMIT: usize = 100_000;

/// Bytes of paths, all in all, before giving up: a document must stay below 64 MiB.
const PATHS_LIMIT_BYTES: usize = 8 << 20;

/// Bytes of a file whose lines are still counted; two of them are in memory at a time.
const FILE_LIMIT_BYTES: u64 = 32 << 20;

/// How far git looks for a NUL.
const BINARY_PROBE_BYTES: usize = 8000;

/// What differs in `after`, sorted by path; compared with nothing if there is no `before`. None if it is
/// too much.
pub(crate) fn files_changed(
    local: &gix::Repository,
    before: Option<ObjectId>,
    after: ObjectId,
) -> Result<Option<Vec<FileChange>>, GitError> {
    let Some(mut changes) = changes(local, before, after)? else {
        return Ok(None);
    };
    changes.sort_by(|one, other| one.path.cmp(&other.path));
    let file = |change: Change| {
        let lines = count(local, &change)?;
        Ok(FileChange {
            path: change.path.to_str_lossy().into_owned(),
            added: lines.map(|lines| lines.added),
            removed: lines.map(|lines| lines.removed),
        })
    };
    changes
        .into_iter()
        .map(file)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// A file, link or submodule that is on one side or on both.
struct Change {
    path: BString,
    before: Option<Entry>,
    after: Option<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    mode: EntryMode,
    id: ObjectId,
}

#[derive(Clone, Copy)]
struct Lines {
    added: u64,
    removed: u64,
}

fn changes(
    local: &gix::Repository,
    before: Option<ObjectId>,
    after: ObjectId,
) -> Result<Option<Vec<Change>>, GitError> {
    if before == Some(after) {
        return Ok(Some(Vec::new()));
    }
    let before = before.map(|id| tree(local, id)).transpose()?;
    let after_tree = tree(local, after)?;
    let iter = |data| TreeRefIter::from_bytes(data, local.object_hash());
    let before = iter(before.as_ref().map_or(&[][..], |tree| tree.data.as_slice()));
    let objects = Trees {
        local,
        missing: Cell::new(None),
    };
    let mut collect = Collect::default();
    match gix::diff::tree(
        before,
        iter(&after_tree.data),
        State::default(),
        &objects,
        &mut collect,
    ) {
        Ok(()) => Ok(Some(collect.changes)),
        Err(DiffError::Cancelled) => Ok(None),
        Err(DiffError::Failure(source)) => Err(match objects.missing.get() {
            Some(id) => GitError::Missing { id },
            None => GitError::Object {
                id: after,
                source: Box::new(source),
            },
        }),
    }
}

fn tree(local: &gix::Repository, id: ObjectId) -> Result<gix::Object<'_>, GitError> {
    object(local, id)?.ok_or(GitError::Missing { id })
}

/// Objects, remembering which one was not there: the comparison's own error tells it in prose only.
struct Trees<'a> {
    local: &'a gix::Repository,
    missing: Cell<Option<ObjectId>>,
}

impl Find for Trees<'_> {
    fn try_find<'a>(
        &self,
        id: &gix::oid,
        buffer: &'a mut Vec<u8>,
    ) -> gix::Result<Option<gix::objs::Data<'a>>> {
        let found = self.local.objects.try_find(id, buffer)?;
        if found.is_none() {
            self.missing.set(Some(id.to_owned()));
        }
        Ok(found)
    }
}

/// Collects the changes of what is no folder. The recorder is used for the path alone.
#[derive(Default)]
struct Collect {
    path: Recorder,
    visited: usize,
    path_bytes: usize,
    changes: Vec<Change>,
}

impl Visit for Collect {
    fn pop_front_tracked_path_and_set_current(&mut self) {
        self.path.pop_front_tracked_path_and_set_current();
    }

    fn push_back_tracked_path_component(&mut self, component: &BStr) {
        self.path.push_back_tracked_path_component(component);
    }

    fn push_path_component(&mut self, component: &BStr) {
        self.path.push_path_component(component);
    }

    fn pop_path_component(&mut self) {
        self.path.pop_path_component();
    }

    fn visit(&mut self, visited: Visited) -> Action {
        let (before, after) = match visited {
            Visited::Addition {
                entry_mode: mode,
                oid: id,
                ..
            } => (None, Some(Entry { mode, id })),
            Visited::Deletion {
                entry_mode: mode,
                oid: id,
                ..
            } => (Some(Entry { mode, id }), None),
            Visited::Modification {
                previous_entry_mode,
                previous_oid,
                entry_mode,
                oid,
            } => (
                Some(Entry {
                    mode: previous_entry_mode,
                    id: previous_oid,
                }),
                Some(Entry {
                    mode: entry_mode,
                    id: oid,
                }),
            ),
        };
        self.visited += 1;
        self.path_bytes += self.path.path().len();
        if self.visited > CHANGE_LIMIT || self.path_bytes > PATHS_LIMIT_BYTES {
            return ControlFlow::Break(());
        }
        let is_folder = |entry: Option<Entry>| entry.is_some_and(|entry| entry.mode.is_tree());
        if !is_folder(before) && !is_folder(after) {
            self.changes.push(Change {
                path: self.path.path_clone(),
                before,
                after,
            });
        }
        ControlFlow::Continue(())
    }
}

/// None if either side has no lines that could be counted.
fn count(local: &gix::Repository, change: &Change) -> Result<Option<Lines>, GitError> {
    let (Some(before), Some(after)) = (
        content(local, change.before)?,
        content(local, change.after)?,
    ) else {
        return Ok(None);
    };
    let (before, after) = (before.bytes(), after.bytes());
    Ok(Some(if before.is_empty() || after.is_empty() {
        Lines {
            added: lines(after),
            removed: lines(before),
        }
    } else if before == after {
        Lines {
            added: 0,
            removed: 0,
        }
    } else {
        let input = InternedInput::new(byte_lines(before), byte_lines(after));
        let diff = Diff::compute(Algorithm::Myers, &input);
        Lines {
            added: diff.count_additions().into(),
            removed: diff.count_removals().into(),
        }
    }))
}

enum Content<'a> {
    Nothing,
    Submodule(String),
    Object(gix::Object<'a>),
}

impl Content<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Content::Nothing => &[],
            Content::Submodule(line) => line.as_bytes(),
            Content::Object(object) => &object.data,
        }
    }
}

/// None if it is binary or too large.
fn content(local: &gix::Repository, entry: Option<Entry>) -> Result<Option<Content<'_>>, GitError> {
    let Some(Entry { mode, id }) = entry else {
        return Ok(Some(Content::Nothing));
    };
    if mode.is_commit() {
        return Ok(Some(Content::Submodule(format!(
            "Subproject commit {id}\n"
        ))));
    }
    let header = local
        .try_find_header(id)
        .map_err(|source| GitError::Object {
            id,
            source: Box::new(source),
        })?
        .ok_or(GitError::Missing { id })?;
    if header.size() > FILE_LIMIT_BYTES {
        return Ok(None);
    }
    let object = object(local, id)?.ok_or(GitError::Missing { id })?;
    let probe = &object.data[..object.data.len().min(BINARY_PROBE_BYTES)];
    Ok((!probe.contains(&0)).then_some(Content::Object(object)))
}

/// A last line without a newline counts.
fn lines(bytes: &[u8]) -> u64 {
    let newlines = bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
    newlines + u64::from(bytes.last().is_some_and(|&last| last != b'\n'))
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_last_line_without_a_newline_counts() {
        for (bytes, expected) in [
            ("", 0),
            ("\n", 1),
            ("a", 1),
            ("a\n", 1),
            ("a\nb", 2),
            ("\n\n", 2),
        ] {
            assert_eq!(lines(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }
}
