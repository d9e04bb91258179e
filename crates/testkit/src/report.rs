//! What a run of the harness did.

use std::collections::BTreeMap;
use std::fmt;

use crate::mutation::Mutation;

/// What was checked, for people and for assertions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Released states.
    pub states: usize,
    /// Generated states that a release could have written.
    pub generated: usize,
    /// Generated states that are half each, which no release could have written.
    pub residues: usize,
    /// Of those, how many were refused.
    pub residues_refused: usize,
    /// How often each mistake was made, and refused.
    pub mutations: BTreeMap<Mutation, usize>,
    /// Sessions that were cut.
    pub kills: usize,
    /// Bindings that were undone right away, and later.
    pub undone: usize,
    /// What could not be checked, and why, a sentence each.
    pub skipped: Vec<String>,
}

impl Report {
    /// Mistakes that were made, and refused.
    pub fn mutations_refused(&self) -> usize {
        self.mutations.values().sum()
    }

    /// Mistakes that no state of the folder offers a place for.
    pub fn mutations_not_made(&self) -> impl Iterator<Item = Mutation> {
        Mutation::ALL
            .into_iter()
            .filter(|mutation| !self.mutations.contains_key(mutation))
    }

    pub(crate) fn skip(&mut self, what: String) {
        if !self.skipped.contains(&what) {
            self.skipped.push(what);
        }
    }
}

/// `7 states, 2,412 generated, 38 mutations refused, 61 kills`, and on further lines what was made and what was left out.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} {}, {} generated, {} mutations refused, {} kills",
            grouped(self.states),
            if self.states == 1 { "state" } else { "states" },
            grouped(self.generated),
            grouped(self.mutations_refused()),
            grouped(self.kills)
        )?;
        writeln!(
            f,
            "  half each: {}, of which {} refused; undone: {}",
            grouped(self.residues),
            grouped(self.residues_refused),
            grouped(self.undone)
        )?;
        for (mutation, count) in &self.mutations {
            writeln!(f, "  refused: {mutation} ({})", grouped(*count))?;
        }
        for mutation in self.mutations_not_made() {
            writeln!(f, "  no state for: {mutation}")?;
        }
        self.skipped
            .iter()
            .try_for_each(|what| writeln!(f, "  left out: {what}"))
    }
}

/// A count with a comma between thousands.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        for (count, text) in [
            (0, "0"),
            (61, "61"),
            (999, "999"),
            (2_412, "2,412"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(grouped(count), text);
        }
    }
}
