//! What the fuzz targets of posted requests do with their bytes. The tests of the kit run the same on every file of the corpus.

// Each target uses one of these, and the test all of them.
#![allow(dead_code, clippy::unwrap_used)]

use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, Method};
use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;
use staunch::webhook::{Head, Hmac, Router, Rule, RuleError, Signature, Unrouted};

/// A target: its name, and what it does with an input.
type Target = (&'static str, fn(&[u8]));

pub(crate) const TARGETS: [Target; 2] = [("rules", rules), ("signatures", signatures)];

/// Lines of rules, an empty line, and the request: its method and path, its headers, and its document on the last line.
///
/// A rule is words with tabs between them: method, path (`*` for any), and conditions, `name:value`, `name:`, `/pointer=json` or
/// `/pointer`. What one router of all rules says must be what routers of one rule each say, in whatever order the rules were given.
pub(crate) fn rules(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Some((rules, request)) = text.split_once("\n\n") else {
        return;
    };
    let rules: Vec<Rule> = rules.lines().take(12).map(rule).collect();
    let named = || rules.iter().cloned().enumerate();
    let forwards = Router::new(named().map(|(at, rule)| (at.to_string(), rule)));
    let backwards = Router::new(named().rev().map(|(at, rule)| (at.to_string(), rule)));
    let (forwards, backwards) = match (forwards, backwards) {
        (Ok(forwards), Ok(backwards)) => (forwards, backwards),
        (Err(one), Err(two)) => {
            let has_others = |errors: &[RuleError]| errors.contains(&RuleError::Others);
            assert_eq!(has_others(&one), has_others(&two));
            assert!(has_others(&one) || one.len() == two.len());
            assert!(one.iter().all(|error| !error.to_string().is_empty()));
            return;
        }
        (one, two) => panic!("the order decided: {one:?} {two:?}"),
    };
    let mut lines = request.lines();
    let head = lines.next().unwrap_or_default();
    let (method, path) = head.split_once(' ').unwrap_or(("POST", head));
    let Ok(method) = Method::from_bytes(method.as_bytes()) else {
        return;
    };
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let mut lines: Vec<&str> = lines.collect();
    let document = lines.pop().unwrap_or("{}");
    let Ok(document) = serde_json::from_str::<&RawValue>(document) else {
        return;
    };
    let headers = headers(&lines);
    let head = Head {
        method: &method,
        path,
        query,
        headers: &headers,
    };
    let taken = |router: &Router| {
        let route = router.route(&head);
        if let Err(Unrouted::Method { allowed }) = &route {
            assert!(!allowed.is_empty() && !allowed.contains(&method));
        }
        let route = route.ok()?;
        let routed = route.rule_of(document)?;
        for (name, _) in &routed.parameters {
            assert!(!name.is_empty());
        }
        Some(router.name(routed.rule).to_owned())
    };
    let found = taken(&forwards);
    assert_eq!(found, taken(&backwards));
    let alone = named().filter(|(at, rule)| {
        let router = Router::new([(at.to_string(), rule.clone())]).unwrap();
        taken(&router).is_some()
    });
    let alone: Vec<String> = alone.map(|(at, _)| at.to_string()).collect();
    match found {
        None => assert_eq!(alone, Vec::<String>::new()),
        Some(found) => assert!(alone.contains(&found), "{found} of {alone:?}"),
    }
}

fn rule(line: &str) -> Rule {
    let mut words = line.split('\t');
    let method = words.next().unwrap_or_default();
    let rule = match words.next() {
        None | Some("*") => Rule::any_path(),
        Some(path) => Rule::path(path),
    };
    words.fold(rule.method(method), |rule, word| {
        match (word.starts_with('/'), word.split_once(['=', ':'])) {
            (true, None) => rule.body_present(word),
            (true, Some((pointer, json))) => match serde_json::from_str::<Value>(json) {
                Ok(value) => rule.body(pointer, value),
                Err(_) => rule.body_present(pointer),
            },
            (false, Some((name, value))) if !value.is_empty() => rule.header(name, value),
            (false, Some((name, _))) => rule.header_present(name),
            (false, None) => rule.header_present(word),
        }
    })
}

fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_bytes(value.trim().as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}

/// The time at which requests come.
const NOW: i64 = 1_700_000_000;

/// Headers, an empty line, and the body. What is verified is what its secret signed: not with another body, nor with another secret, and
/// no longer than it is recent.
pub(crate) fn signatures(data: &[u8]) {
    let (headers, body) = signed(data);
    let now = Timestamp::from_second(NOW).unwrap();
    let later = Timestamp::from_second(NOW + 7_200).unwrap();
    let mut changed = body.to_vec();
    changed.push(b' ');
    for (signs_body, has_time, make) in SIGNATURES {
        let (ours, theirs) = (make("aHVudGVyMg=="), make("aHVudGVyMw=="));
        assert_eq!(ours.problems(), []);
        match ours.verify(&headers, body, now) {
            Err(error) => assert!(!error.to_string().contains("aHVudGVy")),
            Ok(()) => {
                assert!(theirs.verify(&headers, body, now).is_err());
                assert_eq!(
                    theirs.or("aHVudGVyMg==").verify(&headers, body, now),
                    Ok(())
                );
                assert_eq!(ours.verify(&headers, &changed, now).is_ok(), !signs_body);
                assert_eq!(ours.verify(&headers, body, later).is_ok(), !has_time);
                let ever = ours.tolerance(Duration::from_secs(100_000));
                assert_eq!(ever.verify(&headers, body, later), Ok(()));
            }
        }
    }
    // Nobody has its private key.
    let sendgrid = Signature::sendgrid(SENDGRID);
    assert!(sendgrid.verify(&headers, &changed, now).is_err());
    let _ = sendgrid.verify(&headers, body, now);
    // Keys and forms may be anything, too.
    let text = String::from_utf8_lossy(body);
    for signature in [
        Signature::sendgrid(body),
        Signature::standard(body),
        Signature::hmac(Hmac::sha1(&text).signs(&text).timestamp(&text), "x"),
    ] {
        let verified = signature.verify(&headers, body, now);
        assert!(signature.problems().is_empty() || verified.is_err());
    }
}

/// How many of our signatures an input bears.
pub(crate) fn borne(data: &[u8]) -> usize {
    let (headers, body) = signed(data);
    let now = Timestamp::from_second(NOW).unwrap();
    let ours = SIGNATURES.map(|(_, _, make)| make("aHVudGVyMg=="));
    ours.iter()
        .filter(|signature| signature.verify(&headers, body, now).is_ok())
        .count()
}

fn signed(data: &[u8]) -> (HeaderMap, &[u8]) {
    let at = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match at {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, &b""[..]),
    };
    let head = String::from_utf8_lossy(head);
    (headers(&head.lines().collect::<Vec<_>>()), body)
}

type Make = fn(&str) -> Signature;

/// Each with whether it signs the body, and whether it signs the time.
const SIGNATURES: [(bool, bool, Make); 8] = [
    (true, false, |secret| Signature::github(secret)),
    (true, false, |secret| Signature::github_sha1(secret)),
    (true, false, |secret| Signature::shopify(secret)),
    (true, true, |secret| Signature::stripe(secret)),
    (true, true, |secret| Signature::slack(secret)),
    (true, true, |secret| Signature::standard(secret)),
    (false, false, |secret| Signature::bearer(secret)),
    (true, true, |secret| {
        let form = Hmac::sha512("x-sig")
            .prefix("a=")
            .signs("<{body}>{header:x-time}")
            .timestamp("x-time");
        Signature::hmac(form, secret)
    }),
];

const SENDGRID: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNN\
    RaINXvVpiglSI8eNEc6wEA3F+g==";
