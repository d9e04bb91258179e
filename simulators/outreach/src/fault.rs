//! What is done to answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::{self, Millis};
use simulator_common::Random;

/// Which requests are answered otherwise than they should be, and how. What is left out does not matter.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path, in which a `*` is anything: `/api/v2/accounts*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Conditions on the query, as `page[size]>500`, `page[after]` or `sort=updatedAt`. All must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<String>,
    /// The request's number among those that match, from 1 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Each so-manieth of those that match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// In how many cases of a hundred, drawn from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Not before this time of the simulator's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Not from this time on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// How often at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// What is done.
    pub action: Action,
}

/// What is done to an answer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Another answer is given.
    Status {
        /// Its status code.
        status: u16,
        /// Its body: JSON, or a text.
        #[serde(default)]
        body: Value,
        /// Its headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// 502 as a proxy gives it, with the words `Bad Gateway` in it or without.
    BadGateway {
        /// Whether the words are left out.
        #[serde(default)]
        without_words: bool,
    },
    /// The answer comes so many milliseconds later.
    Slow(u64),
    /// The answer never comes.
    Hang,
    /// The connection ends before the answer.
    Disconnect,
    /// The connection ends in the middle of the body.
    Truncate,
    /// The body is no JSON.
    Garbage,
    /// The whole list is in another order, page by page.
    Shuffle,
    /// The upper bound of a filter is not looked at.
    IgnoreUpper,
    /// The last row of the page comes twice.
    DuplicateRow,
    /// The first row of the page is missing.
    DropRowOnce,
    /// The attributes `updatedAt` and `createdAt` are null.
    NullCursor,
    /// Ids are texts.
    StringId,
    /// There is no link to the first page.
    NoFirstLink,
    /// The link to the next page is null where there is none.
    NullNext,
    /// The links of a page that has no others are an empty object.
    EmptyLinks,
    /// All access tokens are taken back, and then the request is answered.
    ExpireToken,
}

/// The rules that are in force.
#[derive(Debug)]
pub(crate) struct Faults {
    rules: Vec<Active>,
    random: Random,
}

#[derive(Debug)]
struct Active {
    rule: Rule,
    matched: u64,
    fired: u64,
}

/// A request, as far as rules look at it.
pub(crate) struct Seen<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(String, String)],
    pub(crate) now: Millis,
}

impl Faults {
    pub(crate) fn new(seed: u64, rules: Vec<Rule>) -> Result<Self, String> {
        let mut faults = Self {
            rules: Vec::new(),
            random: Random::of(seed, "faults"),
        };
        faults.add(rules)?;
        Ok(faults)
    }

    pub(crate) fn add(&mut self, rules: Vec<Rule>) -> Result<(), String> {
        for rule in &rules {
            for text in [&rule.from, &rule.until].into_iter().flatten() {
                time::parse(text).ok_or_else(|| format!("a rule's `{text}` is no time"))?;
            }
        }
        let active = rules.into_iter().map(|rule| Active {
            rule,
            matched: 0,
            fired: 0,
        });
        self.rules.extend(active);
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// What is done to the answer of this request: the first rule that fires says it. With the rule's place in the list.
    pub(crate) fn fire(&mut self, seen: &Seen<'_>) -> Option<(usize, Action)> {
        for (at, active) in self.rules.iter_mut().enumerate() {
            if !active.rule.is_of(seen) {
                continue;
            }
            active.matched += 1;
            let rule = &active.rule;
            let fires = rule.nth.is_none_or(|nth| nth == active.matched)
                && rule
                    .every
                    .is_none_or(|every| every > 0 && active.matched.is_multiple_of(every))
                && rule.times.is_none_or(|times| active.fired < times)
                && rule
                    .percent
                    .is_none_or(|percent| self.random.fraction() * 100.0 < percent);
            if fires {
                active.fired += 1;
                return Some((at, rule.action.clone()));
            }
        }
        None
    }
}

impl Rule {
    /// A rule for this path that does this each time.
    #[must_use]
    pub fn new(path: &str, action: Action) -> Self {
        Self {
            method: None,
            path: Some(path.to_owned()),
            query: Vec::new(),
            nth: None,
            every: None,
            percent: None,
            from: None,
            until: None,
            times: None,
            action,
        }
    }

    fn is_of(&self, seen: &Seen<'_>) -> bool {
        let at = |text: &Option<String>| text.as_deref().and_then(time::parse);
        self.method
            .as_deref()
            .is_none_or(|method| method.eq_ignore_ascii_case(seen.method))
            && self
                .path
                .as_deref()
                .is_none_or(|path| is_like(path, seen.path))
            && self
                .query
                .iter()
                .all(|condition| holds(condition, seen.query))
            && at(&self.from).is_none_or(|from| seen.now >= from)
            && at(&self.until).is_none_or(|until| seen.now < until)
    }
}

/// Whether a text is like a pattern, in which a `*` is anything.
pub(crate) fn is_like(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(before) else {
        return false;
    };
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.into_iter().any(|at| is_like(after, &rest[at..]))
}

fn holds(condition: &str, query: &[(String, String)]) -> bool {
    let value = |name: &str| {
        query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    if let Some((name, bound)) = condition.split_once('>') {
        let number = |text: &str| text.parse::<u64>().ok();
        return value(name).and_then(number) > number(bound);
    }
    // A name may have an `=` only after its last bracket.
    match condition.rsplit_once('=') {
        Some((name, expected)) => value(name) == Some(expected),
        None => value(condition).is_some(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on says so by failing.

    use super::*;

    #[test]
    fn rules_fire_for_what_they_match_and_as_often_as_they_say() {
        let query = [("page[size]".to_owned(), "1000".to_owned())];
        let seen = |path| Seen {
            method: "GET",
            path,
            query: &query,
            now: 0,
        };
        let rule = Rule {
            query: vec!["page[size]>500".to_owned()],
            every: Some(2),
            times: Some(1),
            ..Rule::new("/api/*/accounts", Action::Hang)
        };
        let mut faults = Faults::new(1, vec![rule]).unwrap();
        let mut fires = |path| faults.fire(&seen(path)).is_some();
        let fired = [
            "/api/v2/accounts",
            "/api/v2/users",
            "/api/v2/accounts",
            "/api/v2/accounts",
            "/api/v2/accounts",
        ]
        .map(&mut fires);
        assert_eq!(fired, [false, false, true, false, false]);
    }

    #[test]
    fn a_star_is_anything() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("/a*", "/abc", true),
            ("/a*c", "/abc", true),
            ("/a*b", "/abc", false),
            ("/a", "/ab", false),
            ("*b*", "abc", true),
        ] {
            assert_eq!(is_like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
