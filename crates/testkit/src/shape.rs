//! Where things stand in a raw state: the bindings, the three parts of each, and their entries.
//!
//! Looks at shape alone and decodes nothing: the states of old releases need not fit today's model.

use staunch_state::{BINDING_STATES, Node, Object};

/// A part of a binding's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// The members of an entry; if any of them is there, the part is flat.
    pub(crate) members: &'static [&'static str],
}

pub(crate) const INC: Part = Part {
    name: "inc",
    members: &["cursor"],
};
pub(crate) const BACKFILL: Part = Part {
    name: "backfill",
    members: &["cutoff", "next_page"],
};
pub(crate) const SNAPSHOT: Part = Part {
    name: "snapshot",
    members: &["updated_at", "last_count", "last_digest"],
};
pub(crate) const PARTS: [Part; 3] = [INC, BACKFILL, SNAPSHOT];

impl Part {
    /// Whether the part is one entry.
    pub(crate) fn is_flat(self, state: &Object) -> bool {
        let part = state.get(self.name).and_then(Node::as_object);
        part.is_some_and(|part| {
            self.members
                .iter()
                .any(|member| part.present(member).is_some())
        })
    }

    /// Every entry, with its subtask's name; the flat one has none.
    pub(crate) fn entries(self, state: &Object) -> Vec<(Option<&str>, &Object)> {
        let Some(part) = state.get(self.name).and_then(Node::as_object) else {
            return Vec::new();
        };
        if self.is_flat(state) {
            return vec![(None, part)];
        }
        part.iter()
            .filter_map(|(name, node)| Some((Some(name), node.as_object()?)))
            .collect()
    }

    /// The names of all entries.
    pub(crate) fn names(self, state: &Object) -> Vec<Option<String>> {
        self.entries(state)
            .into_iter()
            .map(|(name, _)| name.map(str::to_owned))
            .collect()
    }

    pub(crate) fn entry<'a>(self, state: &'a Object, name: Option<&str>) -> Option<&'a Object> {
        self.entries(state)
            .into_iter()
            .find(|(theirs, _)| *theirs == name)
            .map(|(_, entry)| entry)
    }

    pub(crate) fn entry_mut<'a>(
        self,
        state: &'a mut Object,
        name: Option<&str>,
    ) -> Option<&'a mut Object> {
        let part = state.get_mut(self.name)?.as_object_mut()?;
        match name {
            None => Some(part),
            Some(name) => part.get_mut(name)?.as_object_mut(),
        }
    }

    /// Puts an entry, and makes the part if there is none.
    pub(crate) fn put(self, state: &mut Object, name: Option<&str>, entry: Object) {
        let Some(name) = name else {
            state.insert(self.name, entry);
            return;
        };
        match state.get_mut(self.name).and_then(Node::as_object_mut) {
            Some(part) => {
                part.insert(name, entry);
            }
            None => {
                state.insert(self.name, Object::from_iter([(name, Node::Object(entry))]));
            }
        }
    }

    /// Removes an entry; the flat one with the whole part.
    pub(crate) fn take(self, state: &mut Object, name: Option<&str>) {
        match name {
            None => {
                state.remove(self.name);
            }
            Some(name) => {
                if let Some(part) = state.get_mut(self.name).and_then(Node::as_object_mut) {
                    part.remove(name);
                }
            }
        }
    }
}

/// The state of each binding that has one.
pub(crate) fn bindings(state: &Node) -> impl Iterator<Item = (&str, &Object)> {
    let states = state
        .as_object()
        .and_then(|root| root.get(BINDING_STATES)?.as_object());
    states
        .into_iter()
        .flat_map(Object::iter)
        .filter_map(|(key, node)| Some((key, node.as_object()?)))
}

pub(crate) fn binding<'a>(state: &'a Node, key: &str) -> Option<&'a Object> {
    state
        .as_object()?
        .get(BINDING_STATES)?
        .as_object()?
        .get(key)?
        .as_object()
}

pub(crate) fn states_mut(state: &mut Node) -> Option<&mut Object> {
    state
        .as_object_mut()?
        .get_mut(BINDING_STATES)?
        .as_object_mut()
}

pub(crate) fn binding_mut<'a>(state: &'a mut Node, key: &str) -> Option<&'a mut Object> {
    states_mut(state)?.get_mut(key)?.as_object_mut()
}

/// A connector state of these bindings, and nothing else.
pub(crate) fn state_of<'a>(bindings: impl IntoIterator<Item = (&'a str, Object)>) -> Node {
    let states: Object = bindings
        .into_iter()
        .map(|(key, state)| (key, Node::Object(state)))
        .collect();
    Node::Object(Object::from_iter([(BINDING_STATES, Node::Object(states))]))
}

/// A state key, and the counter of backfills that it ends with: `accounts.v2`.
pub(crate) fn without_counter(key: &str) -> (&str, Option<&str>) {
    match key.rsplit_once(".v") {
        Some((base, digits))
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            (base, Some(digits))
        }
        _ => (key, None),
    }
}

/// The state without what says nothing: members that are `null`, and parts that are empty.
pub(crate) fn tidy(state: &Object) -> Object {
    let is_part = |key: &str| PARTS.iter().any(|part| part.name == key);
    let says = |key: &str, node: &Node| match node {
        Node::Null => false,
        Node::Object(object) if is_part(key) => object.iter().any(|(_, node)| !node.is_null()),
        _ => true,
    };
    state
        .iter()
        .filter(|(key, node)| says(key, node))
        .map(|(key, node)| (key, node.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Node::parse(text).unwrap().into_object().unwrap()
    }

    #[test]
    fn entries_are_found_by_shape_alone() {
        for (state, names) in [
            (r#"{"inc":{"cursor":7}}"#, vec![None]),
            (
                r#"{"inc":{"cursor":null,"a":{"cursor":7},"b":null}}"#,
                vec![Some("a".to_owned())],
            ),
            (r#"{"inc":{}}"#, vec![]),
            (r#"{"inc":null}"#, vec![]),
            (r#"{}"#, vec![]),
        ] {
            assert_eq!(INC.names(&object(state)), names, "{state}");
        }
    }

    #[test]
    fn a_counter_is_digits_behind_the_last_v() {
        for (key, parts) in [
            ("a.v2", ("a", Some("2"))),
            ("a.v", ("a.v", None)),
            ("a.v2b", ("a.v2b", None)),
            ("a.v1.v12", ("a.v1", Some("12"))),
            ("a", ("a", None)),
        ] {
            assert_eq!(without_counter(key), parts);
        }
    }
}
