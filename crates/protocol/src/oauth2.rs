//! How an application obtains OAuth2 credentials for an endpoint config: [`Spec::oauth2`](crate::response::Spec::oauth2).
//!
//! URLs, bodies and headers are mustache templates over `client_id`, `client_secret`, `redirect_uri`, `state`, `code` and so on;
//! `{{{…}}}` leaves a value unescaped, `{{#urlencode}}…{{/urlencode}}` encodes it, and `{{#now_plus}}60{{/now_plus}}` is the
//! time in so many seconds. None of them is rendered here.

mod authorization_code;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::read;

/// How credentials are obtained from a provider, and refreshed.
///
/// ```
/// use staunch_protocol::oauth2::OAuth2;
///
/// let oauth2 = OAuth2 {
///     provider: "example".into(),
///     auth_url_template: "https://example.com/authorize?client_id={{#urlencode}}{{{ client_id }}}{{/urlencode}}".into(),
///     access_token_url_template: "https://example.com/token".into(),
///     access_token_body: r#"{"code": "{{{ code }}}"}"#.into(),
///     access_token_response_map: [("refresh_token".into(), "/refresh_token".into())].into(),
///     ..OAuth2::default()
/// };
/// assert!(oauth2.to_raw().get().contains(r#""accessTokenResponseMap":{"refresh_token":"/refresh_token"}"#));
/// ```
///
/// # Source
/// Capture protocol, `flow.OAuth2` (1.4) and its templates (7.3).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OAuth2 {
    /// Who grants: equal to `x-oauth2-provider` of the credentials in the endpoint config's schema.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub provider: String,
    /// Where a person is sent to consent.
    #[serde(alias = "auth_url_template", skip_serializing_if = "String::is_empty")]
    pub auth_url_template: String,
    /// Where a code is exchanged for tokens.
    #[serde(
        alias = "access_token_url_template",
        skip_serializing_if = "String::is_empty"
    )]
    pub access_token_url_template: String,
    /// How that is asked; `POST` if empty.
    #[serde(
        alias = "access_token_method",
        skip_serializing_if = "String::is_empty"
    )]
    pub access_token_method: String,
    /// With what body.
    #[serde(alias = "access_token_body", skip_serializing_if = "String::is_empty")]
    pub access_token_body: String,
    /// With which headers.
    #[serde(
        alias = "access_token_headers",
        alias = "access_token_headers_json_map",
        alias = "accessTokenHeadersJsonMap",
        deserialize_with = "read::message_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub access_token_headers: BTreeMap<String, Value>,
    /// Which members of the answer become which members of the credentials: JSON pointers, templates, or values as they are.
    #[serde(
        alias = "access_token_response_map",
        alias = "access_token_response_json_map",
        alias = "accessTokenResponseJsonMap",
        deserialize_with = "read::message_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub access_token_response_map: BTreeMap<String, Value>,
    /// Where a refresh token is exchanged, if it is.
    #[serde(
        alias = "refresh_token_url_template",
        skip_serializing_if = "String::is_empty"
    )]
    pub refresh_token_url_template: String,
    /// How that is asked; `POST` if empty.
    #[serde(
        alias = "refresh_token_method",
        skip_serializing_if = "String::is_empty"
    )]
    pub refresh_token_method: String,
    /// With what body.
    #[serde(alias = "refresh_token_body", skip_serializing_if = "String::is_empty")]
    pub refresh_token_body: String,
    /// With which headers.
    #[serde(
        alias = "refresh_token_headers",
        alias = "refresh_token_headers_json_map",
        alias = "refreshTokenHeadersJsonMap",
        deserialize_with = "read::message_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub refresh_token_headers: BTreeMap<String, Value>,
    /// As [`access_token_response_map`](Self::access_token_response_map).
    #[serde(
        alias = "refresh_token_response_map",
        alias = "refresh_token_response_json_map",
        alias = "refreshTokenResponseJsonMap",
        deserialize_with = "read::message_or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub refresh_token_response_map: BTreeMap<String, Value>,
}

impl OAuth2 {
    /// The JSON text that [`Spec::oauth2`](crate::response::Spec::oauth2) carries. Members that are empty are left out.
    #[must_use]
    pub fn to_raw(&self) -> Box<crate::RawValue> {
        serde_json::value::to_raw_value(self).expect("an object of strings and JSON values is JSON")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_twelve_members_have_the_names_of_the_protocol() {
        let members = json!({
            "provider": "p", "authUrlTemplate": "a", "accessTokenUrlTemplate": "b", "accessTokenMethod": "GET",
            "accessTokenBody": "c", "accessTokenHeaders": {"x": 1}, "accessTokenResponseMap": {"y": {"z": true}},
            "refreshTokenUrlTemplate": "d", "refreshTokenMethod": "PUT", "refreshTokenBody": "e",
            "refreshTokenHeaders": {"x": false}, "refreshTokenResponseMap": {"y": "/z"},
        });
        let read: OAuth2 = serde_json::from_value(members.clone()).unwrap();
        let written: Value = serde_json::from_str(read.to_raw().get()).unwrap();
        assert_eq!(written, members);
    }

    #[test]
    fn the_names_of_the_proto_are_read_too_and_what_is_empty_is_left_out() {
        let read: OAuth2 = serde_json::from_value(json!({
            "auth_url_template": "a", "access_token_headers_json_map": {"x": 1}, "refresh_token_response_map": null,
        }))
        .unwrap();
        assert_eq!(
            read.to_raw().get(),
            r#"{"authUrlTemplate":"a","accessTokenHeaders":{"x":1}}"#
        );
        assert_eq!(OAuth2::default().to_raw().get(), "{}");
    }
}
