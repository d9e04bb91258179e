//! A plan as text, for a terminal of 80 columns.

use std::fmt;

use super::cursors::Moves;
use super::{BindingPlan, Outcome, Plan};
use crate::cursor::Cursor;
use crate::model::{Backfill, Page, ResourceState, Snapshot};
use crate::node::{Node, Object};

/// Columns of a line.
const WIDTH: usize = 80;

/// State keys that are named for a group; the rest are counted.
const NAMED_BINDINGS: usize = 6;

/// Subtasks that are named for a shape; the rest are counted.
const NAMED_SUBTASKS: usize = 4;

/// Characters of a page that are shown; a token of a source can be long.
const PAGE_CHARACTERS: usize = 40;

/// Where reading resumes.
pub(super) fn resume(state: &ResourceState) -> String {
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
    let points: Vec<String> = inc.chain(backfill).chain(snapshot).collect();
    if points.is_empty() {
        "the start".to_owned()
    } else {
        points.join(", ")
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
    let shown: String = page.chars().take(PAGE_CHARACTERS).collect();
    let more = if shown.len() < page.len() { "…" } else { "" };
    format!("up to {cutoff} at page {shown}{more}")
}

fn count_of(entry: &Snapshot) -> String {
    format!("of {} from {}", entry.last_count, entry.updated_at)
}

/// How the shape of a state changes, part by part.
pub(super) fn change(before: &Node, after: &Node) -> String {
    let parts = [
        ("inc", &["cursor"][..]),
        ("backfill", &["cutoff", "next_page"]),
        ("snapshot", &["updated_at"]),
    ];
    let changes = parts.iter().filter_map(|(part, names)| {
        let (old, new) = (shape(before, part, names), shape(after, part, names));
        match (old, new) {
            (old, new) if old == new => None,
            (None, Some(new)) => Some(format!("{part} {new} added")),
            (Some(old), None) => Some(format!("{part} {old} removed")),
            (old, new) => Some(format!("{part} {} to {part} {}", old?, new?)),
        }
    });
    let changes: Vec<String> = changes.collect();
    if changes.is_empty() {
        "values change, the shape does not".to_owned()
    } else {
        changes.join("; ")
    }
}

fn shape(state: &Node, part: &str, names: &[&str]) -> Option<String> {
    let part: &Object = state.as_object()?.get(part)?.as_object()?;
    let flat = names.iter().any(|name| part.present(name).is_some());
    let members: Vec<&str> = part
        .iter()
        .filter(|(_, node)| !node.is_null())
        .map(|(name, _)| name)
        .collect();
    if members.is_empty() {
        return None;
    }
    let shown = if flat {
        members.len()
    } else {
        NAMED_SUBTASKS.min(members.len())
    };
    let more = members.len() - shown;
    let listed = members[..shown].join(", ");
    Some(if more == 0 {
        format!("{{{listed}}}")
    } else {
        format!("{{{listed}, … {more} more}}")
    })
}

/// What is to be said of moved cursors, one line each.
pub(super) fn notes(moves: &Moves<'_>, starts_again: bool) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, by) in &moves.back {
        notes.push(format!(
            "{} moves back by {by}, and reads that again",
            cursor(*name)
        ));
    }
    if let Some((name, by)) = moves.ahead.filter(|_| !starts_again) {
        notes.push(format!(
            "{} moves forward by {}, and misses that",
            cursor(name),
            by
        ));
    }
    if let Some((name, by)) = moves.uncovered {
        notes.push(format!(
            "nothing carries on {}: {} would be missed",
            cursor(name),
            by
        ));
    }
    for name in &moves.dropped {
        notes.push(format!(
            "{} is dropped, and what it read would start over",
            cursor(*name)
        ));
    }
    for name in &moves.new {
        notes.push(match name {
            Some(name) => format!("subtask `{name}` is new, and begins by itself"),
            None => "it begins by itself".to_owned(),
        });
    }
    if moves.unordered {
        notes.push("cursors changed that cannot be ordered".to_owned());
    }
    if starts_again {
        notes.push("a backfill starts again, as declared".to_owned());
    }
    notes
}

fn cursor(name: Option<&str>) -> String {
    name.map_or_else(
        || "the cursor".to_owned(),
        |name| format!("the cursor of `{name}`"),
    )
}

/// Bindings that change alike, what needs the most attention first.
fn groups(plan: &Plan) -> Vec<Vec<&BindingPlan>> {
    let mut groups: Vec<Vec<&BindingPlan>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for binding in &plan.bindings {
        let alike = (
            binding.outcome,
            &binding.change,
            &binding.notes,
            binding.needs,
            &binding.migrations,
        );
        let place = *places.entry(alike).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(binding);
    }
    let order = [
        Outcome::Skip,
        Outcome::Unknown,
        Outcome::Backfill,
        Outcome::Rewind,
        Outcome::Retire,
        Outcome::Rewrite,
        Outcome::Keep,
    ];
    groups.sort_by_key(|group| {
        order
            .iter()
            .position(|outcome| *outcome == group[0].outcome)
    });
    groups
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(
                f,
                "nothing changes: {} keep their state",
                bindings(self.bindings.len())
            );
        }
        for group in groups(self) {
            show_group(f, &group)?;
        }
        writeln!(
            f,
            "checkpoint of {} bytes; the state has {} bytes now, {} after",
            self.update_bytes, self.before_bytes, self.after_bytes
        )
    }
}

fn show_group(f: &mut fmt::Formatter<'_>, group: &[&BindingPlan]) -> fmt::Result {
    let Some(first) = group.first() else {
        return Ok(());
    };
    let change = if first.change.is_empty() {
        String::new()
    } else {
        format!(": {}", first.change)
    };
    line(
        f,
        &first.outcome.to_string(),
        &format!("{}{change}", bindings(group.len())),
    )?;
    let mut named: Vec<String> = group
        .iter()
        .take(NAMED_BINDINGS)
        .map(|binding| name(binding))
        .collect();
    if group.len() > NAMED_BINDINGS {
        named.push(format!("and {} more", group.len() - NAMED_BINDINGS));
    }
    line(f, "", &named.join(", "))?;
    if first.outcome != Outcome::Keep {
        let of = if group.len() > 1 {
            format!(" (`{}`)", first.state_key)
        } else {
            String::new()
        };
        line(f, "  before", &format!("{}{of}", first.before))?;
        line(
            f,
            "  after",
            if first.after.is_empty() {
                "no state"
            } else {
                &first.after
            },
        )?;
    }
    for note in &first.notes {
        line(f, "  note", note)?;
    }
    if !first.migrations.is_empty() {
        line(f, "  by", &first.migrations.join(", "))?;
    }
    if let Some(kind) = first.needs {
        let allowed: Vec<String> = group
            .iter()
            .take(NAMED_BINDINGS)
            .map(|binding| format!("--allow {kind}:{}", binding.state_key))
            .collect();
        let more = if group.len() > NAMED_BINDINGS {
            " and so on"
        } else {
            ""
        };
        line(f, "  needs", &format!("{}{more}", allowed.join(" ")))?;
    }
    writeln!(f)
}

fn name(binding: &BindingPlan) -> String {
    let orphan = if binding.is_orphan {
        " (no binding)"
    } else {
        ""
    };
    format!("{}{orphan}", binding.state_key)
}

fn bindings(count: usize) -> String {
    if count == 1 {
        "1 binding".to_owned()
    } else {
        format!("{count} bindings")
    }
}

/// Columns in front of what is said.
const INDENT: usize = 10;

/// Writes a label and words behind it, wrapped; a word longer than a line stays whole.
fn line(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    write!(f, "{label:<INDENT$}")?;
    let mut column = INDENT;
    for (at, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if at > 0 && column + 1 + length > WIDTH {
            write!(f, "\n{:INDENT$}", "")?;
            column = INDENT;
        } else if at > 0 {
            f.write_str(" ")?;
            column += 1;
        }
        f.write_str(word)?;
        column += length;
    }
    writeln!(f)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Keep => "KEEP",
            Outcome::Rewrite => "REWRITE",
            Outcome::Rewind => "REWIND",
            Outcome::Backfill => "BACKFILL",
            Outcome::Retire => "RETIRE",
            Outcome::Skip => "SKIP",
            Outcome::Unknown => "UNKNOWN",
        })
    }
}
