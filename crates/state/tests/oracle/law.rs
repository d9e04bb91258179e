//! What a change of state misses and reads again, from first principles: it knows nothing of how a plan is made.
//!
//! A record has a partition and a position. A cursor reads every record later than it; a backfill reads every record up to
//! its cutoff that is not yet behind its page, and a page is opaque: the same one reads the same rest, no page reads all of
//! it, another page could read anything less.
//!
//! Nobody but the connector knows what its subtasks are. They may be *views*, which all read the same records (`realtime`
//! and `lookback`), or *partitions*, each with records of its own (the stores of an account). So a subtask that keeps its name
//! is held against itself, which is right in both readings. Of names that come and go the most favourable reading counts:
//!
//! - a name that is gone was renamed to any name that is new, or split into several, or merged with others into one, and as a view it is
//!   carried on by any new one that stands no later. So its records are missed only if every new name stands later;
//! - a name that is new may also be a partition that nobody read before: nothing was to be read of it, and nothing was captured. So it
//!   misses nothing and reads nothing again, if it reads all that is before its cursor, or begins where others had been already;
//! - the flat entry reads the records of all.
//!
//! What is never favourable: that a name is gone because nobody wants it any more. That must be declared.

use super::state::{Backfill, Name, Part, State, entry};

/// The effect that a migration declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    None,
    RewindByOne,
    ForwardByOne,
    Backfill,
    Reset,
    Retire,
    DropsA,
    BeginsCAtOne,
}

pub(crate) const EFFECTS: [Effect; 8] = [
    Effect::None,
    Effect::RewindByOne,
    Effect::ForwardByOne,
    Effect::Backfill,
    Effect::Reset,
    Effect::Retire,
    Effect::DropsA,
    Effect::BeginsCAtOne,
];

/// A change of one binding's state, as declared.
#[derive(Clone, Copy)]
pub(crate) struct Change<'a> {
    pub(crate) before: &'a State,
    pub(crate) after: &'a State,
    pub(crate) effect: Effect,
}

/// What is wrong with a change, were it made without a word from anyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Records that were to be read are not any more.
    Missed(Name),
    /// A cursor later than all that it can have been made from.
    Ahead(Name),
    /// Captured already, and read again beyond what is declared.
    Reread(Name),
    /// An unfinished backfill does not go on.
    BackfillGone(Name),
    /// A backfill begins where there was none to do.
    BackfillBegun(Name),
    /// What the last snapshot held is forgotten.
    SnapshotGone(Name),
    /// A snapshot that was never taken.
    SnapshotMadeUp(Name),
    /// A member beside them.
    Sibling,
}

impl Wrong {
    /// Whether something would never be captured, or nobody would know that it was.
    pub(crate) fn loses(&self) -> bool {
        !matches!(self, Wrong::Reread(_) | Wrong::BackfillBegun(_))
    }
}

impl Change<'_> {
    /// The first thing that is wrong; `None` of a change that may be made in silence.
    pub(crate) fn wrong(self) -> Option<Wrong> {
        self.all().into_iter().next()
    }

    /// The first thing by which something is lost.
    pub(crate) fn loss(self) -> Option<Wrong> {
        self.all().into_iter().find(Wrong::loses)
    }

    /// Whether some cursor that was there stands later than all that can carry it on, so that its records may be read again.
    pub(crate) fn goes_back(self) -> bool {
        let new = only(&self.after.inc, &self.before.inc);
        self.before.inc.iter().any(|(name, old)| {
            let own = entry(&self.after.inc, *name);
            let carriers = own.into_iter().chain(new.iter().map(|(_, stands)| *stands));
            carriers.into_iter().any(|stands| stands < *old)
        })
    }

    /// What is lost though somebody said that it may start over: a cursor that moves ahead, or a backfill that ends, and nothing is read from
    /// the start in its place.
    pub(crate) fn loss_of_starting_over(self) -> Option<Wrong> {
        let (before, after) = (self.before, self.after);
        let whole = |name: Name, up_to: u64| {
            entry(&after.backfill, name).is_some_and(|of| of.page.is_none() && of.cutoff >= up_to)
        };
        let ahead = before.inc.iter().find(|(name, old)| {
            entry(&after.inc, *name).is_some_and(|new| new > *old && !whole(*name, new))
        });
        let ended = before.backfill.iter().find(|(name, old)| {
            let goes_on = entry(&after.backfill, *name) == Some(*old);
            let stays = entry(&after.inc, *name).is_some();
            stays && !goes_on && !whole(*name, old.cutoff)
        });
        ahead
            .map(|(name, _)| Wrong::Missed(*name))
            .or_else(|| ended.map(|(name, _)| Wrong::BackfillGone(*name)))
    }

    fn all(self) -> Vec<Wrong> {
        // A binding that is gone as a whole, as declared: its state is archived.
        if self.effect == Effect::Retire && *self.after == State::default() {
            return Vec::new();
        }
        let mut wrong = Vec::new();
        if self.before.is_initialized != self.after.is_initialized {
            wrong.push(Wrong::Sibling);
        }
        self.cursors(&mut wrong);
        self.backfills(&mut wrong);
        self.snapshots(&mut wrong);
        wrong
    }

    /// Given up, as declared: gone from everywhere, not only in part.
    fn is_given_up(self, name: Name) -> bool {
        self.effect == Effect::DropsA && name == Some("a") && !self.after.has(name)
    }

    fn may_reread(self, by: u64) -> bool {
        by <= u64::from(self.effect == Effect::RewindByOne)
    }

    fn cursors(self, wrong: &mut Vec<Wrong>) {
        let (before, after) = (&self.before.inc, &self.after.inc);
        let new: Part<u64> = only(after, before);
        let gone: Part<u64> = only(before, after);
        for (name, old) in before {
            match entry(after, *name) {
                Some(stands) if stands > *old => wrong.push(Wrong::Missed(*name)),
                Some(stands) if !self.may_reread(old - stands) => wrong.push(Wrong::Reread(*name)),
                Some(_) => {}
                None if self.is_given_up(*name) => {}
                None => {
                    let carries = new.iter().filter(|(_, stands)| stands <= old);
                    match carries.map(|(_, stands)| *stands).max() {
                        None => wrong.push(Wrong::Missed(*name)),
                        Some(stands) if self.rereads(*old, stands) => {
                            wrong.push(Wrong::Reread(*name));
                        }
                        Some(_) => {}
                    }
                }
            }
        }
        for (name, stands) in &new {
            if self.begins_by_itself(*name, *stands) {
                continue;
            }
            // What reading had come to, or was about to come to once the first backfill is done.
            let cutoffs = self.before.backfill.iter().map(|(_, of)| of.cutoff);
            let origin: Vec<u64> = match before.as_slice() {
                [] => cutoffs.collect(),
                _ if gone.is_empty() => before.iter().map(|(_, old)| *old).collect(),
                _ => gone.iter().map(|(_, old)| *old).collect(),
            };
            if origin.iter().max().is_none_or(|latest| stands > latest) {
                wrong.push(Wrong::Ahead(*name));
            }
            // Made of the nearest that is gone; one that is made of none is a partition of its own.
            let nearest = gone
                .iter()
                .filter(|(_, old)| old >= stands)
                .map(|(_, old)| *old);
            if let Some(nearest) = nearest.min()
                && self.rereads(nearest, *stands)
            {
                wrong.push(Wrong::Reread(*name));
            }
        }
    }

    /// Whether a cursor that was at `old` and is at `stands` reads again more than is declared, be they partitions or views.
    fn rereads(self, old: u64, stands: u64) -> bool {
        let earliest = |part: &Part<u64>| part.iter().map(|(_, cursor)| *cursor).min();
        let as_views = match (earliest(&self.before.inc), earliest(&self.after.inc)) {
            (Some(old), Some(new)) => old.saturating_sub(new),
            _ => 0,
        };
        !self.may_reread((old - stands).min(as_views))
    }

    /// A subtask that was not there, and needs nothing of those that were: it reads all that is before its cursor, or is declared.
    fn begins_by_itself(self, name: Name, stands: u64) -> bool {
        let declared = self.effect == Effect::BeginsCAtOne && name == Some("c") && stands <= 1;
        let whole = entry(&self.after.backfill, name)
            .is_some_and(|of| of.page.is_none() && of.cutoff >= stands);
        // One that was about to begin goes on.
        let goes_on = entry(&self.after.backfill, name).is_some_and(|of| {
            of.cutoff >= stands && entry(&self.before.backfill, name) == Some(of)
        });
        declared || whole || goes_on
    }

    fn backfills(self, wrong: &mut Vec<Wrong>) {
        let (before, after) = (&self.before.backfill, &self.after.backfill);
        let mut left: Part<Backfill> = after.clone();
        let mut gone: Part<Backfill> = Vec::new();
        for (name, old) in before {
            match left.iter().position(|found| found == &(*name, *old)) {
                Some(place) => drop(left.remove(place)),
                None => gone.push((*name, *old)),
            }
        }
        gone.sort_by_key(|(name, _)| self.is_given_up(*name));
        for (name, old) in gone {
            if self.is_given_up(name) {
                // Whoever it is merged into may go on with it; nobody has to.
                if let Some(place) = left.iter().position(|(_, of)| *of == old) {
                    left.remove(place);
                }
                continue;
            }
            // Renamed with its subtask: to one that had not finished by itself. The flat one is that of all, and one without a cursor
            // was left behind when its subtask was renamed, so that it may be anyone's.
            let takes_over = |(theirs, of): &(Name, Backfill)| {
                let is_there = entry(&self.before.inc, *theirs).is_some()
                    && entry(&self.before.inc, name).is_some();
                *of == old && (!is_there || name.is_none() || theirs.is_none())
            };
            let is_kept = entry(&self.after.inc, name).is_some();
            // Of two that are alike, the one that has to carry the cursor on.
            let carrying = |of: &(Name, Backfill)| takes_over(of) && self.must_carry(of.0);
            let place = left.iter().position(carrying);
            let place = place.or_else(|| left.iter().position(takes_over));
            match place.filter(|_| !is_kept) {
                Some(place) => drop(left.remove(place)),
                None => wrong.push(Wrong::BackfillGone(name)),
            }
        }
        for (name, of) in left {
            let is_there = entry(&self.before.inc, name).is_some()
                || entry(before, name).is_some()
                || name.is_none() && !self.before.inc.is_empty();
            let cursor = entry(&self.after.inc, name);
            let is_whole = of.page.is_none() && cursor.is_none_or(|cursor| cursor <= of.cutoff);
            if is_there || !is_whole || self.must_carry(name) {
                wrong.push(Wrong::BackfillBegun(name));
            }
        }
    }

    /// Whether some name is gone that no other new one carries on: then this one is that one, which had finished.
    fn must_carry(self, name: Name) -> bool {
        let new = only(&self.after.inc, &self.before.inc);
        let others: Part<u64> = new
            .into_iter()
            .filter(|(theirs, _)| *theirs != name)
            .collect();
        let gone = only(&self.before.inc, &self.after.inc);
        gone.iter()
            .filter(|(gone, _)| !self.is_given_up(*gone))
            .any(|(_, old)| !others.iter().any(|(_, stands)| stands <= old))
    }

    fn snapshots(self, wrong: &mut Vec<Wrong>) {
        let (before, after) = (&self.before.snapshot, &self.after.snapshot);
        let mut new = only(after, before);
        for (name, digest) in before {
            let is_kept = match entry(after, *name) {
                Some(theirs) => theirs == *digest,
                None => match new.iter().position(|(_, theirs)| theirs == digest) {
                    Some(place) => {
                        new.remove(place);
                        true
                    }
                    None => self.is_given_up(*name),
                },
            };
            if !is_kept {
                wrong.push(Wrong::SnapshotGone(*name));
            }
        }
        for (name, digest) in after {
            if before.iter().all(|(_, theirs)| theirs != digest) {
                wrong.push(Wrong::SnapshotMadeUp(*name));
            }
        }
    }
}

/// The entries whose names the other part has not.
fn only<T: Copy>(part: &Part<T>, other: &Part<T>) -> Part<T> {
    let only = part
        .iter()
        .filter(|(name, _)| entry(other, *name).is_none());
    only.copied().collect()
}
