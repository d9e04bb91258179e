//! One commit as a document.

use gix::{ObjectId, hashtable::HashSet};

use crate::{
    CommitDocument, FileChange, GitError, Person,
    raw::{RawCommit, RawPerson},
    repository::{commit, object},
    stats, text, time,
};

/// Reads commits as documents. For one thread; make another for another thread.
pub struct CommitReader {
    local: gix::Repository,
    shallow: HashSet,
    stats: bool,
}

/// Bytes of trees that a reader keeps: neighbouring commits share almost all of theirs.
const OBJECT_CACHE_BYTES: usize = 16 << 20;

/// Bytes of a message that are captured. Escaped as JSON it may grow sixfold, and must stay well below
/// the 64 MiB that the protocol allows a document.
const MESSAGE_LIMIT_BYTES: usize = 4 << 20;

/// Bytes of a name or an address that are captured.
const NAME_LIMIT_BYTES: usize = 64 << 10;

impl CommitReader {
    pub(crate) fn new(mut local: gix::Repository, shallow: HashSet, stats: bool) -> Self {
        if stats {
            local.object_cache_size_if_unset(OBJECT_CACHE_BYTES);
        }
        CommitReader {
            local,
            shallow,
            stats,
        }
    }

    /// The commit `id`. Odd dates, names and encodings make odd values, never errors.
    ///
    /// # Errors
    /// [`GitError::Missing`] for the commit or, with stats, for a tree or a file that it or its first parent
    /// refers to (a partial clone has none of them); [`GitError::NotACommit`]; [`GitError::Corrupt`]; errors of
    /// reading.
    pub fn read(&self, id: ObjectId) -> Result<CommitDocument, GitError> {
        let object = commit(&self.local, id)?;
        let raw = parse(id, &object.data)?;
        Ok(CommitDocument {
            id: id.to_string(),
            tree: raw.tree.to_string(),
            parents: raw.parents.iter().map(ToString::to_string).collect(),
            author: person(raw.author, raw.encoding),
            committer: person(raw.committer, raw.encoding),
            message: text::decode(limit(raw.message, MESSAGE_LIMIT_BYTES), raw.encoding),
            files: if self.stats {
                self.files(id, &raw)?
            } else {
                None
            },
        })
    }

    fn files(
        &self,
        id: ObjectId,
        raw: &RawCommit<'_>,
    ) -> Result<Option<Vec<FileChange>>, GitError> {
        let Some(&parent) = raw.parents.first() else {
            return stats::files_changed(&self.local, None, raw.tree);
        };
        match object(&self.local, parent)? {
            Some(object) => {
                let tree = parse(parent, &object.data)?.tree;
                stats::files_changed(&self.local, Some(tree), raw.tree)
            }
            // All files would be new, which is not what the commit did: better to say nothing.
            None if self.shallow.contains(&id) => Ok(None),
            None => Err(GitError::Missing { id: parent }),
        }
    }
}

fn parse(id: ObjectId, data: &[u8]) -> Result<RawCommit<'_>, GitError> {
    RawCommit::parse(data).map_err(|reason| GitError::Corrupt { id, reason })
}

fn person(line: &[u8], encoding: Option<&[u8]>) -> Person {
    let raw = RawPerson::parse(line);
    Person {
        name: text::decode(limit(raw.name, NAME_LIMIT_BYTES), encoding),
        email: text::decode(limit(raw.email, NAME_LIMIT_BYTES), encoding),
        time: time::rfc3339(raw.clock),
    }
}

fn limit(bytes: &[u8], limit: usize) -> &[u8] {
    &bytes[..bytes.len().min(limit)]
}
