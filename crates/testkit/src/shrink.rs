//! The smallest state that shows a mistake: what can be left out is, as long as the mistake stays the same.

use staunch_state::{BINDING_STATES, Node, Object};

use crate::case::Case;
use crate::law::Violation;
use crate::shape::{self, PARTS};

/// Attempts that are made at most.
const ATTEMPTS: usize = 500;

/// Leaves out bindings and members, one after the other.
pub(crate) fn smallest(
    case: Case,
    violation: Violation,
    check: &dyn Fn(&Case) -> Option<Violation>,
) -> (Case, Violation) {
    let (mut best, mut told) = (case, violation);
    let mut attempts = 0;
    'smaller: loop {
        for candidate in candidates(&best) {
            attempts += 1;
            if attempts > ATTEMPTS {
                break 'smaller;
            }
            if let Some(violation) = check(&candidate).filter(|violation| violation.is_like(&told))
            {
                (best, told) = (candidate, violation);
                continue 'smaller;
            }
        }
        break;
    }
    (best, told)
}

/// Each state with something left out, the largest steps first.
fn candidates(case: &Case) -> Vec<Case> {
    let keys: Vec<&str> = shape::bindings(&case.state).map(|(key, _)| key).collect();
    let mut states = Vec::new();
    if keys.len() > 3 {
        let (first, second) = keys.split_at(keys.len() / 2);
        states.extend([first, second].map(|part| without_bindings(&case.state, part)));
    }
    if keys.len() > 1 {
        states.extend(keys.iter().map(|key| without_bindings(&case.state, &[key])));
    }
    let root = case.state.as_object();
    let beside = root
        .into_iter()
        .flat_map(Object::keys)
        .filter(|key| *key != BINDING_STATES);
    states.extend(beside.map(|key| {
        let mut smaller = case.state.clone();
        if let Some(root) = smaller.as_object_mut() {
            root.remove(key);
        }
        smaller
    }));
    for (key, binding) in shape::bindings(&case.state) {
        states.extend(smaller(binding).into_iter().map(|smaller| {
            let mut state = case.state.clone();
            if let Some(binding) = shape::binding_mut(&mut state, key) {
                *binding = smaller;
            }
            state
        }));
    }
    states
        .into_iter()
        .map(|state| with_state(case, state))
        .collect()
}

fn with_state(case: &Case, state: Node) -> Case {
    let bindings = case.bindings.iter().filter(|binding| {
        // A binding without state is no part of the mistake, unless there was none to begin with.
        shape::binding(&state, &binding.state_key).is_some()
            || shape::binding(&case.state, &binding.state_key).is_none()
    });
    Case {
        origin: case.origin.clone(),
        bindings: bindings.cloned().collect(),
        consents: case.consents.clone(),
        state,
    }
}

fn without_bindings(state: &Node, keys: &[&str]) -> Node {
    let mut state = state.clone();
    if let Some(states) = shape::states_mut(&mut state) {
        states.retain(|key, _| !keys.contains(&key));
    }
    state
}

/// A binding's state without one of its members, one of its subtasks, or a member of an entry that no entry needs.
fn smaller(binding: &Object) -> Vec<Object> {
    let mut all: Vec<Object> = binding
        .keys()
        .map(|key| {
            let mut smaller = binding.clone();
            smaller.remove(key);
            smaller
        })
        .collect();
    for part in PARTS {
        for name in part.names(binding) {
            if let Some(subtask) = &name {
                let mut smaller = binding.clone();
                for part in PARTS {
                    if !part.is_flat(&smaller) {
                        part.take(&mut smaller, Some(subtask));
                    }
                }
                all.push(smaller);
            }
            let Some(entry) = part.entry(binding, name.as_deref()) else {
                continue;
            };
            let spare = entry
                .keys()
                .filter(|key| !part.members.contains(key) || *key == "next_page");
            all.extend(spare.map(|key| {
                let mut smaller = binding.clone();
                if let Some(entry) = part.entry_mut(&mut smaller, name.as_deref()) {
                    entry.remove(key);
                }
                smaller
            }));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::law::Law;

    #[test]
    fn a_mistake_is_shown_by_nothing_but_what_it_needs() {
        let state = Node::parse(
            r#"{"bindingStateV1":{"a":{"inc":{"cursor":1}},"b":{"inc":{"x":{"cursor":1,"odd":true},"y":{"cursor":2}},"more":1},"c":{}},"root":1}"#,
        );
        let case = Case {
            origin: String::new(),
            state: state.unwrap(),
            bindings: Vec::new(),
            consents: Vec::new(),
        };
        let wrong = |case: &Case| {
            let text = case.state.to_json();
            text.contains("odd")
                .then(|| Violation::new(Law::NoPanic, "", ""))
        };
        let (smallest, _) = smallest(case, Violation::new(Law::NoPanic, "", ""), &wrong);
        assert_eq!(
            smallest.state.to_json(),
            r#"{"bindingStateV1":{"b":{"inc":{"x":{"cursor":1,"odd":true}}}}}"#
        );
    }
}
