//! How many subtasks run at once, and whose turn it is.
//!
//! A capture may have ten thousand subtasks, and a source that bears forty requests at a time. So an invocation of a subtask's
//! function needs a *slot*; who has none waits, at no cost. Backfills go first, since everything else waits for what they read; then
//! who is furthest behind, by its cursor. Every fourth turn is for whoever has waited longest, so that none starves, however many
//! backfills there are. A slot is handed on at a checkpoint if others wait: an invocation without end does not hold it for ever.
//!
//! Resources that are captured as a whole need no slot: thousands of them may rest between two invocations.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// How many subtasks run at once, unless the connector says otherwise.
pub(crate) const DEFAULT_SLOTS: usize = 40;

/// Every so many turns one goes to whoever has waited longest.
const FAIR_EVERY: u64 = 4;

/// What says how urgent a turn is. The least of its kind is the most urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// A backfill: before all others, each as long as it has not had a turn.
    Backfill(u64),
    /// A cursor that is a date-time, in microseconds.
    DateTime(i64),
    /// A cursor that is an integer.
    Integer(u64),
    /// Anything else: when it last had a turn, in milliseconds since the capture opened.
    LastTurn(u64),
}

impl Urgency {
    /// Urgencies of one rank can be compared; there is no telling whether an old date is before a small number.
    fn rank(self) -> usize {
        match self {
            Urgency::Backfill(_) => 0,
            Urgency::DateTime(_) => 1,
            Urgency::Integer(_) => 2,
            Urgency::LastTurn(_) => 3,
        }
    }
}

/// The order in which it was asked: also a waiter's name.
type Ticket = u64;

/// Whose turn it is. Decides only: [`Slots`] waits and wakes.
#[derive(Debug)]
struct Turns {
    free: usize,
    next_ticket: Ticket,
    turns: u64,
    /// Those who wait, longest first.
    waiting: BTreeMap<Ticket, Urgency>,
    /// The same, by rank and then by urgency.
    ranked: [BTreeSet<(Urgency, Ticket)>; 4],
    /// The rank, of those after the backfills, that was served last.
    last_rank: usize,
}

impl Turns {
    fn new(slots: usize) -> Self {
        Self {
            free: slots.max(1),
            next_ticket: 0,
            turns: 0,
            waiting: BTreeMap::new(),
            ranked: Default::default(),
            last_rank: 3,
        }
    }

    /// Takes a slot if one is free: then nobody waits.
    fn take(&mut self) -> bool {
        let is_free = self.free > 0;
        if is_free {
            self.free -= 1;
        }
        is_free
    }

    fn wait(&mut self, urgency: Urgency) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, urgency);
        self.ranked[urgency.rank()].insert((urgency, ticket));
        ticket
    }

    /// Waits no longer. False if it did not wait, or has had its turn.
    fn withdraw(&mut self, ticket: Ticket) -> bool {
        let Some(urgency) = self.waiting.remove(&ticket) else {
            return false;
        };
        self.ranked[urgency.rank()].remove(&(urgency, ticket))
    }

    /// A slot comes back: whose it is now, or nobody's.
    fn release(&mut self) -> Option<Ticket> {
        let next = self.next();
        match next {
            Some(ticket) => {
                self.turns += 1;
                self.withdraw(ticket);
            }
            None => self.free += 1,
        }
        next
    }

    fn next(&mut self) -> Option<Ticket> {
        let (&longest, _) = self.waiting.first_key_value()?;
        if self.turns % FAIR_EVERY == FAIR_EVERY - 1 {
            return Some(longest);
        }
        if let Some(&(_, ticket)) = self.ranked[0].first() {
            return Some(ticket);
        }
        // Kinds of cursors that cannot be compared take turns.
        for step in 1..=3 {
            let rank = (self.last_rank - 1 + step) % 3 + 1;
            if let Some(&(_, ticket)) = self.ranked[rank].first() {
                self.last_rank = rank;
                return Some(ticket);
            }
        }
        Some(longest)
    }
}

/// The slots of an open capture.
#[derive(Clone, Debug)]
pub(crate) struct Slots(Arc<Mutex<Waiting>>);

#[derive(Debug)]
struct Waiting {
    turns: Turns,
    wakers: HashMap<Ticket, oneshot::Sender<Slot>>,
}

/// The right to run. It goes to whoever is next when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    /// None once it is handed on.
    slots: Option<Slots>,
}

impl Slots {
    /// At least one.
    pub(crate) fn new(slots: usize) -> Self {
        Self(Arc::new(Mutex::new(Waiting {
            turns: Turns::new(slots),
            wakers: HashMap::new(),
        })))
    }

    /// Waits for a slot. Who no longer waits has lost nothing but its place.
    pub(crate) async fn take(&self, urgency: Urgency) -> Slot {
        let (ticket, turn) = {
            let mut waiting = self.lock();
            if waiting.turns.take() {
                return self.slot();
            }
            self.queue(&mut waiting, urgency)
        };
        self.turn(ticket, turn).await
    }

    /// Hands `slot` on if others wait, and then waits for its own next turn.
    pub(crate) async fn yield_now(&self, slot: Slot, urgency: Urgency) -> Slot {
        let (ticket, turn) = {
            let mut waiting = self.lock();
            if waiting.turns.waiting.is_empty() {
                return slot;
            }
            self.queue(&mut waiting, urgency)
        };
        drop(slot); // After it queued: it may be next itself.
        self.turn(ticket, turn).await
    }

    fn queue(&self, waiting: &mut Waiting, urgency: Urgency) -> (Ticket, oneshot::Receiver<Slot>) {
        let (waker, turn) = oneshot::channel();
        let ticket = waiting.turns.wait(urgency);
        waiting.wakers.insert(ticket, waker);
        (ticket, turn)
    }

    async fn turn(&self, ticket: Ticket, turn: oneshot::Receiver<Slot>) -> Slot {
        let _place = Place {
            slots: self,
            ticket,
        };
        turn.await
            .expect("a waiter is forgotten when it has its turn, or by itself")
    }

    fn slot(&self) -> Slot {
        Slot {
            slots: Some(self.clone()),
        }
    }

    /// Hands a slot on, to the first that still wants it.
    fn release(&self) {
        loop {
            let waker = {
                let mut waiting = self.lock();
                let Some(ticket) = waiting.turns.release() else {
                    return;
                };
                waiting.wakers.remove(&ticket)
            };
            // Outside of the lock: a slot that nobody takes is dropped, which comes back here.
            match waker.map(|waker| waker.send(self.slot())) {
                Some(Ok(())) => return,
                Some(Err(mut refused)) => refused.slots = None, // Not by dropping it: that would nest as deep as many have left.
                None => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(slots) = self.slots.take() {
            slots.release();
        }
    }
}

/// A place among those who wait, given up when it is dropped.
struct Place<'a> {
    slots: &'a Slots,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.slots.lock();
        waiting.turns.withdraw(self.ticket);
        waiting.wakers.remove(&self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn backfills_go_first_then_the_oldest_cursor_and_every_fourth_turn_is_the_longest_waiters() {
        let mut turns = Turns::new(1);
        assert!(turns.take());
        let newest = turns.wait(Urgency::DateTime(30));
        let oldest = turns.wait(Urgency::DateTime(-5));
        let second = turns.wait(Urgency::Backfill(9));
        let first = turns.wait(Urgency::Backfill(2));
        let third = turns.wait(Urgency::Backfill(11));
        let mut order = Vec::new();
        while let Some(ticket) = turns.release() {
            order.push(ticket);
        }
        assert_eq!(order, [first, second, third, newest, oldest]);
        assert_eq!(turns.free, 1);
    }

    #[test]
    fn cursors_that_cannot_be_compared_take_turns() {
        let mut turns = Turns::new(1);
        assert!(turns.take());
        let date = [1, 2].map(|n| turns.wait(Urgency::DateTime(n)));
        let integer = [1, 2].map(|n| turns.wait(Urgency::Integer(n)));
        let other = [1, 2].map(|n| turns.wait(Urgency::LastTurn(n)));
        let order: Vec<_> = std::iter::from_fn(|| turns.release()).collect();
        // The fourth is whoever has waited longest.
        assert_eq!(
            order,
            [date[0], integer[0], other[0], date[1], integer[1], other[1]]
        );
    }

    #[derive(Clone, Debug)]
    enum Act {
        Ask(Urgency),
        Release,
        Withdraw(usize),
    }

    fn urgency() -> impl Strategy<Value = Urgency> {
        prop_oneof![
            3 => (0_u64..20).prop_map(Urgency::Backfill),
            1 => (-9_i64..20).prop_map(Urgency::DateTime),
            1 => (0_u64..20).prop_map(Urgency::Integer),
            1 => (0_u64..20).prop_map(Urgency::LastTurn),
        ]
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => urgency().prop_map(Act::Ask),
            3 => Just(Act::Release),
            1 => (0_usize..30).prop_map(Act::Withdraw),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_bound_is_kept_none_is_lost_and_every_waiter_is_served_within_a_bounded_number_of_turns(
            slots in 1_usize..5,
            acts in proptest::collection::vec(act(), 0..120),
        ) {
            let mut turns = Turns::new(slots);
            let mut running = 0;
            // Of each waiter: how many waited when it came, and how many turns there were since.
            let mut waiting: BTreeMap<Ticket, (usize, usize)> = BTreeMap::new();
            for act in acts {
                match act {
                    Act::Ask(urgency) => {
                        if turns.take() {
                            prop_assert!(waiting.is_empty(), "a slot was free while others waited");
                            running += 1;
                        } else {
                            prop_assert_eq!(running, slots);
                            let ahead = waiting.len();
                            let ticket = turns.wait(urgency);
                            waiting.insert(ticket, (ahead, 0));
                        }
                    }
                    Act::Release if running > 0 => {
                        match turns.release() {
                            Some(ticket) => {
                                prop_assert!(waiting.remove(&ticket).is_some());
                                for (ahead, turns) in waiting.values_mut() {
                                    *turns += 1;
                                    prop_assert!(*turns <= FAIR_EVERY as usize * (*ahead + 1), "starved");
                                }
                            }
                            None => {
                                prop_assert!(waiting.is_empty());
                                running -= 1;
                            }
                        }
                    }
                    Act::Release => {}
                    Act::Withdraw(nth) => {
                        if let Some(&ticket) = waiting.keys().nth(nth) {
                            prop_assert!(turns.withdraw(ticket));
                            waiting.remove(&ticket);
                        }
                    }
                }
                prop_assert!(running <= slots);
                prop_assert_eq!(turns.free + running, slots);
                let ranked: usize = turns.ranked.iter().map(BTreeSet::len).sum();
                prop_assert_eq!((turns.waiting.len(), ranked), (waiting.len(), waiting.len()));
            }
        }

        #[test]
        fn but_for_every_fourth_turn_the_most_urgent_of_its_rank_is_next(all in proptest::collection::vec(urgency(), 1..60)) {
            let mut turns = Turns::new(1);
            assert!(turns.take());
            let mut waiting: BTreeMap<_, _> = all.into_iter().map(|urgency| (turns.wait(urgency), urgency)).collect();
            for turn in 0.. {
                let Some(ticket) = turns.release() else { break };
                let urgency = waiting[&ticket];
                if turn % FAIR_EVERY == FAIR_EVERY - 1 {
                    prop_assert_eq!(waiting.keys().next(), Some(&ticket));
                } else {
                    let rank = urgency.rank();
                    prop_assert!(rank == 0 || waiting.values().all(|other| other.rank() != 0));
                    prop_assert!(waiting.values().filter(|other| other.rank() == rank).all(|other| urgency <= *other));
                }
                waiting.remove(&ticket);
            }
            prop_assert!(waiting.is_empty());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_leave_while_they_wait_lose_no_slot() {
        let slots = Slots::new(2);
        let most = Arc::new(AtomicUsize::new(0));
        let running = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..500_u64 {
            let (slots, most, running) = (slots.clone(), Arc::clone(&most), Arc::clone(&running));
            tasks.spawn(async move {
                let patience = Duration::from_millis(n * 7 % 400);
                let work = async {
                    let mut slot = slots.take(Urgency::LastTurn(n)).await;
                    for _ in 0..3 {
                        let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(at_once, Ordering::SeqCst);
                        let leave = scopeguard(&running);
                        tokio::time::sleep(Duration::from_millis(n % 5)).await;
                        drop(leave);
                        slot = slots.yield_now(slot, Urgency::Backfill(n)).await;
                    }
                    drop(slot);
                };
                let _ = tokio::time::timeout(patience, work).await;
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
        let waiting = slots.lock();
        assert_eq!(waiting.turns.free, 2);
        assert!(waiting.wakers.is_empty() && waiting.turns.waiting.is_empty());
    }

    struct Leaving<'a>(&'a AtomicUsize);

    impl Drop for Leaving<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn scopeguard(running: &AtomicUsize) -> Leaving<'_> {
        Leaving(running)
    }
}
