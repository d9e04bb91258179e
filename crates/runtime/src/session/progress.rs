//! How far a run is, for those who watch it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use staunch_state::{Node, Part, ResourceState};

/// What is known of a running capture. Counters only grow; reading them costs the run nothing.
#[derive(Debug)]
pub struct Progress {
    /// One for each enabled binding, in order.
    pub bindings: Vec<BindingProgress>,
    began: Instant,
    /// Milliseconds after `began` at which the capture last got on.
    advanced_at: AtomicU64,
    pub(crate) in_sequence: AtomicBool,
}

/// What is known of one binding.
#[derive(Debug)]
pub struct BindingProgress {
    /// Its resource path, joined by `/`.
    pub name: String,
    /// Where its documents go.
    pub collection: String,
    pub(crate) state_key: String,
    pub(crate) captured: AtomicU64,
    pub(crate) captured_bytes: AtomicU64,
    place: Mutex<Place>,
}

/// Where a binding is, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `waiting`, `backfill`, `incremental` or `snapshot`.
    pub phase: &'static str,
    /// The cursor, the page or the count, shortened.
    pub cursor: String,
    /// When its state last changed.
    pub checkpoint_at: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(bindings: impl IntoIterator<Item = (String, String, String)>) -> Self {
        let bindings = bindings
            .into_iter()
            .map(|(name, collection, state_key)| BindingProgress {
                name,
                collection,
                state_key,
                captured: AtomicU64::new(0),
                captured_bytes: AtomicU64::new(0),
                place: Mutex::new(Place {
                    phase: "waiting",
                    ..Place::default()
                }),
            });
        Self {
            bindings: bindings.collect(),
            began: Instant::now(),
            advanced_at: AtomicU64::new(0),
            in_sequence: AtomicBool::new(false),
        }
    }

    pub(crate) fn advanced(&self) {
        let at = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.advanced_at.store(at, Ordering::Relaxed);
    }

    /// For how long the capture has not got on.
    pub(crate) fn idle(&self) -> std::time::Duration {
        let at = std::time::Duration::from_millis(self.advanced_at.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(at)
    }

    /// Looks where the bindings are by now.
    pub(crate) fn describe(&self, state: &Node) {
        let Some(states) = state.pointer("/bindingStateV1").and_then(Node::as_object) else {
            return; // Another kit's state: there is nothing to say of it.
        };
        for binding in &self.bindings {
            if let Some(node) = states.get(&binding.state_key) {
                binding.describe(node);
            }
        }
    }
}

impl BindingProgress {
    /// Documents captured in this run, whether or not they are committed.
    #[must_use]
    pub fn documents(&self) -> u64 {
        self.captured.load(Ordering::Relaxed)
    }

    /// Their bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.captured_bytes.load(Ordering::Relaxed)
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn describe(&self, node: &Node) {
        let Ok(state) = ResourceState::decode(&self.state_key, node) else {
            return; // Another kit's state: there is nothing to say of it.
        };
        let (phase, cursor) = phase(&state);
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if (place.phase, &place.cursor) != (phase, &cursor) {
            *place = Place {
                phase,
                cursor,
                checkpoint_at: Some(Instant::now()),
            };
        }
    }
}

/// What a state says of where its binding is.
fn phase(state: &ResourceState) -> (&'static str, String) {
    match (&state.backfill, &state.inc, &state.snapshot) {
        (Part::Flat(backfill), ..) => (
            "backfill",
            format!("to {}", short(&backfill.cutoff.to_string())),
        ),
        (Part::Keyed(subtasks), ..) if subtasks.iter().any(|(_, state)| state.is_some()) => {
            let running = subtasks.iter().filter(|(_, state)| state.is_some()).count();
            ("backfill", format!("{running} subtask{}", plural(running)))
        }
        (_, Part::Flat(inc), _) => ("incremental", short(&inc.cursor.to_string())),
        (_, Part::Keyed(subtasks), _) if subtasks.len() == 1 => {
            let cursor = subtasks[0]
                .1
                .as_ref()
                .map(|inc| short(&inc.cursor.to_string()));
            ("incremental", cursor.unwrap_or_default())
        }
        (_, Part::Keyed(subtasks), _) => (
            "incremental",
            format!("{} subtask{}", subtasks.len(), plural(subtasks.len())),
        ),
        (.., Part::Flat(snapshot)) => (
            "snapshot",
            format!("{} row{}", snapshot.last_count, plural(snapshot.last_count)),
        ),
        (.., Part::Keyed(subtasks)) => (
            "snapshot",
            format!("{} subtask{}", subtasks.len(), plural(subtasks.len())),
        ),
        _ => ("waiting", String::new()),
    }
}

fn plural(n: impl TryInto<u64>) -> &'static str {
    if n.try_into().is_ok_and(|n| n == 1) {
        ""
    } else {
        "s"
    }
}

/// A cursor may be long; its beginning tells it from others.
fn short(text: &str) -> String {
    const CHARACTERS: usize = 24;
    match text.char_indices().nth(CHARACTERS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
