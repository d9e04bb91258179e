//! All that a simulator knows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use apollo_compiler::ExecutableDocument;
use apollo_compiler::executable::{Field as Asked, Selection};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use simulator_common::{Clock, Random};

use crate::catalog::Root;
use crate::control::{Served, StoreChange};
use crate::faults::{Faults, Kind, Rule};
use crate::jobs::{Job, ResultFile};
use crate::records::{self, Mutation, Tables};
use crate::scenario::{Scenario, SnapshotAt, StoreFacts};
use crate::schema::Schema;
use crate::shown::mixed;
use crate::time::{self, Micros};
use crate::walker::{Connections, Problem, Seen, View, Walker};

/// Requests that are remembered. The oldest go.
const MAX_LOG: usize = 200_000;

/// Results that are kept. The oldest go, and their addresses are no longer good.
const MAX_RESULTS: usize = 200;

/// All that a simulator knows.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) schema: Arc<Schema>,
    pub(crate) clock: Clock,
    pub(crate) stores: BTreeMap<String, Store>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) faults: Faults,
    pub(crate) script: Vec<Event>,
    pub(crate) log: VecDeque<Served>,
    pub(crate) asked: u64,
    /// Where results are.
    pub(crate) storage_url: String,
    /// How often a token came to where results are.
    pub(crate) leaked: u64,
}

/// A store.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) facts: StoreFacts,
    zone: TimeZone,
    pub(crate) tables: Tables,
    /// When each token expires that was given for client credentials.
    pub(crate) tokens: BTreeMap<String, Micros>,
    pub(crate) minted: u64,
    pub(crate) is_private_revoked: bool,
    /// What is left of the budget, and when that was so.
    pub(crate) budget: (f64, Micros),
    delays: Random,
}

/// Something that happens when its time, or its request, has come.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Event {
    /// At this time of the simulator's clock.
    #[serde(default)]
    at: Option<String>,
    /// After so many requests that match `store`, `kind` and `root`.
    #[serde(default)]
    after_request: Option<u64>,
    #[serde(default)]
    store: Option<String>,
    #[serde(default)]
    kind: Option<Kind>,
    #[serde(default)]
    root: Option<String>,
    #[serde(default)]
    mutate: Vec<Mutation>,
    #[serde(default)]
    faults: Vec<Rule>,
    #[serde(default)]
    stores: Vec<StoreChange>,
    /// Moves the clock by so many seconds.
    #[serde(default)]
    advance_seconds: Option<u64>,
    #[serde(skip)]
    seen: u64,
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

impl Store {
    fn new(scenario: &Scenario, facts: StoreFacts, now: Micros) -> Self {
        Self {
            zone: facts.zone().unwrap_or(TimeZone::UTC),
            tables: records::seeded(scenario, &facts, now),
            tokens: BTreeMap::new(),
            minted: 0,
            is_private_revoked: false,
            budget: (facts.budget().0, now),
            delays: Random::of(scenario.seed, &format!("{}/delays", facts.name)),
            facts,
        }
    }

    /// Whether a token is good.
    pub(crate) fn lets_in(&self, token: &str, now: Micros) -> bool {
        let is_private = token == self.facts.private_token() && !self.is_private_revoked;
        is_private
            || self
                .tokens
                .get(token)
                .is_some_and(|expires_at| now < *expires_at)
    }

    /// What is left of the budget by now.
    pub(crate) fn refill(&mut self, now: Micros) -> f64 {
        let (maximum, rate) = self.facts.budget();
        let passed = (now - self.budget.1).max(0) as f64 / time::SECOND as f64;
        self.budget = ((self.budget.0 + passed * rate).min(maximum), now);
        self.budget.0
    }
}

impl World {
    pub(crate) fn new(
        scenario: Scenario,
        schema: Arc<Schema>,
        storage_url: String,
    ) -> Result<Self, String> {
        if let Some(problem) = scenario.problem() {
            return Err(problem);
        }
        let anchor = scenario.anchor().map(time::instant);
        let clock = Clock::new(anchor, scenario.is_moving);
        let now = clock.now().as_microsecond();
        let stores = scenario.stores.iter().cloned();
        let stores = stores.map(|facts| (facts.name.clone(), Store::new(&scenario, facts, now)));
        Ok(Self {
            stores: stores.collect(),
            faults: Faults::new(scenario.seed, scenario.faults.clone())?,
            jobs: Vec::new(),
            script: Vec::new(),
            log: VecDeque::new(),
            asked: 0,
            leaked: 0,
            clock,
            schema,
            storage_url,
            scenario,
        })
    }

    /// The present, with what happens by then.
    pub(crate) fn now(&mut self) -> Micros {
        let now = self.clock.now().as_microsecond();
        self.settle(now);
        now
    }

    /// Moves the clock, and lets happen what the script has for that.
    pub(crate) fn set_clock(&mut self, now: Micros) -> Result<(), String> {
        self.clock = self.clock.set(time::instant(now));
        self.settle(now);
        self.play(|event| {
            let at = event.at.as_deref().and_then(time::parse);
            at.is_some_and(|at| at <= now)
        })
    }

    fn play(&mut self, due: impl Fn(&Event) -> bool) -> Result<(), String> {
        let (due, later) = std::mem::take(&mut self.script).into_iter().partition(due);
        self.script = later;
        let due: Vec<Event> = due;
        for event in due {
            self.mutate(&event.mutate)?;
            self.faults.add(event.faults)?;
            for change in event.stores {
                self.change_store(change)?;
            }
            if let Some(seconds) = event.advance_seconds {
                let now = self.clock.now().as_microsecond();
                let by = Micros::try_from(seconds).unwrap_or(0);
                self.set_clock(now.saturating_add(by.saturating_mul(time::SECOND)))?;
            }
        }
        Ok(())
    }

    /// Remembers a request, and lets happen what the script has for that.
    pub(crate) fn served(&mut self, served: Served) {
        for event in &mut self.script {
            let is_like = event
                .store
                .as_ref()
                .is_none_or(|store| *store == served.store)
                && event.kind.is_none_or(|kind| kind == served.kind)
                && event.root.as_ref().is_none_or(|root| *root == served.root);
            event.seen += u64::from(is_like);
        }
        self.log.push_back(served);
        if self.log.len() > MAX_LOG {
            self.log.pop_front();
        }
        // A script that cannot be carried out was refused when it came, but for what the data says by then.
        let played =
            self.play(|event| event.after_request.is_some_and(|after| event.seen >= after));
        if let Err(problem) = played {
            eprintln!("the script: {problem}");
        }
    }

    /// Carries out all of these, or none. Answers with the number of each record, and of its version.
    pub(crate) fn mutate(&mut self, mutations: &[Mutation]) -> Result<Vec<(u64, u64)>, String> {
        let now = self.now();
        let mut before: BTreeMap<String, Tables> = BTreeMap::new();
        let mut written = Vec::new();
        let mut problem = None;
        for mutation in mutations {
            let Some(store) = self.stores.get_mut(&mutation.store) else {
                problem = Some(format!("there is no store `{}`", mutation.store));
                break;
            };
            if mutations.len() > 1 {
                before
                    .entry(mutation.store.clone())
                    .or_insert_with(|| store.tables.clone());
            }
            let drawn = self.scenario.delay(&mut store.delays);
            let said = mutation.searchable_after;
            let said = said.map(|millis| Micros::try_from(millis).unwrap_or(0) * 1000);
            match records::write(&mut store.tables, mutation, now, said.unwrap_or(drawn)) {
                Ok(one) => written.push(one),
                Err(wrong) => {
                    problem = Some(wrong);
                    break;
                }
            }
        }
        match problem {
            None => Ok(written),
            Some(problem) => {
                for (name, tables) in before {
                    if let Some(store) = self.stores.get_mut(&name) {
                        store.tables = tables;
                    }
                }
                Err(problem)
            }
        }
    }

    /// Changes what a store is.
    pub(crate) fn change_store(&mut self, change: StoreChange) -> Result<(), String> {
        let now = self.now();
        let StoreChange {
            store: name,
            add,
            remove,
            scopes,
            plan,
            revoke_tokens,
            refused_with,
        } = change;
        if let Some(facts) = add {
            let facts = StoreFacts {
                name: name.clone(),
                ..facts
            };
            if facts.zone().is_none() {
                return Err(format!("there is no zone `{}`", facts.zone));
            }
            let store = Store::new(&self.scenario, facts, now);
            self.stores.insert(name.clone(), store);
        }
        if remove {
            self.stores.remove(&name);
            return Ok(());
        }
        let store = self.stores.get_mut(&name);
        let store = store.ok_or_else(|| format!("there is no store `{name}`"))?;
        if let Some(scopes) = scopes {
            store.facts.scopes = Some(scopes);
        }
        if let Some(plan) = plan {
            store.facts.plan = plan;
        }
        if revoke_tokens {
            store.tokens.clear();
            store.is_private_revoked = true;
        }
        if let Some(status) = refused_with {
            store.facts.refused_with = (status != 0).then_some(status);
        }
        Ok(())
    }

    fn seen<'a>(&'a self, store: &'a Store, now: Micros) -> Seen<'a> {
        Seen {
            seed: self.scenario.seed,
            facts: &store.facts,
            tables: &store.tables,
            now,
            zone: &store.zone,
            compares_seconds: self.scenario.compares_seconds,
            max_page_size: self.scenario.max_page_size,
            page_cap: self.scenario.page_cap,
            lost_by_sort_percent: self.scenario.lost_by_sort_percent,
        }
    }

    /// Gives their results to the jobs that have ended by now.
    fn settle(&mut self, now: Micros) {
        if self.scenario.snapshot_at == SnapshotAt::Start {
            return;
        }
        let due =
            |job: &Job| job.result.is_none() && !job.is_denied && !job.status(now).is_at_work();
        let due: Vec<usize> = (0..self.jobs.len())
            .filter(|at| due(&self.jobs[*at]))
            .collect();
        for at in due {
            let (store, query, numbers) = {
                let job = &self.jobs[at];
                (job.store.clone(), job.query.clone(), job.numbers.clone())
            };
            let result = self.result(&store, &query, now, numbers.as_deref());
            self.keep(at, result);
        }
    }

    /// Begins a job that runs a query which is known to make sense.
    pub(crate) fn begin(&mut self, mut job: Job, now: Micros) -> usize {
        let snapshot = self.scenario.snapshot_at;
        if snapshot == SnapshotAt::Row {
            job.numbers = Some(self.numbers(&job.store, &job.query, now));
        }
        let (store, query) = (job.store.clone(), job.query.clone());
        let at = self.jobs.len();
        self.jobs.push(job);
        if snapshot == SnapshotAt::Start {
            let result = self.result(&store, &query, now, None);
            self.keep(at, result);
        }
        at
    }

    fn keep(&mut self, at: usize, result: Result<ResultFile, Problem>) {
        let job = &mut self.jobs[at];
        match result {
            Ok(result) => job.result = Some(Arc::new(result)),
            Err(_) => job.is_denied = true,
        }
        let kept = self.jobs.iter().filter(|job| job.result.is_some()).count();
        let oldest = self.jobs.iter_mut().find(|job| job.result.is_some());
        if let Some(oldest) = oldest.filter(|_| kept > MAX_RESULTS) {
            oldest.result = Some(Arc::new(ResultFile {
                rows: String::new(),
                depths: Vec::new(),
            }));
        }
    }

    /// The records that a query finds now.
    fn numbers(&self, store: &str, query: &str, now: Micros) -> Vec<u64> {
        let (Some(store), Ok(document)) = (self.stores.get(store), self.schema.understood(query))
        else {
            return Vec::new();
        };
        let Some((root, field)) = root_of(&document) else {
            return Vec::new();
        };
        let none = Map::new();
        let view = self.view(store, &document, &none, now, Connections::Rows);
        let found = view.roots(root, field).map(|(found, _)| found);
        let found = found.unwrap_or_default().into_iter();
        found.map(|(_, object)| object.number).collect()
    }

    /// A query, as it is asked of a store.
    pub(crate) fn view<'a>(
        &'a self,
        store: &'a Store,
        document: &'a ExecutableDocument,
        variables: &'a Map<String, Value>,
        now: Micros,
        connections: Connections,
    ) -> View<'a> {
        View {
            schema: self.schema.compiled(),
            document,
            variables,
            seen: self.seen(store, now),
            connections,
            spoiling: crate::walker::Spoiling::default(),
        }
    }

    /// What a bulk job of this query results in.
    fn result(
        &self,
        store: &str,
        query: &str,
        now: Micros,
        numbers: Option<&[u64]>,
    ) -> Result<ResultFile, Problem> {
        let gone = || Problem::new("ACCESS_DENIED", "the store is gone");
        let store = self.stores.get(store).ok_or_else(gone)?;
        let document = self.schema.understood(query).map_err(|_| gone())?;
        let (root, field) = root_of(&document).ok_or_else(gone)?;
        let none = Map::new();
        let mut walker = Walker::new(self.view(store, &document, &none, now, Connections::Rows));
        let rows = walker.rows(root, field, numbers);
        if let Some(problem) = walker.problems.pop() {
            return Err(problem);
        }
        let rows = rows.map_err(|_| gone())?;
        Ok(ResultFile {
            depths: rows.iter().map(|row| row.depth).collect(),
            rows: rows.into_iter().map(|row| row.text + "\n").collect(),
        })
    }

    /// What a query would be answered with, had connections no pages and searches found everything at once: a list of the records.
    pub(crate) fn whole(&mut self, store: &str, query: &str) -> Result<Vec<Value>, String> {
        let now = self.now();
        let store = self.stores.get(store);
        let store = store.ok_or_else(|| "there is no such store".to_owned())?;
        let document = self
            .schema
            .understood(query)
            .map_err(|wrong| wrong.to_string())?;
        let (root, field) = root_of(&document).ok_or("there is no list at the root")?;
        let none = Map::new();
        let mut walker = Walker::new(self.view(store, &document, &none, now, Connections::Whole));
        let mut out = String::new();
        let written = walker.root(root, field, &[&field.selection_set], &mut out);
        match (walker.problems.pop(), written) {
            (None, Ok(())) => serde_json::from_str(&out).map_err(|error| error.to_string()),
            (problem, _) => Err(problem.map_or_else(String::new, |problem| problem.message)),
        }
    }

    /// Where the result of a job is.
    pub(crate) fn address(&self, job: u64) -> String {
        let signature = mixed(self.scenario.seed, "signature", job);
        format!("{}/__bulk/{job}/{signature:016x}.jsonl", self.storage_url)
    }

    /// The jobs of a store that take a place.
    pub(crate) fn at_work(&self, store: &str, now: Micros) -> Vec<&Job> {
        let at_work = self
            .jobs
            .iter()
            .filter(|job| job.store == store && !job.is_mutation && job.status(now).is_at_work());
        at_work.collect()
    }

    /// Every version of every record of a type.
    pub(crate) fn truth(&self, store: &str, kind: &str) -> Value {
        let Some(table) = self
            .stores
            .get(store)
            .and_then(|store| store.tables.get(kind))
        else {
            return json!({});
        };
        let records = table.iter().map(|(number, record)| {
            let versions = record.0.iter().map(|version| {
                json!({
                    "version": version.number,
                    "writtenAt": time::print_exactly(version.written_at),
                    "searchableAt": time::print_exactly(version.searchable_at),
                    "createdAt": time::print_exactly(version.created_at),
                    "updatedAt": time::print_exactly(version.updated_at),
                    "isDeleted": version.is_deleted,
                })
            });
            (number.to_string(), versions.collect())
        });
        Value::Object(records.collect())
    }
}

/// The list at the root of a query, if there is one.
pub(crate) fn root_of(document: &ExecutableDocument) -> Option<(&'static Root, &Asked)> {
    let operation = document.operations.iter().next()?;
    let Some(Selection::Field(field)) = operation.selection_set.selections.first() else {
        return None;
    };
    Some((Root::named(&field.name)?, field))
}
