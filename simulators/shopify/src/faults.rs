//! What is done to answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use simulator_common::Random;

use crate::scenario::JobPlan;
use crate::time::{self, Micros};

/// What a request is for.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A token.
    Token,
    /// A page of a list, or what is told of the store.
    Query,
    /// A bulk job is to begin.
    Submit,
    /// How a bulk job gets on.
    Poll,
    /// A bulk job is to end.
    Cancel,
    /// Which bulk jobs there are.
    List,
    /// What is left of a connection of one object.
    Rest,
    /// The result of a bulk job.
    Download,
}

/// Which requests are answered otherwise than they should be, and how. What is left out does not matter.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// What the request is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The field at the root: `orders`. Of a bulk job, that of its query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The request's number among those that match, from 1 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// Each so-manieth of those that match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// In how many cases of a hundred, drawn from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u64>,
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
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// `THROTTLED`, whatever is left of the budget.
    Throttle,
    /// An error of GraphQL, and perhaps what was asked for beside it.
    Error {
        /// Its code.
        code: String,
        /// Whether there is data, too.
        #[serde(default)]
        is_partial: bool,
    },
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
    /// The tokens of the store that were given for client credentials are taken back, and then the request is answered.
    ExpireTokens,
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
    /// A bulk job that is submitted goes like this.
    Job(JobPlan),
    /// A bulk job is refused as one too many, with a code that is seldom seen.
    LimitReached,
    /// A bulk job that has completed has no address, though it has rows.
    NoAddress,
    /// Objects that are asked for by their id are gone.
    NoNodes,
    /// There is another page, and no word of where.
    NoEndCursor,
    /// The next page is this one.
    RepeatCursor,
    /// A page has its records the other way round.
    Reorder,
    /// The rows of a bulk job's result are other than they should be.
    Rows(RowFault),
}

/// What is done to rows.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowFault {
    /// The result ends after so many rows, as if it were complete.
    EndAfter(usize),
    /// The last row ends in its middle.
    CutLast,
    /// Roots first, then what hangs on them, mixed.
    Ungrouped,
    /// A row says that it belongs to one that there is not.
    Orphan,
    /// The first root has no id.
    NoId,
    /// There is a row of a type that was not asked for.
    UnknownType,
    /// There are blank lines between rows.
    BlankLines,
    /// Lines end with CR and LF.
    CarriageReturns,
    /// The first row has ten million bytes.
    LongRow,
    /// The last root comes twice.
    DuplicateRoot,
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
pub(crate) struct Request<'a> {
    pub(crate) store: &'a str,
    pub(crate) kind: Kind,
    pub(crate) root: &'a str,
    pub(crate) now: Micros,
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
    pub(crate) fn fire(&mut self, request: &Request<'_>) -> Option<(usize, Action)> {
        for (at, active) in self.rules.iter_mut().enumerate() {
            if !active.rule.is_of(request) {
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
                    .is_none_or(|percent| self.random.chance(percent));
            if fires {
                active.fired += 1;
                return Some((at, rule.action.clone()));
            }
        }
        None
    }
}

impl Rule {
    /// A rule for all requests.
    #[must_use]
    pub fn new(action: Action) -> Self {
        Self {
            store: None,
            kind: None,
            root: None,
            nth: None,
            every: None,
            percent: None,
            from: None,
            until: None,
            times: None,
            action,
        }
    }

    /// A rule for requests of this kind.
    #[must_use]
    pub fn on(kind: Kind, action: Action) -> Self {
        Self {
            kind: Some(kind),
            ..Self::new(action)
        }
    }

    /// The same, so often at most.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    /// The same, of one store.
    #[must_use]
    pub fn of(self, store: &str) -> Self {
        Self {
            store: Some(store.to_owned()),
            ..self
        }
    }

    fn is_of(&self, request: &Request<'_>) -> bool {
        let at = |text: &Option<String>| text.as_deref().and_then(time::parse);
        self.store
            .as_deref()
            .is_none_or(|store| store == request.store)
            && self.kind.is_none_or(|kind| kind == request.kind)
            && self.root.as_deref().is_none_or(|root| root == request.root)
            && at(&self.from).is_none_or(|from| request.now >= from)
            && at(&self.until).is_none_or(|until| request.now < until)
    }
}

impl RowFault {
    /// Does it to rows, of which `depths` says how deep each lies. Answers with the text of the result.
    pub(crate) fn apply(self, rows: &str, depths: &[usize], random: &mut Random) -> String {
        let mut lines: Vec<String> = rows.lines().map(str::to_owned).collect();
        match self {
            RowFault::EndAfter(count) => lines.truncate(count),
            RowFault::CutLast => {
                if let Some(last) = lines.last_mut() {
                    let half = last.len() / 2;
                    let half = (0..=half).rev().find(|at| last.is_char_boundary(*at));
                    last.truncate(half.unwrap_or(0));
                }
                return lines.join("\n");
            }
            RowFault::Ungrouped => {
                let deepest = depths.iter().copied().max().unwrap_or(0);
                let mut mixed = Vec::new();
                for depth in 0..=deepest {
                    let of_depth = lines.iter().zip(depths).filter(|(_, at)| **at == depth);
                    let mut of_depth: Vec<String> = of_depth.map(|(line, _)| line.clone()).collect();
                    if depth > 0 {
                        random.shuffle(&mut of_depth);
                    }
                    mixed.extend(of_depth);
                }
                lines = mixed;
            }
            RowFault::Orphan => lines.push(
                r#"{"id":"gid:\/\/shopify\/Metafield\/1","__parentId":"gid:\/\/shopify\/Nobody\/1"}"#.to_owned(),
            ),
            RowFault::NoId => lines.insert(0, r#"{"title":"nameless"}"#.to_owned()),
            RowFault::UnknownType => {
                let last = depths.iter().rposition(|depth| *depth == 0);
                let root: Option<Value> = last.and_then(|at| serde_json::from_str(&lines[at]).ok());
                let root = root.map(|root| root["id"].clone()).unwrap_or_default();
                lines.push(format!(r#"{{"id":"gid:\/\/shopify\/Surprise\/1","__parentId":{root}}}"#));
            }
            RowFault::BlankLines => lines = lines.into_iter().flat_map(|line| [line, String::new()]).collect(),
            RowFault::CarriageReturns => {
                return lines.iter().map(|line| format!("{line}\r\n")).collect();
            }
            RowFault::LongRow => {
                if let Some(first) = lines.first_mut() {
                    first.insert_str(1, &format!(r#""padding":"{}","#, "x".repeat(10_000_000)));
                }
            }
            RowFault::DuplicateRoot => {
                if let Some(at) = depths.iter().rposition(|depth| *depth == 0) {
                    lines.extend_from_within(at..=at);
                }
            }
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}
