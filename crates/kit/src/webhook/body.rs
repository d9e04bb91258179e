//! Bodies, read whole within their bounds.

use std::io::{self, Cursor};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_ENCODING;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::listener::Listener;
use super::refusal::Refusal;
use super::room::Share;
use crate::decode::{self, Coding, TooLarge};

/// Codings that a body may have one around the other. Each takes up to 16 MiB while it is undone.
const MAX_CODINGS: usize = 2;

/// Bodies that are decompressed at once: that many codings' memory, and as many cores as a connector mostly has.
pub(super) const DECODED_AT_ONCE: usize = 4;

/// Bytes that are decompressed before others have their turn.
const DECODED_IN_A_TURN: usize = 1 << 20;

/// What is reserved, at most, for a body that comes in pieces. Beyond that it doubles as needed.
const RESERVED_BYTES: u64 = 1 << 20;

/// What is read of a body that is refused, so that its sender comes to read the answer: most write a request whole before they do.
const DISCARDED_BYTES: u64 = 128 << 20;

/// For how long it is.
const DISCARDED_TIME: Duration = Duration::from_secs(10);

/// What is known of a body before it is read.
#[derive(Debug)]
pub(super) struct Form {
    codings: Vec<Coding>,
}

impl Form {
    /// Of a body that is refused already for what its head says, nothing need be read.
    pub(super) fn of(
        headers: &HeaderMap,
        body: &Incoming,
        max_bytes: u64,
    ) -> Result<Self, Refusal> {
        if body.size_hint().lower() > max_bytes {
            return Err(Refusal::TooLarge(max_bytes));
        }
        let values = headers.get_all(CONTENT_ENCODING).into_iter();
        let values: Result<Vec<&str>, _> = values.map(|value| value.to_str()).collect();
        let Ok(values) = values else {
            let problem =
                "the content coding cannot be read; use `gzip`, `deflate`, `br` or `zstd`";
            return Err(Refusal::Coding(problem.to_owned()));
        };
        let codings =
            decode::codings(values).map_err(|error| Refusal::Coding(error.to_string()))?;
        match codings.len() <= MAX_CODINGS {
            true => Ok(Self { codings }),
            false => Err(Refusal::Coding(format!(
                "there are more than {MAX_CODINGS} content codings one around the other"
            ))),
        }
    }
}

/// Reads a body, and undoes its codings. `memory` is as large as it is while it arrives.
pub(super) async fn read(
    body: &mut Incoming,
    form: &Form,
    limits: &Listener,
    memory: &mut Share,
    decoders: &Semaphore,
) -> Result<Bytes, Refusal> {
    let sent = receive(body, limits, memory).await?;
    if form.codings.is_empty() {
        return Ok(sent);
    }
    let permit = decoders.acquire().await;
    let _permit = permit.expect("the semaphore of decoders is never closed");
    decompress(sent, &form.codings, limits.max_body_bytes, memory).await
}

/// Reads a body as it is sent. One that stands still, or that arrives too slowly, is not waited for.
async fn receive(
    body: &mut Incoming,
    limits: &Listener,
    memory: &mut Share,
) -> Result<Bytes, Refusal> {
    let max = limits.max_body_bytes;
    let announced = body.size_hint().lower();
    let began = Instant::now();
    let mut received = Received::default();
    loop {
        let total = received.len() as u64;
        let due = began + limits.body_timeout + in_time(total, limits.min_body_rate);
        let deadline = due.min(Instant::now() + limits.body_timeout);
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => return Err(Refusal::TooSlow),
            Ok(None) => return Ok(received.whole()),
            Ok(Some(Err(_))) => return Err(Refusal::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else {
            continue; // Trailers say nothing here.
        };
        let total = total + data.len() as u64;
        if total > max {
            return Err(Refusal::TooLarge(max));
        }
        memory.grow_to(total)?;
        received.push(data, announced);
    }
}

/// How long so many bytes take, at least.
fn in_time(bytes: u64, rate: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1_000) / rate)
}

/// What has arrived. A body of one piece, as most are, is not copied.
#[derive(Default)]
struct Received {
    first: Bytes,
    rest: BytesMut,
}

impl Received {
    fn len(&self) -> usize {
        self.first.len() + self.rest.len()
    }

    fn push(&mut self, data: Bytes, announced: u64) {
        if self.len() == 0 {
            self.first = data;
            return;
        }
        if self.rest.is_empty() {
            // No more than that: whoever announces much need not send it.
            let expected = usize::try_from(announced.min(RESERVED_BYTES)).unwrap_or(0);
            self.rest
                .reserve(expected.max(self.first.len() + data.len()));
            self.rest
                .extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.rest.extend_from_slice(&data);
    }

    fn whole(self) -> Bytes {
        match self.rest.is_empty() {
            true => self.first,
            false => self.rest.freeze(),
        }
    }
}

async fn decompress(
    sent: Bytes,
    codings: &[Coding],
    max: u64,
    memory: &mut Share,
) -> Result<Bytes, Refusal> {
    let mut reader = decode::decoded(Cursor::new(sent), codings, max);
    let mut whole = BytesMut::new();
    let mut turn = DECODED_IN_A_TURN;
    loop {
        let before = whole.len();
        whole.reserve(DECODED_IN_A_TURN / 16);
        match reader.read_buf(&mut whole).await {
            Ok(0) => return Ok(whole.freeze()),
            Ok(_) => {}
            Err(error) => return Err(undecodable(&error, max)),
        }
        let decoded = whole.len() - before;
        memory.take(decoded as u64)?;
        turn = turn.saturating_sub(decoded);
        if turn == 0 {
            turn = DECODED_IN_A_TURN;
            tokio::task::yield_now().await;
        }
    }
}

fn undecodable(error: &io::Error, max: u64) -> Refusal {
    match error.get_ref().map(|inner| inner.is::<TooLarge>()) {
        Some(true) => Refusal::TooLarge(max),
        _ => Refusal::BadBody("the body is not what its content coding says".to_owned()),
    }
}

/// Reads what is left of a body that is refused, within bounds, and throws it away.
pub(super) async fn discard(body: &mut Incoming) {
    let deadline = Instant::now() + DISCARDED_TIME;
    let mut left = DISCARDED_BYTES;
    while let Ok(Some(Ok(frame))) = timeout_at(deadline, body.frame()).await {
        let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
