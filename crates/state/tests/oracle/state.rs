//! Small states of one binding: all of them, and their text.

use std::fmt::{self, Write};

use staunch_state::Node;

/// The name of a subtask; `None` is the flat entry.
pub(crate) type Name = Option<&'static str>;

/// The entries of a part: none, one that is flat, or one for each name.
pub(crate) type Part<T> = Vec<(Name, T)>;

/// Reads what is up to the cutoff and not yet behind the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backfill {
    pub(crate) cutoff: u64,
    pub(crate) page: Option<&'static str>,
}

/// The state of a binding, as far as a plan judges it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) inc: Part<u64>,
    pub(crate) backfill: Part<Backfill>,
    pub(crate) snapshot: Part<&'static str>,
    pub(crate) is_initialized: bool,
}

/// The entry under a name.
pub(crate) fn entry<T: Copy>(part: &Part<T>, name: Name) -> Option<T> {
    let found = part.iter().find(|(theirs, _)| *theirs == name);
    found.map(|(_, entry)| *entry)
}

/// Every part that has these values: absent, flat, or with any of the names.
pub(crate) fn parts<T: Copy>(names: &[&'static str], values: &[T]) -> Vec<Part<T>> {
    let mut keyed: Vec<Part<T>> = vec![Vec::new()];
    for name in names {
        let with = keyed.iter().flat_map(|part| {
            values.iter().map(|value| {
                let mut part = part.clone();
                part.push((Some(*name), *value));
                part
            })
        });
        let with: Vec<Part<T>> = with.collect();
        keyed.extend(with);
    }
    keyed.extend(values.iter().map(|value| vec![(None, *value)]));
    keyed
}

impl State {
    /// Whether a subtask of this name stands in any part.
    pub(crate) fn has(&self, name: Name) -> bool {
        entry(&self.inc, name).is_some()
            || entry(&self.backfill, name).is_some()
            || entry(&self.snapshot, name).is_some()
    }

    pub(crate) fn to_node(&self) -> Node {
        Node::parse(&format!(r#"{{"bindingStateV1":{{"K":{self}}}}}"#)).unwrap()
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inc = text(&self.inc, |cursor| format!(r#"{{"cursor":{cursor}}}"#));
        let backfill = text(&self.backfill, |Backfill { cutoff, page }| match page {
            None => format!(r#"{{"cutoff":{cutoff}}}"#),
            Some(page) => format!(r#"{{"cutoff":{cutoff},"next_page":"{page}"}}"#),
        });
        let snapshot = text(&self.snapshot, |digest| {
            format!(
                r#"{{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"{digest}"}}"#
            )
        });
        let initialized = self
            .is_initialized
            .then(|| r#""2025-01-01T00:00:00Z""#.to_owned());
        let members = [
            ("inc", inc),
            ("backfill", backfill),
            ("snapshot", snapshot),
            ("last_initialized", initialized),
        ];
        let mut separator = '{';
        for (name, text) in members {
            if let Some(text) = text {
                write!(f, r#"{separator}"{name}":{text}"#)?;
                separator = ',';
            }
        }
        f.write_str(if separator == '{' { "{}" } else { "}" })
    }
}

fn text<T: Copy>(part: &Part<T>, entry: impl Fn(T) -> String) -> Option<String> {
    match part.as_slice() {
        [] => None,
        [(None, value)] => Some(entry(*value)),
        entries => {
            let mut text = String::from("{");
            for (at, (name, value)) in entries.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                let name = name.expect("a part with a flat entry has no other");
                let _ = write!(text, r#"{comma}"{name}":{}"#, entry(*value));
            }
            text.push('}');
            Some(text)
        }
    }
}
