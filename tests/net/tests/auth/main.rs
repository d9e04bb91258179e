//! Credentials: what they put on requests, how their tokens are fetched, renewed and rotated, and what is never shown of them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

mod flows;
mod forms;
mod process;
mod recorded;
mod refusals;
mod rotation;
mod secrets;
mod sharing;

use std::error::Error;

use staunch::auth::{Exchange, Tokens};
use staunch::http::{Client, HttpError, Retry};
use staunch_net_tests::provider::Provider;

/// A client for the source, with tokens that are fetched in this way.
fn client(provider: &Provider, exchange: Exchange) -> Client {
    let client = provider.client();
    let tokens = Tokens::new(&client, exchange);
    client.scoped().credentials(tokens).build()
}

/// The same, which asks again what may pass.
fn patient_client(provider: &Provider, exchange: Exchange) -> Client {
    let moment = std::time::Duration::from_millis(1);
    let retry = Retry::default().pauses(moment, moment);
    let client = provider.client().scoped().retry(retry).build();
    let tokens = Tokens::new(&client, exchange);
    client.scoped().credentials(tokens).build()
}

/// Asks the source for the first page.
async fn ask(client: &Client) -> Result<(), HttpError> {
    client.get("records").send().await.map(drop)
}

/// An error and what is behind it, as it is shown, and as it is when it is debugged.
fn shown(error: &dyn Error) -> String {
    let (mut chain, mut cause) = (String::new(), Some(error));
    while let Some(error) = cause {
        chain += &format!("{error}: ");
        cause = error.source();
    }
    format!("{chain} | {error:?}")
}
