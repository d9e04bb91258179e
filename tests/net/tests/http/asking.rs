//! What most tests ask with.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use staunch::http::{Client, HttpError, Retry, Streamed};
use staunch_net_tests::faults::{Answer, FaultServer, in_turn};

/// A server that answers one after the other, and the last one from then on.
pub(crate) async fn serve(answers: impl Into<Vec<Answer>>) -> FaultServer {
    FaultServer::start(in_turn(answers.into())).await
}

/// Asks this server once.
pub(crate) fn once(server: &FaultServer) -> Client {
    let builder = Client::builder().base_url(server.url());
    builder.retry(Retry::never()).build()
}

/// Asks this server again soon, up to four times.
pub(crate) fn patient(server: &FaultServer) -> Client {
    let builder = Client::builder().base_url(server.url());
    builder.retry(soon_again().tries(4)).build()
}

/// Hardly a pause.
pub(crate) fn soon_again() -> Retry {
    Retry::default().pauses(Duration::from_millis(1), Duration::from_millis(2))
}

/// Ends a test that would go on for ever: what is waited for is much shorter than this.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(Duration::from_secs(60), future).await;
    ended.expect("it ends")
}

/// What can be read of a body, and what it ends in.
pub(crate) async fn read(streamed: Streamed) -> (Vec<u8>, Result<(), HttpError>) {
    let (mut body, mut bytes) = (streamed.into_body(), Vec::new());
    loop {
        match body.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (bytes, Ok(())),
            Err(error) => return (bytes, Err(error)),
        }
    }
}

/// All that anybody could be shown of an error.
pub(crate) fn shown(error: &HttpError) -> String {
    let mut shown = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        shown += &format!(" {error} {error:?}");
        source = error.source();
    }
    shown
}
