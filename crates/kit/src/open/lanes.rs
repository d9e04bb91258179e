//! How lanes are made of a resource's functions and of its state.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Map, Value, json};
use staunch_state::{Incremental, Part, ResourceState};

use super::fit::{NO_CURSOR, misfit};
use crate::capture::{
    BackfillFn, BackfillLane, BackfillStart, Child, IncrementalFn, IncrementalLane, Lane,
    OpenBinding, Session, SnapshotFn, SnapshotLane, Subtask, TaskError, deletion,
};
use crate::discovery::ROW;
use crate::resource::{Functions, Resource};

/// The functions of a resource, and how lanes are made of them.
#[derive(Clone)]
pub(crate) struct Lanes {
    incremental: Option<Functions<IncrementalFn>>,
    backfill: Option<Functions<BackfillFn>>,
    snapshot: Option<Functions<SnapshotFn>>,
    tombstone: Arc<Map<String, Value>>,
    tombstones: BTreeMap<String, Arc<Map<String, Value>>>,
    is_connector_initiated: bool,
}

impl Lanes {
    pub(super) fn new(resource: Resource, state: &ResourceState) -> Self {
        let tombstones = resource.tombstones.into_iter();
        let tombstones = tombstones.map(|(subtask, members)| (subtask, Arc::new(members)));
        Self {
            tombstones: tombstones.collect(),
            is_connector_initiated: state.is_connector_initiated,
            incremental: resource.incremental,
            backfill: resource.backfill,
            snapshot: resource.snapshot,
            tombstone: Arc::new(resource.tombstone),
        }
    }

    /// The lanes with which a binding of this state begins.
    pub(super) fn of_state(
        &self,
        session: &Arc<Session>,
        open: &Arc<OpenBinding>,
        state: &ResourceState,
    ) -> Result<Vec<Child>, TaskError> {
        let wrong = |pointer: String, problem: &str| TaskError::State {
            state_key: open.state_key.clone(),
            binding: open.name.clone(),
            pointer,
            problem: problem.to_owned(),
        };
        let (incremental, backfill) = (self.incremental.as_ref(), self.backfill.as_ref());
        if let Some((pointer, problem)) =
            misfit(incremental, backfill, self.snapshot.as_ref(), state)
        {
            return Err(wrong(pointer, problem));
        }
        self.check_rows(open)?;
        let (mut children, running) = self.backfills(session, open, state);
        for (subtask, fetch, entry) in functions_of(incremental, &state.inc) {
            let Some(Incremental { cursor }) = entry else {
                return Err(wrong("/inc".to_owned(), NO_CURSOR));
            };
            let flag = running.get(&subtask).map(Arc::clone).unwrap_or_default();
            let lane = IncrementalLane::new(
                Lane::new(session, open, subtask.map(Arc::from)),
                fetch,
                cursor.clone(),
                self.backfill_start(subtask, flag),
            );
            let name = task_name(open, subtask, "incremental");
            children.push(Child::new(name, lane.run()));
        }
        children.extend(self.snapshots(session, open, state)?);
        Ok(children)
    }

    /// The backfills that a state has, and whether each is running, by its subtask.
    fn backfills<'a>(
        &'a self,
        session: &Arc<Session>,
        open: &Arc<OpenBinding>,
        state: &'a ResourceState,
    ) -> (Vec<Child>, HashMap<Option<&'a str>, Arc<AtomicBool>>) {
        let mut children = Vec::new();
        let mut running = HashMap::new();
        for (subtask, fetch, entry) in functions_of(self.backfill.as_ref(), &state.backfill) {
            let Some(entry) = entry else { continue }; // Complete, or never begun.
            let flag = Arc::new(AtomicBool::new(true));
            running.insert(subtask, Arc::clone(&flag));
            let lane = BackfillLane::new(
                Lane::new(session, open, subtask.map(Arc::from)),
                fetch,
                (entry.cutoff.clone(), entry.next_page.clone()),
                flag,
                self.is_connector_initiated,
            );
            children.push(Child::new(task_name(open, subtask, "backfill"), lane.run()));
        }
        (children, running)
    }

    fn snapshots(
        &self,
        session: &Arc<Session>,
        open: &Arc<OpenBinding>,
        state: &ResourceState,
    ) -> Result<Vec<Child>, TaskError> {
        let mut children = Vec::new();
        for (subtask, fetch, entry) in functions_of(self.snapshot.as_ref(), &state.snapshot) {
            let lane = Lane::new(session, open, subtask.map(Arc::from));
            let tombstone = self.tombstone(subtask);
            if let Some(pointer) = missing(&tombstone, &open.key) {
                return Err(TaskError::TombstoneIncomplete {
                    task: lane.task(),
                    pointer: pointer.to_owned(),
                });
            }
            let lane = SnapshotLane::new(lane, fetch, tombstone, entry.cloned());
            children.push(Child::new(task_name(open, subtask, "snapshot"), lane.run()));
        }
        Ok(children)
    }

    /// Sees that rows of snapshot subtasks, of which each counts its own from zero, have keys of their own.
    fn check_rows(&self, open: &OpenBinding) -> Result<(), TaskError> {
        let Some(Functions::Named(named)) = &self.snapshot else {
            return Ok(());
        };
        let shared = |problem: String| TaskError::SubtasksShareRows {
            binding: open.name.clone(),
            problem,
        };
        if open.key.iter().all(|pointer| pointer == ROW) {
            return Err(shared(
                "the collection is keyed on the row alone".to_owned(),
            ));
        }
        let mut known = BTreeMap::new();
        for (name, _) in named {
            let tombstone = Value::Object(deletion(&self.tombstone(Some(name)), 0));
            let of_key = |pointer: &String| tombstone.pointer(pointer).cloned();
            let key: Vec<_> = open.key.iter().map(of_key).collect();
            if let Some(other) = known.insert(json!(key).to_string(), name) {
                return Err(shared(format!(
                    "those of `{other}` and `{name}` have the same keys"
                )));
            }
        }
        Ok(())
    }

    /// What a deletion has besides its operation and its row.
    fn tombstone(&self, subtask: Option<&str>) -> Arc<Map<String, Value>> {
        let own = subtask.and_then(|subtask| self.tombstones.get(subtask));
        Arc::clone(own.unwrap_or(&self.tombstone))
    }

    /// The lanes of a subtask that begins.
    pub(crate) fn of_subtask(
        &self,
        session: &Arc<Session>,
        open: &Arc<OpenBinding>,
        name: &str,
        state: Subtask,
    ) -> Vec<Child> {
        let subtask = Some(name);
        let new_lane = || Lane::new(session, open, Some(Arc::from(name)));
        let mut children = Vec::new();
        let flag = Arc::new(AtomicBool::new(false));
        let backfill = self
            .backfill
            .as_ref()
            .and_then(|functions| functions.of(name));
        if let (Some(page), Some(fetch)) = (state.backfill, backfill) {
            let lane = BackfillLane::new(
                new_lane(),
                fetch,
                (state.cursor.clone(), page),
                Arc::clone(&flag),
                self.is_connector_initiated,
            );
            children.push(Child::new(task_name(open, subtask, "backfill"), lane.run()));
        }
        if let Some(fetch) = self
            .incremental
            .as_ref()
            .and_then(|functions| functions.of(name))
        {
            let lane = IncrementalLane::new(
                new_lane(),
                fetch,
                state.cursor,
                self.backfill_start(subtask, flag),
            );
            children.push(Child::new(
                task_name(open, subtask, "incremental"),
                lane.run(),
            ));
        }
        children
    }

    fn backfill_start(
        &self,
        subtask: Option<&str>,
        running: Arc<AtomicBool>,
    ) -> Option<BackfillStart> {
        let fetch = match (self.backfill.as_ref()?, subtask) {
            (Functions::Flat(fetch), None) => Arc::clone(fetch),
            (functions, Some(subtask)) => functions.of(subtask)?,
            _ => return None,
        };
        Some(BackfillStart {
            fetch,
            running,
            is_connector_initiated: self.is_connector_initiated,
        })
    }
}

/// The first member of a collection key that a deletion with this tombstone lacks.
fn missing<'k>(tombstone: &Map<String, Value>, key: &'k [String]) -> Option<&'k str> {
    let deletion = Value::Object(deletion(tombstone, 0));
    let mut key = key.iter().map(String::as_str);
    key.find(|pointer| deletion.pointer(pointer).is_none())
}

fn task_name(open: &OpenBinding, subtask: Option<&str>, strategy: &str) -> String {
    match subtask {
        Some(subtask) => format!("{}: {subtask} ({strategy})", open.name),
        None => format!("{} ({strategy})", open.name),
    }
}

/// Each function with the subtask it is of and the state there is for it.
type WithState<'a, F, T> = Vec<(Option<&'a str>, F, Option<&'a T>)>;

/// Pairs functions with the state that they have, whose shape is theirs.
fn functions_of<'a, F: Clone, T>(
    functions: Option<&'a Functions<F>>,
    part: &'a Part<T>,
) -> WithState<'a, F, T> {
    match (functions, part) {
        (None, _) => Vec::new(),
        (Some(Functions::Flat(f)), Part::Flat(state)) => vec![(None, f.clone(), Some(state))],
        (Some(Functions::Flat(f)), _) => vec![(None, f.clone(), None)],
        (Some(Functions::Named(named)), _) => {
            let states: HashMap<Option<&str>, &T> = part.entries().collect();
            let with_state = |(name, f): &'a (String, F)| {
                let name = Some(name.as_str());
                (name, f.clone(), states.get(&name).copied())
            };
            named.iter().map(with_state).collect()
        }
        (Some(Functions::Each(make)), Part::Keyed(subtasks)) => {
            let present = subtasks
                .iter()
                .filter_map(|(name, state)| Some((name.as_str(), state.as_ref()?)));
            present
                .map(|(name, state)| (Some(name), make(name), Some(state)))
                .collect()
        }
        (Some(Functions::Each(_)), Part::None | Part::Flat(_)) => Vec::new(),
    }
}
