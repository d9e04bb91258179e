//! What the API answers.

use serde_json::{Map, Value, json};

use crate::auth::Refusal;
use crate::catalog::Type;
use crate::list::{Listed, Spoiling};
use crate::query::{Page, Query};
use crate::render::{self, Shown};
use crate::time::Millis;
use crate::world::World;

/// The media type of JSON:API.
pub(crate) const MEDIA_TYPE: &str = "application/vnd.api+json";

/// An error, as the API tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    id: &'static str,
    title: &'static str,
    detail: String,
}

impl ApiError {
    fn new(status: u16, id: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            id,
            title,
            detail: detail.into(),
        }
    }

    pub(crate) fn validation(detail: impl Into<String>) -> Self {
        Self::new(422, "validationError", "Validation Error", detail)
    }

    pub(crate) fn datetime() -> Self {
        let detail = "A filter is no datetime; write it as 2025-02-03T04:05:06Z.";
        Self::new(
            422,
            "filterParameter.invalidDatetimeFormat",
            "Invalid Datetime Format",
            detail,
        )
    }

    pub(crate) fn cursor() -> Self {
        Self::validation("The cursor is of another list, or of none.")
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "errors": [{ "id": self.id, "title": self.title, "detail": self.detail }] })
    }
}

/// A request to the API.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    /// Below the base of the API: `accounts`, `accounts/17`.
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(String, String)],
    pub(crate) token: Option<&'a str>,
    pub(crate) content_type: Option<&'a str>,
    /// The simulator's own address.
    pub(crate) origin: &'a str,
}

/// How a list is spoilt before it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) duplicates_row: bool,
    pub(crate) drops_row: bool,
    pub(crate) has_null_cursor: bool,
    pub(crate) has_string_id: bool,
    pub(crate) has_no_first_link: bool,
    pub(crate) has_null_next: bool,
    pub(crate) has_empty_links: bool,
}

/// An answer to a request that was not refused, and the ids in it.
pub(crate) struct Answer {
    pub(crate) body: Value,
    pub(crate) ids: Vec<u64>,
}

/// Answers a request that is not spoilt otherwise.
pub(crate) fn answer(
    world: &mut World,
    request: &Request<'_>,
    now: Millis,
    spoiling: Spoiling,
    shape: Shape,
) -> Result<Answer, ApiError> {
    if !request
        .token
        .is_some_and(|token| world.tokens.is_good(token, now))
    {
        let detail = "The access token is missing, unknown or expired.";
        return Err(ApiError::new(401, "unauthorized", "Unauthorized", detail));
    }
    if world.scenario.is_strict && request.content_type != Some(MEDIA_TYPE) {
        let detail = format!("The header Content-Type must be {MEDIA_TYPE}.");
        return Err(ApiError::new(
            415,
            "unsupportedMediaType",
            "Unsupported Media Type",
            detail,
        ));
    }
    let (path, id) = match request.path.split_once('/') {
        Some((path, id)) => (path, Some(id)),
        None => (request.path, None),
    };
    let kind = Type::at(path).filter(|_| request.method == "GET");
    let Some(kind) = kind else {
        let detail = "There is no such route.";
        return Err(ApiError::new(
            404,
            "routeNotFound",
            "Route Not Found",
            detail,
        ));
    };
    if !world.tokens.may_read(path) {
        let detail = format!("The token has not the scope {path}.read.");
        return Err(ApiError::new(
            403,
            "unauthorizedOauthScope",
            "Unauthorized OAuth Scope",
            detail,
        ));
    }
    match id {
        Some(id) => one(world, kind, id, request.origin),
        None => list(world, kind, request, spoiling, shape),
    }
}

fn one(
    world: &World,
    (at, kind): (usize, &'static Type),
    id: &str,
    origin: &str,
) -> Result<Answer, ApiError> {
    let found = id
        .parse()
        .ok()
        .and_then(|id| Some((id, world.store.table(at).visible(id)?)));
    let Some((id, version)) = found else {
        let detail = format!("There is no such {}.", kind.name);
        return Err(ApiError::new(
            404,
            "resourceNotFound",
            "Resource Not Found",
            detail,
        ));
    };
    let shown = Shown {
        seed: world.store.seed,
        origin,
        fields: &crate::query::Fields::default(),
        has_data_connections: false,
    };
    let body = json!({ "data": render::record(kind, id, version, &shown) });
    Ok(Answer {
        body,
        ids: vec![id],
    })
}

fn list(
    world: &mut World,
    (at, kind): (usize, &'static Type),
    request: &Request<'_>,
    spoiling: Spoiling,
    shape: Shape,
) -> Result<Answer, ApiError> {
    let query = Query::read(kind, request.query, world.scenario.max_page_size)?;
    let mode = world.scenario.cursor_mode;
    let mut listed = world
        .lists
        .page(&world.store, (at, kind), &query, mode, spoiling)?;
    if shape.drops_row && !listed.ids.is_empty() {
        listed.ids.remove(0);
    }
    if shape.duplicates_row {
        listed.ids.extend(listed.ids.last().copied());
    }
    let shown = Shown {
        seed: world.store.seed,
        origin: request.origin,
        fields: &query.fields,
        has_data_connections: query.has_data_connections,
    };
    let table = world.store.table(at);
    let rows = listed
        .ids
        .iter()
        .filter_map(|id| Some((*id, table.visible(*id)?)));
    let mut data: Vec<Value> = rows
        .map(|(id, version)| render::record(kind, id, version, &shown))
        .collect();
    for row in &mut data {
        if shape.has_null_cursor {
            row["attributes"]["updatedAt"] = Value::Null;
            row["attributes"]["createdAt"] = Value::Null;
        }
        if shape.has_string_id {
            row["id"] = row["id"].to_string().into();
        }
    }
    let mut body = json!({ "data": data });
    if !listed.ids.is_empty() {
        body["links"] = links(request, &query, &listed, shape).into();
    }
    if let Some(count) = listed.count {
        body["meta"] = json!({ "count": count, "count_truncated": false });
    }
    Ok(Answer {
        body,
        ids: listed.ids,
    })
}

fn links(
    request: &Request<'_>,
    query: &Query,
    listed: &Listed,
    shape: Shape,
) -> Map<String, Value> {
    let mut links = Map::new();
    let to = |changes: &[(&str, Option<String>)]| link(request, changes);
    if !shape.has_no_first_link {
        let without = [("page[after]", None), ("page[before]", None)];
        let first = match query.page {
            Page::Offset { .. } => to(&[("page[offset]", Some("0".to_owned()))]),
            _ => to(&without),
        };
        links.insert("first".to_owned(), first.into());
    }
    if let Some(cursor) = &listed.previous {
        let changes = [
            ("page[after]", None),
            ("page[before]", Some(cursor.clone())),
        ];
        links.insert("prev".to_owned(), to(&changes).into());
    }
    if let Some(cursor) = &listed.next {
        let changes = [
            ("page[before]", None),
            ("page[after]", Some(cursor.clone())),
        ];
        links.insert("next".to_owned(), to(&changes).into());
    } else if shape.has_null_next {
        links.insert("next".to_owned(), Value::Null);
    }
    if let (Page::Offset { limit, offset }, Some(last)) = (&query.page, listed.last_offset) {
        let at = |offset: u64| to(&[("page[offset]", Some(offset.to_string()))]);
        links.insert("last".to_owned(), at(last).into());
        if offset + limit <= last {
            links.insert("next".to_owned(), at(offset + limit).into());
        }
        if *offset > 0 {
            links.insert("prev".to_owned(), at(offset.saturating_sub(*limit)).into());
        }
    }
    if shape.has_empty_links && listed.next.is_none() {
        links.clear();
    }
    links
}

/// The request's own address, with other parameters.
fn link(request: &Request<'_>, changes: &[(&str, Option<String>)]) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    let is_changed = |name: &str| changes.iter().any(|(changed, _)| *changed == name);
    for (name, value) in request.query.iter().filter(|(name, _)| !is_changed(name)) {
        pairs.append_pair(name, value);
    }
    for (name, value) in changes {
        if let Some(value) = value {
            pairs.append_pair(name, value);
        }
    }
    format!(
        "{}/api/v2/{}?{}",
        request.origin,
        request.path,
        pairs.finish()
    )
}

/// The answer of the token endpoint, with its status.
pub(crate) fn token(world: &mut World, body: &[u8], now: Millis) -> (u16, Value) {
    let fields = match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => {
            let texts = fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
            texts.collect()
        }
        _ => url::form_urlencoded::parse(body).into_owned().collect(),
    };
    match world.tokens.exchange(&fields, now) {
        Ok(given) => (200, given),
        Err(Refusal(status, error, description)) => (
            status,
            json!({ "error": error, "error_description": description }),
        ),
    }
}

/// The error of the hourly limit.
pub(crate) fn too_many() -> ApiError {
    let detail = "The hourly limit of requests is exceeded.";
    ApiError::new(429, "rateLimitExceeded", "Rate Limit Exceeded", detail)
}
