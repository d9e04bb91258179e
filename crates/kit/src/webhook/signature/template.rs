//! What is signed: text, headers and the body in some order; and the times that are.

use hyper::HeaderMap;
use hyper::header::HeaderName;
use jiff::Timestamp;

use super::{SignatureError, Unverified, one};

/// What is signed, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Header(HeaderName),
    Body,
}

impl Template {
    /// The body alone.
    pub(super) fn body() -> Self {
        Self(vec![Part::Body])
    }

    /// Reads `v0:{header:x-time}:{body}`.
    pub(super) fn parse(text: &str) -> Result<Self, SignatureError> {
        let wrong = |problem| SignatureError::Template {
            template: text.to_owned(),
            problem,
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (inside, after) = after
                .split_once('}')
                .ok_or_else(|| wrong("has a brace that is not closed"))?;
            parts.push(match inside.strip_prefix("header:") {
                None if inside == "body" => Part::Body,
                None => return Err(wrong("knows only `{body}` and `{header:name}`")),
                Some(name) => {
                    let name = HeaderName::from_bytes(name.as_bytes());
                    Part::Header(name.map_err(|_| wrong("names a header that none can be"))?)
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if parts.iter().filter(|part| **part == Part::Body).count() != 1 {
            return Err(wrong("must hold `{body}` once"));
        }
        Ok(Self(parts))
    }

    pub(super) fn has_header(&self, name: &HeaderName) -> bool {
        self.0
            .iter()
            .any(|part| matches!(part, Part::Header(header) if header == name))
    }

    /// What this request signs, in parts: the body is not copied.
    pub(super) fn fill<'a>(
        &'a self,
        headers: &'a HeaderMap,
        body: &'a [u8],
    ) -> Result<Vec<&'a [u8]>, Unverified> {
        let part = |part: &'a Part| match part {
            Part::Text(text) => Ok(text.as_bytes()),
            Part::Header(name) => one(headers, name).map(str::as_bytes),
            Part::Body => Ok(body),
        };
        self.0.iter().map(part).collect()
    }
}

/// A time as senders write it: in seconds or milliseconds since 1970, or after RFC 3339.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let number: i64 = text.parse().ok()?;
    // Twelve digits of seconds are more than 1,000 years from now, and of milliseconds are 1973.
    if text.len() < 12 {
        Timestamp::from_second(number).ok()
    } else {
        Timestamp::from_millisecond(number).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_that_signs_no_body_is_none() {
        for (text, problem) in [
            ("", "must hold `{body}` once"),
            ("{body}{body}", "must hold `{body}` once"),
            ("{header:x}", "must hold `{body}` once"),
            ("{body", "has a brace that is not closed"),
            ("{url}{body}", "knows only `{body}` and `{header:name}`"),
            ("{header:a b}{body}", "names a header that none can be"),
        ] {
            let template = text.to_owned();
            let expected = SignatureError::Template { template, problem };
            assert_eq!(Template::parse(text), Err(expected), "{text}");
        }
        assert_eq!(Template::parse("{body}"), Ok(Template::body()));
    }

    #[test]
    fn times_are_read_however_they_are_written() {
        let expected = "2021-02-25T15:02:10Z".parse().ok();
        for text in ["1614265330", "1614265330000", " 2021-02-25T16:02:10+01:00"] {
            assert_eq!(moment(text), expected, "{text}");
        }
        for text in ["", "-1", "1e9", "soon", "99999999999999999999"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
