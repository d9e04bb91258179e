//! A plan as text, for a terminal of 80 columns.

use std::fmt;

use super::cursors::{Distance, Moves};
use super::example::{Example, Sign};
use super::{BindingPlan, Consent, Group, Outcome, Plan, WHOLE_STATE};
use crate::model::part::{PARTS, PartShape};
use crate::node::{Node, Object};

/// Columns of a line.
const WIDTH: usize = 80;

/// State keys that are named for a group; the rest are counted.
const NAMED_BINDINGS: usize = 6;

/// Subtasks that are named for a shape; the rest are counted.
const NAMED_SUBTASKS: usize = 4;

/// Groups of one outcome that are shown; the rest are counted.
const SHOWN_GROUPS: usize = 20;

/// How the shape of a state changes, part by part.
pub(super) fn change(before: Option<&Node>, after: Option<&Node>, is_moved: bool) -> String {
    let Some(after) = after else {
        return "state removed".to_owned();
    };
    let parts = PARTS.into_iter().filter_map(|part| {
        let (old, new) = (
            before.and_then(|before| shape(before, part)),
            shape(after, part),
        );
        let part = part.name;
        match (old, new) {
            (old, new) if old == new => None,
            (None, Some(new)) => Some(format!("{part} {new} added")),
            (Some(old), None) => Some(format!("{part} {old} removed")),
            (old, new) => Some(format!("{part} {} to {part} {}", old?, new?)),
        }
    });
    let moved = is_moved.then(|| "moved from another state key".to_owned());
    let changes: Vec<String> = moved.into_iter().chain(parts).collect();
    if changes.is_empty() {
        "values change, the shape does not".to_owned()
    } else {
        changes.join("; ")
    }
}

/// The members of a part that are there, and whether they are those of a flat one.
fn members(state: &Node, part: PartShape) -> Option<(bool, impl Iterator<Item = &str>)> {
    let entries: &Object = part.of(state.as_object()?)?;
    let is_flat = part.is_flat_entry(entries);
    let members = entries
        .map()
        .iter()
        .filter(|(_, node)| !node.is_null())
        .map(|(name, _)| &**name);
    Some((is_flat, members))
}

fn shape(state: &Node, part: PartShape) -> Option<String> {
    let (is_flat, members) = members(state, part)?;
    let members: Vec<&str> = members.collect();
    let count = members.len();
    if count == 0 {
        return None;
    }
    let shown = if is_flat {
        count
    } else {
        NAMED_SUBTASKS.min(count)
    };
    let listed = members[..shown].join(", ");
    Some(match count - shown {
        0 => format!("{{{listed}}}"),
        more => format!("{{{listed}, … {more} more}}"),
    })
}

/// Whether [`change`] says the same of both, found without saying it.
pub(super) fn same_shape(one: Option<&Node>, other: Option<&Node>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return one.is_none() == other.is_none();
    };
    PARTS
        .into_iter()
        .all(|part| match (members(one, part), members(other, part)) {
            (None, None) => true,
            (Some((is_flat, ours)), Some((is_theirs_flat, theirs))) => {
                is_flat == is_theirs_flat && ours.eq(theirs)
            }
            (Some((_, mut members)), None) | (None, Some((_, mut members))) => {
                members.next().is_none()
            }
        })
}

/// What is to be said of moved cursors, one line each.
pub(super) fn notes(
    moves: &Moves<'_>,
    ahead: &[(Option<&str>, Distance)],
    starts_again: bool,
) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, by) in &moves.back {
        notes.push(format!(
            "{} moves back by {by}, and reads that again",
            cursor(*name)
        ));
    }
    for (name, by) in ahead {
        notes.push(format!(
            "{} moves forward by {}, and misses that",
            cursor(*name),
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
    for name in &moves.given_up {
        notes.push(format!("{} is given up, as declared", cursor(*name)));
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

/// A plan with colours, for a terminal that has them.
struct Colored<'a>(&'a Plan);

/// What a piece of text is, to be coloured by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Good,
    Careful,
    Bad,
    Faint,
}

impl Tone {
    /// The numbers of a select-graphic-rendition sequence.
    fn sequence(self) -> Option<&'static str> {
        match self {
            Tone::Plain => None,
            Tone::Good => Some("32"),
            Tone::Careful => Some("33"),
            Tone::Bad => Some("1;31"),
            Tone::Faint => Some("2"),
        }
    }

    fn of(outcome: Outcome) -> Tone {
        match outcome {
            Outcome::Keep => Tone::Faint,
            Outcome::Rewrite | Outcome::Retire => Tone::Good,
            Outcome::Rewind => Tone::Careful,
            Outcome::Backfill | Outcome::Skip | Outcome::Unknown => Tone::Bad,
        }
    }
}

impl Plan {
    /// The text of the plan with the colours of a terminal (ECMA-48); without them it is its `Display`.
    ///
    /// Names are shown with their control characters escaped, in both.
    pub fn colored(&self) -> impl fmt::Display + '_ {
        Colored(self)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Writer {
            f,
            is_colored: false,
        }
        .plan(self)
    }
}

impl fmt::Display for Colored<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Writer {
            f,
            is_colored: true,
        }
        .plan(self.0)
    }
}

struct Writer<'f, 'b> {
    f: &'f mut fmt::Formatter<'b>,
    is_colored: bool,
}

/// Columns in front of what is said.
const INDENT: usize = 10;

impl Writer<'_, '_> {
    fn plan(&mut self, plan: &Plan) -> fmt::Result {
        if plan.is_empty() {
            let count = plan.bindings().count();
            return writeln!(
                self.f,
                "nothing changes: {} keep their state",
                bindings(count)
            );
        }
        for outcome in plan
            .groups
            .chunk_by(|one, next| one.outcome == next.outcome)
        {
            for group in outcome.iter().take(SHOWN_GROUPS) {
                self.group(group, &plan.given)?;
            }
            let hidden = outcome.get(SHOWN_GROUPS..).unwrap_or_default();
            if let Some(first) = hidden.first() {
                let count = hidden.iter().map(|group| group.bindings.len()).sum();
                let more = format!(
                    "{} more, which change in {} more ways",
                    bindings(count),
                    hidden.len()
                );
                self.line(
                    (&first.outcome.to_string(), Tone::of(first.outcome)),
                    &more,
                    Tone::Plain,
                )?;
                writeln!(self.f)?;
            }
        }
        for step in &plan.steps {
            let declares = if step.declares.is_empty() {
                "nothing"
            } else {
                &step.declares
            };
            let said = format!(
                "{} changes {}; declares: {declares}",
                step.migration,
                bindings(step.bindings)
            );
            self.line(("migration", Tone::Faint), &said, Tone::Plain)?;
        }
        let kind = if plan.is_replacement() {
            "replaces the state"
        } else {
            "merges"
        };
        writeln!(
            self.f,
            "checkpoint of {} bytes, {kind}; the state has {} bytes now, {} after",
            plan.update_bytes(),
            plan.before_bytes,
            plan.after_bytes
        )
    }

    fn group(&mut self, group: &Group, given: &[Consent]) -> fmt::Result {
        let Some(first) = group.bindings.first() else {
            return Ok(());
        };
        let is_whole = &*first.state_key == WHOLE_STATE;
        let what = if is_whole {
            "the connector state".to_owned()
        } else {
            bindings(group.bindings.len())
        };
        let change = match group.change.as_str() {
            "" => what,
            change => format!("{what}: {change}"),
        };
        self.line(
            (&group.outcome.to_string(), Tone::of(group.outcome)),
            &change,
            Tone::Plain,
        )?;
        if !is_whole {
            self.names(group)?;
        }
        if group.outcome != Outcome::Keep && !is_whole {
            let of = match group.bindings.len() {
                1 => String::new(),
                _ => format!(" (`{}`)", first.state_key),
            };
            self.line(
                ("  before", Tone::Faint),
                &format!("{}{of}", first.before),
                Tone::Plain,
            )?;
            self.line(
                ("  after", Tone::Faint),
                &first.after.to_string(),
                Tone::Plain,
            )?;
            self.example(&group.example)?;
        }
        for note in &group.notes {
            self.line(("  note", Tone::Faint), note, Tone::Plain)?;
        }
        if !group.migrations.is_empty() {
            self.line(
                ("  by", Tone::Faint),
                &group.migrations.join(", "),
                Tone::Plain,
            )?;
        }
        self.consents(group, given)?;
        writeln!(self.f)
    }

    /// What a group needs a person's word for: what still has to be said, and what the endpoint config says already.
    fn consents(&mut self, group: &Group, given: &[Consent]) -> fmt::Result {
        let Some(kind) = group.needs else {
            return Ok(());
        };
        let is_given = |binding: &&BindingPlan| {
            given
                .iter()
                .any(|consent| consent.kind == kind && *consent.state_key == *binding.state_key)
        };
        let (given, missing): (Vec<_>, Vec<_>) = group.bindings.iter().partition(is_given);
        let listed = |bindings: &[&BindingPlan], flag: &str| {
            let named = bindings.iter().take(NAMED_BINDINGS);
            let mut words: Vec<String> = named
                .map(|binding| format!("{flag}{kind}:{}", binding.state_key))
                .collect();
            if bindings.len() > NAMED_BINDINGS {
                words.push("and so on".to_owned());
            }
            words.join(" ")
        };
        if !missing.is_empty() {
            let words = listed(&missing, "--allow ");
            self.line(("  needs", Tone::Faint), &words, Tone::Bad)?;
        }
        if !given.is_empty() {
            let words = format!("{}, by the endpoint config", listed(&given, ""));
            self.line(("  given", Tone::Faint), &words, Tone::Careful)?;
        }
        Ok(())
    }

    fn names(&mut self, group: &Group) -> fmt::Result {
        let mut named: Vec<String> = group
            .bindings
            .iter()
            .take(NAMED_BINDINGS)
            .map(name)
            .collect();
        if group.bindings.len() > NAMED_BINDINGS {
            named.push(format!(
                "and {} more",
                group.bindings.len() - NAMED_BINDINGS
            ));
        }
        self.line(("", Tone::Plain), &named.join(", "), Tone::Plain)
    }

    fn example(&mut self, example: &Example) -> fmt::Result {
        for line in &example.lines {
            let (sign, tone) = match line.sign {
                Sign::Removed => ("-", Tone::Bad),
                Sign::Added => ("+", Tone::Good),
            };
            self.line(
                ("", Tone::Plain),
                &format!("{sign} {} {}", line.pointer, line.value),
                tone,
            )?;
        }
        if example.more > 0 {
            self.line(
                ("", Tone::Plain),
                &format!("… and {} more members", example.more),
                Tone::Faint,
            )?;
        }
        Ok(())
    }

    /// Writes a label and words behind it, wrapped; a word longer than a line stays whole.
    fn line(&mut self, (label, label_tone): (&str, Tone), text: &str, tone: Tone) -> fmt::Result {
        self.toned(label, label_tone)?;
        write!(
            self.f,
            "{:1$}",
            "",
            INDENT.saturating_sub(label.chars().count())
        )?;
        let mut column = INDENT;
        let mut row = String::new();
        for (at, word) in text.split(' ').enumerate() {
            let word: String = word.chars().flat_map(visible).collect();
            let length = word.chars().count();
            if at > 0 && column + 1 + length > WIDTH {
                self.toned(&row, tone)?;
                write!(self.f, "\n{:INDENT$}", "")?;
                row.clear();
                column = INDENT;
            } else if at > 0 {
                row.push(' ');
                column += 1;
            }
            row.push_str(&word);
            column += length;
        }
        self.toned(&row, tone)?;
        writeln!(self.f)
    }

    fn toned(&mut self, text: &str, tone: Tone) -> fmt::Result {
        match tone
            .sequence()
            .filter(|_| self.is_colored && !text.is_empty())
        {
            None => self.f.write_str(text),
            Some(sequence) => write!(self.f, "\u{1b}[{sequence}m{text}\u{1b}[0m"),
        }
    }
}

/// A character that a terminal would act on, as it would be written in a program.
fn visible(character: char) -> impl Iterator<Item = char> {
    let escaped = character.is_control().then(|| character.escape_default());
    let plain = (!character.is_control()).then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

fn name(binding: &BindingPlan) -> String {
    let orphan = if binding.is_orphan {
        " (no binding)"
    } else {
        ""
    };
    let moved = binding
        .moved_from
        .as_ref()
        .map(|from| format!(" (from {from})"));
    format!("{}{}{orphan}", binding.state_key, moved.unwrap_or_default())
}

fn bindings(count: usize) -> String {
    if count == 1 {
        "1 binding".to_owned()
    } else {
        format!("{count} bindings")
    }
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

#[cfg(test)]
mod tests;
