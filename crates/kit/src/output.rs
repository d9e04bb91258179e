//! The one writer of standard output.
//!
//! A thread of its own writes, because Tokio would send every write through its pool of blocking threads. What it is handed is a
//! whole sequence, so sequences cannot interleave, and the order of its queue is the order on the wire.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::spool::{Out, Spool};
use crate::transactor::Acknowledgements;

/// How many sequences may wait to be written. Each waits in its own spool; this only keeps the writer busy.
const QUEUED_SEQUENCES: usize = 16;

/// One unbroken run of messages.
pub(crate) struct Sequence {
    pub(crate) messages: Spool,
    /// For a sequence that ends in a checkpoint: whom to tell that it is durable, if anyone waits.
    pub(crate) checkpoint: Option<Option<oneshot::Sender<()>>>,
    /// Whom to tell that it is written. Dropped without a word if it cannot be.
    pub(crate) written: oneshot::Sender<()>,
}

impl Sequence {
    /// Expects its acknowledgement, before its bytes leave: it may come back faster than the writer gets on.
    fn expect(&mut self, acknowledgements: &Mutex<Acknowledgements>) {
        if let Some(waiter) = self.checkpoint.take() {
            let acknowledgements = acknowledgements.lock();
            acknowledgements
                .unwrap_or_else(PoisonError::into_inner)
                .expect(waiter);
        }
    }
}

/// Starts the writer. It ends when every sender is gone, or when nobody reads any more.
pub(crate) fn start(
    mut out: impl Out,
    acknowledgements: Arc<Mutex<Acknowledgements>>,
) -> (mpsc::Sender<Sequence>, JoinHandle<std::io::Result<()>>) {
    let (sender, mut queue) = mpsc::channel::<Sequence>(QUEUED_SEQUENCES);
    let writer = move || {
        while let Some(mut sequence) = queue.blocking_recv() {
            sequence.expect(&acknowledgements);
            sequence.messages.write_to(&mut out)?;
            out.flush()?;
            drop(sequence.messages);
            let _ = sequence.written.send(()); // Nobody waits for a task that was cancelled.
        }
        Ok(())
    };
    let thread = std::thread::Builder::new()
        .name("stdout".into())
        .spawn(writer);
    (
        sender,
        thread.expect("a process can start its writer thread"),
    )
}

/// The same as a task, for whoever reads on the thread that serves: what is sent there is a whole sequence.
pub(crate) fn start_task(
    out: mpsc::Sender<Vec<u8>>,
    acknowledgements: Arc<Mutex<Acknowledgements>>,
) -> (mpsc::Sender<Sequence>, tokio::task::JoinHandle<()>) {
    let (sender, mut queue) = mpsc::channel::<Sequence>(QUEUED_SEQUENCES);
    let writer = tokio::spawn(async move {
        while let Some(mut sequence) = queue.recv().await {
            sequence.expect(&acknowledgements);
            let mut bytes = Vec::new();
            if sequence.messages.write_to(&mut bytes).is_err() || out.send(bytes).await.is_err() {
                return; // Nobody reads any more.
            }
            let _ = sequence.written.send(()); // Nobody waits for a task that was cancelled.
        }
    });
    (sender, writer)
}
