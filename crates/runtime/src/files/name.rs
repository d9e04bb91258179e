//! From a collection's name to a path inside the output folder, and never out of it.

use super::FilesError;

/// The path of `collection`'s file, relative to the output folder: `acmeCo/commits` is in `acmeCo/commits.jsonl`.
///
/// # Errors
/// [`FilesError::BadName`] for a name that would leave the folder or is no name.
pub fn file_path(collection: &str) -> Result<String, FilesError> {
    match fault(collection) {
        Some(why) => Err(FilesError::BadName {
            collection: collection.to_owned(),
            why,
        }),
        None => Ok(format!("{collection}.jsonl")),
    }
}

/// What is wrong with a relative path of ours, if anything.
pub(super) fn fault(path: &str) -> Option<&'static str> {
    if path.starts_with('/') {
        return Some("it is an absolute path");
    }
    if path.contains(['\0', '\\']) {
        return Some("it has a character that file names cannot have");
    }
    path.split('/').find_map(|part| match part {
        "" => Some("a part of it is empty"),
        "." | ".." => Some("a part of it is `.` or `..`"),
        _ => None,
    })
}
