//! All that a simulator knows, and how a request meets it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use simulator_common::{Answer, Clock, Random, Transport};

use crate::api::{self, Request, Shape};
use crate::auth::Tokens;
use crate::control::Served;
use crate::fault::{Action, Faults, Rule, Seen};
use crate::limit::Limit;
use crate::list::{Lists, Spoiling};
use crate::scenario::Scenario;
use crate::store::{Mutation, Store};
use crate::time::{self, Millis};

/// Requests that are remembered. The oldest go.
const MAX_LOG: usize = 100_000;

/// All that a simulator knows.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) lists: Lists,
    pub(crate) tokens: Tokens,
    pub(crate) limit: Limit,
    pub(crate) faults: Faults,
    pub(crate) script: Vec<Event>,
    pub(crate) log: std::collections::VecDeque<Served>,
    /// Requests to the API so far.
    pub(crate) asked: u64,
}

/// Something that happens when its time, or its request, has come.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Event {
    /// At this time of the simulator's clock.
    #[serde(default)]
    at: Option<String>,
    /// After so many requests to the API whose path is like `path`.
    #[serde(default)]
    after_request: Option<u64>,
    /// The path that counts, in which a `*` is anything; all of them if it is left out.
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    mutate: Vec<Mutation>,
    #[serde(default)]
    faults: Vec<Rule>,
    /// Moves the clock by so many seconds.
    #[serde(default)]
    advance_seconds: Option<u64>,
    #[serde(skip)]
    seen: u64,
}

impl World {
    pub(crate) fn new(scenario: Scenario) -> Result<Self, String> {
        let anchor = scenario.anchor()?.map(time::instant);
        let clock = Clock::new(anchor, scenario.is_moving);
        let now = clock.now().as_millisecond();
        Ok(Self {
            store: Store::seeded(&scenario, now)?,
            lists: Lists::default(),
            tokens: Tokens::new(&scenario, now),
            limit: Limit::new(scenario.hourly_limit, scenario.retry_after),
            faults: Faults::new(scenario.seed, scenario.faults.clone())?,
            script: Vec::new(),
            log: std::collections::VecDeque::new(),
            asked: 0,
            clock,
            scenario,
        })
    }

    /// The present, with what happens by then.
    pub(crate) fn now(&mut self) -> Millis {
        let now = self.clock.now().as_millisecond();
        self.store.advance(now);
        now
    }

    /// Moves the clock, and lets happen what the script has for that.
    pub(crate) fn set_clock(&mut self, now: Millis) -> Result<(), String> {
        self.clock = self.clock.set(time::instant(now));
        self.store.advance(now);
        let due = |event: &Event| {
            event
                .at
                .as_deref()
                .and_then(time::parse)
                .is_some_and(|at| at <= now)
        };
        self.play(due)
    }

    fn play(&mut self, due: impl Fn(&Event) -> bool) -> Result<(), String> {
        let (now_due, later) = std::mem::take(&mut self.script).into_iter().partition(due);
        self.script = later;
        let now_due: Vec<Event> = now_due;
        for event in now_due {
            let now = self.clock.now().as_millisecond();
            self.store.mutate(&event.mutate, now, &self.scenario)?;
            self.faults.add(event.faults)?;
            if let Some(seconds) = event.advance_seconds {
                self.set_clock(now + Millis::try_from(seconds).unwrap_or(0) * time::SECOND)?;
            }
        }
        Ok(())
    }

    /// Answers a request to the API or to the token endpoint.
    pub(crate) fn serve(&mut self, request: &Request<'_>, full_path: &str, body: &[u8]) -> Answer {
        let now = self.now();
        let seen = Seen {
            method: request.method,
            path: full_path,
            query: request.query,
            now,
        };
        let fired = self.faults.fire(&seen);
        let (rule, action) =
            fired.map_or((None, None), |(rule, action)| (Some(rule), Some(action)));
        let (outgoing, ids) = self.outgoing(request, full_path, body, now, action.as_ref());
        self.asked += 1;
        self.log.push_back(Served {
            number: self.asked,
            at: time::print(now),
            method: request.method.to_owned(),
            path: full_path.to_owned(),
            query: request.query.to_vec(),
            status: outgoing.status,
            ids,
            rule,
        });
        if self.log.len() > MAX_LOG {
            self.log.pop_front();
        }
        for event in &mut self.script {
            let is_like = event
                .path
                .as_deref()
                .is_none_or(|path| crate::fault::is_like(path, full_path));
            event.seen += u64::from(is_like);
        }
        // A script that cannot be carried out was refused when it came, but for what the data says by then.
        if let Err(problem) =
            self.play(|event| event.after_request.is_some_and(|after| event.seen >= after))
        {
            eprintln!("the script: {problem}");
        }
        outgoing
    }

    fn outgoing(
        &mut self,
        request: &Request<'_>,
        full_path: &str,
        body: &[u8],
        now: Millis,
        action: Option<&Action>,
    ) -> (Answer, Vec<u64>) {
        let (mut spoiling, mut shape, mut transport) =
            (Spoiling::default(), Shape::default(), Transport::Sent);
        let mut is_garbage = false;
        match action {
            None => {}
            Some(Action::Status {
                status,
                body,
                headers,
            }) => {
                let body = match body {
                    Value::Null => Vec::new(),
                    Value::String(text) => text.clone().into_bytes(),
                    body => body.to_string().into_bytes(),
                };
                let mut headers: Vec<_> = headers.clone().into_iter().collect();
                if !headers
                    .iter()
                    .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
                {
                    headers.push(("content-type".to_owned(), api::MEDIA_TYPE.to_owned()));
                }
                return (
                    Answer {
                        status: *status,
                        headers,
                        body: body.into(),
                        transport,
                    },
                    Vec::new(),
                );
            }
            Some(Action::BadGateway { without_words }) => {
                let words = if *without_words {
                    "upstream"
                } else {
                    "Bad Gateway"
                };
                let body = format!("<html><body><h1>502 {words}</h1></body></html>").into_bytes();
                let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
                return (
                    Answer {
                        status: 502,
                        headers,
                        body: body.into(),
                        transport,
                    },
                    Vec::new(),
                );
            }
            Some(Action::Slow(millis)) => transport = Transport::Slow(*millis),
            Some(Action::Hang) => transport = Transport::Hang,
            Some(Action::Disconnect) => transport = Transport::Disconnect,
            Some(Action::Truncate) => transport = Transport::Truncate,
            Some(Action::Garbage) => is_garbage = true,
            Some(Action::Shuffle) => {
                spoiling.shuffled = Some(Random::of(self.scenario.seed, "shuffle").next());
            }
            Some(Action::IgnoreUpper) => spoiling.ignores_upper = true,
            Some(Action::DuplicateRow) => shape.duplicates_row = true,
            Some(Action::DropRowOnce) => shape.drops_row = true,
            Some(Action::NullCursor) => shape.has_null_cursor = true,
            Some(Action::StringId) => shape.has_string_id = true,
            Some(Action::NoFirstLink) => shape.has_no_first_link = true,
            Some(Action::NullNext) => shape.has_null_next = true,
            Some(Action::EmptyLinks) => shape.has_empty_links = true,
            Some(Action::ExpireToken) => self.tokens.expire(),
        }
        let json = |value: &str| vec![("content-type".to_owned(), value.to_owned())];
        if full_path == "/oauth/token" {
            let (status, given) = api::token(self, body, now);
            let body = given.to_string().into_bytes();
            let headers = json("application/json");
            return (
                Answer {
                    status,
                    headers,
                    body: body.into(),
                    transport,
                },
                Vec::new(),
            );
        }
        let standing = self.limit.count(now);
        let answered = match standing.is_exceeded {
            true => Err(api::too_many()),
            false => api::answer(self, request, now, spoiling, shape),
        };
        let (status, value, ids) = match answered {
            Ok(answer) => (200, answer.body, answer.ids),
            Err(error) => (error.status, error.body(), Vec::new()),
        };
        let mut headers = json(api::MEDIA_TYPE);
        let of_limit = standing.headers.into_iter();
        headers.extend(of_limit.map(|(name, value)| (name.to_owned(), value)));
        let body = match is_garbage {
            true => b"{\"data\": [oops".to_vec(),
            false => value.to_string().into_bytes(),
        };
        (
            Answer {
                status,
                headers,
                body: body.into(),
                transport,
            },
            ids,
        )
    }
}

impl Event {
    /// What keeps it from ever happening.
    pub(crate) fn problem(&self) -> Option<String> {
        match (&self.at, self.after_request) {
            (Some(at), None) => time::parse(at)
                .is_none()
                .then(|| format!("`at` is no time: `{at}`")),
            (None, Some(_)) => None,
            _ => Some("an event has either `at` or `afterRequest`".to_owned()),
        }
    }
}
