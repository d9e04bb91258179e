//! What was captured already, so that one subtask does not repeat what the other has captured.
//!
//! It tells of each record which version was *written last*, not which is the latest. If `lookback` or a backfill has read an old version
//! while `realtime` wrote the new one, the old one is written last; then `lookback` is to write the new one again when it comes by.
//! What is told here is so only once the checkpoint is made, and nothing of it outlives the process.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use crate::models::Record;

/// A version of a record: two that share a time differ in what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    at: Timestamp,
    digest: u64,
}

/// The versions that a subtask is about to write.
#[derive(Debug, Default)]
pub(crate) struct Batch(HashMap<u64, Version>);

/// The versions that were written last, of a resource.
#[derive(Debug, Default)]
pub(crate) struct Emitted {
    written: HashMap<u64, Version>,
    /// The records of the page that a backfill is about to write: of these nobody knows which version will be the last.
    backfilling: HashSet<u64>,
}

impl Emitted {
    /// Adds a record to a batch. False if there is no need to write it: that version was written, or is in the batch, or a later one.
    pub(crate) fn add(&self, batch: &mut Batch, record: &Record) -> bool {
        let version = Version::of(record);
        let known = batch
            .0
            .get(&record.id)
            .or_else(|| self.written.get(&record.id));
        if known.is_some_and(|known| *known == version || known.at > version.at) {
            return false;
        }
        batch.0.insert(record.id, version);
        true
    }

    /// A batch is written. What is older than `horizon` is forgotten: no subtask reads that again.
    pub(crate) fn publish(&mut self, batch: Batch, horizon: Timestamp) {
        for (id, version) in batch.0 {
            if self.backfilling.contains(&id) {
                self.written.remove(&id);
            } else {
                self.written.insert(id, version);
            }
        }
        self.written.retain(|_, version| version.at >= horizon);
    }

    /// A backfill is about to write these.
    pub(crate) fn backfilling(&mut self, ids: HashSet<u64>) {
        for id in &ids {
            self.written.remove(id);
        }
        self.backfilling = ids;
    }
}

impl Version {
    fn of(record: &Record) -> Self {
        let mut hasher = DefaultHasher::new();
        record.json.hash(&mut hasher);
        Self {
            at: record.at,
            digest: hasher.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: u64, second: i64, text: &str) -> Record {
        let at = Timestamp::from_second(second).expect("it is a time");
        Record {
            id,
            at,
            json: text.into(),
        }
    }

    fn write(emitted: &mut Emitted, record: &Record) -> bool {
        let mut batch = Batch::default();
        let is_new = emitted.add(&mut batch, record);
        emitted.publish(batch, Timestamp::UNIX_EPOCH);
        is_new
    }

    #[test]
    fn a_version_is_written_once_and_no_older_one_after_it() {
        let mut emitted = Emitted::default();
        assert!(write(&mut emitted, &record(1, 10, "a")));
        assert!(!write(&mut emitted, &record(1, 10, "a")));
        assert!(!write(&mut emitted, &record(1, 9, "older")));
        assert!(write(&mut emitted, &record(1, 11, "newer")));
        assert!(write(&mut emitted, &record(2, 10, "a")), "another record");
    }

    #[test]
    fn two_versions_of_the_same_instant_are_two() {
        let mut emitted = Emitted::default();
        assert!(write(&mut emitted, &record(1, 10, "a")));
        assert!(write(&mut emitted, &record(1, 10, "b")));
    }

    #[test]
    fn what_has_no_checkpoint_was_not_written() {
        let emitted = Emitted::default();
        let mut lost = Batch::default();
        assert!(emitted.add(&mut lost, &record(1, 10, "a")));
        assert!(
            !emitted.add(&mut lost, &record(1, 10, "a")),
            "twice in one window"
        );
        drop(lost);
        assert!(emitted.add(&mut Batch::default(), &record(1, 10, "a")));
    }

    #[test]
    fn what_a_backfill_may_have_overwritten_is_written_again() {
        let mut emitted = Emitted::default();
        write(&mut emitted, &record(1, 10, "new"));
        emitted.backfilling([1].into());
        assert!(
            write(&mut emitted, &record(1, 10, "new")),
            "before the page is written"
        );
        assert!(
            write(&mut emitted, &record(1, 10, "new")),
            "and it may be after that"
        );
        emitted.backfilling([2].into());
        write(&mut emitted, &record(1, 10, "new"));
        assert!(
            !write(&mut emitted, &record(1, 10, "new")),
            "the next page is another"
        );
    }

    #[test]
    fn a_stale_version_that_was_written_last_is_overwritten() {
        let mut emitted = Emitted::default();
        let (mut stale, mut fresh) = (Batch::default(), Batch::default());
        emitted.add(&mut stale, &record(1, 10, "old"));
        emitted.add(&mut fresh, &record(1, 20, "new"));
        emitted.publish(fresh, Timestamp::UNIX_EPOCH);
        emitted.publish(stale, Timestamp::UNIX_EPOCH);
        assert!(emitted.add(&mut Batch::default(), &record(1, 20, "new")));
    }

    #[test]
    fn what_nobody_reads_again_is_forgotten() {
        let mut emitted = Emitted::default();
        for id in 0..1000 {
            let mut batch = Batch::default();
            let second = i64::try_from(id).expect("it is small");
            emitted.add(&mut batch, &record(id, second, "a"));
            let horizon = Timestamp::from_second(second - 10).expect("it is a time");
            emitted.publish(batch, horizon);
        }
        assert_eq!(emitted.written.len(), 11);
    }
}
