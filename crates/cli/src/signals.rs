//! SIGINT and SIGTERM: the first asks for an end at a checkpoint, the second for an end now, the third kills.

use std::io::{self, Read as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Signals {
    ids: Vec<SigId>,
    wake: UnixStream,
    listener: Option<JoinHandle<()>>,
}

impl Signals {
    /// Calls `heard` with 1 for the first signal and 2 for the second, from a thread of its own.
    ///
    /// # Errors
    /// When the system has no pipe or no thread left.
    pub(crate) fn listen(heard: impl Fn(u8) + Send + 'static) -> io::Result<Self> {
        let (mut receiver, sender) = UnixStream::pair()?;
        let is_last = Arc::new(AtomicBool::new(false));
        let mut ids = Vec::new();
        for signal in [SIGINT, SIGTERM] {
            // Before the pipe, so that the signal that arms it is not the one that kills.
            ids.push(flag::register_conditional_default(
                signal,
                Arc::clone(&is_last),
            )?);
            ids.push(low_level::pipe::register(signal, sender.try_clone()?)?);
        }
        let wake = receiver.try_clone()?;
        let listen = move || {
            let mut byte = [0];
            let mut count: u8 = 0;
            while matches!(receiver.read(&mut byte), Ok(1)) {
                count = count.saturating_add(1);
                if count == 2 {
                    is_last.store(true, Ordering::SeqCst);
                }
                if count <= 2 {
                    heard(count);
                }
            }
        };
        let listener = std::thread::Builder::new()
            .name("signals".into())
            .spawn(listen)?;
        Ok(Self {
            ids,
            wake,
            listener: Some(listener),
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            low_level::unregister(id);
        }
        let _ = self.wake.shutdown(Shutdown::Both); // Ends the listener; if it has ended, so much the better.
        if let Some(listener) = self.listener.take() {
            let _ = listener.join(); // A panic of it has been printed.
        }
    }
}
