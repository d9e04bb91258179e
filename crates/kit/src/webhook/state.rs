//! What all requests of a capture that listens share.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::TaskTracker;

use super::body::DECODED_AT_ONCE;
use super::endpoints::Endpoints;
use super::listener::Listener;
use super::openapi;
use super::pool::{Accepted, Shares};
use super::room::{Full, Room};
use crate::capture::Session;

pub(super) struct State {
    pub(super) session: Arc<Session>,
    pub(super) endpoints: Endpoints,
    pub(super) limits: Listener,
    pub(super) queue: mpsc::Sender<Accepted>,
    /// Requests that are taken to be accepted: they get their answer, also while the capture stops.
    pub(super) active: TaskTracker,
    pub(super) decoders: Semaphore,
    pub(super) page: Bytes,
    pub(super) openapi: Bytes,
    rooms: Rooms,
}

/// Of requests, of bytes in memory, and of bytes that wait.
struct Rooms {
    requests: Arc<Room>,
    memory: Arc<Room>,
    waiting: Arc<Room>,
}

impl State {
    pub(super) fn new(
        session: &Arc<Session>,
        endpoints: Endpoints,
        limits: Listener,
        queue: mpsc::Sender<Accepted>,
    ) -> Arc<Self> {
        Arc::new(Self {
            session: Arc::clone(session),
            queue,
            active: TaskTracker::new(),
            decoders: Semaphore::new(DECODED_AT_ONCE),
            page: openapi::page(&endpoints.named).into(),
            openapi: openapi::document(&endpoints.named).into(),
            rooms: Rooms {
                requests: Room::new(limits.max_requests as u64),
                memory: Room::new(limits.memory_bytes()),
                waiting: Room::new(limits.max_waiting_bytes),
            },
            endpoints,
            limits,
        })
    }

    /// Room for one more request, whose body is of no bytes yet.
    pub(super) fn shares(&self) -> Result<Shares, Full> {
        let mut shares = Shares {
            request: self.rooms.requests.share(),
            memory: self.rooms.memory.share(),
            waiting: self.rooms.waiting.share(),
        };
        shares.request.take(1)?;
        Ok(shares)
    }
}
