//! Writing an answer, with what is done to it.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{Answer, Asked, Fault};

/// Bytes of a header of [`Fault::LargeHead`].
const HEADER_BYTES: usize = 1000;

/// Writes an answer, and says whether the connection goes on. Calls `is_whole` when all of it is handed to the network as it should be.
pub(super) async fn write(
    stream: &mut TcpStream,
    asked: &Asked,
    answer: &Answer,
    is_whole: impl FnOnce(),
) -> io::Result<bool> {
    let pieces = Pieces::of(asked, answer);
    let (half, rest) = pieces.body.split_at(pieces.body.len() / 2);
    match answer.fault {
        Fault::None => {
            stream.write_all(&pieces.whole()).await?;
            is_whole();
            Ok(true)
        }
        Fault::CloseAfter => {
            stream.write_all(&pieces.whole()).await?;
            is_whole();
            close(stream).await
        }
        Fault::CloseLater(time) => {
            stream.write_all(&pieces.whole()).await?;
            is_whole();
            sleep(time).await;
            Ok(false)
        }
        Fault::ResetAtOnce => reset(stream),
        Fault::ResetInHead => {
            let head = pieces.with_length(pieces.length);
            stream.write_all(&head[..head.len() / 2]).await?;
            reset(stream)
        }
        Fault::ResetInBody => {
            stream.write_all(&pieces.with_length(pieces.length)).await?;
            stream.write_all(half).await?;
            reset(stream)
        }
        Fault::HalfBody => {
            stream.write_all(&pieces.with_length(pieces.length)).await?;
            stream.write_all(half).await?;
            close(stream).await
        }
        Fault::ShortLength => {
            let head = pieces.with_length(pieces.length.saturating_sub(1));
            stream.write_all(&[&head, pieces.body].concat()).await?;
            Ok(true)
        }
        Fault::LongLength => {
            let head = pieces.with_length(pieces.length + 1);
            stream.write_all(&[&head, pieces.body].concat()).await?;
            close(stream).await
        }
        Fault::TwoLengths => {
            let wrong = format!("content-length: {}", pieces.length + 1);
            let head = pieces.with(&format!("{wrong}\r\ncontent-length: {}", pieces.length));
            stream.write_all(&[&head, pieces.body].concat()).await?;
            close(stream).await
        }
        Fault::Chunks => {
            let head = pieces.with("transfer-encoding: chunked");
            stream.write_all(&head).await?;
            write_chunks(stream, &[half, rest]).await?;
            is_whole();
            Ok(true)
        }
        Fault::ChunksAndLength => {
            let head = pieces.with("content-length: 1\r\ntransfer-encoding: chunked");
            stream.write_all(&head).await?;
            write_chunks(stream, &[half, rest]).await?;
            is_whole();
            Ok(true)
        }
        Fault::ChunksWithoutEnd => {
            stream
                .write_all(&pieces.with("transfer-encoding: chunked"))
                .await?;
            stream.write_all(&chunk(pieces.body)).await?;
            close(stream).await
        }
        Fault::BrokenChunk => {
            stream
                .write_all(&pieces.with("transfer-encoding: chunked"))
                .await?;
            stream
                .write_all(&[&chunk(half), &b"zz\r\n"[..]].concat())
                .await?;
            close(stream).await
        }
        Fault::UntilClosed => {
            let head = pieces.with("connection: close");
            stream.write_all(&[&head, pieces.body].concat()).await?;
            is_whole();
            close(stream).await
        }
        Fault::Garbage => {
            stream
                .write_all(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
                .await?;
            close(stream).await
        }
        Fault::Verbatim => {
            stream.write_all(&answer.body).await?;
            close(stream).await
        }
        Fault::LargeHead(bytes) => {
            let mut head = pieces.head.clone().into_bytes();
            let value = "x".repeat(HEADER_BYTES);
            for n in 0..=bytes / HEADER_BYTES {
                head.extend_from_slice(format!("x-{n}: {value}\r\n").as_bytes());
            }
            head.extend_from_slice(b"content-length: 0\r\n\r\n");
            stream.write_all(&head).await?;
            close(stream).await
        }
        // Whoever waits so long takes it; whoever does not has gone.
        Fault::Silence(time) => {
            sleep(time).await;
            stream.write_all(&pieces.whole()).await?;
            Ok(true)
        }
        Fault::SilenceInBody(time) => {
            stream.write_all(&pieces.with_length(pieces.length)).await?;
            stream.write_all(half).await?;
            sleep(time).await;
            stream.write_all(rest).await?;
            Ok(true)
        }
        Fault::Drip(bytes, pause) => {
            stream.write_all(&pieces.with_length(pieces.length)).await?;
            drip(stream, pieces.body, bytes, pause).await?;
            is_whole();
            Ok(true)
        }
        Fault::DripHead(bytes, pause) => {
            let head = pieces.with_length(pieces.length);
            drip(stream, &head, bytes, pause).await?;
            stream.write_all(pieces.body).await?;
            is_whole();
            Ok(true)
        }
    }
}

/// An answer as it goes over the wire.
struct Pieces<'a> {
    /// Without what says how long the body is.
    head: String,
    body: &'a [u8],
    /// That of the body; of a `HEAD`, that of the body which it would have.
    length: usize,
}

impl<'a> Pieces<'a> {
    fn of(asked: &Asked, answer: &'a Answer) -> Self {
        let mut head = format!("HTTP/1.1 {} As Said\r\n", answer.status);
        for (name, value) in &answer.headers {
            head += &format!("{name}: {value}\r\n");
        }
        Self {
            head,
            body: match asked.method.as_str() {
                "HEAD" => &[],
                _ => &answer.body,
            },
            length: answer.body.len(),
        }
    }

    /// The head with these headers besides.
    fn with(&self, headers: &str) -> Vec<u8> {
        format!("{}{headers}\r\n\r\n", self.head).into_bytes()
    }

    fn with_length(&self, length: usize) -> Vec<u8> {
        self.with(&format!("content-length: {length}"))
    }

    fn whole(&self) -> Vec<u8> {
        [&self.with_length(self.length), self.body].concat()
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let size = format!("{:x}\r\n", bytes.len());
    [size.as_bytes(), bytes, b"\r\n"].concat()
}

async fn write_chunks(stream: &mut TcpStream, parts: &[&[u8]]) -> io::Result<()> {
    for part in parts.iter().filter(|part| !part.is_empty()) {
        stream.write_all(&chunk(part)).await?;
    }
    stream.write_all(b"0\r\n\r\n").await
}

async fn drip(
    stream: &mut TcpStream,
    bytes: &[u8],
    size: usize,
    pause: Duration,
) -> io::Result<()> {
    for piece in bytes.chunks(size.max(1)) {
        stream.write_all(piece).await?;
        sleep(pause).await;
    }
    Ok(())
}

async fn close(stream: &mut TcpStream) -> io::Result<bool> {
    stream.shutdown().await?;
    Ok(false)
}

/// Lets the connection end with a reset, rather than in good order.
fn reset(stream: &TcpStream) -> io::Result<bool> {
    stream.set_zero_linger()?;
    Ok(false)
}
