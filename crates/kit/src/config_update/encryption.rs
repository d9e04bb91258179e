//! How an updated config leaves the connector: encrypted by a service, and then as an event in the logs.

use std::time::Duration;

use serde_json::{Map, Value, json};
use staunch_protocol::log::Level;

use crate::capture::error_chain;
use crate::http::{Client, HttpError, Retry};
use crate::log;

/// Where configs are encrypted, unless the environment says otherwise.
const DEFAULT_URL: &str = "https://config-encryption.estuary.dev/v1/encrypt-config";

/// The variable of the environment that says otherwise.
const URL_VARIABLE: &str = "ENCRYPTION_URL";

/// A token that was rotated is in this process alone until the service has answered.
const RETRY: Duration = Duration::from_secs(30);

/// An updated endpoint config could not be encrypted. Nothing of the config is in the text.
#[derive(Debug, thiserror::Error)]
#[error(
    "the updated endpoint config could not be encrypted: {problem}; see that the service which `{URL_VARIABLE}` names can be reached, and open the capture again"
)]
pub(super) struct EncryptionError {
    problem: String,
}

/// Encrypts a config.
///
/// # Source
/// Capture protocol, encryption at rest (7.4). Members are sorted at every depth: the service signs them in the order in which they
/// come, and the control plane stores them sorted.
pub(super) async fn encrypt(
    client: &Client,
    config: &Value,
    schema: &Value,
) -> Result<Value, EncryptionError> {
    let url = std::env::var(URL_VARIABLE).unwrap_or_default();
    let url = if url.is_empty() { DEFAULT_URL } else { &url };
    let mut config = config.clone();
    config.sort_all_objects();
    let body = json!({ "config": config, "schema": schema });
    let client = client
        .scoped()
        .retry(Retry::default().within(RETRY))
        .build();
    let request = client.post(url).json(&body).as_read();
    let encrypted = match request.send().await {
        Ok(answer) => answer.json::<Map<String, Value>>(),
        Err(error) => Err(error),
    };
    encrypted
        .map(Value::Object)
        .map_err(|error| EncryptionError {
            problem: problem(&error),
        })
}

/// What went wrong, without what the service says: it may repeat what it was sent.
fn problem(error: &HttpError) -> String {
    match error.refusal() {
        Some(refusal) => {
            let (asked, status) = (refusal.asked(), refusal.status());
            format!("{asked} was answered with status {status}")
        }
        None => error_chain(error),
    }
}

/// Tells the control plane of the config, which stores it in place of the present one.
///
/// # Source
/// Capture protocol, events (6.2). It is no message among others, and so is written whatever the level that is asked for.
pub(super) fn announce(message: &str, encrypted: Value) {
    let mut record = log::record(Level::Info, message);
    record
        .fields
        .insert("eventType".into(), "configUpdate".into());
    record.fields.insert("config".into(), encrypted);
    log::write(&record);
}
