//! Who posts: requests that are ready, written to a socket, and answers of which only the first line and the length are read.

use std::sync::Arc;
use std::time::Duration;

use staunch::BoxError;
use staunch_bench::document::{self, Size};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

use crate::PATH;

/// How long is posted before anything counts.
const WARM_UP: Duration = Duration::from_millis(500);

/// Posts over so many connections for so many seconds, and prints how many requests were answered, in that time and in all, how long it took in
/// microseconds, and the median and the 99th percentile of their latencies in microseconds.
///
/// With a rate, requests are due at fixed times, whatever became of those before; a latency is counted from when the request was due.
pub(crate) fn run(
    address: &str,
    connections: &str,
    seconds: &str,
    rate: Option<&str>,
) -> Result<(), BoxError> {
    let connections: u32 = connections.parse()?;
    let time = Duration::from_secs(seconds.parse()?);
    let rate: Option<f64> = rate.map(str::parse).transpose()?;
    let requests = Arc::new(requests());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (total, wall, mut latencies) = runtime.block_on(async {
        let begin = Instant::now() + WARM_UP;
        let mut posting = Vec::new();
        for n in 0..connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let pace = rate.map(|rate| Pace {
                first: begin - WARM_UP + Duration::from_secs_f64(f64::from(n) / rate),
                every: Duration::from_secs_f64(f64::from(connections) / rate),
            });
            let requests = Arc::clone(&requests);
            posting.push(tokio::spawn(post(
                stream,
                requests,
                pace,
                begin,
                begin + time,
            )));
        }
        let (mut latencies, mut total) = (Vec::new(), 0);
        for posting in posting {
            let (answered, counted) = posting.await??;
            total += answered;
            latencies.extend(counted);
        }
        Ok::<_, BoxError>((total, begin.elapsed(), latencies))
    })?;
    latencies.sort_unstable();
    let answered = latencies.len();
    let percentile = |part: f64| latencies[((answered - 1) as f64 * part) as usize];
    let micros = wall.as_micros();
    println!(
        "{answered} {total} {micros} {} {}",
        percentile(0.5),
        percentile(0.99)
    );
    Ok(())
}

/// When requests of one connection are due.
struct Pace {
    first: Instant,
    every: Duration,
}

fn requests() -> Vec<Vec<u8>> {
    let request = |body: Vec<u8>| {
        let length = body.len();
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nuser-agent: bench\r\naccept: */*\r\n\
             content-length: {length}\r\n\r\n"
        );
        [head.into_bytes(), body].concat()
    };
    document::ready(Size::Small)
        .into_iter()
        .map(request)
        .collect()
}

/// How many requests were answered, and the latencies of those between `begin` and `end`.
async fn post(
    mut stream: TcpStream,
    requests: Arc<Vec<Vec<u8>>>,
    pace: Option<Pace>,
    begin: Instant,
    end: Instant,
) -> Result<(u64, Vec<u64>), BoxError> {
    let (mut latencies, mut total) = (Vec::new(), 0);
    let mut buffer = vec![0; 4096];
    for (n, request) in (0_u32..).zip(requests.iter().cycle()) {
        let due = match &pace {
            None => Instant::now(),
            Some(pace) => {
                let due = pace.first + pace.every * n;
                sleep_until(due).await;
                due
            }
        };
        if due >= end {
            break;
        }
        stream.write_all(request).await?;
        take_answer(&mut stream, &mut buffer).await?;
        total += 1;
        let now = Instant::now();
        if due >= begin && now <= end {
            latencies.push(u64::try_from((now - due).as_micros())?);
        }
    }
    match latencies.is_empty() {
        true => Err("nothing was answered".into()),
        false => Ok((total, latencies)),
    }
}

async fn take_answer(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<(), BoxError> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err("the connection was closed".into());
        }
        filled += read;
        if is_whole(&buffer[..filled])? {
            return Ok(());
        }
    }
}

/// Answers are short, and end with their body.
fn is_whole(answer: &[u8]) -> Result<bool, BoxError> {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\n";
    if answer.len() >= OK.len() && !answer.starts_with(OK) {
        return Err(String::from_utf8_lossy(answer).into());
    }
    Ok(answer.ends_with(b"\r\n\r\n{\"published\":1}"))
}
