//! What a bulk job results in, read and not written.

use std::hint::black_box;

use source_shopify_native::rows::Assembly;
use source_shopify_native::streams::STREAMS;
use staunch::BoxError;
use staunch::http::Client;
use staunch::stream::json;
use staunch_bench::usage;

use crate::serve::STREAM;

/// Reads the lines of what is at `url` as the kit reads JSON lines: each checked to the last digit, and nothing made of it.
#[tokio::main]
pub(crate) async fn only(url: &str) -> Result<(), BoxError> {
    let answer = Client::new().get(url).stream().await?;
    let mut lines = json::lines(answer.into_body());
    while let Some(line) = lines.next().await? {
        black_box(line.as_str());
    }
    usage::report();
    Ok(())
}

/// Reads the lines as the connector does, and puts the documents together.
#[tokio::main]
pub(crate) async fn assembled(url: &str) -> Result<(), BoxError> {
    let answer = Client::new().get(url).stream().await?;
    let mut lines = answer.into_body().lines();
    let stream = STREAMS.iter().find(|stream| stream.name == STREAM);
    let mut assembly = Assembly::new(stream.ok_or("there is no such stream")?, "store-0");
    while let Some(line) = lines.next().await? {
        black_box(assembly.row(std::str::from_utf8(line)?)?);
    }
    black_box(assembly.end());
    usage::report();
    Ok(())
}
