//! The server: HTTP around the world.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use bytes::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::ServiceExt;

use crate::api;
use crate::auth::CODE;
use crate::control::{Served, control};
use crate::scenario::Scenario;
use crate::store::{Mutation, Version};
use crate::time::{self, SECOND};
use crate::world::{Outgoing, Transport, World};

/// Bytes that a request may have.
const MAX_BODY_BYTES: usize = 16 << 20;

/// How long an answer that never comes is kept back.
const NEVER: Duration = Duration::from_secs(3600);

/// A simulator that answers until it is dropped.
#[derive(Debug)]
pub struct Simulator {
    url: String,
    world: Shared,
    accepting: JoinHandle<()>,
}

type Shared = Arc<Mutex<World>>;

/// Marks an answer whose connection ends instead.
#[derive(Clone, Copy)]
struct Cut;

impl Simulator {
    /// A simulator on loopback, on a port of its own.
    ///
    /// # Errors
    /// When the scenario does not make sense, or there is no port to be had.
    pub async fn start(scenario: Scenario) -> std::io::Result<Self> {
        Self::listen(scenario, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// A simulator at this address.
    ///
    /// # Errors
    /// When the scenario does not make sense, or the address cannot be had.
    pub async fn listen(scenario: Scenario, address: SocketAddr) -> std::io::Result<Self> {
        let world = World::new(scenario).map_err(std::io::Error::other)?;
        let world = Arc::new(Mutex::new(world));
        let listener = TcpListener::bind(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&world));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let router = router.clone();
                tokio::spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let router = router.clone();
                        async move {
                            let answer: Result<_, Infallible> = router.oneshot(request).await;
                            let Ok(answer) = answer;
                            match answer.extensions().get::<Cut>() {
                                Some(Cut) => Err(std::io::Error::other("cut, as a rule says")),
                                None => Ok(answer),
                            }
                        }
                    });
                    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    // Whoever goes away ends their own connection.
                    let _ = server.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Ok(Self {
            url,
            world,
            accepting,
        })
    }

    /// Its address, without a slash at the end. The API is below `/api/v2`, tokens are at `/oauth/token`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The simulator's time, as the API prints it.
    #[must_use]
    pub fn now(&self) -> String {
        time::print(lock(&self.world).now())
    }

    /// Moves the clock on, and lets happen what the script has for that.
    ///
    /// # Errors
    /// When the script cannot be carried out.
    pub fn advance(&self, by: Duration) -> Result<(), String> {
        let mut world = lock(&self.world);
        let now = world.now();
        world.set_clock(now + i64::try_from(by.as_millis()).unwrap_or(SECOND))
    }

    /// Changes data: all of these, or none.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn mutate(&self, mutations: &[Mutation]) -> Result<(), String> {
        let mut world = lock(&self.world);
        let now = world.now();
        let World {
            store, scenario, ..
        } = &mut *world;
        store.mutate(mutations, now, scenario).map(drop)
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Served> {
        lock(&self.world).log.iter().cloned().collect()
    }

    /// Every version of every record of a type, by its name.
    #[must_use]
    pub fn versions(&self, kind: &str) -> Vec<(u64, Vec<Version>)> {
        let world = lock(&self.world);
        let Some((at, _)) = crate::Type::named(kind) else {
            return Vec::new();
        };
        let records = world.store.table(at).records.iter();
        records
            .map(|(id, record)| (*id, record.versions.clone()))
            .collect()
    }

    /// Carries out a request to the [control plane](crate::control), as `control("POST", "clock", …)`.
    ///
    /// # Errors
    /// What the control plane says is wrong.
    pub fn control(
        &self,
        method: &str,
        name: &str,
        body: &serde_json::Value,
    ) -> Result<serde_json::Value, String> {
        let body = body.to_string();
        let path = format!("/__sim/{name}");
        let (status, answer) = control(&mut lock(&self.world), method, &path, &[], body.as_bytes());
        match status {
            200 => Ok(answer),
            _ => Err(answer["error"].as_str().unwrap_or_default().to_owned()),
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(world): State<Shared>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large");
    };
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default();
    let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let method = head.method.as_str();
    if path.starts_with("/__sim/") {
        let (status, answer) = control(&mut lock(&world), method, path, &query, &body);
        let outgoing = Outgoing {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: answer.to_string().into_bytes(),
            transport: Transport::Sent,
        };
        return send(outgoing).await;
    }
    if path == "/oauth/authorize" {
        return authorise(&query);
    }
    let origin = format!(
        "http://{}",
        header(&head.headers, HOST).unwrap_or("localhost")
    );
    let token =
        header(&head.headers, AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let request = api::Request {
        method,
        path: path.strip_prefix("/api/v2/").unwrap_or_default(),
        query: &query,
        token,
        content_type: header(&head.headers, CONTENT_TYPE),
        origin: &origin,
    };
    let outgoing = lock(&world).serve(&request, path, &body);
    send(outgoing).await
}

async fn send(outgoing: Outgoing) -> Response<Body> {
    let Outgoing {
        status,
        headers,
        body,
        transport,
    } = outgoing;
    let length = body.len();
    let body = match transport {
        Transport::Truncate => {
            let half: Result<Bytes, std::io::Error> =
                Ok(Bytes::copy_from_slice(&body[..length / 2]));
            let cut = Err(std::io::Error::other("cut, as a rule says"));
            Body::from_stream(futures::stream::iter([half, cut]))
        }
        _ => Body::from(body),
    };
    let mut answer = Response::new(body);
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        // A rule may name a header that none can have.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    match transport {
        Transport::Sent => {}
        Transport::Truncate => {
            answer.headers_mut().insert("content-length", length.into());
        }
        Transport::Slow(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        Transport::Hang => tokio::time::sleep(NEVER).await,
        Transport::Disconnect => {
            answer.extensions_mut().insert(Cut);
        }
    }
    answer
}

fn authorise(query: &[(String, String)]) -> Response<Body> {
    let get = |wanted: &str| {
        query
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    let to = get("redirect_uri").and_then(|uri| url::Url::parse(uri).ok());
    let Some(mut to) = to else {
        return text(StatusCode::BAD_REQUEST, "there is no `redirect_uri`");
    };
    to.query_pairs_mut()
        .append_pair("code", CODE)
        .append_pair("state", get("state").unwrap_or_default());
    let mut answer = text(StatusCode::FOUND, "");
    if let Ok(to) = HeaderValue::try_from(to.as_str()) {
        answer.headers_mut().insert(LOCATION, to);
    }
    answer
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn text(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    answer
}
