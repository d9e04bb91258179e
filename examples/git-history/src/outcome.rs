//! Whether what was captured is what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// What is wrong with the ids captured; nothing if both are empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) missing: Vec<String>,
    pub(crate) repeated: Vec<String>,
}

impl Difference {
    /// Compares what was captured, in any order, with what must be there.
    pub(crate) fn of(captured: &[String], expected: &[String]) -> Self {
        let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
        for id in captured {
            *counts.entry(id).or_default() += 1;
        }
        let expected: BTreeSet<&String> = expected.iter().collect();
        let missing = expected.into_iter().filter(|id| !counts.contains_key(id));
        let missing = missing.cloned().collect();
        let repeated = counts.iter().filter(|(_, count)| **count > 1);
        let repeated = repeated.map(|(id, _)| (*id).clone()).collect();
        Self { missing, repeated }
    }
}

/// The ids of the documents in a file; none if there is no file.
pub(crate) fn ids(path: &Path) -> Result<Vec<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("opening `{}`", path.display())),
    };
    let mut ids = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let id = line.ok().and_then(|line| {
            let document: Value = serde_json::from_str(&line).ok()?;
            Some(document.get("id")?.as_str()?.to_owned())
        });
        let at = || format!("line {} of `{}` is no commit", number + 1, path.display());
        ids.push(id.with_context(at)?);
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_and_what_comes_twice_is_named() {
        let words = |text: &str| {
            text.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        for (captured, expected, missing, repeated) in [
            ("b a", "a b", "", ""),
            ("a", "a b", "b", ""),
            ("a b a b b", "a b", "", "a b"),
            ("a c c", "a b", "b", "c"),
            ("", "", "", ""),
        ] {
            let difference = Difference {
                missing: words(missing),
                repeated: words(repeated),
            };
            assert_eq!(
                Difference::of(&words(captured), &words(expected)),
                difference
            );
        }
    }
}
