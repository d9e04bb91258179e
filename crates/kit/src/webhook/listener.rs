//! Where a capture listens, and how much it bears.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// More connections or requests than a process could have.
const MOST: usize = 1 << 20;

/// No capture runs for longer.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a capture listens, and how much it bears.
///
/// By default on port 8080 of all interfaces, without TLS: the gateway in front of a connector ends that. HTTP/1.1 and HTTP/2 are spoken on the same port.
/// What is beyond a bound is refused with 503 and a `Retry-After`, so that memory is bounded whatever arrives.
///
/// ```
/// use std::time::Duration;
/// use staunch::webhook::Listener;
///
/// let listener = Listener::default()
///     .port(8443)
///     .max_body_bytes(1 << 20)
///     .stop_timeout(Duration::from_secs(20));
/// # let _ = listener;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) max_connections: usize,
    pub(crate) max_requests: usize,
    pub(crate) max_body_bytes: u64,
    pub(crate) max_memory_bytes: u64,
    pub(crate) max_waiting_bytes: u64,
    pub(crate) head_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) min_body_rate: u64,
    pub(crate) acknowledgement_timeout: Duration,
    pub(crate) stop_timeout: Duration,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)),
            max_connections: 2_048,
            max_requests: 4_096,
            max_body_bytes: 64 << 20,
            max_memory_bytes: 192 << 20,
            max_waiting_bytes: 1 << 30,
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            min_body_rate: 4 << 10,
            acknowledgement_timeout: Duration::from_secs(5 * 60),
            stop_timeout: Duration::from_secs(60),
        }
    }
}

/// Where.
impl Listener {
    /// Listens on this address.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = address;
        self
    }

    /// Listens on this port, 8080 by default.
    pub fn port(mut self, port: u16) -> Self {
        self.address.set_port(port);
        self
    }
}

/// How much.
impl Listener {
    /// Connections at once, 2,048 by default. Others wait in the system's queue until one of these ends.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.clamp(1, MOST);
        self
    }

    /// Requests that are read or wait for their acknowledgement, 4,096 by default. Others are refused with 503.
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests.clamp(1, MOST);
        self
    }

    /// Bytes of one body, as sent and after decompression: 64 MiB by default. One that is larger is refused with 413.
    pub fn max_body_bytes(mut self, bytes: u64) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Bytes of all bodies that are in memory, 192 MiB by default. What does not fit is refused with 503.
    ///
    /// It is never less than twice the largest body, as a body that is decompressed is there twice.
    pub fn max_memory_bytes(mut self, bytes: u64) -> Self {
        self.max_memory_bytes = bytes;
        self
    }

    /// Bytes of all documents that wait for their acknowledgement, 1 GiB by default: in memory, in temporary files, or with the runtime. What does not fit
    /// is refused with 503.
    pub fn max_waiting_bytes(mut self, bytes: u64) -> Self {
        self.max_waiting_bytes = bytes;
        self
    }

    /// What bodies may take in memory.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let twice = self.max_body_bytes.saturating_mul(2);
        self.max_memory_bytes.max(twice)
    }
}

/// How long.
impl Listener {
    /// How long a connection may take to send the head of its next request, 30 seconds by default. Then it is closed.
    pub fn head_timeout(mut self, time: Duration) -> Self {
        self.head_timeout = time.min(LONGEST);
        self
    }

    /// How long a body may stand still, 30 seconds by default. Then the request is refused with 408.
    pub fn body_timeout(mut self, time: Duration) -> Self {
        self.body_timeout = time.min(LONGEST);
        self
    }

    /// Bytes per second with which a body must arrive on average, once it has taken as long as it may [stand still](Self::body_timeout):
    /// 4 KiB by default. A slower one is refused with 408.
    pub fn min_body_rate(mut self, bytes_per_second: u64) -> Self {
        self.min_body_rate = bytes_per_second.max(1);
        self
    }

    /// How long a request waits for its acknowledgement, five minutes by default. Then it is answered with 503, and its documents may be captured all the
    /// same.
    pub fn acknowledgement_timeout(mut self, time: Duration) -> Self {
        self.acknowledgement_timeout = time.min(LONGEST);
        self
    }

    /// How long requests that were accepted have to get their acknowledgement once the capture is to stop, a minute by default.
    pub fn stop_timeout(mut self, time: Duration) -> Self {
        self.stop_timeout = time.min(LONGEST);
        self
    }
}
