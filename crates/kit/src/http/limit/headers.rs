//! The headers in which servers tell of their limits.
//!
//! They come from outside, so nothing here fails: what cannot be read is as if it were not there. How long one believes in what they say
//! is decided elsewhere.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::hints::Quota;

/// Numbers from here on are a time of day in seconds since 1970 (September 2001), and from there on in milliseconds (April 1972).
const EPOCH_SECONDS: f64 = 1e9;
const EPOCH_MILLISECONDS: f64 = 7e10;

/// A hundred years: what is longer is no time to wait.
const MAX_SECONDS: f64 = 3_155_760_000.0;

/// `Retry-After`, or `Retry-After-Ms`, which is finer.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let milliseconds = ["retry-after-ms", "x-ms-retry-after-ms"]
        .iter()
        .find_map(|name| number(text(headers, name)?));
    if let Some(milliseconds) = milliseconds {
        return duration(milliseconds / 1e3);
    }
    let value = text(headers, RETRY_AFTER.as_str())?;
    match number(value) {
        // No standard says so, but there are servers that write when their window resets.
        Some(at) if at >= EPOCH_SECONDS => duration(at - seconds(server_time(headers, now))),
        Some(after) => duration(after),
        None => until(date(value)?, server_time(headers, now)),
    }
}

/// What is left of the tightest window.
pub(super) fn quota(headers: &HeaderMap, now: Timestamp) -> Option<Quota> {
    let named = ["ratelimit", "x-ratelimit", "x-rate-limit"]
        .iter()
        .filter_map(|prefix| separate(headers, prefix, now));
    let quotas = structured(headers).into_iter().chain(named);
    quotas.min_by(|a, b| rate(a).total_cmp(&rate(b)))
}

/// Requests per second that are left.
fn rate(quota: &Quota) -> f64 {
    quota.remaining as f64 / quota.reset_after.as_secs_f64().max(1e-3)
}

/// A header each: limit, remaining, reset.
fn separate(headers: &HeaderMap, prefix: &str, now: Timestamp) -> Option<Quota> {
    let get = |what: &str| text(headers, &format!("{prefix}-{what}"));
    let remaining = count(get("remaining")?)?;
    // Some say `100, 100;w=60`: the first is the one that holds.
    let limit = get("limit").and_then(|limit| count(limit.split([',', ';']).next()?));
    let reset = get("reset-after").or_else(|| get("reset"))?;
    let reset_after = match number(reset) {
        Some(at) if at >= EPOCH_MILLISECONDS => {
            duration(at / 1e3 - seconds(server_time(headers, now)))?
        }
        Some(at) if at >= EPOCH_SECONDS => duration(at - seconds(server_time(headers, now)))?,
        Some(after) => duration(after)?,
        None => until(date(reset)?, server_time(headers, now))?,
    };
    Some(Quota {
        limit,
        remaining,
        reset_after,
    })
}

/// One header for all: `"burst";r=5;t=10, "day";r=800;t=4000`, or as an earlier draft had it, `limit=100, remaining=5, reset=10`. The sizes
/// of the windows stand in `RateLimit-Policy` (`"burst";q=100;w=60`).
fn structured(headers: &HeaderMap) -> Vec<Quota> {
    let mut quotas = Vec::new();
    let Some(value) = text(headers, "ratelimit") else {
        return quotas;
    };
    if let (Some(remaining), Some(reset)) =
        (member(value, ',', "remaining"), member(value, ',', "reset"))
    {
        quotas.extend(Some(()).and_then(|()| {
            Some(Quota {
                limit: member(value, ',', "limit").and_then(count),
                remaining: count(remaining)?,
                reset_after: duration(number(reset)?)?,
            })
        }));
        return quotas;
    }
    let policies = text(headers, "ratelimit-policy").unwrap_or_default();
    for item in value.split(',').take(MAX_ITEMS) {
        let name = item.split(';').next().unwrap_or_default().trim();
        let policy = policies
            .split(',')
            .take(MAX_ITEMS)
            .find(|policy| policy.split(';').next().unwrap_or_default().trim() == name);
        let limit = policy.and_then(|policy| count(member(policy, ';', "q")?));
        let remaining = member(item, ';', "r").and_then(count);
        let reset_after = member(item, ';', "t").and_then(number).and_then(duration);
        if let (Some(remaining), Some(reset_after)) = (remaining, reset_after) {
            quotas.push(Quota {
                limit,
                remaining,
                reset_after,
            });
        }
    }
    quotas
}

/// How many windows one answer may tell of.
const MAX_ITEMS: usize = 16;

/// The value of `name=value` among members that are separated so.
fn member<'a>(text: &'a str, separator: char, name: &str) -> Option<&'a str> {
    text.split(separator).find_map(|member| {
        let (found, value) = member.split_once('=')?;
        (found.trim().eq_ignore_ascii_case(name)).then_some(value.trim())
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

fn number(text: &str) -> Option<f64> {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    is_plain.then(|| text.parse().ok()).flatten()
}

/// A count; none below zero, where some servers say how far one is beyond it.
fn count(text: &str) -> Option<u64> {
    let number = number(text.trim())?;
    Some(number.max(0.0) as u64)
}

fn duration(seconds: f64) -> Option<Duration> {
    (0.0..=MAX_SECONDS)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

/// A date of HTTP, or one of RFC 3339.
fn date(text: &str) -> Option<Timestamp> {
    static HTTP: DateTimeParser = DateTimeParser::new();
    HTTP.parse_timestamp(text)
        .ok()
        .or_else(|| text.parse().ok())
}

/// The time at the server, which is what its dates are meant by.
fn server_time(headers: &HeaderMap, now: Timestamp) -> Timestamp {
    text(headers, DATE.as_str()).and_then(date).unwrap_or(now)
}

fn until(then: Timestamp, now: Timestamp) -> Option<Duration> {
    duration(seconds(then) - seconds(now))
}

fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1e3
}

#[cfg(test)]
mod tests;
