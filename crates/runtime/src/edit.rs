//! States that a person changes: what that means for each binding, and the one commit that does it.
//!
//! A change by hand is judged as a migration is, by the same engine, but that everything is declared: what counts is what it does. What the
//! engine cannot follow is `UNKNOWN`, and then a person's word counts, too.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use staunch_state::{
    Applied, BINDING_STATES, ConnectorState, Consent, ConsentKind, Declared, Effects, ExactDiff,
    Node, Object, Outcome, Refused, ResumePoint, StateUpdate, Terms, WHOLE_STATE, survey,
};

use crate::catalog::Capture;
use crate::error::RunError;
use crate::inspect::{self, Question};
use crate::process::LogSink;
use crate::project::Project;
use crate::run::parse_state;
use crate::store::{Cause, Commit, Store, StoreReader};

/// What the engine is told of who makes a change.
const BY_HAND: &str = "by hand";

/// The state of a capture, held so that nobody else changes it.
#[derive(Debug)]
pub struct Edit {
    capture: String,
    store: Store,
    revision: u64,
    connector: String,
    state: Node,
}

/// What a change means for the state of one binding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// The binding; `*` for what belongs to none.
    pub state_key: String,
    /// What it means for the source.
    pub outcome: Outcome,
    /// Where it resumed, for people.
    pub before: String,
    /// Where it resumes then.
    pub after: String,
    /// The consent that it needs.
    pub needs: Option<ConsentKind>,
    /// What else is to be said.
    pub notes: Vec<String>,
}

/// A state to be, held against the one that is.
#[derive(Clone, Debug)]
pub struct Proposal {
    state: Node,
    update: StateUpdate,
    /// Every binding that changes, in the order of their keys.
    pub changed: Vec<Changed>,
}

/// Who changes a state, and why.
#[derive(Clone, Copy, Debug)]
pub struct Deed<'a> {
    /// `set`, `reset`, `copy`, `import` or `undo`.
    pub kind: &'a str,
    /// The person.
    pub author: &'a str,
    /// Why, in their words.
    pub reason: &'a str,
    /// What they consented to.
    pub consents: &'a [Consent],
}

impl Edit {
    /// Takes the lease of the store, and reads the state. A capture that never committed has an empty one.
    ///
    /// # Errors
    /// When something else holds the lease, or the state cannot be read.
    pub fn begin(project: &Project, capture: &Capture) -> Result<Self, RunError> {
        let store = project.store(capture)?;
        let row = store.load(&capture.name)?;
        let (revision, connector, state) = match row {
            None => (0, String::new(), Node::Object(Object::new())),
            Some(row) => (
                row.revision,
                row.connector,
                parse_state(capture, &row.state)?,
            ),
        };
        Ok(Self {
            capture: capture.name.clone(),
            store,
            revision,
            connector,
            state,
        })
    }

    /// The state as it is.
    #[must_use]
    pub fn state(&self) -> &Node {
        &self.state
    }

    /// Its revision.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What is stored besides.
    #[must_use]
    pub fn reader(&self) -> &StoreReader {
        self.store.reader()
    }

    /// Holds a state against the one that is.
    #[must_use]
    pub fn propose(&self, state: Node) -> Proposal {
        Proposal::between(&self.state, state)
    }

    /// Commits what was proposed. Answers with the new revision.
    ///
    /// # Errors
    /// Those of writing the store. Nothing is changed then.
    pub fn commit(&mut self, proposal: &Proposal, deed: Deed<'_>) -> Result<u64, RunError> {
        // What the update makes, so that what is recorded and what is stored are one thing.
        let state = proposal.update.apply(self.state.clone());
        let consents = serde_json::to_string(
            &deed
                .consents
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
        )
        .expect("words are JSON");
        self.revision = self.store.commit(&Commit {
            capture: &self.capture,
            expected_revision: self.revision,
            state: Some(&state.to_json()),
            files: &[],
            documents: 0,
            checkpoints: 0,
            connector: &self.connector,
            at: &Timestamp::now().to_string(),
            update: Some(&proposal.update),
            cause: Some(Cause {
                kind: deed.kind,
                consents: &consents,
                author: deed.author,
                reason: deed.reason,
                ..Cause::default()
            }),
        })?;
        self.state = state;
        Ok(self.revision)
    }
}

impl Proposal {
    /// What makes one state of another, and what that means.
    #[must_use]
    pub fn between(before: &Node, after: Node) -> Self {
        let update = match StateUpdate::diff_exact(before, &after) {
            ExactDiff::Merge(update) | ExactDiff::Replace { update, .. } => update,
        };
        Self {
            changed: compare(before, &after),
            update,
            state: after,
        }
    }

    /// What is committed, as JSON: a merge patch, or the whole state where that holds a `null` which no patch could write.
    #[must_use]
    pub fn update(&self) -> String {
        let update = self.update.to_wire().pop();
        update.map_or_else(|| "{}".to_owned(), |update| update.updated)
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.update.is_empty()
    }

    /// The state to be.
    #[must_use]
    pub fn state(&self) -> &Node {
        &self.state
    }

    /// The consents that it needs.
    #[must_use]
    pub fn needed(&self) -> Vec<Consent> {
        let needed = self.changed.iter().filter_map(|changed| {
            Some(Consent {
                kind: changed.needs?,
                state_key: changed.state_key.clone(),
            })
        });
        needed.collect()
    }
}

/// Has the connector of a capture read a state, if it is one that can be asked without its source. Whether it was.
///
/// # Errors
/// When the connector does not read it.
pub fn check_readable(
    project: &Project,
    capture: &Capture,
    state: &Node,
    log: LogSink,
) -> Result<bool, RunError> {
    let question = Question {
        state: Some(state),
        ..Question::default()
    };
    match inspect::plan(project, capture, question, log) {
        Ok(_) => Ok(true),
        Err(RunError::Plan(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a change of state means for each binding whose state it changes.
pub(crate) fn compare(before: &Node, after: &Node) -> Vec<Changed> {
    let (of_before, of_after) = (bindings(before), bindings(after));
    let keys: BTreeSet<&str> = [&of_before, &of_after]
        .into_iter()
        .flat_map(|states| states.keys())
        .collect();
    let mut changed: Vec<Changed> = keys
        .into_iter()
        .filter_map(|key| of_binding(key, of_before.present(key), of_after.present(key)))
        .collect();
    if !rest(before).same_state(&rest(after)) {
        changed.push(Changed {
            state_key: WHOLE_STATE.to_owned(),
            outcome: Outcome::Unknown,
            before: String::new(),
            after: String::new(),
            needs: Some(ConsentKind::Unknown),
            notes: vec!["what belongs to no binding changes".to_owned()],
        });
    }
    changed
}

fn bindings(state: &Node) -> Object {
    let states = state
        .as_object()
        .and_then(|state| state.get(BINDING_STATES));
    states
        .and_then(Node::as_object)
        .cloned()
        .unwrap_or_default()
}

/// A state without those of its bindings.
fn rest(state: &Node) -> Node {
    let mut rest = state.clone();
    if let Some(members) = rest.as_object_mut()
        && members
            .get(BINDING_STATES)
            .is_some_and(|states| states.as_object().is_some())
    {
        members.remove(BINDING_STATES);
    }
    rest
}

fn of_binding(key: &str, before: Option<&Node>, after: Option<&Node>) -> Option<Changed> {
    let state = |node: Option<&Node>| {
        let mut states = Object::new();
        if let Some(node) = node {
            states.insert(key, node.clone());
        }
        let mut state = Object::new();
        state.insert(BINDING_STATES, Node::Object(states));
        Node::Object(state)
    };
    let (old, new) = (state(before), state(after));
    if old.same_state(&new) {
        return None;
    }
    let applied = [Applied {
        migration: BY_HAND.to_owned(),
        state_keys: vec![Arc::from(key)],
    }];
    let terms = Terms {
        declared: Declared::default().everywhere(anything()),
        ..Terms::default()
    };
    let (outcome, needs, notes) = match survey(&old, &new, &[], &applied, &terms) {
        Ok(plan) => {
            let (group, _) = plan.binding(key)?;
            (group.outcome, needs(group.outcome), group.notes.clone())
        }
        Err(refused) => {
            let note = match ConnectorState::new(new).and_then(|state| state.decode().map(drop)) {
                Err(error) => error.to_string(),
                Ok(()) => why(&refused).to_owned(),
            };
            (Outcome::Unknown, Some(ConsentKind::Unknown), vec![note])
        }
    };
    Some(Changed {
        state_key: key.to_owned(),
        outcome,
        before: ResumePoint::of(before).to_string(),
        after: ResumePoint::of(after).to_string(),
        needs,
        notes,
    })
}

/// What a person has to say to a change with this outcome. What a migration may do because it declares it, nobody has declared here.
fn needs(outcome: Outcome) -> Option<ConsentKind> {
    match outcome {
        Outcome::Rewind => Some(ConsentKind::Rewind),
        Outcome::Backfill | Outcome::Retire => Some(ConsentKind::Backfill),
        Outcome::Skip => Some(ConsentKind::Skip),
        Outcome::Unknown => Some(ConsentKind::Unknown),
        Outcome::Keep | Outcome::Rewrite => None,
    }
}

/// Why the engine cannot follow a change.
fn why(refused: &Refused) -> &'static str {
    match refused {
        Refused::CursorProvenance { .. } => {
            "its cursor does not follow from what was there: what lies before it may never be captured"
        }
        Refused::CursorKindChanged { .. } => "its cursor is of another kind",
        Refused::BackfillLost { .. } => {
            "an unfinished backfill is gone: the rest of it may never be captured"
        }
        Refused::SnapshotLost { .. } => "a snapshot is forgotten: deletions may be missed",
        Refused::SnapshotMadeUp { .. } => {
            "it tells of a snapshot that was not taken: what that held may never be captured"
        }
        Refused::SiblingLost { .. } => {
            "a member changes of which only the connector knows what it means"
        }
        _ => "what that does cannot be told",
    }
}

/// Everything that the engine can follow.
fn anything() -> Effects {
    Effects::NONE
        .rewind(Duration::MAX)
        .rewind_by(u64::MAX)
        .forward(Duration::MAX)
        .forward_by(u64::MAX)
        .backfill()
        .reset()
}
