//! A server that does not even answer a knock.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long a connection on loopback may take, at the very most.
const KNOCK: Duration = Duration::from_millis(500);

/// A server whose queue of connections is full: to reach it takes for ever.
#[derive(Debug)]
pub struct Deaf {
    address: SocketAddr,
    _listener: TcpListener,
    /// What fills the queue.
    _waiting: Vec<TcpStream>,
}

impl Deaf {
    /// A server on a port of its own.
    ///
    /// # Panics
    /// If there is no port to be had, or the system lets anybody wait in a full queue.
    pub async fn start() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(any).expect("a port");
        let listener = socket.listen(1).expect("a queue");
        let address = listener.local_addr().expect("a listener has an address");
        let mut waiting = Vec::new();
        while let Ok(connected) = timeout(KNOCK, TcpStream::connect(address)).await {
            waiting.push(connected.expect("who does not wait is let in"));
            assert!(waiting.len() < 100, "the queue has no end");
        }
        Self {
            address,
            _listener: listener,
            _waiting: waiting,
        }
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
