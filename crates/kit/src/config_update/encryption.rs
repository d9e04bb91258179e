//! How an updated config leaves the connector: encrypted by a service, and then as an event in the logs.

use std::time::Duration;

use serde_json::{Map, Value, json};
use staunch_protocol::log::Level;

use crate::capture::error_chain;
use crate::http::{Client, HttpError};
use crate::log;

/// Where configs are encrypted, unless the environment says otherwise.
const DEFAULT_URL: &str = "https://config-encryption.estuary.dev/v1/encrypt-config";

/// The variable of the environment that says otherwise.
const URL_VARIABLE: &str = "ENCRYPTION_URL";

/// What is waited before it is tried again. A token that was rotated is in this process alone until the service has answered.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

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
    let mut pauses = PAUSES.into_iter();
    loop {
        let error = match client.post(url).json(&body).send().await {
            Ok(answer) => match answer.json::<Map<String, Value>>() {
                Ok(encrypted) => return Ok(Value::Object(encrypted)),
                Err(error) => error,
            },
            Err(error) => error,
        };
        match pauses.next().filter(|_| may_pass(&error)) {
            Some(pause) => tokio::time::sleep(pause).await,
            None => {
                return Err(EncryptionError {
                    problem: problem(&error),
                });
            }
        }
    }
}

/// Whether trying again may help.
fn may_pass(error: &HttpError) -> bool {
    match error {
        HttpError::Broken { .. } | HttpError::Late { .. } => true,
        HttpError::Status { status, .. } => matches!(status, 408 | 429 | 500..),
        _ => false,
    }
}

/// What went wrong, without what the service says: it may repeat what it was sent.
fn problem(error: &HttpError) -> String {
    match error {
        HttpError::Status { asked, status, .. } => {
            format!("{asked} was answered with status {status}")
        }
        other => error_chain(other),
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
