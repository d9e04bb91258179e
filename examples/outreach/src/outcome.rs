//! Whether what was captured is what there is.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::account::Truth;

/// A version of a record: its id, and when it was changed.
pub(crate) type Version = (u64, String);

/// What differs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Records whose last version was not captured last.
    pub(crate) missed: Vec<Version>,
    /// Versions that were captured more than once.
    pub(crate) repeated: Vec<Version>,
}

impl Outcome {
    pub(crate) fn of(captured: &[Version], truth: &Truth) -> Self {
        let last: BTreeMap<u64, &String> = captured.iter().map(|(id, at)| (*id, at)).collect();
        let missed = truth.iter().filter(|(id, at)| last.get(id) != Some(at));
        let mut counts = BTreeMap::<&Version, usize>::new();
        for version in captured {
            *counts.entry(version).or_default() += 1;
        }
        let repeated = counts.into_iter().filter(|(_, count)| *count > 1);
        Self {
            missed: missed.map(|(id, at)| (*id, at.clone())).collect(),
            repeated: repeated.map(|(version, _)| version.clone()).collect(),
        }
    }
}

/// The versions in a file of documents, in its order.
pub(crate) fn captured(path: &Path) -> Result<Vec<Version>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?;
    let version = |line: &str| {
        let document: Value = serde_json::from_str(line).ok()?;
        let at = document.pointer("/attributes/updatedAt")?.as_str()?;
        Some((document["id"].as_u64()?, at.to_owned()))
    };
    text.lines()
        .map(|line| version(line).with_context(|| format!("`{line}` is no record")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_and_what_comes_twice_is_named() {
        let versions = |text: &str| -> Vec<Version> {
            text.split_whitespace()
                .map(|word| (word[..1].parse().unwrap(), word[1..].to_owned()))
                .collect()
        };
        for (captured, truth, missed, repeated) in [
            ("1a 2b", "1a 2b", "", ""),
            ("1a 2a 2b", "1a 2b", "", ""),
            ("1a 2b 2a", "1a 2b", "2b", ""),
            ("1a 1a", "1a 2b", "2b", "1a"),
            ("", "", "", ""),
        ] {
            let outcome = Outcome::of(&versions(captured), &versions(truth).into_iter().collect());
            let expected = Outcome {
                missed: versions(missed),
                repeated: versions(repeated),
            };
            assert_eq!(outcome, expected, "{captured}");
        }
    }
}
