//! The names of columns.

use std::collections::HashMap;

/// The columns of a table, each of another name.
///
/// An empty name, and one that another column has already, are replaced; [`renamed`](Self::renamed) tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    names: Vec<String>,
    /// Each name as a JSON string with a colon, to be written in front of a value.
    keys: Vec<Box<[u8]>>,
    positions: HashMap<String, usize>,
    renamed: Vec<Renamed>,
}

/// A column that is called otherwise than in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Renamed {
    /// Its position, from zero.
    pub position: usize,
    /// The name in the file: empty, or that of a column before it.
    pub from: String,
    /// The name that it has: `column_3` for an empty one in the third column, `price_2` for the second `price`.
    pub to: String,
}

impl Columns {
    /// Columns of these names, made different from each other.
    pub(super) fn new(given: Vec<String>) -> Self {
        let mut columns = Self::default();
        // What is in the file keeps its name: no replacement takes one that a later column has.
        let mut taken: HashMap<&str, usize> = HashMap::with_capacity(given.len());
        for (position, name) in given.iter().enumerate() {
            taken.entry(name).or_insert(position);
        }
        // From which number on a name is tried, so that a thousand equal ones do not take a million steps.
        let mut next: HashMap<&str, usize> = HashMap::new();
        for (position, from) in given.iter().enumerate() {
            if !from.is_empty() && taken[from.as_str()] == position {
                columns.push(from.clone());
                continue;
            }
            let (stem, first) = match from.as_str() {
                "" => ("column", position + 1),
                name => (name, *next.get(name).unwrap_or(&2)),
            };
            let mut number = first;
            let is_taken =
                |name: &str| taken.contains_key(name) || columns.positions.contains_key(name);
            while is_taken(&format!("{stem}_{number}")) {
                number += 1;
            }
            next.insert(from, number + 1);
            let to = format!("{stem}_{number}");
            columns.renamed.push(Renamed {
                position,
                from: from.clone(),
                to: to.clone(),
            });
            columns.push(to);
        }
        columns
    }

    /// So many columns without names in their file.
    pub(super) fn numbered(count: usize) -> Self {
        let mut columns = Self::default();
        for number in 1..=count {
            columns.push(format!("column_{number}"));
        }
        columns
    }

    fn push(&mut self, name: String) {
        self.keys.push(key(&name));
        self.positions.insert(name.clone(), self.names.len());
        self.names.push(name);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none, as in an empty file.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Their names, in the order of the file.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The position of the column of this name, from zero.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// Those that are called otherwise than in the file.
    pub fn renamed(&self) -> &[Renamed] {
        &self.renamed
    }

    pub(super) fn name(&self, position: usize) -> Option<&str> {
        self.names.get(position).map(String::as_str)
    }

    pub(super) fn key(&self, position: usize) -> Option<&[u8]> {
        self.keys.get(position).map(AsRef::as_ref)
    }

    /// What a field beyond the last column is called.
    pub(super) fn surplus(&self, position: usize) -> String {
        let mut name = format!("column_{}", position + 1);
        while self.positions.contains_key(&name) {
            name.push('_');
        }
        name
    }
}

/// A name as it stands in front of its value in JSON.
pub(super) fn key(name: &str) -> Box<[u8]> {
    let mut key = serde_json::to_vec(name).expect("a string is JSON");
    key.push(b':');
    key.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_names_that_differ_and_tell_which_are_not_those_of_the_file() {
        for (given, expected, renamed) in [
            (vec!["a", "b"], vec!["a", "b"], vec![]),
            (vec!["a", "a", "a"], vec!["a", "a_2", "a_3"], vec![1, 2]),
            (vec!["a", "a", "a_2"], vec!["a", "a_3", "a_2"], vec![1]),
            (
                vec!["", "x", ""],
                vec!["column_1", "x", "column_3"],
                vec![0, 2],
            ),
            (vec!["", "column_1"], vec!["column_2", "column_1"], vec![0]),
            (
                vec!["", "column", "column"],
                vec!["column_1", "column", "column_2"],
                vec![0, 2],
            ),
            (
                vec!["", "", "column_1"],
                vec!["column_2", "column_3", "column_1"],
                vec![0, 1],
            ),
        ] {
            let columns = Columns::new(given.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(columns.names().collect::<Vec<_>>(), expected, "{given:?}");
            let positions: Vec<usize> = columns.renamed().iter().map(|one| one.position).collect();
            assert_eq!(positions, renamed, "{given:?}");
            for (position, name) in expected.iter().enumerate() {
                assert_eq!(columns.position(name), Some(position));
            }
        }
    }
}
