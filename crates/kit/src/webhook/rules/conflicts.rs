//! Finds rules that would take the same request, with none of them more specific.

use std::collections::HashMap;

use super::RuleError;
use super::condition::Compiled;
use super::router::{Node, Set};
use crate::webhook::pattern::Relation;

/// Conflicts that are told at once: each correction may undo many.
const MANY: usize = 20;

/// The rules that were given, and what is wrong among them.
struct Search<'a> {
    names: &'a [String],
    rules: &'a [Compiled],
    errors: Vec<RuleError>,
}

/// All conflicts among these rules, up to [`MANY`].
pub(super) fn find(
    names: &[String],
    rules: &[Compiled],
    sets: &[Set<'_>],
    root: &Node,
) -> Vec<RuleError> {
    let mut search = Search {
        names,
        rules,
        errors: Vec::new(),
    };
    for (index, set) in sets.iter().enumerate() {
        if search.within(set).is_none() {
            break;
        }
        let mut overlapping = Vec::new();
        root.overlapping(set.pattern.segments(), &mut overlapping);
        overlapping.sort_unstable();
        for other in overlapping.into_iter().filter(|other| *other > index) {
            let other = &sets[other];
            let is_crossing = set.pattern.relation(other.pattern) == Relation::Crossing;
            if !is_crossing || set.method != other.method {
                continue;
            }
            let both = (set.shapes.values(), other.shapes.values());
            if search.between(both.0.flatten(), both.1.flatten()).is_none() {
                break;
            }
        }
    }
    if search.errors.len() >= MANY {
        search.errors.truncate(MANY);
        search.errors.push(RuleError::Others);
    }
    search.errors
}

impl Search<'_> {
    /// Among rules of the same paths. None once enough is known.
    fn within(&mut self, set: &Set<'_>) -> Option<()> {
        for (at, (shape, indices)) in set.shapes.iter().enumerate() {
            let mut first = HashMap::new();
            for &index in indices {
                let rule = &self.rules[index];
                let values = (rule.headers_key(), rule.members_key());
                match first.get(&values) {
                    Some(&first) => self.conflict(first, index, true)?,
                    None => drop(first.insert(values, index)),
                }
            }
            for (other, others) in set.shapes.iter().skip(at + 1) {
                if shape.relation(other) == Relation::Crossing {
                    self.between(indices.iter(), others.iter())?;
                }
            }
        }
        Some(())
    }

    /// Between rules of which none is more specific than any of the others.
    fn between<'b>(
        &mut self,
        these: impl Iterator<Item = &'b usize>,
        others: impl Iterator<Item = &'b usize> + Clone,
    ) -> Option<()> {
        for &one in these {
            for &two in others.clone() {
                if self.rules[one].agrees(&self.rules[two]) {
                    self.conflict(one.min(two), one.max(two), false)?;
                }
            }
        }
        Some(())
    }

    fn conflict(&mut self, first: usize, second: usize, is_same: bool) -> Option<()> {
        self.errors.push(RuleError::Conflict {
            first: self.names[first].clone(),
            second: self.names[second].clone(),
            overlap: overlap(&self.rules[first], &self.rules[second]),
            is_same,
        });
        (self.errors.len() < MANY).then_some(())
    }
}

/// A request that both take, without values: one may be there that should not.
fn overlap(one: &Compiled, two: &Compiled) -> String {
    let path = one.pattern.common(&two.pattern);
    let mut text = format!("`{} {path}`", one.method);
    let mut headers: Vec<&str> = [one, two]
        .iter()
        .flat_map(|rule| rule.headers.keys().map(String::as_str))
        .collect();
    headers.sort_unstable();
    headers.dedup();
    let mut members: Vec<String> = [one, two]
        .iter()
        .flat_map(|rule| rule.members.keys().map(|tokens| pointer(tokens)))
        .collect();
    members.sort_unstable();
    members.dedup();
    // What another one lies in goes without saying.
    let all = members.clone();
    members.retain(|one| {
        !all.iter()
            .any(|other| other.starts_with(&format!("{one}/")))
    });
    let mut joint = " with";
    for (what, names) in [
        ("header", headers),
        ("member", members.iter().map(String::as_str).collect()),
    ] {
        for name in names {
            text.push_str(&format!("{joint} {what} `{name}`"));
            joint = " and";
        }
    }
    text
}

/// The pointer of these tokens.
pub(crate) fn pointer(tokens: &[String]) -> String {
    let escape = |token: &String| format!("/{}", token.replace('~', "~0").replace('/', "~1"));
    tokens.iter().map(escape).collect()
}
