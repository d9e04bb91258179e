//! What a migration says beforehand that it will do.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::rule::CursorRule;
use crate::cursor::Cursor;

/// Effects that the safety checks would otherwise refuse. Start from [`Effects::NONE`].
///
/// A declaration is no consent: what starts over, or moves forward, still needs the word of a person.
///
/// ```
/// use std::time::Duration;
/// use staunch_state::Effects;
///
/// let effects = Effects::NONE.rewind(Duration::from_secs(6 * 3600)).edits("/legacy");
/// assert_eq!(effects.to_string(), "rewind by at most 6 h, edit /legacy");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    rewind: Reach,
    forward: Reach,
    backfill: bool,
    reset: bool,
    retire: bool,
    changes_cursor_kind: bool,
    replaces_state: bool,
    converts: Vec<CursorRule>,
    begins: Vec<(String, Cursor)>,
    drops: Vec<String>,
    keeps_only: Option<Vec<String>>,
    moves: Vec<(String, String)>,
    edits: Vec<String>,
}

/// How far cursors may move, in the measure of their kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reach {
    time: Option<Duration>,
    count: Option<u64>,
}

impl Effects {
    /// Nothing but a change of shape.
    pub const NONE: Effects = Effects {
        rewind: Reach::NONE,
        forward: Reach::NONE,
        backfill: false,
        reset: false,
        retire: false,
        changes_cursor_kind: false,
        replaces_state: false,
        converts: Vec::new(),
        begins: Vec::new(),
        drops: Vec::new(),
        keeps_only: None,
        moves: Vec::new(),
        edits: Vec::new(),
    };

    /// Date-time cursors move back, at most by this: what is in between is read again.
    #[must_use]
    pub fn rewind(mut self, at_most: Duration) -> Self {
        self.rewind.time = self.rewind.time.max(Some(at_most));
        self
    }

    /// Integer cursors move back, at most by this many: what is in between is read again.
    #[must_use]
    pub fn rewind_by(mut self, at_most: u64) -> Self {
        self.rewind.count = self.rewind.count.max(Some(at_most));
        self
    }

    /// Date-time cursors move forward, at most by this: what is in between is missed, and consent is asked for.
    #[must_use]
    pub fn forward(mut self, at_most: Duration) -> Self {
        self.forward.time = self.forward.time.max(Some(at_most));
        self
    }

    /// Integer cursors move forward, at most by this many: what is in between is missed, and consent is asked for.
    #[must_use]
    pub fn forward_by(mut self, at_most: u64) -> Self {
        self.forward.count = self.forward.count.max(Some(at_most));
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

    /// Cursors become another kind, another type or granularity, by a rule that only the migration knows.
    ///
    /// The plan cannot follow such a change. With [`converts`](Self::converts) it can.
    #[must_use]
    pub fn changes_cursor_kind(mut self) -> Self {
        self.changes_cursor_kind = true;
        self
    }

    /// Cursors and cutoffs become what this rule makes of them. The plan holds the new ones against that.
    #[must_use]
    pub fn converts(mut self, rule: CursorRule) -> Self {
        self.converts.push(rule);
        self
    }

    /// The subtask of this name is new, and begins at `cursor` or earlier, without a backfill of what is before.
    #[must_use]
    pub fn begins(mut self, subtask: impl Into<String>, cursor: Cursor) -> Self {
        self.begins.push((subtask.into(), cursor));
        self
    }

    /// The subtask of this name is given up, and nothing carries it on.
    #[must_use]
    pub fn drops_subtask(mut self, name: impl Into<String>) -> Self {
        self.drops.push(name.into());
        self
    }

    /// Every subtask but these is given up, and nothing carries it on.
    #[must_use]
    pub fn drops_all_but<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.keeps_only = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The state of a binding moves from one state key to another. For a migration of the whole state.
    #[must_use]
    pub fn moves(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.moves.push((from.into(), to.into()));
        self
    }

    /// The member at this RFC 6901 pointer changes. It starts at the binding's state; for a migration of the whole state, at the
    /// connector state.
    #[must_use]
    pub fn edits(mut self, pointer: impl Into<String>) -> Self {
        self.edits.push(pointer.into());
        self
    }

    /// The checkpoint replaces the whole state, where a merge patch would say as much. For a source that cannot merge.
    #[must_use]
    pub fn replaces_state(mut self) -> Self {
        self.replaces_state = true;
        self
    }

    /// Both this and that.
    #[must_use]
    pub fn and(mut self, other: &Effects) -> Self {
        // Each step may move the cursor as far as it says, one after the other.
        self.rewind = self.rewind.and(other.rewind);
        self.forward = self.forward.and(other.forward);
        self.backfill |= other.backfill;
        self.reset |= other.reset;
        self.retire |= other.retire;
        self.changes_cursor_kind |= other.changes_cursor_kind;
        self.replaces_state |= other.replaces_state;
        self.converts.extend(other.converts.iter().cloned());
        for begun in &other.begins {
            // Steps of several bindings may begin the same.
            if !self.begins.contains(begun) {
                self.begins.push(begun.clone());
            }
        }
        self.drops.extend(other.drops.iter().cloned());
        self.keeps_only = match (self.keeps_only, &other.keeps_only) {
            (Some(ours), Some(theirs)) => Some(
                ours.into_iter()
                    .filter(|name| theirs.contains(name))
                    .collect(),
            ),
            (ours, theirs) => ours.or_else(|| theirs.clone()),
        };
        self.moves.extend(other.moves.iter().cloned());
        self.edits.extend(other.edits.iter().cloned());
        self
    }

    pub(crate) fn allows_rewind(&self, by: Duration) -> bool {
        self.rewind.time.is_some_and(|at_most| by <= at_most)
    }

    pub(crate) fn allows_rewind_by(&self, by: u64) -> bool {
        self.rewind.count.is_some_and(|at_most| by <= at_most)
    }

    pub(crate) fn allows_forward(&self, by: Duration) -> bool {
        self.forward.time.is_some_and(|at_most| by <= at_most)
    }

    pub(crate) fn allows_forward_by(&self, by: u64) -> bool {
        self.forward.count.is_some_and(|at_most| by <= at_most)
    }

    /// How far back date-time cursors may go; none if they may not.
    pub fn rewind_limit(&self) -> Option<Duration> {
        self.rewind.time
    }

    /// How far back integer cursors may go; none if they may not.
    pub fn rewind_count_limit(&self) -> Option<u64> {
        self.rewind.count
    }

    /// Whether any cursor may go forward.
    pub fn may_forward(&self) -> bool {
        self.forward != Reach::NONE
    }

    /// Whether data is read from the start.
    pub fn starts_over(&self) -> bool {
        self.backfill || self.reset
    }

    /// Whether the binding starts over, its state removed.
    pub fn resets(&self) -> bool {
        self.reset
    }

    /// Whether the binding is given up.
    pub fn retires(&self) -> bool {
        self.retire
    }

    pub(crate) fn removes(&self) -> bool {
        self.reset || self.retire
    }

    /// Whether cursors may become another kind by a rule that only the migration knows.
    pub fn may_change_cursor_kind(&self) -> bool {
        self.changes_cursor_kind
    }

    /// Whether the whole state is sent.
    pub fn replaces(&self) -> bool {
        self.replaces_state
    }

    /// The rules by which cursors are converted.
    pub fn rules(&self) -> &[CursorRule] {
        &self.converts
    }

    /// Whether this subtask is one that begins, wherever.
    pub fn may_begin(&self, subtask: Option<&str>) -> bool {
        let mut begun = self.begins.iter();
        begun.any(|(name, _)| subtask == Some(name))
    }

    pub(crate) fn allows_begin(&self, subtask: Option<&str>, cursor: &Cursor) -> bool {
        self.begins.iter().any(|(name, latest)| {
            subtask == Some(name)
                && cursor
                    .compare(latest)
                    .is_some_and(std::cmp::Ordering::is_le)
        })
    }

    /// Whether this subtask is given up. The flat entry never is.
    pub fn drops(&self, subtask: Option<&str>) -> bool {
        subtask.is_some_and(|name| {
            let named = self.drops.iter().any(|dropped| dropped == name);
            let others = self.keeps_only.as_ref();
            named || others.is_some_and(|kept| !kept.iter().any(|kept| kept == name))
        })
    }

    pub(crate) fn moved(&self) -> &[(String, String)] {
        &self.moves
    }

    /// The pointers of members that change.
    pub fn edited(&self) -> &[String] {
        &self.edits
    }
}

impl Reach {
    const NONE: Reach = Reach {
        time: None,
        count: None,
    };

    fn and(self, other: Reach) -> Reach {
        Reach {
            time: sum(self.time, other.time, Duration::saturating_add),
            count: sum(self.count, other.count, u64::saturating_add),
        }
    }
}

fn sum<T>(ours: Option<T>, theirs: Option<T>, add: fn(T, T) -> T) -> Option<T> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Some(add(ours, theirs)),
        (ours, theirs) => ours.or(theirs),
    }
}

/// For people, and for the checksum of a migration: each effect in the order of the methods; empty for none.
impl fmt::Display for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = Vec::new();
        for (what, reach) in [("rewind", self.rewind), ("forward", self.forward)] {
            let time = reach.time.map(|time| Span(time).to_string());
            let count = reach.count.map(|count| count.to_string());
            said.extend(
                [time, count]
                    .into_iter()
                    .flatten()
                    .map(|by| format!("{what} by at most {by}")),
            );
        }
        let flags = [
            (self.backfill, "start a backfill again"),
            (self.reset, "start over"),
            (self.retire, "retire"),
            (self.changes_cursor_kind, "change the kind of cursors"),
            (self.replaces_state, "replace the whole state"),
        ];
        said.extend(
            flags
                .iter()
                .filter(|(is_declared, _)| *is_declared)
                .map(|(_, what)| (*what).to_owned()),
        );
        said.extend(
            self.converts
                .iter()
                .map(|rule| format!("convert cursors ({})", rule.name())),
        );
        said.extend(begun(&self.begins));
        said.extend(self.drops.iter().map(|name| format!("drop subtask {name}")));
        if let Some(kept) = &self.keeps_only {
            said.push(format!("drop all subtasks but {}", kept.join(", ")));
        }
        said.extend(
            self.moves
                .iter()
                .map(|(from, to)| format!("move {from} to {to}")),
        );
        said.extend(self.edits.iter().map(|pointer| format!("edit {pointer}")));
        f.write_str(&said.join(", "))
    }
}

/// Names that are told of those that begin at the same place.
const TOLD_NAMES: usize = 10;

/// Which subtasks begin, for people: those that begin at the same place together.
fn begun(begins: &[(String, Cursor)]) -> Vec<String> {
    let mut places: Vec<(&Cursor, Vec<&str>)> = Vec::new();
    for (name, at) in begins {
        match places.iter_mut().find(|(place, _)| *place == at) {
            Some((_, names)) => names.push(name),
            None => places.push((at, vec![name])),
        }
    }
    let said = places.into_iter().map(|(at, names)| {
        let told = names.len().min(TOLD_NAMES);
        let listed = names[..told].join(", ");
        match names.len() {
            1 => format!("begin subtask {listed} at {at}"),
            all if all > told => format!("begin subtasks {listed} and {} more at {at}", all - told),
            _ => format!("begin subtasks {listed} at {at}"),
        }
    });
    said.collect()
}

/// A length of time, for people.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let parts = [
            (seconds / 86_400, "d"),
            (seconds / 3600 % 24, "h"),
            (seconds / 60 % 60, "min"),
            (seconds % 60, "s"),
            (u64::from(self.0.subsec_micros()), "µs"),
        ];
        let shown: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, unit)| format!("{count} {unit}"))
            .collect();
        match (shown.is_empty(), self.0.is_zero()) {
            (true, true) => f.write_str("0 s"),
            (true, false) => f.write_str("less than 1 µs"),
            (false, _) => f.write_str(&shown.join(" ")),
        }
    }
}

/// What each migration declares, under its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    by_name: BTreeMap<String, Effects>,
    everywhere: Option<Box<Effects>>,
}

impl Declared {
    /// Adds what holds for every binding: the declaration of a hook that is no chain.
    #[must_use]
    pub fn everywhere(mut self, effects: Effects) -> Self {
        self.everywhere = Some(Box::new(effects));
        self
    }

    /// What a migration declares; nothing if it is not known.
    pub fn by(&self, migration: &str) -> Effects {
        self.of([migration])
    }

    /// What these migrations declare together; one that is not known declares nothing.
    pub fn of<'a>(&self, migrations: impl IntoIterator<Item = &'a str>) -> Effects {
        let named = migrations
            .into_iter()
            .filter_map(|name| self.by_name.get(name));
        named
            .chain(self.everywhere.as_deref())
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
