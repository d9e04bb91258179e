//! What the errors of a store mean to whoever owns it.

use staunch::BoxError;
use staunch::http::HttpError;

use super::GraphqlError;

/// A store did not answer as it should: which one, and what a person can do. What it said itself is the source.
#[derive(Debug, thiserror::Error)]
#[error("store `{store}`: {problem}")]
pub(crate) struct Refused {
    store: String,
    problem: String,
    source: Option<BoxError>,
}

impl Refused {
    pub(crate) fn new(store: &str, problem: impl Into<String>) -> Self {
        Self {
            store: store.to_owned(),
            problem: problem.into(),
            source: None,
        }
    }

    /// What an error of HTTP comes to.
    pub(crate) fn http(store: &str, error: HttpError) -> Self {
        let is_token = matches!(error, HttpError::Unauthorised { .. });
        let problem = match error.status() {
            _ if is_token => {
                "no access token was to be had for it; see that the client id and secret are those of an app that is installed \
                 in this store, and that the app and the store belong to the same organisation"
            }
            Some(401) => {
                "it does not take the credentials: they are wrong, or were revoked; put valid ones into the endpoint config"
            }
            Some(402) => {
                "it is frozen until its bills are paid; pay them, or remove the store from the endpoint config"
            }
            Some(403) => {
                "the app may not ask it; see that the app is installed there and has the scopes that it needs"
            }
            Some(404) => {
                "there is no such store; see that its name is what its address begins with"
            }
            Some(423) => {
                "it is locked; ask Shopify's support, or remove the store from the endpoint config"
            }
            Some(429) => {
                "it was asked too often, for hours on end; see which other apps ask it, and open the capture again"
            }
            Some(430) => {
                "Shopify takes the requests for an attack; ask its support, and open the capture again later"
            }
            Some(500..) => {
                "Shopify fails to answer; see www.shopifystatus.com, and open the capture again later"
            }
            Some(_) => {
                "it answered as it does not to others; see www.shopifystatus.com, and tell whoever maintains this connector"
            }
            None => {
                "it did not answer as it should; see that its name is right and that it can be reached from here, and open the capture again"
            }
        };
        Self {
            source: Some(error.into()),
            ..Self::new(store, problem)
        }
    }

    /// What an error comes to of reading the result of a bulk job, which is on another host.
    pub(crate) fn result(store: &str, error: HttpError) -> Self {
        let problem = "the result of a bulk operation cannot be read; nothing of it is captured, open the capture again";
        Self {
            source: Some(error.into()),
            ..Self::new(store, problem)
        }
    }

    /// What an error of GraphQL comes to.
    pub(crate) fn graphql(store: &str, error: &GraphqlError<'_>) -> Self {
        let remedy = match error.code() {
            "ACCESS_DENIED" => {
                "grant the app the scope that it lacks, or disable the bindings that need it"
            }
            "SHOP_INACTIVE" => "reopen the store, or remove it from the endpoint config",
            "MAX_COST_EXCEEDED" | "BAD_REQUEST" | "undefinedField" => {
                "tell whoever maintains this connector"
            }
            "THROTTLED" => "see which other apps ask it, and open the capture again",
            "INTERNAL_SERVER_ERROR" => {
                "see www.shopifystatus.com, and open the capture again later"
            }
            _ => "look it up in Shopify's documentation, and tell whoever maintains this connector",
        };
        let code = match error.code() {
            "" => "an error without a code",
            code => code,
        };
        Self::new(
            store,
            format!(
                "it answered with {code} ({}); {remedy}",
                excerpt(&error.message)
            ),
        )
    }

    /// What a text in the place of errors comes to.
    pub(crate) fn said(store: &str, text: &str) -> Self {
        let text = excerpt(text);
        Self::new(
            store,
            format!(
                "it answered with an error ({text}); see that it is open, and that the app is installed"
            ),
        )
    }

    pub(crate) fn no_data(store: &str) -> Self {
        Self::new(
            store,
            "it answered with neither data nor an error; open the capture again, and tell Shopify's support if that goes on",
        )
    }
}

/// The beginning of a message.
fn excerpt(text: &str) -> String {
    text.chars().take(500).collect()
}
