//! What the API answers.

use std::sync::Arc;

use apollo_compiler::ExecutableDocument;
use apollo_compiler::executable::{Field as Asked, OperationType, Selection, SelectionSet};
use serde_json::{Map, Value, json};
use simulator_common::{Answer, Call, Clock, Random, Transport};

use crate::bulk;
use crate::catalog::{self, Root};
use crate::control::Served;
use crate::faults::{Action, Kind, Request, RowFault};
use crate::jobs::{Job, KEPT, MAX_JOBS, Status};
use crate::search::{Has, Rules, Search};
use crate::shown::Object;
use crate::time::{self, Micros};
use crate::walker::{Connections, Nulled, Problem, Spoiling, View, Walker};
use crate::world::{Store, World, root_of};

/// The application that there is.
const CLIENT_ID: &str = "client";
const CLIENT_SECRET: &str = "client-secret";

/// The version of the API that is served. Others are, too, with a word in the log.
const VERSION: &str = "2026-01";

/// What a query may cost at most.
const MAX_COST: f64 = 900.0;

const JSON: &str = "application/json";

/// What a request is, as far as that is seen before it is answered.
struct Seen {
    store: String,
    kind: Kind,
    root: String,
    bounds: (Option<String>, Option<String>),
    after: Option<String>,
    job: Option<u64>,
    warning: Option<String>,
}

/// What came of it.
struct Done {
    answer: Answer,
    nodes: u64,
    cost: f64,
    code: Option<String>,
    job: Option<u64>,
}

impl Done {
    fn of(answer: Answer) -> Self {
        Self {
            answer,
            nodes: 0,
            cost: 0.0,
            code: None,
            job: None,
        }
    }
}

/// Answers a request to a store.
pub(crate) fn answer(world: &mut World, call: &Call) -> Answer {
    let now = world.now();
    let host = call.header("host").unwrap_or_default();
    let of_host = host.split_once(".myshopify.com").map(|(store, _)| store);
    let path = call.path.trim_start_matches('/');
    let (store, path) = match (path.starts_with("admin/"), of_host) {
        (true, Some(store)) => (store, path),
        _ => path.split_once('/').unwrap_or((path, "")),
    };
    if !world.stores.contains_key(store) {
        return refused(404, "Not Found");
    }
    let document = graphql_body(call);
    let mut seen = Seen {
        store: store.to_owned(),
        kind: Kind::Query,
        root: String::new(),
        bounds: (None, None),
        after: None,
        job: None,
        warning: None,
    };
    let is_token = path == "admin/oauth/access_token";
    let version = path
        .strip_prefix("admin/api/")
        .and_then(|path| path.strip_suffix("/graphql.json"));
    match (is_token, version) {
        (true, _) => seen.kind = Kind::Token,
        (false, Some(version)) => {
            if version != VERSION {
                seen.warning = Some(format!("version {version} was asked for"));
            }
            look(world, document.as_ref(), &mut seen);
        }
        (false, None) => return refused(404, "Not Found"),
    }
    let fired = world.faults.fire(&Request {
        store,
        kind: seen.kind,
        root: &seen.root,
        now,
    });
    let (rule, action) = fired.map_or((None, None), |(rule, action)| (Some(rule), Some(action)));
    let done = match (spoiled(action.as_ref()), is_token) {
        (Some(answer), _) => Done::of(answer),
        (None, true) => Done::of(token(world, store, call, now)),
        (None, false) => admin(world, store, call, document, &seen, action.as_ref(), now),
    };
    let mut answer = done.answer;
    transported(&mut answer, action.as_ref());
    if let Some(Action::ExpireTokens) = action
        && let Some(store) = world.stores.get_mut(store)
    {
        store.tokens.clear();
    }
    world.asked += 1;
    world.served(Served {
        number: world.asked,
        at: time::print_exactly(now),
        store: seen.store,
        kind: seen.kind,
        root: seen.root,
        bounds: seen.bounds,
        after: seen.after,
        nodes: done.nodes,
        cost: done.cost,
        status: answer.status,
        code: done.code,
        rule,
        job: done.job.or(seen.job),
        warning: seen.warning,
    });
    answer
}

/// Answers a request to where results are.
pub(crate) fn download(world: &mut World, call: &Call) -> Answer {
    let now = world.now();
    if call.header("x-shopify-access-token").is_some() {
        world.leaked += 1;
    }
    let xml = |status, code: &str| {
        let body =
            format!("<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code></Error>");
        Answer::new(status, "application/xml", body)
    };
    let is_here = |job: &&Job| world.address(job.number).ends_with(&call.path);
    let Some(job) = world.jobs.iter().find(is_here) else {
        return xml(404, "NoSuchKey");
    };
    let (number, store, root) = (job.number, job.store.clone(), job.root.clone());
    let is_expired = now > job.ends_at() + KEPT;
    let (is_grouped, result) = (job.is_grouped, job.result.clone());
    let fired = world.faults.fire(&Request {
        store: &store,
        kind: Kind::Download,
        root: &root,
        now,
    });
    let (rule, action) = fired.map_or((None, None), |(rule, action)| (Some(rule), Some(action)));
    let mut answer = match (spoiled(action.as_ref()), result) {
        (Some(answer), _) => answer,
        (None, Some(result)) if !is_expired => {
            let mut random = Random::of(world.scenario.seed, &format!("rows/{number}"));
            let body = match (&action, is_grouped) {
                (Some(Action::Rows(fault)), _) => {
                    fault.apply(&result.rows, &result.depths, &mut random)
                }
                (_, false) => RowFault::Ungrouped.apply(&result.rows, &result.depths, &mut random),
                _ => result.rows.clone(),
            };
            Answer::new(200, "application/jsonl", body)
        }
        (None, _) => xml(403, "AccessDenied"),
    };
    transported(&mut answer, action.as_ref());
    if let Some(job) = world.jobs.iter_mut().find(|job| job.number == number) {
        job.downloads += 1;
    }
    world.asked += 1;
    world.served(Served {
        number: world.asked,
        at: time::print_exactly(now),
        store,
        kind: Kind::Download,
        root,
        bounds: (None, None),
        after: None,
        nodes: 0,
        cost: 0.0,
        status: answer.status,
        code: None,
        rule,
        job: Some(number),
        warning: None,
    });
    answer
}

fn refused(status: u16, message: &str) -> Answer {
    Answer::new(status, JSON, json!({ "errors": message }).to_string())
}

/// The answer that a rule gives instead of another.
fn spoiled(action: Option<&Action>) -> Option<Answer> {
    let Some(Action::Status {
        status,
        body,
        headers,
    }) = action
    else {
        return None;
    };
    let body = match body {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        body => body.to_string(),
    };
    let mut answer = Answer::new(*status, JSON, body);
    answer.headers.extend(headers.clone());
    Some(answer)
}

fn transported(answer: &mut Answer, action: Option<&Action>) {
    match action {
        Some(Action::Slow(millis)) => answer.transport = Transport::Slow(*millis),
        Some(Action::Hang) => answer.transport = Transport::Hang,
        Some(Action::Disconnect) => answer.transport = Transport::Disconnect,
        Some(Action::Truncate) => answer.transport = Transport::Truncate,
        Some(Action::Garbage) => answer.body = "{\"data\": {oops".into(),
        _ => {}
    }
}

/// Gives a token for client credentials.
fn token(world: &mut World, store: &str, call: &Call, now: Micros) -> Answer {
    let fields: Map<String, Value> = serde_json::from_slice(&call.body).unwrap_or_else(|_| {
        let pairs = url::form_urlencoded::parse(&call.body).into_owned();
        pairs.map(|(name, value)| (name, value.into())).collect()
    });
    let get = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let no = |error: &str, description: &str| {
        let body = json!({ "error": error, "error_description": description });
        Answer::new(400, JSON, body.to_string())
    };
    if get("grant_type") != "client_credentials" {
        return no("invalid_request", "The grant type is missing or not known.");
    }
    if get("client_id") != CLIENT_ID {
        return no(
            "application_cannot_be_found",
            "There is no app with this client id.",
        );
    }
    if get("client_secret") != CLIENT_SECRET {
        return no(
            "invalid_client",
            "The client secret does not belong to the app.",
        );
    }
    let seconds = world.scenario.token_seconds;
    let Some(store) = world.stores.get_mut(store) else {
        return refused(404, "Not Found");
    };
    store.minted += 1;
    let token = format!("minted-{}-{}", store.facts.name, store.minted);
    let life = Micros::try_from(seconds).unwrap_or(Micros::MAX / 4_000_000);
    store
        .tokens
        .insert(token.clone(), now + life * time::SECOND);
    let scopes: Vec<String> = store.facts.granted().into_iter().collect();
    let given = json!({ "access_token": token, "scope": scopes.join(","), "expires_in": seconds });
    Answer::new(200, JSON, given.to_string())
}

/// The query and its variables.
struct Posted {
    query: String,
    variables: Map<String, Value>,
}

fn graphql_body(call: &Call) -> Option<Posted> {
    let mut body: Map<String, Value> = serde_json::from_slice(&call.body).ok()?;
    let query = body.get("query")?.as_str()?.to_owned();
    let variables = match body.remove("variables") {
        Some(Value::Object(variables)) => variables,
        _ => Map::new(),
    };
    Some(Posted { query, variables })
}

/// Looks at what a query is for.
fn look(world: &World, posted: Option<&Posted>, seen: &mut Seen) {
    let Some(posted) = posted else { return };
    let Ok(document) = world.schema.understood(&posted.query) else {
        return;
    };
    let Some(field) = first_field(&document) else {
        return;
    };
    let view = quiet(world, &document, &posted.variables, seen);
    seen.root = field.name.to_string();
    let Some(view) = view else { return };
    let text = |name: &str| match view.argument(field, name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    match field.name.as_str() {
        "bulkOperationRunQuery" => {
            seen.kind = Kind::Submit;
            let query = text("query").unwrap_or_default();
            if let Ok(inner) = world.schema.understood(&query)
                && let Some(field) = first_field(&inner)
            {
                seen.root = field.name.to_string();
                let none = Map::new();
                if let Some(view) = quiet(world, &inner, &none, seen) {
                    seen.bounds = bounds(&view.search(field));
                }
            }
        }
        "bulkOperationCancel" => {
            seen.kind = Kind::Cancel;
            seen.job = text("id").and_then(|id| Some(catalog::named(&id)?.1));
        }
        "bulkOperations" => seen.kind = Kind::List,
        "node" | "bulkOperation" => {
            let id = text("id").unwrap_or_default();
            let named = catalog::named(&id);
            seen.kind = match named {
                Some(("BulkOperation", _)) => Kind::Poll,
                _ => Kind::Rest,
            };
            seen.job = named
                .filter(|_| seen.kind == Kind::Poll)
                .map(|(_, number)| number);
            if let Some(job) = world.jobs.iter().find(|job| Some(job.number) == seen.job) {
                seen.root = job.root.clone();
            }
        }
        _ => {
            seen.bounds = bounds(&view.search(field));
            seen.after = text("after");
        }
    }
}

fn bounds(search: &Search) -> (Option<String>, Option<String>) {
    match search.bounds("updated_at") {
        (None, None) => search.bounds("initiated_at"),
        bounds => bounds,
    }
}

fn quiet<'a>(
    world: &'a World,
    document: &'a ExecutableDocument,
    variables: &'a Map<String, Value>,
    seen: &Seen,
) -> Option<View<'a>> {
    let store = world.stores.get(&seen.store)?;
    Some(world.view(store, document, variables, 0, Connections::Paged))
}

fn first_field(document: &ExecutableDocument) -> Option<&Asked> {
    let operation = document.operations.iter().next()?;
    match operation.selection_set.selections.first()? {
        Selection::Field(field) => Some(field),
        _ => None,
    }
}

/// Answers a query or a mutation.
fn admin(
    world: &mut World,
    name: &str,
    call: &Call,
    posted: Option<Posted>,
    seen: &Seen,
    action: Option<&Action>,
    now: Micros,
) -> Done {
    let Some(store) = world.stores.get(name) else {
        return Done::of(refused(404, "Not Found"));
    };
    let token = call.header("x-shopify-access-token").unwrap_or_default();
    if !store.lets_in(token, now) {
        let message =
            "[API] Invalid API key or access token (unrecognized login or wrong password)";
        return Done::of(refused(401, message));
    }
    if let Some(status) = store.facts.refused_with {
        return Done::of(refused(status, "This store does not answer."));
    }
    let Some(posted) = posted else {
        return Done::of(refused(400, "The body is no JSON object with a `query`."));
    };
    let schema = Arc::clone(&world.schema);
    let document = match schema.read(&posted.query) {
        Ok(document) => document,
        Err(problems) => return told(world, name, None, &problems, None, &[]),
    };
    match action {
        Some(Action::Throttle) => {
            let problem = Problem::new("THROTTLED", "Throttled");
            return told(
                world,
                name,
                None,
                &[problem],
                Some((cost(&document), None)),
                &[],
            );
        }
        Some(Action::Error {
            code,
            is_partial: false,
        }) => {
            let problem = made_up(code);
            return told(world, name, None, &[problem], None, &[]);
        }
        _ => {}
    }
    let requested = cost(&document);
    let Some(store) = world.stores.get_mut(name) else {
        return Done::of(refused(404, "Not Found"));
    };
    if store.refill(now) < requested {
        let problem = Problem::new("THROTTLED", "Throttled");
        return told(world, name, None, &[problem], Some((requested, None)), &[]);
    }
    store.budget.0 -= requested;
    let spoiling = Spoiling {
        has_no_end_cursor: action == Some(&Action::NoEndCursor),
        repeats_cursor: action == Some(&Action::RepeatCursor),
        has_no_nodes: action == Some(&Action::NoNodes),
        is_shuffled: action == Some(&Action::Reorder),
    };
    let mut data = String::from("{");
    let mut answered = Answered::default();
    let operations = document.operations.iter().next();
    let operation =
        operations.map(|operation| (&operation.selection_set, operation.operation_type));
    let (set, kind) = operation.unzip();
    let selections = set.map_or(&[][..], |set| &set.selections);
    for (nth, selection) in selections.iter().enumerate() {
        let Selection::Field(field) = selection else {
            continue;
        };
        if nth > 0 {
            data.push(',');
        }
        data.push_str(&format!("\"{}\":", field.response_key()));
        let asking = Asking {
            document: &document,
            variables: &posted.variables,
            field,
            spoiling,
            action,
            now,
        };
        match kind {
            Some(OperationType::Mutation) => {
                mutation(world, name, &asking, &mut data, &mut answered);
            }
            _ => query(world, name, &asking, &mut data, &mut answered),
        }
    }
    data.push('}');
    let (asked, nodes) = answered.nodes;
    let actual = match asked {
        0 => requested,
        asked => (requested * nodes as f64 / asked as f64)
            .max(1.0)
            .min(requested)
            .round(),
    };
    if let Some(store) = world.stores.get_mut(name) {
        store.budget.0 += requested - actual;
    }
    if let Some(Action::Error { code, .. }) = action {
        answered.problems.push(made_up(code));
    }
    let mut done = told(
        world,
        name,
        Some(&data),
        &answered.problems,
        Some((requested, Some(actual))),
        &answered.warnings,
    );
    done.nodes = nodes;
    done.job = answered.job.or(seen.job);
    done
}

/// An error that a rule makes up.
fn made_up(code: &str) -> Problem {
    let mut problem = Problem::new("", format!("{code}, as a rule says"));
    problem.code = None;
    if !code.is_empty() {
        problem.more.insert("code".to_owned(), code.into());
    }
    problem
}

/// What is written of an answer, beside its data.
#[derive(Default)]
struct Answered {
    problems: Vec<Problem>,
    warnings: Vec<Value>,
    nodes: (u64, u64),
    job: Option<u64>,
}

/// A field at the root, and what is known of its request.
struct Asking<'a> {
    document: &'a ExecutableDocument,
    variables: &'a Map<String, Value>,
    field: &'a Asked,
    spoiling: Spoiling,
    action: Option<&'a Action>,
    now: Micros,
}

impl<'a> Asking<'a> {
    fn view(&self, world: &'a World, store: &'a Store) -> View<'a> {
        View {
            spoiling: self.spoiling,
            ..world.view(
                store,
                self.document,
                self.variables,
                self.now,
                Connections::Paged,
            )
        }
    }
}

/// An answer with status 200.
fn told(
    world: &World,
    store: &str,
    data: Option<&str>,
    problems: &[Problem],
    cost: Option<(f64, Option<f64>)>,
    warnings: &[Value],
) -> Done {
    let mut body = String::from("{");
    if let Some(data) = data {
        body.push_str(&format!("\"data\":{data},"));
    }
    if !problems.is_empty() {
        let problems: Vec<Value> = problems.iter().map(Problem::to_json).collect();
        body.push_str(&format!("\"errors\":{},", Value::from(problems)));
    }
    let mut extensions = Map::new();
    if let (Some((requested, actual)), Some(store)) = (cost, world.stores.get(store)) {
        let (maximum, rate) = store.facts.budget();
        extensions.insert(
            "cost".to_owned(),
            json!({
                "requestedQueryCost": requested as u64,
                "actualQueryCost": actual.map(|actual| actual as u64),
                "throttleStatus": {
                    "maximumAvailable": maximum,
                    "currentlyAvailable": store.budget.0.max(0.0) as u64,
                    "restoreRate": rate,
                },
            }),
        );
    }
    if !warnings.is_empty() {
        extensions.insert("search".to_owned(), json!(warnings));
    }
    body.push_str(&format!("\"extensions\":{}}}", Value::from(extensions)));
    let code = problems.first().map(|problem| {
        let made_up = problem.more.get("code").and_then(Value::as_str);
        problem.code.or(made_up).unwrap_or("none").to_owned()
    });
    Done {
        cost: cost.and_then(|(_, actual)| actual).unwrap_or(0.0),
        code,
        ..Done::of(Answer::new(200, JSON, body))
    }
}

/// What a query costs: an object one point, a connection a little more than its nodes, which count once.
fn cost(document: &ExecutableDocument) -> f64 {
    let Some(operation) = document.operations.iter().next() else {
        return 1.0;
    };
    if operation.operation_type == OperationType::Mutation {
        return 10.0;
    }
    cost_of(document, &operation.selection_set).clamp(1.0, MAX_COST)
}

fn cost_of(document: &ExecutableDocument, set: &SelectionSet) -> f64 {
    let costs = set.selections.iter().map(|selection| match selection {
        Selection::Field(field) if field.selection_set.is_empty() => 0.0,
        Selection::Field(field) => {
            let inner = cost_of(document, &field.selection_set);
            let name = field.ty().inner_named_type();
            if name.ends_with("Connection") {
                let first = field
                    .arguments
                    .iter()
                    .find(|argument| argument.name == "first");
                let first = first.and_then(|first| first.value.to_f64()).unwrap_or(10.0);
                2.0 + (1.5 * first.max(0.0).sqrt()).ceil() + inner
            } else if name.ends_with("Edge") || name == "PageInfo" {
                inner
            } else {
                1.0 + inner
            }
        }
        Selection::InlineFragment(fragment) => cost_of(document, &fragment.selection_set),
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.fragment_name);
            fragment.map_or(0.0, |fragment| cost_of(document, &fragment.selection_set))
        }
    });
    costs.sum()
}

/// Answers a field at the root of a query.
fn query(
    world: &mut World,
    name: &str,
    asking: &Asking<'_>,
    data: &mut String,
    answered: &mut Answered,
) {
    let told = match asking.field.name.as_str() {
        "bulkOperations" => Some(list_of_jobs(world, name, asking)),
        "node" | "bulkOperation" | "currentBulkOperation" => job_asked_for(world, name, asking),
        _ => None,
    };
    let Some(store) = world.stores.get(name) else {
        return;
    };
    let view = asking.view(world, store);
    let field = asking.field;
    let sets = [&field.selection_set];
    let mut walker = Walker::new(view);
    let begin = data.len();
    let written = match (field.name.as_str(), &told) {
        (_, Some(Value::Object(fields))) => {
            let kind = fields.get("__typename").and_then(Value::as_str);
            let kind = kind.unwrap_or(field.ty().inner_named_type());
            walker.object(&Object::written(kind, fields), &sets, data)
        }
        ("shop", _) => {
            let plan = &store.facts.plan;
            let shop = json!({ "id": "gid://shopify/Shop/1", "plan": plan });
            let shop = shop.as_object().cloned().unwrap_or_default();
            walker.object(&Object::written("Shop", &shop), &sets, data)
        }
        ("currentAppInstallation", _) => {
            let scopes = store.facts.granted().into_iter();
            let scopes: Vec<Value> = scopes.map(|scope| json!({ "handle": scope })).collect();
            let app = json!({ "id": "gid://shopify/AppInstallation/1", "accessScopes": scopes });
            let app = app.as_object().cloned().unwrap_or_default();
            walker.object(&Object::written("AppInstallation", &app), &sets, data)
        }
        ("node", _) => {
            let id = view.argument(field, "id");
            let id = id.as_ref().and_then(Value::as_str).unwrap_or_default();
            walker.node(id, &sets, data)
        }
        (list, _) => match Root::named(list) {
            Some(root) => walker.root(root, field, &sets, data),
            None => Err(Nulled),
        },
    };
    if written.is_err() {
        data.truncate(begin);
        data.push_str("null");
    }
    answered.problems.append(&mut walker.problems);
    answered.warnings.append(&mut walker.warnings);
    answered.nodes.0 += walker.nodes.0;
    answered.nodes.1 += walker.nodes.1;
}

/// The argument of a field.
fn argument(world: &World, name: &str, asking: &Asking<'_>, argument: &str) -> Option<Value> {
    let store = world.stores.get(name)?;
    let view = asking.view(world, store);
    view.argument(asking.field, argument)
}

/// A bulk job that is asked for; nothing if the field is about something else.
fn job_asked_for(world: &mut World, name: &str, asking: &Asking<'_>) -> Option<Value> {
    let now = asking.now;
    let job = if asking.field.name == "currentBulkOperation" {
        let kind = argument(world, name, asking, "type");
        let is_mutation = kind == Some("MUTATION".into());
        let of_kind = |job: &&Job| job.store == name && job.is_mutation == is_mutation;
        world.jobs.iter().rfind(of_kind).map(|job| job.number)
    } else {
        let id = argument(world, name, asking, "id")?;
        match catalog::named(id.as_str()?) {
            Some(("BulkOperation", number)) => Some(number),
            _ => None,
        }
    }?;
    let stands = matches!(world.clock, Clock::Virtual(_));
    let of_number = |one: &Job| one.number == job && one.store == name;
    let asked_for = world.jobs.iter_mut().find(|one| of_number(one))?;
    asked_for.polls += i64::from(stands);
    world.now(); // It may have ended by that.
    let asked_for = world.jobs.iter().find(|one| of_number(one))?;
    let mut told = asked_for.told(now, &world.address(job));
    if asking.action == Some(&Action::NoAddress) {
        told.insert("url".to_owned(), Value::Null);
    }
    Some(told.into())
}

/// The jobs that are searched for, the newest first: as many as are asked for, all on one page.
fn list_of_jobs(world: &World, name: &str, asking: &Asking<'_>) -> Value {
    let text = |wanted: &str| match argument(world, name, asking, wanted) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let search = Search::parse(&text("query"));
    let rules = Rules {
        searched: &["created_at", "id", "operation_type", "status"],
        zone: &jiff::tz::TimeZone::UTC,
        compares_seconds: false,
    };
    let first = argument(world, name, asking, "first");
    let first = first.and_then(|first| first.as_u64()).unwrap_or(50);
    let jobs = world.jobs.iter().rev().filter(|job| job.store == name);
    let told = jobs.map(|job| (job, job.told(asking.now, &world.address(job.number))));
    let found = told.filter(|(job, told)| {
        search.finds(&rules, &|field| match field {
            "created_at" => Some(Has::Time(job.created_at)),
            "id" => Some(Has::Number(job.number)),
            "operation_type" => Some(Has::Text(told["type"].as_str()?.to_owned())),
            _ => Some(Has::Text(told["status"].as_str()?.to_owned())),
        })
    });
    let edges = found.take(usize::try_from(first).unwrap_or(usize::MAX));
    let edges: Vec<Value> = edges.map(|(_, told)| json!({ "node": told })).collect();
    json!({
        "__typename": "BulkOperationConnection",
        "edges": edges,
        "nodes": edges.iter().map(|edge| &edge["node"]).collect::<Vec<_>>(),
        "pageInfo": { "hasNextPage": false, "hasPreviousPage": false, "startCursor": null, "endCursor": null },
    })
}

/// Answers a field at the root of a mutation.
fn mutation(
    world: &mut World,
    name: &str,
    asking: &Asking<'_>,
    data: &mut String,
    answered: &mut Answered,
) {
    let (job, told) = match asking.field.name.as_str() {
        "bulkOperationRunQuery" => submit(world, name, asking),
        _ => cancel(world, name, asking),
    };
    answered.job = job;
    let Some(store) = world.stores.get(name) else {
        return;
    };
    let view = asking.view(world, store);
    let kind = asking.field.ty().inner_named_type().as_str();
    let fields = told.as_object().cloned().unwrap_or_default();
    let begin = data.len();
    let mut walker = Walker::new(view);
    let sets = [&asking.field.selection_set];
    if walker
        .object(&Object::written(kind, &fields), &sets, data)
        .is_err()
    {
        data.truncate(begin);
        data.push_str("null");
    }
    answered.problems.append(&mut walker.problems);
}

fn submit(world: &mut World, name: &str, asking: &Asking<'_>) -> (Option<u64>, Value) {
    let refuse = |field: Value, code: &str, message: String| {
        let error = json!({ "field": field, "message": message, "code": code });
        (
            None,
            json!({ "bulkOperation": null, "userErrors": [error] }),
        )
    };
    let query = argument(world, name, asking, "query");
    let query = query.as_ref().and_then(Value::as_str).unwrap_or_default();
    let document = match world.schema.understood(query) {
        Ok(document) => document,
        Err(wrong) => {
            let wrong = wrong.iter().map(|wrong| wrong.error.to_string());
            let wrong: Vec<String> = wrong.collect();
            return refuse(json!(["query"]), "INVALID", wrong.join("; "));
        }
    };
    let problems = bulk::problems(&document, query);
    if !problems.is_empty() {
        return refuse(json!(["query"]), "INVALID", problems.join("; "));
    }
    let Some((root, _)) = root_of(&document) else {
        return refuse(
            json!(["query"]),
            "INVALID",
            "there is no list at the root".to_owned(),
        );
    };
    if asking.action == Some(&Action::LimitReached) {
        let message = "The limit of bulk operations is reached. Please try again later.";
        return refuse(Value::Null, "LIMIT_REACHED", message.to_owned());
    }
    let now = asking.now;
    let at_work = world.at_work(name, now);
    if at_work.len() >= MAX_JOBS {
        let ids: Vec<String> = at_work.iter().map(|job| job.gid()).collect();
        let message = format!(
            "A bulk query operation for this app and shop is already in progress: {}.",
            ids.join(", ")
        );
        return refuse(Value::Null, "OPERATION_IN_PROGRESS", message);
    }
    let number = world.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1;
    let plan = match asking.action {
        Some(Action::Job(plan)) => *plan,
        _ => world.scenario.job,
    };
    let is_grouped = argument(world, name, asking, "groupObjects") == Some(true.into());
    let job = Job {
        number,
        store: name.to_owned(),
        query: query.to_owned(),
        root: root.field.to_owned(),
        created_at: now,
        plan,
        canceled_at: None,
        is_grouped,
        is_mutation: false,
        is_foreign: false,
        polls: 0,
        numbers: None,
        result: None,
        is_denied: false,
        downloads: 0,
    };
    let at = world.begin(job, now);
    let told = world.jobs[at].told(now, &world.address(number));
    (
        Some(number),
        json!({ "bulkOperation": told, "userErrors": [] }),
    )
}

fn cancel(world: &mut World, name: &str, asking: &Asking<'_>) -> (Option<u64>, Value) {
    let id = argument(world, name, asking, "id").unwrap_or_default();
    let number = id
        .as_str()
        .and_then(catalog::named)
        .map(|(_, number)| number);
    let now = asking.now;
    let job = world.jobs.iter_mut();
    let job = job
        .into_iter()
        .find(|job| Some(job.number) == number && job.store == name);
    let Some(job) = job else {
        let error = json!({ "field": ["id"], "message": "Bulk operation does not exist" });
        return (
            None,
            json!({ "bulkOperation": null, "userErrors": [error] }),
        );
    };
    let errors = match job.status(now) {
        Status::Created | Status::Running => {
            job.canceled_at = Some(now + job.polls * crate::jobs::PER_POLL);
            json!([])
        }
        Status::Canceling => json!([]),
        _ => {
            let message = "A bulk operation cannot be canceled when it is completed.";
            json!([{ "field": null, "message": message }])
        }
    };
    let number = job.number;
    let told = world.jobs.iter().find(|job| job.number == number);
    let told = told.map(|job| job.told(now, &world.address(number)));
    (
        Some(number),
        json!({ "bulkOperation": told, "userErrors": errors }),
    )
}
