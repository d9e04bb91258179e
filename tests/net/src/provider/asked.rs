//! What a token is asked for with.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::faults::Asked;

/// The fields of a form, or the members of a JSON object.
pub(super) fn fields(asked: &Asked) -> BTreeMap<String, String> {
    match asked.header("content-type") {
        Some("application/json") => serde_json::from_slice(&asked.body).unwrap_or_default(),
        Some("application/x-www-form-urlencoded") => {
            let pairs = url::form_urlencoded::parse(&asked.body);
            pairs.into_owned().collect()
        }
        _ => BTreeMap::new(),
    }
}

/// The two parts of `Authorization: Basic …`, as they stand.
pub(super) fn basic(asked: &Asked) -> Option<(String, String)> {
    let encoded = asked.header("authorization")?.strip_prefix("Basic ")?;
    let both = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = both.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// An application's id and secret: in the header, encoded as in a form, or among the fields, and not in both.
pub(super) fn client(asked: &Asked, fields: &BTreeMap<String, String>) -> Option<[String; 2]> {
    let decoded = |text: &str| {
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        pairs.map(|(name, _)| name.into_owned()).next()
    };
    let in_header = basic(asked).map(|(id, secret)| Some([decoded(&id)?, decoded(&secret)?]));
    let field = |name: &str| fields.get(name).cloned();
    match (in_header, field("client_id"), field("client_secret")) {
        (Some(client), None, None) => client,
        (None, Some(id), Some(secret)) => Some([id, secret]),
        _ => None,
    }
}
