//! One connection, from its first byte to its end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::service;
use super::state::State;

/// What a connection holds of a request's head, and of a body at a time. A head that does not fit is refused.
const BUFFER_BYTES: usize = 32 << 10;

/// Requests of one HTTP/2 connection at once.
const STREAMS: u32 = 256;

/// Bytes that may arrive over an HTTP/2 connection before they are read.
const WINDOW_BYTES: u32 = 128 << 10;

/// How long a connection has to take what it is answered once it is to close.
pub(super) const CLOSE_TIME: Duration = Duration::from_secs(5);

/// How HTTP is spoken: either version, as the client begins.
pub(super) fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .half_close(true) // Who has said all may still wait for the answer.
        .max_buf_size(BUFFER_BYTES)
        .header_read_timeout(None); // A connection that sends no request for too long is closed here.
    http.http2()
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_header_list_size(BUFFER_BYTES as u32);
    http
}

/// Serves a connection until it ends, is idle for too long, or all are to close.
pub(super) async fn serve(
    stream: TcpStream,
    http: Arc<auto::Builder<TokioExecutor>>,
    state: Arc<State>,
    closing: CancellationToken,
) {
    let idle_time = state.limits.head_timeout;
    let activity = Arc::new(Activity::begin());
    let of_requests = Arc::clone(&activity);
    let service = service_fn(move |request| {
        let (state, active) = (Arc::clone(&state), of_requests.request());
        async move {
            let answer = service::answer(state, request).await;
            drop(active);
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let closed = closing.cancelled();
    tokio::pin!(closed);
    let idle = sleep_until(activity.began + idle_time);
    tokio::pin!(idle);
    loop {
        tokio::select! {
            biased; // A request that has come is more than an idle connection.
            ended = &mut connection => return log(ended),
            () = &mut closed => break,
            () = &mut idle => match activity.idle_until(idle_time) {
                until if until <= Instant::now() => break,
                until => idle.as_mut().reset(until),
            },
        }
    }
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(CLOSE_TIME, connection).await {
        log(ended);
    }
}

fn log(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection broke");
    }
}

/// When a connection last did something.
struct Activity {
    began: Instant,
    /// Requests that are not answered yet.
    requests: AtomicUsize,
    /// When the last one was answered, in milliseconds.
    answered: AtomicU64,
}

impl Activity {
    fn begin() -> Self {
        Self {
            began: Instant::now(),
            requests: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
        }
    }

    fn request(self: &Arc<Self>) -> Active {
        self.requests.fetch_add(1, Ordering::AcqRel);
        Active(Arc::clone(self))
    }

    /// When it will have been idle for `time`, if nothing comes.
    fn idle_until(&self, time: Duration) -> Instant {
        if self.requests.load(Ordering::Acquire) > 0 {
            return Instant::now() + time;
        }
        self.began + Duration::from_millis(self.answered.load(Ordering::Acquire)) + time
    }
}

/// A request that is not answered yet.
struct Active(Arc<Activity>);

impl Drop for Active {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.answered.fetch_max(now, Ordering::AcqRel);
        self.0.requests.fetch_sub(1, Ordering::AcqRel);
    }
}
