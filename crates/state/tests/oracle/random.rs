//! States of several parts, and states a few edits away: what a seed makes never changes by itself.

use super::state::{Backfill, Name, Part, State};

/// SplitMix64: small, fast, and any seed will do.
pub(crate) struct Random(u64);

const CURSORS: [u64; 3] = [1, 2, 3];
const PAGES: [Option<&str>; 3] = [None, Some("p"), Some("q")];
const DIGESTS: [&str; 2] = ["d", "e"];
const NAMES: [&str; 3] = ["a", "b", "c"];

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        let at = self.below(values.len() as u64);
        values[usize::try_from(at).unwrap()]
    }

    fn backfill(&mut self) -> Backfill {
        Backfill {
            cutoff: self.of(&CURSORS),
            page: self.of(&PAGES),
        }
    }

    fn part<T>(&mut self, names: &[&'static str], value: fn(&mut Self) -> T) -> Part<T> {
        match self.below(4) {
            0 => Vec::new(),
            1 => vec![(None, value(self))],
            _ => {
                let names = names.iter().filter(|_| self.below(2) == 0);
                let names: Vec<&'static str> = names.copied().collect();
                names
                    .into_iter()
                    .map(|name| (Some(name), value(self)))
                    .collect()
            }
        }
    }

    /// Any state, its parts apart from each other.
    pub(crate) fn state(&mut self, names: &[&'static str]) -> State {
        State {
            inc: self.part(names, |random| random.of(&CURSORS)),
            backfill: self.part(names, Random::backfill),
            snapshot: self.part(names, |random| random.of(&DIGESTS)),
            is_initialized: self.below(4) == 0,
        }
    }

    /// A state so many edits away.
    pub(crate) fn edited(&mut self, state: &State, edits: u64) -> State {
        let mut edited = state.clone();
        for _ in 0..edits {
            match self.below(12) {
                0..=3 => self.rename(&mut edited),
                4 | 5 => {
                    let cursor = self.of(&CURSORS);
                    self.edit(&mut edited.inc, cursor);
                }
                6 | 7 => {
                    let backfill = self.backfill();
                    self.edit(&mut edited.backfill, backfill);
                }
                8 => {
                    let digest = self.of(&DIGESTS);
                    self.edit(&mut edited.snapshot, digest);
                }
                9 => self.copy(&mut edited),
                10 => self.remove(&mut edited),
                _ => {
                    if self.below(4) == 0 {
                        edited.is_initialized = !edited.is_initialized;
                    }
                }
            }
        }
        edited
    }

    fn name(&mut self) -> Name {
        match self.below(4) {
            0 => None,
            _ => Some(self.of(&NAMES)),
        }
    }

    /// Every entry of one name gets another, where nothing stands; an entry of that other name gets this one.
    fn rename(&mut self, state: &mut State) {
        let (from, to) = (self.name(), self.name());
        rename(&mut state.inc, from, to);
        rename(&mut state.backfill, from, to);
        rename(&mut state.snapshot, from, to);
    }

    /// The entries of a name are those of another too, but for its backfill.
    fn copy(&mut self, state: &mut State) {
        let (from, to) = (self.name(), self.name());
        if let Some(cursor) = super::state::entry(&state.inc, from) {
            set(&mut state.inc, to, cursor);
        }
    }

    fn remove(&mut self, state: &mut State) {
        let name = self.name();
        state.inc.retain(|(theirs, _)| *theirs != name);
        state.backfill.retain(|(theirs, _)| *theirs != name);
        state.snapshot.retain(|(theirs, _)| *theirs != name);
    }

    fn edit<T: Copy>(&mut self, part: &mut Part<T>, value: T) {
        let name = self.name();
        if self.below(3) == 0 {
            part.retain(|(theirs, _)| *theirs != name);
        } else {
            set(part, name, value);
        }
    }
}

/// A flat entry has no other beside it.
fn set<T>(part: &mut Part<T>, name: Name, value: T) {
    part.retain(|(theirs, _)| *theirs != name && theirs.is_some() == name.is_some());
    part.push((name, value));
}

fn rename<T>(part: &mut Part<T>, from: Name, to: Name) {
    for (name, _) in part.iter_mut() {
        if *name == from {
            *name = to;
        } else if *name == to {
            *name = from;
        }
    }
    if part.len() > 1 {
        part.retain(|(name, _)| name.is_some());
    }
}
