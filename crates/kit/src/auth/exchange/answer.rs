//! What providers answer, each in its own way.

use std::time::Duration;

use serde_json::Value;
use zeroize::{Zeroize, Zeroizing};

use super::super::error::remedy;
use super::{AuthError, Exchange, Fetched, Made, Secret};
use crate::http::Response;

/// A life that is longer than this is as good as one without an end.
const LONGEST_LIFE_SECONDS: f64 = 10.0 * 365.0 * 86_400.0;

impl Exchange {
    /// The tokens that an answer has, or why it has none.
    pub(super) fn read(&self, answer: Response, made: &Made) -> Result<Fetched, AuthError> {
        let status = answer.status();
        let told = Told::of(&Zeroizing::new(answer.into_bytes()));
        if let Some(access_token) = told.access_token
            && status < 400
        {
            return Ok(Fetched {
                access_token,
                refresh_token: told.refresh_token,
                lives: told.lives,
            });
        }
        let asked = self.asked();
        match told.error {
            Some(code) => Err(AuthError::Refused {
                asked,
                remedy: remedy(&code, self.grant),
                code: self.shown(&code, made),
                description: self.shown(&told.description, made),
            }),
            None => Err(AuthError::NoToken { asked, status }),
        }
    }
}

/// What an answer tells, as far as it is understood: a token is worth more than to be refused for another member.
#[derive(Default)]
struct Told {
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    lives: Option<Duration>,
    error: Option<String>,
    description: String,
}

impl Told {
    fn of(body: &[u8]) -> Self {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        match serde_json::from_slice::<Value>(body) {
            Ok(mut body) => {
                let told = Self::of_json(&body);
                wipe(&mut body);
                told
            }
            // Some answer with a form, and not all of them say so.
            Err(_) => Self::of_form(body),
        }
    }

    fn of_json(body: &Value) -> Self {
        let text = |name: &str| body.get(name)?.as_str();
        let secret = |name: &str| {
            text(name)
                .filter(|token| !token.is_empty())
                .map(Secret::from)
        };
        let of_error = || body.get("error")?.get("message")?.as_str();
        let description = text("error_description").or_else(of_error);
        let description = description.or_else(|| text("message"));
        Self {
            access_token: secret("access_token"),
            refresh_token: secret("refresh_token"),
            lives: body.get("expires_in").and_then(life),
            error: body.get("error").and_then(code).map(str::to_owned),
            description: description.unwrap_or_default().to_owned(),
        }
    }

    fn of_form(body: &[u8]) -> Self {
        let mut told = Self::default();
        for (name, value) in url::form_urlencoded::parse(body) {
            if value.is_empty() {
                continue;
            }
            match &*name {
                "access_token" => told.access_token = Some(Secret::from(&*value)),
                "refresh_token" => told.refresh_token = Some(Secret::from(&*value)),
                "expires_in" => told.lives = life(&Value::from(&*value)),
                "error" => told.error = Some(value.into_owned()),
                "error_description" => told.description = value.into_owned(),
                _ => {}
            }
        }
        told
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        _ => {}
    }
}

/// How long a token lives: a number of seconds, or one that is written as text. `None` for what is no life.
fn life(expires_in: &Value) -> Option<Duration> {
    let seconds = match expires_in {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    let seconds = seconds.filter(|seconds: &f64| *seconds > 0.0 && *seconds < LONGEST_LIFE_SECONDS);
    seconds.map(Duration::from_secs_f64)
}

/// The provider's word for what is wrong: it stands there, or in an object.
fn code(error: &Value) -> Option<&str> {
    let of_object = || {
        let mut names = ["code", "type", "status"].iter();
        names.find_map(|name| error.get(name)?.as_str())
    };
    let code = error.as_str().or_else(of_object)?;
    (!code.is_empty()).then_some(code)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_life_is_a_number_of_seconds_however_it_is_written() {
        for (expires_in, seconds) in [
            (json!(7200), Some(7200)),
            (json!("7200"), Some(7200)),
            (json!(" 7200.0 "), Some(7200)),
            (json!(7200.9), Some(7200)),
            (json!(0), None),
            (json!("0"), None),
            (json!(-5), None),
            (json!(null), None),
            (json!({}), None),
            (json!("soon"), None),
            (json!("NaN"), None),
            (json!("inf"), None),
            (json!(1e300), None),
        ] {
            let life = life(&expires_in).map(|life| life.as_secs());
            assert_eq!(life, seconds, "{expires_in}");
        }
    }

    #[test]
    fn an_error_is_a_word_or_an_object_that_has_one() {
        for (error, expected) in [
            (json!("invalid_grant"), Some("invalid_grant")),
            (
                json!({ "code": 401, "status": "UNAUTHENTICATED" }),
                Some("UNAUTHENTICATED"),
            ),
            (
                json!({ "type": "OAuthException", "code": 190 }),
                Some("OAuthException"),
            ),
            (json!({ "code": "" }), None),
            (json!(""), None),
            (json!(7), None),
            (json!(false), None),
        ] {
            assert_eq!(code(&error), expected, "{error}");
        }
    }
}
