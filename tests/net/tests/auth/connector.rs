//! A connector whose tokens change hands, as a process.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use staunch::auth::RotatingOAuth2;
use staunch::http::{Client, Retry};
use staunch::state::Node;
use staunch::{
    BoxError, Changes, ConfigUpdate, Connector, Cursor, FetchResult, Resource, Rotating,
};

fn main() -> ExitCode {
    staunch::main(Records)
}

struct Records;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    /// Where the source is, and the provider of its tokens.
    url: String,
    /// How it is asked.
    credentials: RotatingOAuth2,
    /// Whether the provider wants the application in the header.
    #[serde(default)]
    is_in_header: bool,
}

impl Connector for Records {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/records";

    async fn rotate_tokens(
        &self,
        rotating: &Rotating<'_, Config>,
    ) -> Result<Option<ConfigUpdate>, BoxError> {
        let Config {
            url,
            credentials,
            is_in_header,
        } = rotating.config;
        let (place, url) = ("/credentials", format!("{url}/token"));
        Ok(match is_in_header {
            false => rotating.oauth2(credentials, place, &url).await?,
            true => {
                let in_header = |exchange: staunch::auth::Exchange| exchange.client_in_header();
                rotating
                    .oauth2_with(credentials, place, &url, in_header)
                    .await?
            }
        })
    }

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        let client = Client::builder()
            .base_url(&config.url)
            .credentials(config.credentials.header())
            .retry(Retry::never())
            .build();
        let records = Resource::new("records")
            .key(["/id"])
            .initial_state(Node::parse(r#"{"inc":{"cursor":0}}"#)?)
            .incremental(move |cursor, emit| records(client.clone(), cursor, emit));
        Ok(vec![records])
    }
}

#[derive(serde::Deserialize)]
struct Page {
    records: Vec<serde_json::Value>,
}

async fn records(client: Client, cursor: Cursor, mut emit: Changes) -> FetchResult {
    let after = cursor.as_u64().ok_or("the cursor is a number")?;
    let answer = client.get("records").query("after", after).send().await?;
    let page: Page = answer.json()?;
    for record in &page.records {
        emit.document(record)?;
    }
    if !page.records.is_empty() {
        let next = after + page.records.len() as u64;
        emit.checkpoint(Cursor::integer(next)).await?;
    }
    Ok(())
}
