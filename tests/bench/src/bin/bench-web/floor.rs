//! hyper, and nothing besides.

use std::convert::Infallible;
use std::io::Read;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use staunch::BoxError;
use staunch_bench::usage;
use tokio::net::TcpListener;

/// Serves until standard input ends. Says its address on standard error, as the kit does.
pub(crate) fn serve(milliseconds: &str) -> Result<(), BoxError> {
    let delay = Duration::from_millis(milliseconds.parse()?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.spawn(async move {
        if let Err(error) = accept(delay).await {
            eprintln!("bench-web: {error}");
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    usage::report();
    Ok(())
}

async fn accept(delay: Duration) -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let record = serde_json::json!({ "msg": "listening", "fields": { "address": address } });
    eprintln!("{record}");
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, delay));
            let io = TokioIo::new(stream);
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(io, service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    delay: Duration,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if let Ok(body) = request.into_body().collect().await {
        std::hint::black_box(body.to_bytes());
    }
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let mut answer = Response::new(Full::new(Bytes::from_static(b"{\"published\":1}")));
    let json = hyper::header::HeaderValue::from_static("application/json");
    answer
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, json);
    Ok(answer)
}
