//! A server that answers as a test says, and spoils its answers as a test says.
//!
//! It speaks just enough of HTTP/1.1, over plain TCP, to break it at any byte. Each request is given to the test's function, which
//! says what the answer would be and what is done to it. What was done is kept in a log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What a server was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How many requests came before it.
    pub nth: u64,
    /// The method.
    pub method: String,
    /// The path, with the query.
    pub target: String,
    /// The headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Asked {
    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, as it stands.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        let query = self.target.split_once('?')?.1;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// A header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers, but for the length.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// What is done to it.
    pub fault: Fault,
}

impl Answer {
    /// This status and body, as they should be.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            fault: Fault::None,
        }
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// With this done to it.
    #[must_use]
    pub fn fault(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }
}

/// What can be done to an answer. Whatever is done, the connection is closed after it, but for [`Fault::None`] and those that say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The connection is reset before anything is answered.
    ResetAtOnce,
    /// It is reset in the middle of the head.
    ResetInHead,
    /// It is reset in the middle of the body.
    ResetInBody,
    /// It is closed in the middle of the body, whose whole length was announced.
    HalfBody,
    /// The announced length is one byte too short, and the connection goes on.
    ShortLength,
    /// Chunks without the last one.
    ChunksWithoutEnd,
    /// A chunk whose size is none.
    BrokenChunk,
    /// Chunks as they should be; the connection goes on.
    Chunks,
    /// Neither a length nor chunks: the body ends with the connection.
    UntilClosed,
    /// What is no HTTP.
    Garbage,
    /// Nothing for so long, and then the answer.
    Silence(Duration),
    /// The head, then nothing for so long, and then the body.
    SilenceInBody(Duration),
    /// The body in pieces of so many bytes, with a pause after each; the connection goes on.
    Drip(usize, Duration),
    /// A good answer, after which the connection is closed without a word.
    CloseAfter,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Served {
    /// What was asked.
    pub asked: Asked,
    /// With which status it was answered.
    pub status: u16,
    /// And with which headers.
    pub headers: Vec<(String, String)>,
    /// What was done to the answer.
    pub fault: Fault,
    /// Whether all of it was handed to the network without a fault. The client may have gone away.
    pub is_whole: bool,
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct FaultServer {
    url: String,
    log: Arc<Mutex<Vec<Served>>>,
    accepting: JoinHandle<()>,
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
        let log = Arc::new(Mutex::new(Vec::new()));
        let answer: Answering = Arc::new(answer);
        let accepting = tokio::spawn({
            let (log, asked) = (Arc::clone(&log), Arc::new(Mutex::new(0)));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (log, answer, asked) =
                        (Arc::clone(&log), Arc::clone(&answer), Arc::clone(&asked));
                    // A client that goes away ends its connection, and nothing else.
                    tokio::spawn(async move { serve(stream, &answer, &log, &asked).await });
                }
            }
        });
        Self {
            url: format!("http://{address}"),
            log,
            accepting,
        }
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What was done so far.
    #[must_use]
    pub fn log(&self) -> Vec<Served> {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    stream: TcpStream,
    answer: &Answering,
    log: &Mutex<Vec<Served>>,
    count: &Mutex<u64>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(mut asked) = read(&mut stream).await? {
        asked.nth = {
            let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            *count - 1
        };
        let answer = answer(&asked);
        let at = {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(Served {
                asked: asked.clone(),
                status: answer.status,
                headers: answer.headers.clone(),
                fault: answer.fault,
                is_whole: false,
            });
            log.len() - 1
        };
        let written = write(stream.get_mut(), &asked, &answer).await?;
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log[at].is_whole = written.is_whole;
        if !written.goes_on {
            return Ok(());
        }
    }
    Ok(())
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Asked>> {
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

struct Written {
    is_whole: bool,
    goes_on: bool,
}

const WHOLE: Written = Written {
    is_whole: true,
    goes_on: true,
};

const SPOILT: Written = Written {
    is_whole: false,
    goes_on: false,
};

async fn write(stream: &mut TcpStream, asked: &Asked, answer: &Answer) -> std::io::Result<Written> {
    let Answer {
        status,
        headers,
        body,
        fault,
    } = answer;
    let body = match asked.method.as_str() {
        "HEAD" => &[][..],
        _ => body,
    };
    let mut head = format!("HTTP/1.1 {status} As Said\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let with_length = format!("{head}content-length: {}\r\n\r\n", answer.body.len());
    let with_chunks = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let (half, rest) = body.split_at(body.len() / 2);
    match *fault {
        Fault::None => {
            stream
                .write_all(&[with_length.as_bytes(), body].concat())
                .await?;
            Ok(WHOLE)
        }
        Fault::CloseAfter => {
            stream
                .write_all(&[with_length.as_bytes(), body].concat())
                .await?;
            stream.shutdown().await?;
            Ok(Written {
                goes_on: false,
                ..WHOLE
            })
        }
        Fault::ResetAtOnce => reset(stream),
        Fault::ResetInHead => {
            stream.write_all(&with_length.as_bytes()[..12]).await?;
            reset(stream)
        }
        Fault::ResetInBody => {
            stream
                .write_all(&[with_length.as_bytes(), half].concat())
                .await?;
            reset(stream)
        }
        Fault::HalfBody => {
            stream
                .write_all(&[with_length.as_bytes(), half].concat())
                .await?;
            stream.shutdown().await?;
            Ok(SPOILT)
        }
        Fault::ShortLength => {
            let short = body.len().saturating_sub(1);
            let head = format!("{head}content-length: {short}\r\n\r\n");
            stream.write_all(&[head.as_bytes(), body].concat()).await?;
            Ok(Written {
                is_whole: false,
                goes_on: true,
            })
        }
        Fault::ChunksWithoutEnd => {
            let chunks = format!("{with_chunks}{:x}\r\n", body.len());
            stream
                .write_all(&[chunks.as_bytes(), body, b"\r\n"].concat())
                .await?;
            stream.shutdown().await?;
            Ok(SPOILT)
        }
        Fault::BrokenChunk => {
            let chunks = format!("{with_chunks}{:x}\r\n", half.len());
            stream
                .write_all(&[chunks.as_bytes(), half, b"\r\nzz\r\n"].concat())
                .await?;
            stream.shutdown().await?;
            Ok(SPOILT)
        }
        Fault::Chunks => {
            stream.write_all(with_chunks.as_bytes()).await?;
            for part in [half, rest].into_iter().filter(|part| !part.is_empty()) {
                let size = format!("{:x}\r\n", part.len());
                stream
                    .write_all(&[size.as_bytes(), part, b"\r\n"].concat())
                    .await?;
            }
            stream.write_all(b"0\r\n\r\n").await?;
            Ok(WHOLE)
        }
        Fault::UntilClosed => {
            let head = format!("{head}connection: close\r\n\r\n");
            stream.write_all(&[head.as_bytes(), body].concat()).await?;
            stream.shutdown().await?;
            Ok(Written {
                goes_on: false,
                ..WHOLE
            })
        }
        Fault::Garbage => {
            stream
                .write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
                .await?;
            stream.shutdown().await?;
            Ok(SPOILT)
        }
        Fault::Silence(time) => {
            tokio::time::sleep(time).await;
            stream
                .write_all(&[with_length.as_bytes(), body].concat())
                .await?;
            Ok(Written {
                is_whole: false, // Whoever waited so long took it; whoever did not has gone.
                goes_on: true,
            })
        }
        Fault::SilenceInBody(time) => {
            stream
                .write_all(&[with_length.as_bytes(), half].concat())
                .await?;
            tokio::time::sleep(time).await;
            stream.write_all(rest).await?;
            Ok(Written {
                is_whole: false,
                goes_on: true,
            })
        }
        Fault::Drip(bytes, pause) => {
            stream.write_all(with_length.as_bytes()).await?;
            for piece in body.chunks(bytes.max(1)) {
                stream.write_all(piece).await?;
                tokio::time::sleep(pause).await;
            }
            Ok(WHOLE)
        }
    }
}

/// Lets the connection end with a reset, rather than in good order.
fn reset(stream: &TcpStream) -> std::io::Result<Written> {
    stream.set_zero_linger()?;
    Ok(SPOILT)
}
