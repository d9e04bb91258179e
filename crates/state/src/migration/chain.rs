//! The ordered list of migrations, and how it is run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{
    Binding, Declared, Effects, Migration, MigrationError, WHOLE_STATE_KEY, WholeMigration,
};
use crate::map::{Key, Map};
use crate::model::{BINDING_STATES, binding_pointer};
use crate::node::{Node, Object};

/// An ordered list of migrations: all that ever shaped the state of this connector, oldest first.
#[derive(Default)]
pub struct Chain {
    steps: Vec<Step>,
}

enum Step {
    Binding(Box<dyn Migration>),
    Whole(Box<dyn WholeMigration>),
}

/// What a chain made of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Migrated {
    /// The whole new state.
    pub after: Node,
    /// The steps that changed something, in the order of the chain.
    pub applied: Vec<Applied>,
}

/// A step that changed something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The name of the step.
    pub migration: String,
    /// Every binding whose state it changed, in the order of the state; empty text stands for the members of the connector state that
    /// belong to no binding.
    pub state_keys: Vec<Arc<str>>,
}

/// What a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepInfo {
    /// Its name.
    pub name: String,
    /// What its checksum is taken of. See [`Migration::definition`].
    pub definition: String,
    /// Whether it declares a reverse.
    pub is_reversible: bool,
}

impl Chain {
    /// A chain without steps.
    pub fn new() -> Self {
        Chain::default()
    }

    /// Adds a step behind the others.
    #[must_use]
    pub fn with(mut self, step: impl Migration + 'static) -> Self {
        self.steps.push(Step::Binding(Box::new(step)));
        self
    }

    /// Adds a step that needs the whole state.
    #[must_use]
    pub fn with_whole(mut self, step: impl WholeMigration + 'static) -> Self {
        self.steps.push(Step::Whole(Box::new(step)));
        self
    }

    /// Whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The names of the steps, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(Step::name)
    }

    /// The steps, in their order.
    pub fn steps(&self) -> impl Iterator<Item = StepInfo> {
        self.steps.iter().map(Step::info)
    }

    /// What each step declares.
    pub fn declared(&self) -> Declared {
        self.steps
            .iter()
            .map(|step| (step.name().to_owned(), step.declares()))
            .collect()
    }

    /// The chain that undoes every step behind `last_kept`, newest first; `None` undoes all.
    ///
    /// # Errors
    /// [`MigrationError::NotReversible`] for a step that cannot be undone, [`MigrationError::NotInChain`] when there is no `last_kept`.
    pub fn back_to(&self, last_kept: Option<&str>) -> Result<Chain, MigrationError> {
        let kept = match last_kept {
            None => 0,
            Some(name) => {
                1 + self.names().position(|step| step == name).ok_or_else(|| {
                    MigrationError::NotInChain {
                        migration: name.to_owned(),
                        known: self.names().map(str::to_owned).collect(),
                    }
                })?
            }
        };
        let undone = self.steps[kept..].iter().rev().map(|step| {
            let reverse = match step {
                Step::Binding(step) => step.reverse().map(Step::Binding),
                Step::Whole(step) => step.reverse().map(Step::Whole),
            };
            reverse.ok_or_else(|| MigrationError::NotReversible {
                migration: step.name().to_owned(),
            })
        });
        Ok(Chain {
            steps: undone.collect::<Result<_, _>>()?,
        })
    }

    /// Sees that the chain has every step that is recorded to have shaped a state.
    ///
    /// # Errors
    /// [`MigrationError::StateNewer`], with those that it has not: the state is newer than the connector.
    pub fn check_knows<'a>(
        &self,
        recorded: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), MigrationError> {
        let known: HashSet<&str> = self.names().collect();
        let migrations: Vec<String> = recorded
            .into_iter()
            .filter(|name| !known.contains(name))
            .map(str::to_owned)
            .collect();
        if migrations.is_empty() {
            Ok(())
        } else {
            Err(MigrationError::StateNewer { migrations })
        }
    }

    /// Runs the chain: each step in order, for each binding that has state.
    ///
    /// State keys without a binding are migrated too, as bindings without a resource. `null` counts as no state.
    ///
    /// # Errors
    /// [`MigrationError`] for the first step that fails, and when running the chain on its result would change it
    /// again.
    pub fn run(&self, state: &Node, bindings: &[Binding]) -> Result<Migrated, MigrationError> {
        if self.is_empty() || state.is_null() {
            return Ok(Migrated {
                after: state.clone(),
                applied: Vec::new(),
            });
        }
        self.check_names()?;
        let before = state
            .as_object()
            .ok_or_else(|| MigrationError::NotAnObject {
                pointer: String::new(),
            })?;
        let pass = Pass::new(self, bindings);
        let (after, applied) = pass.run(before)?;
        if !applied.is_empty() {
            pass.check_fixed(&after)?;
        }
        Ok(Migrated {
            after: Node::Object(after),
            applied,
        })
    }

    fn check_names(&self) -> Result<(), MigrationError> {
        let mut seen = HashSet::new();
        match self.names().find(|name| !seen.insert(*name)) {
            Some(name) => Err(MigrationError::NameReused {
                migration: name.to_owned(),
            }),
            None => Ok(()),
        }
    }
}

impl Step {
    fn name(&self) -> &str {
        match self {
            Step::Binding(step) => step.name(),
            Step::Whole(step) => step.name(),
        }
    }

    fn declares(&self) -> Effects {
        match self {
            Step::Binding(step) => step.declares(),
            Step::Whole(step) => step.declares(),
        }
    }

    fn info(&self) -> StepInfo {
        let (definition, is_reversible) = match self {
            Step::Binding(step) => (step.definition(), step.reverse().is_some()),
            Step::Whole(step) => (step.definition(), step.reverse().is_some()),
        };
        StepInfo {
            name: self.name().to_owned(),
            definition,
            is_reversible,
        }
    }
}

/// One run of all steps over one state.
struct Pass<'a> {
    steps: &'a [Step],
    /// Whether the step at each place declares that it removes state.
    removes: Vec<bool>,
    bindings: &'a [Binding],
    known: HashMap<&'a str, &'a Binding>,
}

/// The bindings that each step changed.
type Changed = Vec<Vec<Key>>;

impl<'a> Pass<'a> {
    fn new(chain: &'a Chain, bindings: &'a [Binding]) -> Self {
        let known = bindings
            .iter()
            .map(|binding| (binding.state_key.as_str(), binding));
        Pass {
            steps: &chain.steps,
            removes: chain
                .steps
                .iter()
                .map(|step| step.declares().removes())
                .collect(),
            bindings,
            known: known.collect(),
        }
    }

    fn run(&self, before: &Object) -> Result<(Object, Vec<Applied>), MigrationError> {
        let mut changed: Changed = vec![Vec::new(); self.steps.len()];
        let mut state = before.clone();
        let mut at = 0;
        while let Some(step) = self.steps.get(at) {
            match step {
                Step::Whole(step) => {
                    state = self.run_whole(&**step, state, &mut changed[at])?;
                    at += 1;
                }
                // All that follow and look at one binding only, binding by binding.
                Step::Binding(_) => {
                    let more = self.steps[at..]
                        .iter()
                        .take_while(|step| matches!(step, Step::Binding(_)));
                    let end = at + more.count();
                    state = self.run_bindings(at..end, state, &mut changed)?;
                    at = end;
                }
            }
        }
        let applied = self
            .steps
            .iter()
            .zip(changed)
            .filter(|(_, state_keys)| !state_keys.is_empty());
        let applied = applied.map(|(step, state_keys)| Applied {
            migration: step.name().to_owned(),
            state_keys,
        });
        Ok((state, applied.collect()))
    }

    fn run_whole(
        &self,
        step: &dyn WholeMigration,
        state: Object,
        changed: &mut Vec<Key>,
    ) -> Result<Object, MigrationError> {
        if !step.applies(self.bindings, &state) {
            return Ok(state);
        }
        let after = step
            .migrate(self.bindings, state.clone())
            .map_err(|error| error.of(step.name(), WHOLE_STATE_KEY))?;
        changed.extend(changed_keys(&state, &after));
        Ok(after)
    }

    fn run_bindings(
        &self,
        steps: std::ops::Range<usize>,
        mut state: Object,
        changed: &mut Changed,
    ) -> Result<Object, MigrationError> {
        let states = match state.get(BINDING_STATES) {
            None | Some(Node::Null) => return Ok(state),
            Some(Node::Object(states)) => states.clone(),
            Some(Node::Leaf(_)) => {
                return Err(MigrationError::NotAnObject {
                    pointer: format!("/{BINDING_STATES}"),
                });
            }
        };
        let mut after = Changing::new(&states);
        for (at, (key, node)) in states.map().iter().enumerate() {
            let state = match node {
                Node::Object(state) => state,
                Node::Null => {
                    after.keep(key, node);
                    continue;
                }
                Node::Leaf(_) => {
                    return Err(MigrationError::NotAnObject {
                        pointer: binding_pointer(key, &[]),
                    });
                }
            };
            match self.run_binding(steps.clone(), key, state, changed)? {
                Ran::Unchanged => after.keep(key, node),
                Ran::Changed(state) => after
                    .changed(at)
                    .append(Key::clone(key), Node::Object(state)),
                Ran::Removed => {
                    after.changed(at);
                }
            }
        }
        if let Some(after) = after.after {
            state.insert(BINDING_STATES, Object::from_map(after));
        }
        Ok(state)
    }

    fn run_binding(
        &self,
        steps: std::ops::Range<usize>,
        key: &Key,
        before: &Object,
        changed: &mut Changed,
    ) -> Result<Ran, MigrationError> {
        let orphan;
        let binding = match self.known.get(&**key) {
            Some(binding) => *binding,
            None => {
                orphan = Binding {
                    state_key: key.to_string(),
                    resource: None,
                    is_active: false,
                };
                &orphan
            }
        };
        let mut after: Option<Object> = None;
        for at in steps {
            let Step::Binding(step) = &self.steps[at] else {
                continue;
            };
            let current = after.as_ref().unwrap_or(before);
            if !step.concerns(binding) || !step.applies(binding, current) {
                continue;
            }
            let next = step
                .migrate(binding, current.clone())
                .map_err(|error| error.of(step.name(), key))?;
            if next == *current {
                continue;
            }
            changed[at].push(Key::clone(key));
            if next.is_empty() && self.removes[at] {
                return Ok(Ran::Removed);
            }
            after = Some(next);
        }
        Ok(after.map_or(Ran::Unchanged, Ran::Changed))
    }

    /// Runs once more, on the result.
    fn check_fixed(&self, after: &Object) -> Result<(), MigrationError> {
        let (again, applied) = self.run(after)?;
        let Some(first) = applied.into_iter().next() else {
            return Ok(());
        };
        if again == *after {
            return Ok(());
        }
        let state_key = changed_keys(after, &again).into_iter().next();
        Err(MigrationError::NotFixed {
            migration: first.migration,
            state_key: state_key.map(|key| key.to_string()).unwrap_or_default(),
        })
    }
}

/// The states of bindings on their way to become others. Made when the first of them does: most often none does.
struct Changing<'s> {
    before: &'s Object,
    after: Option<Map<Node>>,
}

impl<'s> Changing<'s> {
    fn new(before: &'s Object) -> Self {
        Changing {
            before,
            after: None,
        }
    }

    fn keep(&mut self, key: &Key, node: &Node) {
        if let Some(after) = &mut self.after {
            after.append(Key::clone(key), node.clone());
        }
    }

    /// The states up to the one at this place, to be added to.
    fn changed(&mut self, at: usize) -> &mut Map<Node> {
        self.after.get_or_insert_with(|| {
            let mut after = Map::with_capacity(self.before.len());
            for (key, node) in self.before.map().iter().take(at) {
                after.append(Key::clone(key), node.clone());
            }
            after
        })
    }
}

enum Ran {
    Unchanged,
    Changed(Object),
    Removed,
}

/// Every binding whose state differs, and the empty key if anything else does.
fn changed_keys(before: &Object, after: &Object) -> Vec<Key> {
    let nothing = Object::new();
    let states = |root: &'_ Object| -> Object {
        root.get(BINDING_STATES)
            .and_then(Node::as_object)
            .unwrap_or(&nothing)
            .clone()
    };
    let (old, new) = (states(before), states(after));
    let gone_or_changed = old
        .map()
        .iter()
        .filter(|(key, node)| new.get(key) != Some(node));
    let added = new.map().iter().filter(|(key, _)| !old.contains(key));
    let mut keys: Vec<Key> = gone_or_changed
        .chain(added)
        .map(|(key, _)| Key::clone(key))
        .collect();
    let others = |root: &Object| {
        let mut root = root.clone();
        root.remove(BINDING_STATES);
        root
    };
    if others(before) != others(after) {
        keys.push(Key::from(WHOLE_STATE_KEY));
    }
    keys
}
