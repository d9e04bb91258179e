//! Requests that share transactions: what waits together leaves with one checkpoint, and is answered upon its acknowledgement.
//!
//! ```text
//! request ─┐
//! request ─┼─► queue ─► one sequence and its checkpoint ─► in flight ─► acknowledged ─► all of them are answered
//! request ─┘            (while fewer than four are in flight)
//! ```
//!
//! The bound on what is in flight is what makes transactions large when the runtime is slow: while it commits, the next one fills.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use staunch_protocol::RawValue;
use tokio::sync::{mpsc, oneshot};

use super::documents::{Count, Taken};
use super::refusal::Refusal;
use super::room::Share;
use crate::capture::{OpenBinding, Session, TaskError};
use crate::spool::Spool;
use crate::tasks::{Activity, Enrolled, Strategy};

/// Checkpoints that may wait for their acknowledgement. One commits while the next fills; the others bridge the way there and back.
const IN_FLIGHT: usize = 4;

/// Requests that share a checkpoint, at most.
const BATCH_REQUESTS: usize = 1_024;

/// Bytes of a checkpoint beyond which no further request is added to it.
const BATCH_BYTES: u64 = 32 << 20;

/// The update of a checkpoint: nobody has a cursor here.
const NO_UPDATE: &str = "{}";

/// A request whose documents are to be captured.
pub(super) struct Accepted {
    pub(super) taken: Taken,
    /// Dropped without a word if it is not known whether they are captured.
    pub(super) answer: oneshot::Sender<Result<(), Refusal>>,
    pub(super) shares: Shares,
}

/// What a request takes of the room that there is.
pub(super) struct Shares {
    /// Of requests: itself.
    pub(super) request: Share,
    /// Of bytes in memory, until they are part of a sequence.
    pub(super) memory: Share,
    /// Of bytes that wait.
    pub(super) waiting: Share,
}

pub(super) struct Pool {
    session: Arc<Session>,
    queue: mpsc::Receiver<Accepted>,
    /// Taken from the queue, and not yet sent.
    waiting: VecDeque<Accepted>,
    /// Oldest first, as they are acknowledged.
    in_flight: VecDeque<InFlight>,
    tasks: Vec<Enrolled>,
    update: Box<RawValue>,
}

/// A checkpoint that is not acknowledged yet.
struct InFlight {
    durable: oneshot::Receiver<()>,
    answers: Vec<Answering>,
}

struct Answering {
    answer: oneshot::Sender<Result<(), Refusal>>,
    _held: (Share, Share),
}

impl Pool {
    pub(super) fn new(
        session: &Arc<Session>,
        bindings: &[Arc<OpenBinding>],
        queue: mpsc::Receiver<Accepted>,
    ) -> Self {
        let enrol = |binding| {
            let task = session.tasks.enrol(binding, None);
            task.is_a(Strategy::Webhook);
            task.is_at(Activity::Listening);
            task
        };
        Self {
            session: Arc::clone(session),
            queue,
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            tasks: bindings.iter().map(enrol).collect(),
            update: RawValue::from_string(NO_UPDATE.to_owned()).expect("an object is JSON"),
        }
    }

    /// Goes on until it is dropped, or until nothing can be captured any more.
    pub(super) async fn run(mut self) -> Result<Infallible, TaskError> {
        let outcome = self.pump().await;
        // They were not sent. Those which were are not known to be durable: their answers are dropped.
        self.queue.close();
        while let Ok(accepted) = self.queue.try_recv() {
            self.waiting.push_back(accepted);
        }
        for accepted in self.waiting.drain(..) {
            let _ = accepted.answer.send(Err(Refusal::Stopping));
        }
        outcome
    }

    async fn pump(&mut self) -> Result<Infallible, TaskError> {
        let mut received = Vec::new();
        loop {
            tokio::select! {
                biased; // Whoever waits the longest is answered first.
                durable = next_durable(&mut self.in_flight), if !self.in_flight.is_empty() => {
                    durable?;
                    self.answer_oldest();
                }
                more = self.queue.recv_many(&mut received, BATCH_REQUESTS), if self.may_send() => {
                    if more == 0 {
                        return Err(TaskError::Closed);
                    }
                    // Those that are ready now, too: a checkpoint costs much more than a document.
                    tokio::task::yield_now().await;
                    while received.len() < BATCH_REQUESTS && let Ok(accepted) = self.queue.try_recv() {
                        received.push(accepted);
                    }
                    self.waiting.extend(received.drain(..));
                }
            }
            while self.in_flight.len() < IN_FLIGHT && !self.waiting.is_empty() {
                self.send().await?;
            }
        }
    }

    fn may_send(&self) -> bool {
        self.in_flight.len() < IN_FLIGHT && self.waiting.is_empty()
    }

    fn answer_oldest(&mut self) {
        let Some(acknowledged) = self.in_flight.pop_front() else {
            return;
        };
        for answering in acknowledged.answers {
            let _ = answering.answer.send(Ok(())); // Who posted may have gone.
        }
    }

    /// Sends what waits, as far as it fits into one checkpoint.
    async fn send(&mut self) -> Result<(), TaskError> {
        if !self.session.transactor.is_acknowledged() {
            return Err(TaskError::Closed); // It would be captured, and nobody could be told.
        }
        let Some(first) = self.waiting.pop_front() else {
            return Ok(());
        };
        let mut batch = Batch::new(first);
        while let Some(next) = self.waiting.pop_front_if(|next| batch.has_room_for(next)) {
            batch.add(next).map_err(|source| TaskError::Spool {
                binding: "webhooks".to_owned(),
                source,
            })?;
        }
        self.count(&batch.counts, batch.messages.len());
        let transactor = &self.session.transactor;
        let durable = transactor.submit(batch.messages, &self.update, true);
        self.in_flight.push_back(InFlight {
            durable: durable.await?,
            answers: batch.answers,
        });
        Ok(())
    }

    fn count(&self, counts: &[Count], bytes: u64) {
        for count in counts {
            self.tasks[count.endpoint].captured_with_others(count.documents, count.bytes);
        }
        let documents = counts.iter().map(|count| count.documents).sum();
        self.session.tasks.progress.checkpointed(documents, bytes);
    }
}

async fn next_durable(in_flight: &mut VecDeque<InFlight>) -> Result<(), TaskError> {
    match in_flight.front_mut() {
        Some(oldest) => (&mut oldest.durable).await.map_err(|_| TaskError::Closed),
        None => std::future::pending().await,
    }
}

/// What leaves with one checkpoint.
struct Batch {
    messages: Spool,
    counts: Vec<Count>,
    answers: Vec<Answering>,
}

impl Batch {
    fn new(first: Accepted) -> Self {
        let mut this = Self {
            messages: first.taken.messages,
            counts: first.taken.counts,
            answers: Vec::new(),
        };
        this.will_answer(first.answer, first.shares);
        this
    }

    /// What lies in a file is not copied into another: it leaves on its own.
    fn has_room_for(&self, next: &Accepted) -> bool {
        let messages = &next.taken.messages;
        self.answers.len() < BATCH_REQUESTS
            && messages.is_in_memory()
            && self.messages.len() + messages.len() <= BATCH_BYTES
    }

    fn add(&mut self, next: Accepted) -> std::io::Result<()> {
        self.counts.extend(next.taken.counts);
        self.messages.append(next.taken.messages)?;
        self.will_answer(next.answer, next.shares);
        Ok(())
    }

    fn will_answer(&mut self, answer: oneshot::Sender<Result<(), Refusal>>, shares: Shares) {
        self.answers.push(Answering {
            answer,
            _held: (shares.request, shares.waiting), // Memory is the spool's from here on, which has its own bound.
        });
    }
}
