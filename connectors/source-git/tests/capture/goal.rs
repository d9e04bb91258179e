//! Where a capture is when everything is captured, as git tells it.

use std::collections::BTreeMap;

use source_git::fixture::GitFixture;
use staunch::state::Node;

use crate::driver::{Capture, Release};

/// What the committed state and the snapshot of refs must come to.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    release: Release,
    /// The cursor of each branch; the first release has but one, under no name.
    tips: BTreeMap<String, String>,
    /// Each ref and the object that it leads to.
    refs: Vec<(String, Option<String>)>,
}

impl Goal {
    pub(crate) fn of(release: Release, fixture: &GitFixture) -> Self {
        let listed = fixture.git(&["for-each-ref", "--format=%(refname) %(objectname)"]);
        let mut refs: Vec<_> = listed
            .lines()
            .map(|line| line.split_once(' ').unwrap())
            .map(|(name, id)| (name.to_owned(), Some(id.to_owned())))
            .collect();
        let head = head(fixture);
        refs.push(("HEAD".to_owned(), head.clone()));
        refs.sort();
        let tips = match release {
            Release::V1 => [(String::new(), head.unwrap_or_default())].into(),
            Release::V2 => tips(fixture),
        };
        Self {
            release,
            tips,
            refs,
        }
    }

    pub(crate) fn is_reached(&self, capture: &Capture) -> bool {
        let is_at = |(name, tip): (&String, &String)| {
            let inc = capture.of_commits("/inc");
            let entry = match self.release {
                Release::V1 => inc,
                Release::V2 => inc.and_then(|inc| inc.as_object()?.get(name)),
            };
            let cursor = entry.and_then(|entry| entry.pointer("/cursor"));
            cursor.is_some_and(|cursor| cursor.to_json() == format!(r#"["{tip}"]"#))
        };
        self.tips.iter().all(is_at) && !is_backfilling(capture) && self.has_rows(capture)
    }

    fn has_rows(&self, capture: &Capture) -> bool {
        let rows = capture.rows.values().map(|row| {
            let text = |member: &str| row[member].as_str().map(str::to_owned);
            (text("name").unwrap_or_default(), text("target"))
        });
        rows.eq(self.refs.iter().cloned())
    }
}

/// The commit that `HEAD` is at, if any.
fn head(fixture: &GitFixture) -> Option<String> {
    let id = fixture.git(&["rev-parse", "--revs-only", "HEAD"]);
    (!id.is_empty()).then_some(id)
}

/// Every ref that leads to a commit, and a `HEAD` that is on no branch.
pub(crate) fn tips(fixture: &GitFixture) -> BTreeMap<String, String> {
    let format = "--format=%(refname) %(objecttype) %(objectname) %(*objecttype) %(*objectname)";
    let mut tips = BTreeMap::new();
    for line in fixture.git(&["for-each-ref", format]).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let commit = words[1..].chunks(2).find(|pair| pair[0] == "commit");
        if let Some(commit) = commit {
            tips.insert(words[0].to_owned(), commit[1].to_owned());
        }
    }
    if let (true, Some(tip)) = (is_detached(fixture), head(fixture)) {
        tips.insert("HEAD".to_owned(), tip);
    }
    tips
}

fn is_detached(fixture: &GitFixture) -> bool {
    let folder = fixture.git(&["rev-parse", "--absolute-git-dir"]);
    let head = std::fs::read_to_string(std::path::Path::new(&folder).join("HEAD")).unwrap();
    !head.starts_with("ref: ")
}

/// Whether a backfill is unfinished, or has not begun.
pub(crate) fn is_backfilling(capture: &Capture) -> bool {
    match capture.of_commits("/backfill") {
        None | Some(Node::Null) => false,
        Some(Node::Object(backfill)) => backfill.iter().any(|(_, entry)| !entry.is_null()),
        Some(_) => panic!("a backfill is an object"),
    }
}
