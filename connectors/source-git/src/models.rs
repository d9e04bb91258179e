//! The documents of the two bindings. Text that is not UTF-8 is decoded, never refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One commit. The same commit always gives the same bytes, except that the boundary of a shallow
/// clone has no `files` until its first parent is fetched.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct CommitDocument {
    /// Hexadecimal object id.
    pub id: String,
    /// Object id of the commit's tree.
    pub tree: String,
    /// Object ids of the parents, in the commit's order. None for a root, two or more for a merge.
    pub parents: Vec<String>,
    /// Who wrote the change, and when.
    pub author: Person,
    /// Who made the commit, and when.
    pub committer: Person,
    /// The whole message, with its final newline if it has one. Bytes that are not valid in the
    /// commit's encoding become U+FFFD; a message longer than 4 MiB is cut there.
    pub message: String,
    /// With `stats` only: the files that differ from the first parent, or all files of a root, sorted by
    /// path. A rename is a removed and an added file. Absent where it cannot be told: at the
    /// boundary of a shallow clone, and where more than 100,000 files and folders differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<FileChange>>,
}

/// The author or the committer of a commit.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Person {
    /// Empty if the commit names nobody.
    pub name: String,
    /// What stands between `<` and `>`; often, but not always, an e-mail address.
    pub email: String,
    /// With the offset the commit was made at, such as `2026-01-02T03:04:05+02:00`. An offset that no clock
    /// has becomes `Z`, at the same instant; null for a time that is missing or outside years 0 to 9999.
    #[schemars(extend("format" = "date-time"))]
    pub time: Option<String>,
}

/// A file that a commit changed. Submodules are listed as git's one line `Subproject commit <id>`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct FileChange {
    /// From the root of the repository, with `/`. Bytes that are not UTF-8 become U+FFFD.
    pub path: String,
    /// Lines added. Null if either side is binary (a NUL in its first 8,000 bytes) or above 32 MiB.
    pub added: Option<u64>,
    /// Lines removed, or null as for `added`.
    pub removed: Option<u64>,
}

/// One ref, as it stood when the snapshot was taken.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct RefDocument {
    /// The full name: `HEAD`, `refs/heads/main`. A byte that is not UTF-8 is written `\xff`: no ref name
    /// may contain a backslash, so two refs never share a name here.
    pub name: String,
    /// Object id that the ref leads to, through other refs if it is symbolic. Null if there is none,
    /// as for the `HEAD` of a repository without commits.
    pub target: Option<String>,
    /// The ref that a symbolic ref such as `HEAD` names, else null.
    pub symbolic_target: Option<String>,
    /// What an annotated tag is finally of, else null.
    pub peeled: Option<String>,
}
