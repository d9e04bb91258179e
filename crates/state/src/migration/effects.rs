//! What a migration says beforehand that it will do.

use std::collections::BTreeMap;
use std::time::Duration;

/// Effects that the safety checks would otherwise refuse. Start from [`Effects::NONE`].
///
/// A declaration is no consent: what starts over, or moves forward, still needs the word of a person.
///
/// ```
/// use std::time::Duration;
/// use staunch_state::Effects;
///
/// let effects = Effects::NONE.rewind(Duration::from_secs(6 * 3600)).edits("/legacy");
/// assert_ne!(effects, Effects::NONE);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    rewind: Option<Duration>,
    forward: Option<Duration>,
    backfill: bool,
    reset: bool,
    retire: bool,
    changes_cursor_kind: bool,
    edits: Vec<String>,
}

impl Effects {
    /// Nothing but a change of shape.
    pub const NONE: Effects = Effects {
        rewind: None,
        forward: None,
        backfill: false,
        reset: false,
        retire: false,
        changes_cursor_kind: false,
        edits: Vec::new(),
    };

    /// Cursors move back, at most by this: what is in between is read again.
    #[must_use]
    pub fn rewind(mut self, at_most: Duration) -> Self {
        self.rewind = self.rewind.max(Some(at_most));
        self
    }

    /// Cursors move forward, at most by this: what is in between is missed, and consent is asked for.
    #[must_use]
    pub fn forward(mut self, at_most: Duration) -> Self {
        self.forward = self.forward.max(Some(at_most));
        self
    }

    /// A backfill starts again.
    #[must_use]
    pub fn backfill(mut self) -> Self {
        self.backfill = true;
        self
    }

    /// The binding starts over: its state is removed.
    #[must_use]
    pub fn reset(mut self) -> Self {
        self.reset = true;
        self
    }

    /// The binding is gone: its state is removed here and archived by the runtime.
    #[must_use]
    pub fn retire(mut self) -> Self {
        self.retire = true;
        self
    }

    /// Cursors become another kind: another type or granularity.
    #[must_use]
    pub fn changes_cursor_kind(mut self) -> Self {
        self.changes_cursor_kind = true;
        self
    }

    /// The member at this RFC 6901 pointer, from the root of the binding's state, changes.
    #[must_use]
    pub fn edits(mut self, pointer: impl Into<String>) -> Self {
        self.edits.push(pointer.into());
        self
    }

    /// Both this and that.
    #[must_use]
    pub fn and(mut self, other: &Effects) -> Self {
        // Each step may move the cursor as far as it says, one after the other.
        let sum = |ours: Option<Duration>, theirs: Option<Duration>| match (ours, theirs) {
            (Some(ours), Some(theirs)) => Some(ours.saturating_add(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        self.rewind = sum(self.rewind, other.rewind);
        self.forward = sum(self.forward, other.forward);
        self.backfill |= other.backfill;
        self.reset |= other.reset;
        self.retire |= other.retire;
        self.changes_cursor_kind |= other.changes_cursor_kind;
        self.edits.extend(other.edits.iter().cloned());
        self
    }

    pub(crate) fn allows_rewind(&self, by: Duration) -> bool {
        self.rewind.is_some_and(|at_most| by <= at_most)
    }

    pub(crate) fn allows_forward(&self, by: Duration) -> bool {
        self.forward.is_some_and(|at_most| by <= at_most)
    }

    /// Whether it says that data is read from the start.
    pub(crate) fn starts_over(&self) -> bool {
        self.backfill || self.reset
    }

    pub(crate) fn resets(&self) -> bool {
        self.reset
    }

    pub(crate) fn retires(&self) -> bool {
        self.retire
    }

    pub(crate) fn removes(&self) -> bool {
        self.reset || self.retire
    }

    pub(crate) fn may_change_cursor_kind(&self) -> bool {
        self.changes_cursor_kind
    }

    pub(crate) fn edited(&self) -> &[String] {
        &self.edits
    }
}

/// What each migration declares, under its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    by_name: BTreeMap<String, Effects>,
    everywhere: Option<Effects>,
}

impl Declared {
    /// Adds what holds for every binding: the declaration of a hook that is no chain.
    #[must_use]
    pub fn everywhere(mut self, effects: Effects) -> Self {
        self.everywhere = Some(effects);
        self
    }

    /// What these migrations declare together; one that is not known declares nothing.
    pub(crate) fn of<'a>(&self, migrations: impl IntoIterator<Item = &'a str>) -> Effects {
        let named = migrations
            .into_iter()
            .filter_map(|name| self.by_name.get(name));
        named
            .chain(&self.everywhere)
            .fold(Effects::NONE, Effects::and)
    }
}

impl FromIterator<(String, Effects)> for Declared {
    fn from_iter<I: IntoIterator<Item = (String, Effects)>>(declared: I) -> Self {
        Declared {
            by_name: declared.into_iter().collect(),
            everywhere: None,
        }
    }
}
