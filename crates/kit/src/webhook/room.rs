//! Bounds that requests share: so many of them, so many bytes in memory, so many that wait.
//!
//! Nobody waits for room. Bodies that each hold a part and wait for the rest would wait for each other; one that is refused leaves its
//! part to the others, and is sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// So much of something.
#[derive(Debug)]
pub(super) struct Room {
    left: AtomicU64,
}

impl Room {
    pub(super) fn new(size: u64) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU64::new(size),
        })
    }

    /// A share of nothing yet.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share {
            room: Arc::clone(self),
            taken: 0,
        }
    }
}

/// What one request has of a room. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Arc<Room>,
    taken: u64,
}

/// There is no room. There may be, later.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Share {
    /// Makes it `size`, if it is less.
    pub(super) fn grow_to(&mut self, size: u64) -> Result<(), Full> {
        match size.checked_sub(self.taken) {
            None | Some(0) => Ok(()),
            Some(more) => self.take(more),
        }
    }

    /// Makes it `size`, whatever it is.
    pub(super) fn set(&mut self, size: u64) -> Result<(), Full> {
        if let Some(less) = self.taken.checked_sub(size) {
            self.room.left.fetch_add(less, Ordering::AcqRel);
            self.taken = size;
        }
        self.grow_to(size)
    }

    /// Adds `more`.
    pub(super) fn take(&mut self, more: u64) -> Result<(), Full> {
        let take = |left: u64| left.checked_sub(more);
        let taken = self
            .room
            .left
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        taken.map_err(|_| Full)?;
        self.taken += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.left.fetch_add(self.taken, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_has_the_others_cannot_take_until_it_is_given_back() {
        let room = Room::new(10);
        let (mut first, mut second) = (room.share(), room.share());
        assert_eq!(first.take(6), Ok(()));
        assert_eq!(second.take(5), Err(Full));
        assert_eq!(second.take(4), Ok(()), "a refusal takes nothing");
        drop(first);
        assert_eq!(second.grow_to(10), Ok(()));
        assert_eq!(second.grow_to(10), Ok(()), "it is as large already");
        assert_eq!(second.grow_to(11), Err(Full));
        drop(second);
        assert_eq!(room.share().take(10), Ok(()));
    }
}
