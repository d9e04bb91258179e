//! One request, from its head to its answer.

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::EXPECT;
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::body::{self, Form};
use super::documents::{self, Taken, Target};
use super::pool::{Accepted, Shares};
use super::refusal::{Answer, Refusal, json, with_body};
use super::state::State;

/// A body of more bytes is read into documents on a thread of its own, so that other requests do not wait for it.
const LARGE_BODY_BYTES: usize = 256 << 10;

/// Where people find what the endpoints are, and where programs do.
const PAGE: &str = "/";
const OPENAPI: &str = "/openapi.json";

/// Answers a request. It is durable if the answer is 200.
pub(super) async fn answer(state: Arc<State>, request: Request<Incoming>) -> Answer {
    let (parts, mut body) = request.into_parts();
    if let Some(page) = page(&state, &parts) {
        return page;
    }
    let (version, is_expecting) = (parts.version, parts.headers.contains_key(EXPECT));
    let mut is_read = false;
    match post(&state, parts, &mut body, &mut is_read).await {
        Ok(documents) => json(StatusCode::OK, format!("{{\"published\":{documents}}}")),
        Err(refusal) => {
            // One who waits for our word before it sends the body is told by the answer not to.
            if refusal.may_read_on() && (is_read || !is_expecting) {
                body::discard(&mut body).await;
            }
            refusal.answer(version)
        }
    }
}

/// What can be read here.
fn page(state: &State, request: &Parts) -> Option<Answer> {
    if request.method != Method::GET && request.method != Method::HEAD {
        return None;
    }
    let (content_type, text) = match request.uri.path() {
        PAGE => ("text/html; charset=utf-8", &state.page),
        OPENAPI => ("application/json", &state.openapi),
        _ => return None,
    };
    Some(with_body(StatusCode::OK, content_type, text.clone()))
}

/// Captures what was posted. Returns how many documents there were, once they are durable.
async fn post(
    state: &Arc<State>,
    request: Parts,
    body: &mut Incoming,
    is_read: &mut bool,
) -> Result<u64, Refusal> {
    let head = documents::head_of(&request);
    if let Err(unrouted) = state.endpoints.router.route(&head) {
        let mut refusal = Refusal::from(unrouted);
        if head.path == PAGE || head.path == OPENAPI {
            refusal = match refusal {
                Refusal::Method { allowed } => Refusal::Method {
                    allowed: format!("GET, HEAD, {allowed}"),
                },
                _ => Refusal::Method {
                    allowed: "GET, HEAD".to_owned(),
                },
            };
        }
        return Err(refusal);
    }
    // First the one and then the other: a stop waits for all that came before it.
    let _active = state.active.token();
    if state.session.stopping.is_cancelled() {
        return Err(Refusal::Stopping);
    }
    let mut shares = state.shares()?;
    let form = Form::of(&request.headers, body, state.limits.max_body_bytes)?;
    *is_read = true;
    let (limits, memory) = (&state.limits, &mut shares.memory);
    let body = body::read(body, &form, limits, memory, &state.decoders).await?;
    let (taken, shares) = take(state, request, body, shares).await?;
    let documents = taken.documents();
    if documents > 0 {
        capture(state, taken, shares).await?;
    }
    Ok(documents)
}

async fn take(
    state: &Arc<State>,
    request: Parts,
    body: Bytes,
    shares: Shares,
) -> Result<(Taken, Shares), Refusal> {
    if body.len() <= LARGE_BODY_BYTES {
        return take_here(state, &request, &body, shares);
    }
    let state = Arc::clone(state);
    let taking = tokio::task::spawn_blocking(move || take_here(&state, &request, &body, shares));
    taking.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a posted body could not be read");
        Err(Refusal::Failed)
    })
}

fn take_here(
    state: &State,
    request: &Parts,
    body: &[u8],
    mut shares: Shares,
) -> Result<(Taken, Shares), Refusal> {
    let target = Target {
        codec: state.session.transactor.codec(),
        budget: &state.session.budget,
        waiting: &mut shares.waiting,
        received_at: state.session.clock.now(),
        max_waiting_bytes: state.limits.max_waiting_bytes,
    };
    let taken = documents::take(&state.endpoints, request, body, target)?;
    shares.memory.set(taken.messages.memory())?; // The body goes, these stay.
    Ok((taken, shares))
}

/// Waits until it is durable.
async fn capture(state: &State, taken: Taken, shares: Shares) -> Result<(), Refusal> {
    let (answer, answered) = oneshot::channel();
    let accepted = Accepted {
        taken,
        answer,
        shares,
    };
    state
        .queue
        .try_send(accepted)
        .map_err(|_| Refusal::Stopping)?;
    match timeout(state.limits.acknowledgement_timeout, answered).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) | Err(_) => Err(Refusal::Unacknowledged),
    }
}
