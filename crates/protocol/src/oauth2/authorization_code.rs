//! The flow that most providers have: a person consents, and the code that this gives is exchanged for tokens.

use std::collections::BTreeMap;

use serde_json::Value;

use super::OAuth2;

/// Where parameters of the consent page are put: before this, which is in each that is made here.
const STATE: &str = "&state={{#urlencode}}{{{ state }}}{{/urlencode}}";

/// What is not escaped in a query: RFC 3986, 2.3.
const UNRESERVED: &str = "-._~";

/// Building the flow that most providers have.
impl OAuth2 {
    /// Asks a person for consent at `auth_url`, and exchanges the code that this gives for a refresh token at `token_url`.
    ///
    /// Both URLs may be templates: `https://{{{ config.shop }}}.example.com/authorize`. What else a provider wants is said with the
    /// methods below, or in the members, which hold plain templates.
    ///
    /// ```
    /// use staunch_protocol::oauth2::OAuth2;
    ///
    /// let (auth_url, token_url) = ("https://example.com/authorize", "https://example.com/token");
    /// let oauth2 = OAuth2::authorization_code("example", auth_url, token_url)
    ///     .scopes(["orders.read", "customers.read"])
    ///     .auth_parameter("access_type", "offline")
    ///     .as_form();
    /// let consent = "https://example.com/authorize?response_type=code&scope=orders.read%20customers.read&access_type=offline&state=";
    /// assert!(oauth2.auth_url_template.starts_with(consent));
    /// ```
    ///
    /// # Source
    /// RFC 6749, 4.1.
    #[must_use]
    pub fn authorization_code(
        provider: impl Into<String>,
        auth_url: impl Into<String>,
        token_url: impl Into<String>,
    ) -> Self {
        let auth_url = auth_url.into();
        let first = if auth_url.contains('?') { '&' } else { '?' };
        let [client_id, redirect_uri] = ["client_id", "redirect_uri"].map(urlencoded);
        let this = Self {
            provider: provider.into(),
            auth_url_template: format!(
                "{auth_url}{first}response_type=code{STATE}&client_id={client_id}&redirect_uri={redirect_uri}"
            ),
            access_token_url_template: token_url.into(),
            access_token_body: CODE.map(json_member).join(", "),
            access_token_headers: content_type("application/json"),
            ..Self::default()
        };
        let members = &this.access_token_body;
        Self {
            access_token_body: format!("{{{members}}}"),
            ..this
        }
        .stores(&[("refresh_token", "/refresh_token")])
    }

    /// Asks for these scopes, with a space between them as the standard says.
    #[must_use]
    pub fn scopes<S: AsRef<str>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        let mut joined = String::new();
        for scope in scopes {
            if !joined.is_empty() {
                joined.push(' ');
            }
            joined.push_str(scope.as_ref());
        }
        self.auth_parameter("scope", &joined)
    }

    /// Adds a parameter to the page of consent. The value is taken as it is, and no template.
    #[must_use]
    pub fn auth_parameter(mut self, name: &str, value: &str) -> Self {
        let parameter = format!("&{}={}", escaped(name), escaped(value));
        let url = &mut self.auth_url_template;
        let at = url.rfind(STATE).unwrap_or(url.len());
        url.insert_str(at, &parameter);
        self
    }

    /// Proves that whoever exchanges the code has asked for it (PKCE, RFC 7636).
    #[must_use]
    pub fn with_pkce(mut self) -> Self {
        for name in ["code_challenge", "code_challenge_method"] {
            let parameter = format!("&{name}={}", urlencoded(name));
            self.auth_url_template.push_str(&parameter);
        }
        let body = &mut self.access_token_body;
        if body.starts_with("{\"") {
            let verifier = json_member(("code_verifier", "{{{ code_verifier }}}"));
            body.insert_str(body.len() - 1, &format!(", {verifier}"));
        } else {
            let verifier = urlencoded("code_verifier");
            body.push_str(&format!("&code_verifier={verifier}"));
        }
        self
    }

    /// Exchanges the code with a form, as the standard says, instead of with JSON.
    #[must_use]
    pub fn as_form(mut self) -> Self {
        let has_verifier = self.access_token_body.contains("code_verifier");
        let mut fields = CODE
            .map(|(name, _)| match name {
                "grant_type" => "grant_type=authorization_code".to_owned(),
                name => format!("{name}={}", urlencoded(name)),
            })
            .to_vec();
        if has_verifier {
            fields.push(format!("code_verifier={}", urlencoded("code_verifier")));
        }
        self.access_token_body = fields.join("&");
        self.access_token_headers = content_type("application/x-www-form-urlencoded");
        self
    }

    /// Stores an access token, when it expires, and the refresh token with which the next pair is obtained: for credentials whose tokens are
    /// rotated.
    #[must_use]
    pub fn storing_rotating_tokens(self) -> Self {
        self.stores(&[
            ("refresh_token", "/refresh_token"),
            ("access_token", "/access_token"),
            (
                "access_token_expires_at",
                "{{#now_plus}}{{ expires_in }}{{/now_plus}}",
            ),
        ])
    }

    /// Stores an access token, and nothing else: for one that does not expire.
    #[must_use]
    pub fn storing_access_token(self) -> Self {
        self.stores(&[("access_token", "/access_token")])
    }

    fn stores(mut self, members: &[(&str, &str)]) -> Self {
        let owned = |(name, place): &(&str, &str)| (name.to_string(), Value::from(*place));
        self.access_token_response_map = members.iter().map(owned).collect();
        self
    }
}

/// What a code is exchanged with, in this order.
const CODE: [(&str, &str); 5] = [
    ("grant_type", "authorization_code"),
    ("code", "{{{ code }}}"),
    ("client_id", "{{{ client_id }}}"),
    ("client_secret", "{{{ client_secret }}}"),
    ("redirect_uri", "{{{ redirect_uri }}}"),
];

fn json_member((name, value): (&str, &str)) -> String {
    format!("\"{name}\": \"{value}\"")
}

/// The template of a variable in a URL or a form.
fn urlencoded(variable: &str) -> String {
    format!("{{{{#urlencode}}}}{{{{{{ {variable} }}}}}}{{{{/urlencode}}}}")
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match char::from(byte) {
            c if c.is_ascii_alphanumeric() || UNRESERVED.contains(c) => escaped.push(c),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn content_type(value: &str) -> BTreeMap<String, Value> {
    [("Content-Type".to_owned(), value.into())].into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AUTH_URL: &str = "https://api.example.com/oauth/authorize";
    const TOKEN_URL: &str = "https://api.example.com/oauth/token";

    fn usual() -> OAuth2 {
        OAuth2::authorization_code("example", AUTH_URL, TOKEN_URL)
    }

    #[test]
    fn the_usual_flow_needs_two_urls_and_its_scopes() {
        let oauth2 = usual()
            .scopes(["a.read", "b:read+write"])
            .storing_rotating_tokens();
        let written: Value = serde_json::from_str(oauth2.to_raw().get()).unwrap();
        let expected = json!({
            "provider": "example",
            "authUrlTemplate": "https://api.example.com/oauth/authorize?response_type=code&scope=a.read%20b%3Aread%2Bwrite\
                &state={{#urlencode}}{{{ state }}}{{/urlencode}}&client_id={{#urlencode}}{{{ client_id }}}{{/urlencode}}\
                &redirect_uri={{#urlencode}}{{{ redirect_uri }}}{{/urlencode}}",
            "accessTokenUrlTemplate": "https://api.example.com/oauth/token",
            "accessTokenBody": "{\"grant_type\": \"authorization_code\", \"code\": \"{{{ code }}}\", \"client_id\": \"{{{ client_id }}}\", \
                \"client_secret\": \"{{{ client_secret }}}\", \"redirect_uri\": \"{{{ redirect_uri }}}\"}",
            "accessTokenHeaders": { "Content-Type": "application/json" },
            "accessTokenResponseMap": {
                "access_token": "/access_token",
                "access_token_expires_at": "{{#now_plus}}{{ expires_in }}{{/now_plus}}",
                "refresh_token": "/refresh_token",
            },
        });
        assert_eq!(written, expected);
    }

    #[test]
    fn what_is_stored_is_what_the_credentials_have() {
        let stored = |oauth2: OAuth2| {
            let members = oauth2.access_token_response_map.into_keys();
            members.collect::<Vec<_>>()
        };
        assert_eq!(stored(usual()), ["refresh_token"]);
        assert_eq!(stored(usual().storing_access_token()), ["access_token"]);
    }

    #[test]
    fn a_code_is_exchanged_with_a_form_or_json_and_with_pkce_in_either_order() {
        let variable =
            |name: &str| format!("{name}={{{{#urlencode}}}}{{{{{{ {name} }}}}}}{{{{/urlencode}}}}");
        let names = ["code", "client_id", "client_secret", "redirect_uri"];
        let form = format!(
            "grant_type=authorization_code&{}",
            names.map(variable).join("&")
        );
        assert_eq!(usual().as_form().access_token_body, form);
        let form = format!("{form}&{}", variable("code_verifier"));
        for oauth2 in [usual().as_form().with_pkce(), usual().with_pkce().as_form()] {
            assert_eq!(oauth2.access_token_body, form);
            let of_form = json!("application/x-www-form-urlencoded");
            assert_eq!(oauth2.access_token_headers["Content-Type"], of_form);
            let challenge = ["code_challenge", "code_challenge_method"].map(variable);
            let challenge = format!("&{}", challenge.join("&"));
            assert!(oauth2.auth_url_template.ends_with(&challenge), "{oauth2:?}");
        }
        let body = usual().with_pkce().access_token_body;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["code_verifier"], "{{{ code_verifier }}}");
        assert_eq!(body.as_object().unwrap().len(), 6);
    }

    #[test]
    fn a_consent_page_may_have_parameters_of_its_own() {
        let url = OAuth2::authorization_code(
            "e",
            "https://{{{ config.shop }}}.example.com/a?v=2",
            TOKEN_URL,
        )
        .auth_parameter("prompt", "a&b {{c}}")
        .auth_parameter("ü", "")
        .auth_url_template;
        let expected = "https://{{{ config.shop }}}.example.com/a?v=2&response_type=code&prompt=a%26b%20%7B%7Bc%7D%7D&%C3%BC=&state=";
        assert!(url.starts_with(expected), "{url}");
    }
}
