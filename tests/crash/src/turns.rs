//! Whose turn it is: tasks of a connector one after the other, so that two runs send the same messages in the same order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often a task that waits for its turn looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// The turns of one connector process. A turn comes when all those before it are over.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    /// One bit for each turn that is over.
    over: Arc<AtomicU64>,
    are_kept: bool,
}

impl Turns {
    /// Where they are not kept, it is always everybody's turn.
    pub(crate) fn new(are_kept: bool) -> Self {
        Self {
            over: Arc::default(),
            are_kept,
        }
    }

    pub(crate) fn is_on(&self, turn: u32) -> bool {
        let before = (1 << turn) - 1;
        !self.are_kept || self.over.load(Ordering::Acquire) & before == before
    }

    pub(crate) fn are_kept(&self) -> bool {
        self.are_kept
    }

    pub(crate) fn end(&self, turn: u32) {
        self.over.fetch_or(1 << turn, Ordering::AcqRel);
    }

    /// Waits for a turn. False if the capture stops before it comes.
    pub(crate) async fn wait(&self, turn: u32, is_stopping: impl Fn() -> bool) -> bool {
        while !self.is_on(turn) {
            if is_stopping() {
                return false;
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        true
    }
}

/// Waits until the capture stops.
pub(crate) async fn stop(is_stopping: impl Fn() -> bool) {
    while !is_stopping() {
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_comes_when_all_before_it_are_over() {
        let turns = Turns::new(true);
        turns.end(1);
        assert_eq!(
            [0, 1, 2].map(|turn| turns.is_on(turn)),
            [true, false, false]
        );
        turns.end(0);
        assert_eq!([0, 1, 2].map(|turn| turns.is_on(turn)), [true, true, true]);
        assert!(Turns::new(false).is_on(9));
    }
}
