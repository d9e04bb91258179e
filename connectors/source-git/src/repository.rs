//! Opening a repository, and the door to its refs, its graph and its commits.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use gix::{ObjectId, bstr::ByteSlice, hashtable::HashSet, objs::Kind};

use crate::{
    GitError, Order, Walk,
    commits::CommitReader,
    graph::{Commits, Found, Graph, MissingCommit},
    raw::RawCommit,
};

/// A git repository on disk: with or without a work tree, a linked work tree, a shallow clone.
///
/// Cheap to clone, and may be used from several threads; every method reads files, so call it where
/// blocking is allowed. Nothing is ever written, and no program is ever started. Refs are read anew by
/// each call. Objects are looked up anew when not found; one that was deleted may be seen for as long as the
/// pack that held it is open.
#[derive(Clone)]
pub struct Repository {
    path: PathBuf,
    inner: gix::ThreadSafeRepository,
    /// Shared by all clones. Walks take turns on it.
    graph: Arc<Mutex<Graph>>,
}

/// Packs that may appear while a repository is open, beyond those that are there: fetches into a
/// repository that nobody repacks add one each.
const PACK_SLOTS: usize = 4096;

impl Repository {
    /// Opens the repository at `path`: its folder, its `.git` folder, or a bare repository.
    ///
    /// Whoever owns it may have written its configuration, so none of that is trusted: only what is
    /// needed to find refs and objects is used, values that name programs are ignored, and so are the
    /// environment and the user's own configuration. For the same reason a repository of another owner
    /// (git's `safe.directory`) is read like any other: nothing in it can run here.
    ///
    /// # Errors
    /// [`GitError::NotARepository`], [`GitError::Open`], or [`GitError::Unsupported`] for SHA-256 object ids
    /// and for the `reftable` format of refs.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, GitError> {
        let path = path.as_ref().to_path_buf();
        let slots = gix::odb::store::init::Slots::AsNeededByDiskState {
            multiplier: 1.1,
            minimum: PACK_SLOTS,
        };
        let inner = gix::open::Options::isolated()
            .with(gix::sec::Trust::Reduced)
            .object_store_slots(slots)
            // A replaced commit has other parents: the graph must not change under a cursor.
            .config_overrides(["core.useReplaceRefs=false"])
            .open(&path)
            .map_err(|error| open_error(&path, error))?;
        refuse_unsupported(&path, &inner.to_thread_local())?;
        Ok(Repository {
            path,
            inner,
            graph: Arc::default(),
        })
    }

    /// The path it was opened at.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is an object `id`, of any kind.
    pub fn contains(&self, id: ObjectId) -> bool {
        self.local().has_object(id)
    }

    /// Whether `ancestor` is `from` or one of its ancestors. False if there is no `ancestor`.
    ///
    /// # Errors
    /// [`GitError::Missing`] for `from` or one of its ancestors, [`GitError::NotACommit`] for `from`; errors of
    /// reading.
    pub fn is_reachable(&self, ancestor: ObjectId, from: ObjectId) -> Result<bool, GitError> {
        let local = self.local();
        commit(&local, from)?;
        let shallow = shallow(&local)?;
        let mut graph = self.graph.lock().expect("no walk panics");
        graph.is_reachable(&mut Objects(&local), ancestor, from, &shallow)
    }

    /// The commits reachable from `tip` and from no commit in `hidden`, each once.
    ///
    /// Exact whatever the commits' dates. For the same repository the list is always the same, and hiding
    /// more only takes commits out of it, so that a page may be named by the commit it follows.
    /// The first walk reads history from disk, later ones what is new.
    ///
    /// # Errors
    /// [`GitError::Missing`] or [`GitError::NotACommit`] for `tip`; `Missing` for an ancestor of it that is
    /// neither hidden nor behind a shallow boundary; errors of reading. A hidden commit that is not there is none:
    /// see [`Walk::missing_hidden`].
    pub fn walk(&self, tip: ObjectId, hidden: &[ObjectId], order: Order) -> Result<Walk, GitError> {
        let local = self.local();
        commit(&local, tip)?;
        let shallow = shallow(&local)?;
        let mut graph = self.graph.lock().expect("no walk panics");
        graph.walk(&mut Objects(&local), tip, hidden, &shallow, order)
    }

    /// A reader of commits as documents, with their `files` if `stats` is true. Meant to be kept for a page
    /// of them: what commits have in common is read once.
    ///
    /// # Errors
    /// [`GitError::Shallow`].
    pub fn commit_reader(&self, stats: bool) -> Result<CommitReader, GitError> {
        let local = self.local();
        let shallow = shallow(&local)?;
        Ok(CommitReader::new(local, shallow, stats))
    }

    /// A handle for one thread and one call.
    pub(crate) fn local(&self) -> gix::Repository {
        self.inner.to_thread_local()
    }
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The id that 40 hexadecimal digits stand for.
///
/// # Errors
/// [`GitError::Id`].
pub fn parse_id(text: &str) -> Result<ObjectId, GitError> {
    ObjectId::from_hex(text.as_bytes()).map_err(|_| GitError::Id {
        text: text.chars().take(64).collect(),
    })
}

/// Commits as a repository has them.
struct Objects<'a>(&'a gix::Repository);

impl Commits for Objects<'_> {
    type Error = GitError;

    fn find(&mut self, id: ObjectId) -> Result<Found, GitError> {
        let Some(object) = object(self.0, id)?.filter(|object| object.kind == Kind::Commit) else {
            return Ok(Found::Missing);
        };
        let commit =
            RawCommit::parse(&object.data).map_err(|reason| GitError::Corrupt { id, reason })?;
        Ok(Found::Commit(commit.parents))
    }
}

impl From<MissingCommit> for GitError {
    fn from(MissingCommit(id): MissingCommit) -> Self {
        GitError::Missing { id }
    }
}

/// The commit `id`, which must be there.
pub(crate) fn commit(local: &gix::Repository, id: ObjectId) -> Result<gix::Object<'_>, GitError> {
    let object = object(local, id)?.ok_or(GitError::Missing { id })?;
    match object.kind {
        Kind::Commit => Ok(object),
        kind => Err(GitError::NotACommit { id, kind }),
    }
}

/// The object `id`, or none if it is not there.
pub(crate) fn object(
    local: &gix::Repository,
    id: ObjectId,
) -> Result<Option<gix::Object<'_>>, GitError> {
    local
        .try_find_object(id)
        .map_err(|source| GitError::Object {
            id,
            source: Box::new(source),
        })
}

/// The commits whose parents were not fetched.
///
/// Read at each call: gix's own snapshot of it goes by the file's time of modification, which two fetches
/// within one tick share.
fn shallow(local: &gix::Repository) -> Result<HashSet, GitError> {
    let failed = |source| GitError::Shallow {
        source: Box::new(source),
    };
    let file = local.shallow_file().map_err(failed)?;
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::default()),
        Err(error) => return Err(failed(gix::Error::from_error(error))),
    };
    let id = |line| ObjectId::from_hex(line).map_err(|error| failed(gix::Error::from_error(error)));
    bytes
        .lines()
        .filter(|line| !line.is_empty())
        .map(id)
        .collect()
}

fn open_error(path: &Path, error: gix::Error) -> GitError {
    let path = path.to_path_buf();
    if error.is_unsupported() {
        let feature = "a format that this build does not know (SHA-256 object ids, perhaps)".into();
        return GitError::Unsupported {
            path,
            feature,
            remedy: "convert a clone of it to SHA-1",
        };
    }
    let source = Box::new(error);
    if source.is_not_found() {
        return GitError::NotARepository { path, source };
    }
    GitError::Open { path, source }
}

/// Refuses what would open, and then look like a repository without any commits.
fn refuse_unsupported(path: &Path, local: &gix::Repository) -> Result<(), GitError> {
    let storage = local
        .config_snapshot()
        .plumbing()
        .string("extensions.refStorage");
    match storage {
        Some(format) if !format.eq_ignore_ascii_case(b"files") => Err(GitError::Unsupported {
            path: path.to_path_buf(),
            feature: format!("the ref format `{}`", format.to_str_lossy()),
            remedy: "capture a clone that was made with `--ref-format=files`",
        }),
        _ => Ok(()),
    }
}
