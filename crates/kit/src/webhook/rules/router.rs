//! Finds the most specific rule that a request meets.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use hyper::header::HeaderName;
use hyper::{HeaderMap, Method};
use serde_json::value::RawValue;

use super::condition::{Compiled, Shape};
use super::conflicts;
use super::lookup::{Found, Members};
use super::scalar::write_part;
use super::{Rule, RuleError};
use crate::webhook::pattern::{self, Pattern, Segment};

/// What of a request is known before its body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The path, percent-encoded as it was sent.
    pub path: &'a str,
    /// What follows the question mark, as it was sent.
    pub query: Option<&'a str>,
    /// Its headers.
    pub headers: &'a HeaderMap,
}

/// Rules, ready to be looked up: the most specific one takes the request.
///
/// Rules are compared by their paths, then by their headers, then by their bodies; where they differ first, the one is more specific
/// that asks for more. A literal segment is more than a parameter, and a parameter more than the rest of a path. A header or member with
/// a value is more than one with any, and one more of them is more. Rules that meet in a request without one of them asking for all that
/// the other does conflict, and there is no router of them. So the order in which rules are given never matters.
///
/// ```
/// use staunch::webhook::{Head, Router, Rule};
/// use hyper::{HeaderMap, Method};
/// use serde_json::value::RawValue;
///
/// let router = Router::new([
///     ("orders", Rule::path("/orders/{shop}")),
///     ("refunds", Rule::path("/orders/{shop}").body("/type", "refund")),
/// ])
/// .unwrap();
/// let head = Head { method: &Method::POST, path: "/orders/acme", query: None, headers: &HeaderMap::new() };
/// let route = router.route(&head).unwrap();
/// let document: &RawValue = serde_json::from_str(r#"{"type":"refund"}"#).unwrap();
/// let routed = route.rule_of(document).unwrap();
/// assert_eq!(router.name(routed.rule), "refunds");
/// assert_eq!(routed.parameters, [("shop", "acme".into())]);
/// ```
#[derive(Debug)]
pub struct Router {
    names: Vec<String>,
    patterns: Vec<Pattern>,
    root: Node,
    groups: Vec<Group>,
}

/// The rules for one method that take the same paths.
#[derive(Debug)]
struct Group {
    method: Method,
    /// Most specific first.
    tables: Vec<Table>,
}

/// Rules that ask for the same headers and members, by the values that they ask for.
#[derive(Debug)]
struct Table {
    /// Each with whether it must have one value.
    headers: Vec<(HeaderName, bool)>,
    /// Each pointer, in the order of its number: whether there must be one value.
    has_value: Vec<bool>,
    members: Members,
    /// By the values of the headers, and then by those of the members.
    rules: HashMap<Vec<u8>, HashMap<Vec<u8>, usize>>,
}

/// What may follow in a path.
#[derive(Debug, Default)]
pub(super) struct Node {
    literals: HashMap<String, Node>,
    parameter: Option<Box<Node>>,
    /// The groups whose patterns end here, one for each method.
    here: Vec<usize>,
    /// The groups whose patterns take whatever follows.
    rest: Vec<usize>,
}

/// No rule takes a request, whatever its body is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unrouted {
    /// There is none for its path, or none for its headers.
    #[error("no endpoint takes requests of this path with these headers")]
    Nowhere,
    /// There are some for its path, but for these methods only.
    #[error("no endpoint takes requests of this path with this method")]
    Method {
        /// The methods that there are, in order.
        allowed: Vec<Method>,
    },
}

/// The rules that a request meets, as far as can be told without its body.
#[derive(Debug)]
pub struct Route<'a> {
    router: &'a Router,
    segments: Vec<Cow<'a, str>>,
    /// Most specific first.
    candidates: Vec<Candidate<'a>>,
}

#[derive(Debug)]
struct Candidate<'a> {
    table: &'a Table,
    rules: &'a HashMap<Vec<u8>, usize>,
}

/// The rule that takes a document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Routed<'a> {
    /// Which of the rules that the router was made of.
    pub rule: usize,
    /// The parameters of its path, decoded.
    pub parameters: Vec<(&'a str, Cow<'a, str>)>,
}

impl Router {
    /// A router of these rules, each with the name that problems are told by.
    ///
    /// # Errors
    /// All that is wrong: rules that are none, or those that conflict.
    pub fn new<N: Into<String>>(
        rules: impl IntoIterator<Item = (N, Rule)>,
    ) -> Result<Self, Vec<RuleError>> {
        let mut errors = Vec::new();
        let mut names = Vec::new();
        let mut compiled = Vec::new();
        for (name, rule) in rules {
            let name = name.into();
            match Compiled::new(&name, &rule) {
                Ok(rule) => {
                    names.push(name);
                    compiled.push(rule);
                }
                Err(of_rule) => errors.extend(of_rule),
            }
        }
        // What conflicts among those that are right is told together with those that are not.
        let sets = Set::all(&compiled);
        let mut root = Node::default();
        for (index, set) in sets.iter().enumerate() {
            root.insert(set.pattern.segments(), index);
        }
        errors.extend(conflicts::find(&names, &compiled, &sets, &root));
        if !errors.is_empty() {
            return Err(errors);
        }
        let groups = sets.iter().map(|set| Group {
            method: set.method.clone(),
            tables: set.tables(&compiled),
        });
        Ok(Self {
            groups: groups.collect(),
            patterns: compiled.into_iter().map(|rule| rule.pattern).collect(),
            names,
            root,
        })
    }

    /// The name of a rule.
    #[must_use]
    pub fn name(&self, rule: usize) -> &str {
        &self.names[rule]
    }

    /// The rules that a request meets, as far as can be told without its body.
    ///
    /// # Errors
    /// [`Unrouted`] when no body could make a difference.
    pub fn route<'a>(&'a self, head: &Head<'a>) -> Result<Route<'a>, Unrouted> {
        let segments = pattern::segments(head.path).ok_or(Unrouted::Nowhere)?;
        let mut candidates = Vec::new();
        let mut allowed = Vec::new();
        self.root.walk(&segments, &mut |group| {
            let group = &self.groups[group];
            if group.method != *head.method {
                allowed.push(group.method.clone());
                return false;
            }
            group.candidates(head.headers, &mut candidates)
        });
        if !candidates.is_empty() {
            return Ok(Route {
                router: self,
                segments,
                candidates,
            });
        }
        if allowed.is_empty() || self.has_method(&segments, head.method) {
            return Err(Unrouted::Nowhere);
        }
        allowed.sort_unstable_by(|one, two| one.as_str().cmp(two.as_str()));
        allowed.dedup();
        Err(Unrouted::Method { allowed })
    }

    /// Whether a rule for this method takes the path, whatever the headers are.
    fn has_method(&self, segments: &[Cow<'_, str>], method: &Method) -> bool {
        self.root
            .walk(segments, &mut |group| self.groups[group].method == *method)
    }
}

impl<'a> Route<'a> {
    /// The most specific rule that takes this document. The document is looked into only if a rule asks for one of its members.
    #[must_use]
    pub fn rule_of(&self, document: &RawValue) -> Option<Routed<'_>> {
        let rule = self
            .candidates
            .iter()
            .find_map(|candidate| candidate.table.rule_of(candidate.rules, document))?;
        let pattern = &self.router.patterns[rule];
        let is_rest = |at: usize| pattern.has_rest() && at + 1 == pattern.segments().len();
        let value = |at: usize| match (is_rest(at), self.segments.get(at)) {
            (false, Some(segment)) => Cow::Borrowed(&**segment),
            _ => Cow::Owned(self.segments[at.min(self.segments.len())..].join("/")),
        };
        let parameters = pattern.parameters().map(|(name, at)| (name, value(at)));
        Some(Routed {
            rule,
            parameters: parameters.collect(),
        })
    }

    /// Whether a document's members decide which rule takes it.
    #[must_use]
    pub fn needs_body(&self) -> bool {
        let first = self.candidates.first();
        first.is_some_and(|candidate| !candidate.table.has_value.is_empty())
    }
}

impl Group {
    /// Adds the tables that may take a request with these headers. True if nothing less specific can take it, whatever its body is.
    fn candidates<'a>(&'a self, headers: &HeaderMap, candidates: &mut Vec<Candidate<'a>>) -> bool {
        for table in &self.tables {
            let Some(rules) = table.by_headers(headers) else {
                continue;
            };
            candidates.push(Candidate { table, rules });
            if table.has_value.is_empty() {
                return true;
            }
        }
        false
    }
}

impl Table {
    /// The rules that these headers meet.
    fn by_headers(&self, headers: &HeaderMap) -> Option<&HashMap<Vec<u8>, usize>> {
        let mut key = Vec::new();
        for (name, has_value) in &self.headers {
            let mut values = headers.get_all(name).iter();
            let first = values.next()?.as_bytes();
            if !has_value {
                continue;
            }
            match values.next() {
                None => write_part(&mut key, first),
                Some(second) => {
                    let mut joined = [first, second.as_bytes()].join(&b", "[..]);
                    for value in values {
                        joined.extend_from_slice(b", ");
                        joined.extend_from_slice(value.as_bytes());
                    }
                    write_part(&mut key, &joined);
                }
            }
        }
        self.rules.get(&key)
    }

    /// The rule of these that the document meets.
    fn rule_of(&self, rules: &HashMap<Vec<u8>, usize>, document: &RawValue) -> Option<usize> {
        let mut key = Vec::new();
        if !self.has_value.is_empty() {
            let found = self.members.find(document, self.has_value.len());
            for (has_value, found) in self.has_value.iter().zip(found) {
                match (has_value, found) {
                    (_, Found::Nothing) | (true, Found::Other) => return None,
                    (true, Found::Scalar(scalar)) => scalar.write_key(&mut key),
                    (false, _) => {}
                }
            }
        }
        rules.get(&key).copied()
    }
}

impl Node {
    fn insert(&mut self, segments: &[Segment], group: usize) {
        match segments.split_first() {
            None => self.here.push(group),
            Some((Segment::Rest(_), _)) => self.rest.push(group),
            Some((Segment::Parameter(_), rest)) => {
                self.parameter.get_or_insert_default().insert(rest, group)
            }
            Some((Segment::Literal(text), rest)) => self
                .literals
                .entry(text.clone())
                .or_default()
                .insert(rest, group),
        }
    }

    /// Visits the groups that take a path, most specific first, until one says that it is enough. Whether one did.
    fn walk(&self, segments: &[Cow<'_, str>], visit: &mut impl FnMut(usize) -> bool) -> bool {
        let is_enough = match segments.split_first() {
            None => self.here.iter().any(|group| visit(*group)),
            Some((segment, rest)) => {
                let literal = self.literals.get(&**segment);
                let parameter = self.parameter.as_deref().filter(|_| !segment.is_empty());
                literal.is_some_and(|node| node.walk(rest, visit))
                    || parameter.is_some_and(|node| node.walk(rest, visit))
            }
        };
        is_enough || self.rest.iter().any(|group| visit(*group))
    }

    /// The groups that take some path that this pattern takes.
    pub(super) fn overlapping(&self, segments: &[Segment], found: &mut Vec<usize>) {
        found.extend(&self.rest);
        match segments.split_first() {
            None => found.extend(&self.here),
            Some((Segment::Literal(text), rest)) => {
                for node in self
                    .literals
                    .get(text)
                    .into_iter()
                    .chain(self.parameter.as_deref())
                {
                    node.overlapping(rest, found);
                }
            }
            Some((Segment::Parameter(_), rest)) => {
                for node in self.literals.values().chain(self.parameter.as_deref()) {
                    node.overlapping(rest, found);
                }
            }
            Some((Segment::Rest(_), _)) => {
                found.extend(&self.here);
                for node in self.literals.values().chain(self.parameter.as_deref()) {
                    node.overlapping(segments, found);
                }
            }
        }
    }
}

/// The rules for one method that take the same paths, by what they ask for.
pub(super) struct Set<'a> {
    pub(super) pattern: &'a Pattern,
    pub(super) method: &'a Method,
    pub(super) shapes: BTreeMap<Shape, Vec<usize>>,
}

impl<'a> Set<'a> {
    fn all(rules: &'a [Compiled]) -> Vec<Self> {
        let mut sets: Vec<Self> = Vec::new();
        let mut known: HashMap<(Vec<Option<&str>>, bool, &Method), usize> = HashMap::new();
        for (index, rule) in rules.iter().enumerate() {
            let kinds = rule.pattern.segments().iter().map(|segment| match segment {
                Segment::Literal(text) => Some(text.as_str()),
                Segment::Parameter(_) | Segment::Rest(_) => None,
            });
            let paths = (kinds.collect(), rule.pattern.has_rest(), &rule.method);
            let at = *known.entry(paths).or_insert(sets.len());
            if at == sets.len() {
                sets.push(Self {
                    pattern: &rule.pattern,
                    method: &rule.method,
                    shapes: BTreeMap::new(),
                });
            }
            let shape = sets[at].shapes.entry(rule.shape()).or_default();
            shape.push(index);
        }
        sets
    }

    /// Its tables, most specific first.
    fn tables(&self, rules: &[Compiled]) -> Vec<Table> {
        let mut shapes: Vec<(&Shape, &Vec<usize>)> = self.shapes.iter().collect();
        shapes.sort_by_key(|(shape, _)| std::cmp::Reverse(shape.rank()));
        shapes
            .into_iter()
            .map(|(shape, indices)| Table::new(shape, indices, rules))
            .collect()
    }
}

impl Table {
    fn new(shape: &Shape, indices: &[usize], all: &[Compiled]) -> Self {
        let mut rules: HashMap<Vec<u8>, HashMap<Vec<u8>, usize>> = HashMap::new();
        for &index in indices {
            let by_members = rules.entry(all[index].headers_key()).or_default();
            by_members.insert(all[index].members_key(), index);
        }
        let header = |(name, has_value): &(String, bool)| {
            let name = HeaderName::try_from(name).expect("a compiled rule has names of headers");
            (name, *has_value)
        };
        Self {
            headers: shape.headers.iter().map(header).collect(),
            has_value: shape
                .members
                .iter()
                .map(|(_, has_value)| *has_value)
                .collect(),
            members: Members::new(shape.members.iter().map(|(tokens, _)| tokens)),
            rules,
        }
    }
}
