//! Checkpoints on their way out, and the acknowledgements that come back for them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use staunch_protocol::{Codec, RawValue, Response, response};
use tokio::sync::{mpsc, oneshot};

use crate::capture::TaskError;
use crate::output::{self, Sequence};
use crate::spool::{Out, Spool};

/// Checkpoints that are written and not yet acknowledged, oldest first. Pairs only; the transactor writes and waits.
#[derive(Debug, Default)]
pub(crate) struct Acknowledgements {
    pending: VecDeque<Option<oneshot::Sender<()>>>,
    /// Set when no acknowledgement can come any more.
    closed: bool,
    /// Whether the runtime was asked for them. If not, nothing is kept: nothing will come.
    expected: bool,
}

impl Acknowledgements {
    pub(crate) fn expect(&mut self, waiter: Option<oneshot::Sender<()>>) {
        if self.expected && !self.closed {
            self.pending.push_back(waiter);
        }
    }

    /// The next `checkpoints` are durable. More than are pending is the runtime's mistake, and says nothing about which.
    fn acknowledge(&mut self, checkpoints: usize) -> Result<(), TaskError> {
        if !self.expected {
            return Ok(()); // Not asked for: some runtimes send them all the same, and nobody waits.
        }
        if checkpoints > self.pending.len() {
            let pending = self.pending.len();
            return Err(TaskError::TooManyAcknowledgements {
                checkpoints,
                pending,
            });
        }
        for waiter in self.pending.drain(..checkpoints).flatten() {
            let _ = waiter.send(()); // Nobody waits for a task that was cancelled.
        }
        Ok(())
    }
}

/// For what of a checkpoint is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Await {
    /// Not at all, once it has its turn: whatever is sent later is written later.
    Turn,
    Written,
    Durable,
}

/// Writes sequences whole, one at a time, and pairs checkpoints with acknowledgements.
#[derive(Clone)]
pub(crate) struct Transactor {
    codec: Codec,
    writer: mpsc::Sender<Sequence>,
    acknowledgements: Arc<Mutex<Acknowledgements>>,
}

impl Transactor {
    pub(crate) fn start(codec: Codec, out: impl Out) -> (Self, JoinHandle<std::io::Result<()>>) {
        let acknowledgements = Arc::default();
        let (writer, thread) = output::start(out, Arc::clone(&acknowledgements));
        (
            Self {
                codec,
                writer,
                acknowledgements,
            },
            thread,
        )
    }

    /// One whose sequences are sent to another task, in JSON.
    pub(crate) fn start_task(out: mpsc::Sender<Vec<u8>>) -> (Self, tokio::task::JoinHandle<()>) {
        let acknowledgements = Arc::default();
        let (writer, task) = output::start_task(out, Arc::clone(&acknowledgements));
        let this = Self {
            codec: Codec::Json,
            writer,
            acknowledgements,
        };
        (this, task)
    }

    /// What messages are written in.
    pub(crate) fn codec(&self) -> Codec {
        self.codec
    }

    /// Writes one message which is no part of a sequence.
    pub(crate) async fn respond(
        &self,
        response: &Response<'_>,
        mut spool: Spool,
    ) -> Result<(), TaskError> {
        self.encode(response, &mut spool)?;
        self.send(spool, None).await
    }

    fn encode(&self, response: &Response<'_>, spool: &mut Spool) -> Result<(), TaskError> {
        let encoded = self.codec.encode_response(response, spool.buffer());
        encoded.map_err(|source| TaskError::Unwritable { source })
    }

    /// Asks that checkpoints be counted from here on, as `Opened` asks the runtime to acknowledge them.
    pub(crate) fn expect_acknowledgements(&self) {
        self.lock().expected = true;
    }

    /// Writes the sequence in `messages`, and then the checkpoint that ends it.
    pub(crate) async fn checkpoint(
        &self,
        messages: Spool,
        updated: &RawValue,
        merge_patch: bool,
        until: Await,
    ) -> Result<(), TaskError> {
        self.checkpoint_telling(messages, updated, merge_patch, until, || {})
            .await
    }

    /// Does the same, and calls `written` when what is left is to wait for the acknowledgement.
    pub(crate) async fn checkpoint_telling(
        &self,
        mut messages: Spool,
        updated: &RawValue,
        merge_patch: bool,
        until: Await,
        written: impl FnOnce(),
    ) -> Result<(), TaskError> {
        let state = Some(response::ConnectorState {
            updated,
            merge_patch,
        });
        let checkpoint = Response::Checkpoint(response::Checkpoint { state });
        self.encode(&checkpoint, &mut messages)?;
        match until {
            Await::Turn => self.enqueue(messages, Some(None)).await.map(drop),
            Await::Written => self.send(messages, Some(None)).await,
            Await::Durable => {
                let (waiter, durable) = oneshot::channel();
                self.send(messages, Some(Some(waiter))).await?;
                written();
                durable.await.map_err(|_| TaskError::Closed)
            }
        }
    }

    /// As [`checkpoint`](Self::checkpoint), and returns when it has its turn: the answer is told when it is durable, or dropped if that
    /// cannot be known any more.
    #[cfg(feature = "webhook")]
    pub(crate) async fn submit(
        &self,
        mut messages: Spool,
        updated: &RawValue,
        merge_patch: bool,
    ) -> Result<oneshot::Receiver<()>, TaskError> {
        let state = Some(response::ConnectorState {
            updated,
            merge_patch,
        });
        let checkpoint = Response::Checkpoint(response::Checkpoint { state });
        self.encode(&checkpoint, &mut messages)?;
        let (waiter, durable) = oneshot::channel();
        self.enqueue(messages, Some(Some(waiter))).await?;
        Ok(durable)
    }

    /// Whether acknowledgements may still come.
    #[cfg(feature = "webhook")]
    pub(crate) fn is_acknowledged(&self) -> bool {
        let acknowledgements = self.lock();
        acknowledgements.expected && !acknowledgements.closed
    }

    /// How many checkpoints wait for an acknowledgement.
    pub(crate) fn pending(&self) -> usize {
        self.lock().pending.len()
    }

    async fn send(
        &self,
        messages: Spool,
        checkpoint: Option<Option<oneshot::Sender<()>>>,
    ) -> Result<(), TaskError> {
        let is_written = self.enqueue(messages, checkpoint).await?;
        is_written.await.map_err(|_| TaskError::Closed)
    }

    /// Puts a sequence behind those that wait to be written.
    async fn enqueue(
        &self,
        messages: Spool,
        checkpoint: Option<Option<oneshot::Sender<()>>>,
    ) -> Result<oneshot::Receiver<()>, TaskError> {
        let (written, is_written) = oneshot::channel();
        let sequence = Sequence {
            messages,
            checkpoint,
            written,
        };
        match self.writer.send(sequence).await {
            Ok(()) => Ok(is_written),
            Err(_) => Err(TaskError::Closed),
        }
    }

    pub(crate) fn acknowledge(&self, checkpoints: u32) -> Result<(), TaskError> {
        self.lock().acknowledge(checkpoints as usize)
    }

    /// No acknowledgement can come any more: whoever waits for one waits in vain.
    pub(crate) fn close_acknowledgements(&self) {
        let mut acknowledgements = self.lock();
        acknowledgements.closed = true;
        acknowledgements.pending.clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Acknowledgements> {
        self.acknowledgements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expecting() -> Acknowledgements {
        Acknowledgements {
            expected: true,
            ..Acknowledgements::default()
        }
    }

    #[test]
    fn acknowledgements_are_paired_in_the_order_of_checkpoints() {
        let mut acknowledgements = expecting();
        let (first, mut first_durable) = oneshot::channel();
        let (third, mut third_durable) = oneshot::channel();
        for waiter in [Some(first), None, Some(third)] {
            acknowledgements.expect(waiter);
        }
        acknowledgements.acknowledge(2).unwrap();
        assert!(first_durable.try_recv().is_ok());
        assert!(third_durable.try_recv().is_err());
        acknowledgements.acknowledge(1).unwrap();
        assert!(third_durable.try_recv().is_ok());
    }

    #[test]
    fn acknowledging_more_than_is_pending_is_refused_and_says_so() {
        let mut acknowledgements = expecting();
        acknowledgements.expect(None);
        let error = acknowledgements.acknowledge(2).unwrap_err().to_string();
        assert!(
            error.contains("acknowledge") && error.contains("1 pending"),
            "{error}"
        );
    }

    #[test]
    fn acknowledgements_that_were_not_asked_for_are_dropped() {
        let mut acknowledgements = Acknowledgements::default();
        acknowledgements.expect(None);
        acknowledgements.acknowledge(3).unwrap();
    }
}
