//! The server of a capture that listens: it accepts connections, and stops with the capture.
//!
//! ```text
//! the capture is to stop ─► further requests are refused, those accepted get their acknowledgement and their answer
//!            when they have, or after the stop's timeout ─► nobody is listened to, connections close, five seconds later at the latest
//! ```

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, CLOSE_TIME};
use super::endpoints::Endpoints;
use super::listener::Listener;
use super::pool::Pool;
use super::state::State;
use crate::capture::{Child, Session, TaskError};

/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1_024;

/// How long to wait when a connection cannot be accepted, as the process has too many files open.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Binds the listener's address. What runs the server is a child of the capture like any other.
pub(crate) fn start(
    session: &Arc<Session>,
    endpoints: Endpoints,
    limits: Listener,
) -> Result<Child, TaskError> {
    let address = limits.address;
    let bound = bind(address).and_then(|socket| Ok((socket.local_addr()?, socket)));
    let (local, socket) = bound.map_err(|source| TaskError::Listen { address, source })?;
    tracing::info!(address = %local, "listening");
    let (queue, queued) = mpsc::channel(limits.max_requests);
    let pool = Pool::new(session, &endpoints.bindings, queued);
    let server = Server {
        connections: Arc::new(Semaphore::new(limits.max_connections)),
        state: State::new(session, endpoints, limits, queue),
        tasks: TaskTracker::new(),
        closing: CancellationToken::new(),
    };
    Ok(Child::new(
        format!("webhooks on {local}"),
        server.run(socket, pool),
    ))
}

/// Also where a process listened that has just ended, and left connections behind.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

struct Server {
    state: Arc<State>,
    connections: Arc<Semaphore>,
    tasks: TaskTracker,
    /// Set when connections are to close.
    closing: CancellationToken,
}

impl Server {
    async fn run(self, socket: TcpListener, pool: Pool) -> Result<(), TaskError> {
        let _closing = self.closing.clone().drop_guard(); // Also when this is cancelled.
        let outcome = tokio::select! {
            biased; // What keeps the pool from going on is the more important news.
            Err(error) = pool.run() => Err(error),
            () = self.drained() => Ok(()),
            never = self.accept(&socket) => match never {},
        };
        // The pool is gone, and with it the last hope of those that it has not answered. They are told so.
        drop(socket);
        self.closing.cancel();
        self.tasks.close();
        let _ = timeout(CLOSE_TIME + Duration::from_secs(1), self.tasks.wait()).await;
        outcome
    }

    async fn accept(&self, socket: &TcpListener) -> Infallible {
        let http = Arc::new(connection::http());
        loop {
            let permit = Arc::clone(&self.connections).acquire_owned().await;
            let permit = permit.expect("the semaphore of connections is never closed");
            match socket.accept().await {
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true); // Answers are small. It works without.
                    let (http, state) = (Arc::clone(&http), Arc::clone(&self.state));
                    let serving = connection::serve(stream, http, state, self.closing.clone());
                    self.tasks.spawn(async move {
                        serving.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    /// Returns once the capture is to stop and all that was accepted is answered, or is waited for no longer.
    async fn drained(&self) {
        let Session { stopping, .. } = &*self.state.session;
        stopping.cancelled().await;
        let active = &self.state.active;
        tracing::info!(
            requests = active.len(),
            "no further requests are accepted; those that were are answered"
        );
        active.close();
        let time = self.state.limits.stop_timeout;
        if timeout(time, active.wait()).await.is_err() {
            tracing::warn!(
                requests = active.len(),
                seconds = time.as_secs(),
                "requests were not acknowledged in time; they are refused, and their documents may be captured twice"
            );
        }
    }
}
