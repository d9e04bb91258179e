//! Where reading resumes, for people.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cursor::Cursor;
use crate::model::{Backfill, Page, ResourceState, Snapshot};
use crate::node::Node;

/// Characters of a page that are shown; a token of a source can be long.
const PAGE_CHARACTERS: usize = 40;

/// Entries that are shown; the rest are counted.
const SHOWN_ENTRIES: usize = 8;

/// Where a binding resumes. Shown as text, and two are equal when their texts are.
///
/// Holds on to the state instead of its text: a plan has many of them, and few are looked at.
#[derive(Clone, Debug)]
pub struct ResumePoint(Held);

#[derive(Clone, Debug)]
enum Held {
    /// There is no state.
    Nothing,
    State(Node),
    Text(Box<str>),
}

impl ResumePoint {
    /// Where a binding of this state resumes.
    ///
    /// ```
    /// use staunch_state::{Node, ResumePoint};
    ///
    /// let state = Node::parse(r#"{"inc":{"cursor":"2026-03-01T00:00:00Z"}}"#)?;
    /// assert_eq!(ResumePoint::of(Some(&state)).to_string(), "2026-03-01T00:00:00Z");
    /// # Ok::<(), staunch_state::ParseError>(())
    /// ```
    #[must_use]
    pub fn of(state: Option<&Node>) -> Self {
        ResumePoint(state.map_or(Held::Nothing, |state| Held::State(state.clone())))
    }
}

impl fmt::Display for ResumePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Held::Nothing => f.write_str("no state"),
            Held::Text(text) => f.write_str(text),
            Held::State(state) => match ResourceState::decode("", state) {
                Ok(state) => f.write_str(&resume(&state)),
                Err(_) => f.write_str("a state that does not fit the model"),
            },
        }
    }
}

impl PartialEq for ResumePoint {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Serialize for ResumePoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResumePoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| ResumePoint(Held::Text(text.into())))
    }
}

fn resume(state: &ResourceState) -> String {
    let named = |name: Option<&str>, text: String| match name {
        None => text,
        Some(name) => format!("{name} {text}"),
    };
    let inc = state
        .inc
        .entries()
        .map(|(name, entry)| named(name, entry.cursor.to_string()));
    let backfill = state
        .backfill
        .entries()
        .map(|(name, entry)| format!("backfill {}", named(name, page_of(entry))));
    let snapshot = state
        .snapshot
        .entries()
        .map(|(name, entry)| format!("snapshot {}", named(name, count_of(entry))));
    let mut points = inc.chain(backfill).chain(snapshot);
    let shown: Vec<String> = points.by_ref().take(SHOWN_ENTRIES).collect();
    match (shown.is_empty(), points.count()) {
        (true, _) => "the start".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn page_of(entry: &Backfill) -> String {
    let cutoff: &Cursor = &entry.cutoff;
    let page = match &entry.next_page {
        None => return format!("up to {cutoff}"),
        Some(Page::String(text)) => text.clone(),
        Some(Page::Integer(page)) => page.to_string(),
        Some(Page::Object(page)) => Node::Object(page.clone()).to_json(),
    };
    format!("up to {cutoff} at page {}", clipped(&page, PAGE_CHARACTERS))
}

/// The beginning of a text, and a mark where it goes on.
pub(super) fn clipped(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}

fn count_of(entry: &Snapshot) -> String {
    format!("of {} from {}", entry.last_count, entry.updated_at)
}
