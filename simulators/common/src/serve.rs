//! Answers that are computed at once, and what a fault does to their way.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::ServiceExt;

/// Bytes that a request may have.
const MAX_BODY_BYTES: usize = 16 << 20;

/// How long an answer that never comes is kept back.
const NEVER: Duration = Duration::from_secs(3600);

/// Bytes that go at once, so that a large answer can end in the middle.
const CHUNK: usize = 64 << 10;

/// A request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// What follows the question mark.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What is sent, and how.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status code.
    pub status: u16,
    /// Its headers. Those that none can have are left out.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
    /// What becomes of it on its way.
    pub transport: Transport,
}

/// What becomes of an answer on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// It arrives.
    #[default]
    Sent,
    /// It arrives so many milliseconds later.
    Slow(u64),
    /// It never comes.
    Hang,
    /// The connection ends before it.
    Disconnect,
    /// The connection ends in the middle of the body.
    Truncate,
}

impl Call {
    /// The text of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Answer {
    /// A body of this type.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
            transport: Transport::Sent,
        }
    }
}

/// Marks an answer whose connection ends instead.
#[derive(Clone, Copy)]
struct Cut;

type Answering = Arc<dyn Fn(Call) -> Answer + Send + Sync>;

/// Answers whoever comes, until the task is aborted.
pub fn serve(
    listener: TcpListener,
    answer: impl Fn(Call) -> Answer + Send + Sync + 'static,
) -> JoinHandle<()> {
    let answer: Answering = Arc::new(answer);
    let router = Router::new().fallback(respond).with_state(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let router = router.clone();
            tokio::spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let router = router.clone();
                    async move {
                        let answer: Result<_, Infallible> = router.oneshot(request).await;
                        let Ok(answer) = answer;
                        match answer.extensions().get::<Cut>() {
                            Some(Cut) => Err(cut()),
                            None => Ok(answer),
                        }
                    }
                });
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                // Whoever goes away ends their own connection.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

fn cut() -> std::io::Error {
    std::io::Error::other("cut, as a rule says")
}

async fn respond(State(answer): State<Answering>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        let mut refused = Response::new(Body::from("the request is too large"));
        *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return refused;
    };
    let call = Call {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
    };
    send(answer(call)).await
}

async fn send(answer: Answer) -> Response<Body> {
    let Answer {
        status,
        headers,
        body,
        transport,
    } = answer;
    let length = body.len();
    let body = match transport {
        Transport::Truncate => {
            let half = body.slice(..length / 2);
            let chunks: Vec<Result<Bytes, std::io::Error>> = half
                .chunks(CHUNK)
                .map(|chunk| Ok(half.slice_ref(chunk)))
                .chain([Err(cut())])
                .collect();
            Body::from_stream(futures::stream::iter(chunks))
        }
        _ => Body::from(body),
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        // A rule may name a header that none can have.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    match transport {
        Transport::Sent => {}
        Transport::Truncate => {
            response
                .headers_mut()
                .insert("content-length", length.into());
        }
        Transport::Slow(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        Transport::Hang => tokio::time::sleep(NEVER).await,
        Transport::Disconnect => {
            response.extensions_mut().insert(Cut);
        }
    }
    response
}
