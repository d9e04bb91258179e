//! What can go wrong between us and a repository.

use std::path::PathBuf;

use gix::ObjectId;

/// Why a repository, or something in it, could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// There is no repository at the path.
    #[error(
        "`{}` is not a git repository; give the path of a repository or of its `.git` folder",
        path.display()
    )]
    NotARepository {
        /// As it was configured.
        path: PathBuf,
        /// What was looked for and not found.
        source: Box<gix::Error>,
    },
    /// There is a repository, but it could not be opened.
    #[error(
        "the git repository `{}` could not be opened; \
         check that this process may read it and that `git fsck` accepts it",
        path.display()
    )]
    Open {
        /// As it was configured.
        path: PathBuf,
        /// Usually a permission or a broken `config` file.
        source: Box<gix::Error>,
    },
    /// The repository is stored in a way that cannot be read here.
    #[error("the git repository `{}` uses {feature}, which is not supported; {remedy}", path.display())]
    Unsupported {
        /// As it was configured.
        path: PathBuf,
        /// What it uses.
        feature: String,
        /// What would help.
        remedy: &'static str,
    },
    /// An object that something refers to is not there.
    #[error(
        "object `{id}` is not in the repository; fetch it again, or start the capture over if it was \
         removed (a partial clone has no files: capture it without `stats`)"
    )]
    Missing {
        /// The object.
        id: ObjectId,
    },
    /// An id names something else than a commit.
    #[error("object `{id}` is a {kind}, not a commit; give the id of a commit")]
    NotACommit {
        /// The object.
        id: ObjectId,
        /// What it is: `tree`, `blob` or `tag`.
        kind: gix::objs::Kind,
    },
    /// An object's bytes cannot be understood, nor does git itself accept them.
    #[error("object `{id}` is damaged: {reason}; run `git fsck`, and restore it from another copy")]
    Corrupt {
        /// The object.
        id: ObjectId,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An object could not be read from disk.
    #[error("object `{id}` could not be read; run `git fsck`")]
    Object {
        /// The object.
        id: ObjectId,
        /// An I/O error, or a damaged pack.
        source: Box<gix::Error>,
    },
    /// The refs could not be listed.
    #[error("the refs of the repository could not be read; check that this process may read them")]
    Refs {
        /// An I/O error, or a damaged `packed-refs`.
        source: Box<gix::Error>,
    },
    /// The list of a shallow clone's boundary could not be read.
    #[error("the file `shallow` of the repository could not be read; run `git fsck`")]
    Shallow {
        /// An I/O error, or a line that is no id.
        source: Box<gix::Error>,
    },
    /// A text is not the id of an object.
    #[error("`{text}` is not an object id; expected 40 hexadecimal digits")]
    Id {
        /// The first 64 characters of it.
        text: String,
    },
}

impl GitError {
    /// A stable name of the variant, for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            GitError::NotARepository { .. } => "not-a-repository",
            GitError::Open { .. } => "open",
            GitError::Unsupported { .. } => "unsupported",
            GitError::Missing { .. } => "missing",
            GitError::NotACommit { .. } => "not-a-commit",
            GitError::Corrupt { .. } => "corrupt",
            GitError::Object { .. } => "object",
            GitError::Refs { .. } => "refs",
            GitError::Shallow { .. } => "shallow",
            GitError::Id { .. } => "id",
        }
    }
}
