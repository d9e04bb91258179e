//! The server: it reads requests, asks the test, and keeps the log.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::write::write;
use super::{Answer, Asked, Served};

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct FaultServer {
    url: String,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

/// What has come in.
#[derive(Debug, Default)]
struct Seen {
    connections: AtomicU64,
    log: Mutex<Vec<Served>>,
}

type Answering = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

impl FaultServer {
    /// A server on a port of its own, which answers with what `answer` says.
    ///
    /// # Panics
    /// If there is no port to be had.
    pub async fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("a listener has an address");
        let seen = Arc::new(Seen::default());
        let answer: Answering = Arc::new(answer);
        let accepting = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    seen.connections.fetch_add(1, Ordering::Relaxed);
                    let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                    // A client that goes away ends its connection, and nothing else.
                    tokio::spawn(async move { serve(stream, &answer, &seen).await });
                }
            }
        });
        Self {
            url: format!("http://{address}"),
            seen,
            accepting,
        }
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many connections were opened so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.seen.connections.load(Ordering::Relaxed)
    }

    /// What was done so far.
    #[must_use]
    pub fn log(&self) -> Vec<Served> {
        self.seen.log().clone()
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Seen {
    fn log(&self) -> MutexGuard<'_, Vec<Served>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a request, and answers with its number and what is to be answered.
    fn note(&self, asked: &mut Asked, answer: &Answering) -> (usize, Answer) {
        // Numbers are given in the order of the log, and the test's function is asked in that order too.
        let mut log = self.log();
        let nth = log.len();
        asked.nth = nth as u64;
        let answer = answer(asked);
        log.push(Served {
            asked: asked.clone(),
            status: answer.status,
            headers: answer.headers.clone(),
            fault: answer.fault,
            is_whole: false,
        });
        (nth, answer)
    }
}

async fn serve(stream: TcpStream, answer: &Answering, seen: &Seen) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(mut asked) = read(&mut stream).await? {
        let (nth, answer) = seen.note(&mut asked, answer);
        let written = write(stream.get_mut(), &asked, &answer, || {
            seen.log()[nth].is_whole = !answer.is_spoilt;
        });
        if !written.await? {
            return Ok(());
        }
    }
    Ok(())
}

async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Asked>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next(), words.next());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(Some(Asked {
        nth: 0,
        method: method.unwrap_or_default(),
        target: target.unwrap_or_default(),
        headers,
        body,
    }))
}
