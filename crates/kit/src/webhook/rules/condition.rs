//! A rule as it is looked up: checked, with everything in one form.

use std::collections::BTreeMap;

use hyper::Method;
use hyper::header::HeaderName;

use super::scalar::{Scalar, write_part};
use super::{Rule, RuleError};
use crate::webhook::pattern::{Pattern, Relation};

/// Tokens that a pointer may have: each is a level of the stack while a document is looked into.
const MAX_TOKENS: usize = 64;

/// A rule, checked.
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    pub(crate) pattern: Pattern,
    pub(crate) method: Method,
    /// By name, lower case.
    pub(crate) headers: BTreeMap<String, Wanted<String>>,
    /// By the pointer's tokens. Whatever a member lies in is asked for, too.
    pub(crate) members: BTreeMap<Vec<String>, Wanted<Scalar>>,
}

/// What a condition asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted<T> {
    Any,
    Value(T),
}

impl<T: PartialEq> Wanted<T> {
    /// Whether something can be what both ask for.
    fn allows(&self, other: &Self) -> bool {
        match (self, other) {
            (Wanted::Value(one), Wanted::Value(two)) => one == two,
            _ => true,
        }
    }
}

impl Compiled {
    pub(crate) fn new(name: &str, rule: &Rule) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut wrong = |problem: String| {
            errors.push(RuleError::Invalid {
                rule: name.to_owned(),
                problem,
            });
        };
        let pattern = match &rule.path {
            None => Pattern::any(),
            Some(text) => Pattern::parse(text).unwrap_or_else(|error| {
                wrong(error.to_string());
                Pattern::any()
            }),
        };
        let method = Method::from_bytes(rule.method.as_bytes()).unwrap_or_else(|_| {
            wrong("its method is none that a request can have; write `POST`".to_owned());
            Method::POST
        });
        let mut headers = BTreeMap::new();
        for (name, value) in &rule.headers {
            let Ok(parsed) = HeaderName::from_bytes(name.as_bytes()) else {
                wrong(format!("`{name}` is no name of a header"));
                continue;
            };
            let wanted = match value {
                None => Wanted::Any,
                Some(value) if value.trim_matches([' ', '\t']) != value => {
                    wrong(format!(
                        "the value of header `{name}` has a space at an end, which no request has"
                    ));
                    continue;
                }
                Some(value) => Wanted::Value(value.clone()),
            };
            if !insert(&mut headers, parsed.as_str().to_owned(), wanted) {
                wrong(format!(
                    "no request has two values of header `{name}`; keep one of them"
                ));
            }
        }
        let mut members = BTreeMap::new();
        for (pointer, value) in &rule.members {
            let tokens = match tokens(pointer) {
                Ok(tokens) => tokens,
                Err(problem) => {
                    wrong(format!("`{pointer}` {problem}"));
                    continue;
                }
            };
            let wanted = match value.as_ref().map(Scalar::of) {
                None => Wanted::Any,
                Some(Some(scalar)) => Wanted::Value(scalar),
                Some(None) => {
                    wrong(format!(
                        "the value at `{pointer}` must be a string, a number, `true`, `false` or `null`"
                    ));
                    continue;
                }
            };
            let ancestors = (1..tokens.len()).map(|len| tokens[..len].to_vec());
            ancestors.for_each(|ancestor| {
                insert(&mut members, ancestor, Wanted::Any);
            });
            if !insert(&mut members, tokens, wanted) {
                wrong(format!(
                    "no document has two values at `{pointer}`; keep one of them"
                ));
            }
        }
        let compiled = Self {
            pattern,
            method,
            headers,
            members,
        };
        if !compiled.members_agree(&compiled) {
            wrong("it asks for members of a value that it wants to have none".to_owned());
        }
        if errors.is_empty() {
            Ok(compiled)
        } else {
            Err(errors)
        }
    }

    /// Whether some request can have the headers and the body that both ask for.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        agree(&self.headers, &other.headers)
            && agree(&self.members, &other.members)
            && self.members_agree(other)
            && other.members_agree(self)
    }

    /// Whether none of its values is a scalar where the other one looks for members.
    fn members_agree(&self, other: &Self) -> bool {
        let is_leaf =
            |tokens: &[String]| matches!(self.members.get(tokens), Some(Wanted::Value(_)));
        other
            .members
            .keys()
            .all(|tokens| (0..tokens.len()).all(|len| !is_leaf(&tokens[..len])))
    }

    /// What a table of rules has in common: that which all of them ask for, but for the values.
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            headers: kinds(&self.headers),
            members: kinds(&self.members),
        }
    }

    /// The values of the headers that it wants to have one, as a key.
    pub(crate) fn headers_key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        for wanted in self.headers.values() {
            if let Wanted::Value(value) = wanted {
                write_part(&mut key, value.as_bytes());
            }
        }
        key
    }

    /// The same of the members.
    pub(crate) fn members_key(&self) -> Vec<u8> {
        let mut key = Vec::new();
        for wanted in self.members.values() {
            if let Wanted::Value(value) = wanted {
                value.write_key(&mut key);
            }
        }
        key
    }
}

/// What rules ask for, but for the values: each name or pointer, and whether it wants one value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shape {
    pub(crate) headers: Vec<(String, bool)>,
    pub(crate) members: Vec<(Vec<String>, bool)>,
}

impl Shape {
    /// How rules of this shape lie to those of the other one, as far as their values agree.
    pub(crate) fn relation(&self, other: &Self) -> Relation {
        match relation(&self.headers, &other.headers) {
            Relation::Equal => relation(&self.members, &other.members),
            decided => decided,
        }
    }

    /// A number that is higher the more specific it is, where [`relation`](Self::relation) says which one is.
    pub(crate) fn rank(&self) -> [usize; 4] {
        fn weight<T>(kinds: &[(T, bool)]) -> [usize; 2] {
            let values = kinds.iter().filter(|(_, has_value)| *has_value).count();
            [kinds.len(), values]
        }
        let [headers, header_values] = weight(&self.headers);
        let [members, member_values] = weight(&self.members);
        [headers, header_values, members, member_values]
    }
}

/// Adds a condition to those that there are. False if it contradicts one.
fn insert<K: Ord, T: PartialEq>(
    conditions: &mut BTreeMap<K, Wanted<T>>,
    key: K,
    wanted: Wanted<T>,
) -> bool {
    match conditions.get(&key) {
        Some(there) if !there.allows(&wanted) => return false,
        Some(Wanted::Value(_)) => {}
        _ => drop(conditions.insert(key, wanted)),
    }
    true
}

fn agree<K: Ord, T: PartialEq>(one: &BTreeMap<K, Wanted<T>>, two: &BTreeMap<K, Wanted<T>>) -> bool {
    one.iter()
        .all(|(key, wanted)| two.get(key).is_none_or(|other| wanted.allows(other)))
}

fn kinds<K: Clone, T>(conditions: &BTreeMap<K, Wanted<T>>) -> Vec<(K, bool)> {
    conditions
        .iter()
        .map(|(key, wanted)| (key.clone(), matches!(wanted, Wanted::Value(_))))
        .collect()
}

fn relation<K: Ord>(one: &[(K, bool)], two: &[(K, bool)]) -> Relation {
    // Whether `one` asks for something that `two` does not.
    let asks_more = |one: &[(K, bool)], two: &[(K, bool)]| {
        !one.iter().all(|(key, has_value)| {
            let found = two.binary_search_by(|(other, _)| other.cmp(key));
            found.is_ok_and(|at| two[at].1 || !has_value)
        })
    };
    Relation::of(asks_more(one, two), asks_more(two, one))
}

/// The tokens of a JSON pointer.
fn tokens(pointer: &str) -> Result<Vec<String>, String> {
    let Some(inner) = pointer.strip_prefix('/') else {
        return Err("is no JSON pointer to a member; write `/type`".to_owned());
    };
    let tokens: Option<Vec<String>> = inner.split('/').map(unescape).collect();
    match tokens {
        None => Err("has a `~` that neither `0` nor `1` follows; write `~0` for `~`".to_owned()),
        Some(tokens) if tokens.len() > MAX_TOKENS => {
            Err(format!("has more than {MAX_TOKENS} tokens"))
        }
        Some(tokens) => Ok(tokens),
    }
}

fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut unescaped = parts.next()?.to_owned();
    for part in parts {
        let (sign, rest) = match part.as_bytes().first()? {
            b'0' => ('~', &part[1..]),
            b'1' => ('/', &part[1..]),
            _ => return None,
        };
        unescaped.push(sign);
        unescaped.push_str(rest);
    }
    Some(unescaped)
}
