//! The connections that all clients of a connector share.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::redirect::Policy;

use super::HttpError;

/// Connections to servers, kept open between requests.
pub(super) struct Connections {
    connect_timeout: Duration,
    /// Made when it is first needed: most captures are opened without a question.
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl Connections {
    pub(super) fn new(connect_timeout: Duration) -> Self {
        Self {
            connect_timeout,
            client: OnceLock::new(),
        }
    }

    pub(super) fn client(&self) -> Result<&reqwest::Client, HttpError> {
        let made = self.client.get_or_init(|| {
            use_provider();
            let client = reqwest::Client::builder()
                .connect_timeout(self.connect_timeout)
                .redirect(Policy::none()) // Followed here, where it is known what a request may take along.
                .retry(reqwest::retry::never()) // Ours, with its bounds.
                .referer(false); // It would hand the query on, in which there may be a secret.
            client
                .build()
                .map_err(|error| crate::capture::error_chain(&error))
        });
        made.as_ref().map_err(|problem| HttpError::Client {
            problem: problem.clone(),
        })
    }
}

/// Says by whom TLS is spoken, unless somebody has said it: two providers in one program make it fail at its first handshake.
pub(crate) fn use_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
