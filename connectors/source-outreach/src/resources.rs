//! What there is to capture, and how.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use staunch::state::Node;
use staunch::{BoxError, Changes, Cursor, FetchResult, Page, Pages, Resource};
use tokio::sync::Mutex;

use crate::api::{Api, List};
use crate::connector::Release;
use crate::emitted::{Batch, Emitted};
use crate::migrations::{LOOKBACK, REALTIME};
use crate::models::{Config, document_schema};
use crate::place::Place;
use crate::window::{self, LAG, Window, cursor, earlier, instant, seconds};

/// How often a resource is looked at.
const INTERVAL: Duration = Duration::from_secs(300);

/// A resource of the API.
#[derive(Clone, Copy, Debug)]
struct Kind {
    name: &'static str,
    path: &'static str,
    /// The attribute that tells when a record was changed.
    attribute: &'static str,
    /// Whether its relationships to many are wanted.
    has_connections: bool,
}

const fn kind(name: &'static str, path: &'static str, has_connections: bool) -> Kind {
    Kind {
        name,
        path,
        attribute: "updatedAt",
        has_connections,
    }
}

/// All of them. Events do not change, and have no `updatedAt`.
const KINDS: [Kind; 16] = [
    kind("accounts", "accounts", true),
    kind("calls", "calls", true),
    kind("call_dispositions", "callDispositions", false),
    kind("call_purposes", "callPurposes", false),
    kind("email_addresses", "emailAddresses", false),
    Kind {
        attribute: "createdAt",
        ..kind("events", "events", true)
    },
    kind("mailboxes", "mailboxes", false),
    kind("mailings", "mailings", true),
    kind("opportunities", "opportunities", true),
    kind("opportunity_stages", "opportunityStages", true),
    kind("prospects", "prospects", true),
    kind("stages", "stages", true),
    kind("tasks", "tasks", true),
    kind("teams", "teams", false),
    kind("templates", "templates", false),
    kind("users", "users", true),
];

/// What the functions of a resource share.
struct Source {
    api: Api,
    kind: Kind,
    place: Place,
    start_date: Option<Timestamp>,
    window: Duration,
    emitted: Mutex<Emitted>,
}

/// The resources, as a release follows them.
pub(crate) fn resources(
    release: Release,
    place: &Place,
    config: &Config,
) -> Result<Vec<Resource>, BoxError> {
    let (start_date, window) = (config.start_date()?, config.window()?);
    let api = Api::new(place, config);
    let state = initial_state(release, place.now()?)?;
    let resource = |kind: &Kind| {
        let source = Arc::new(Source {
            api: api.clone(),
            kind: *kind,
            place: place.clone(),
            start_date,
            window,
            emitted: Mutex::default(),
        });
        let (paged, realtime, lookback) = (Arc::clone(&source), Arc::clone(&source), source);
        let existing =
            move |page, cutoff, emit: Pages| Arc::clone(&paged).existing(page, cutoff, emit);
        let realtime = move |cursor, emit: Changes| {
            Arc::clone(&realtime).changes(Duration::ZERO, cursor, emit)
        };
        let lookback =
            move |cursor, emit: Changes| Arc::clone(&lookback).changes(LAG, cursor, emit);
        let resource = Resource::new(kind.name)
            .key(["/id"])
            .schema(document_schema())
            .schema_inference(true)
            .interval(INTERVAL)
            .initial_state(state.clone())
            .backfill(existing);
        match release {
            Release::First => resource.incremental(realtime),
            Release::Present => resource
                .incremental_subtask(REALTIME, realtime)
                .incremental_subtask(LOOKBACK, lookback),
        }
    };
    Ok(KINDS.iter().map(resource).collect())
}

/// The state of a new binding. The first release begins at the present, and misses what is seen late.
fn initial_state(release: Release, now: Timestamp) -> Result<Node, BoxError> {
    let [now, cutoff, behind] = [now, earlier(now, LAG), earlier(now, 2 * LAG)].map(seconds);
    let state = match release {
        Release::First => json!({ "inc": { "cursor": now }, "backfill": { "cutoff": now } }),
        Release::Present => json!({
            "inc": { REALTIME: { "cursor": cutoff }, LOOKBACK: { "cursor": behind } },
            "backfill": { "cutoff": cutoff },
        }),
    };
    Ok(Node::parse(&state.to_string())?)
}

impl Source {
    /// One window of changes that are at least as old as `horizon`. Its records come in any order, so that there is no checkpoint before
    /// its end.
    async fn changes(
        self: Arc<Self>,
        horizon: Duration,
        after: Cursor,
        mut emit: Changes,
    ) -> FetchResult {
        let now = self.place.now()?;
        let Some(window) = Window::after(instant(&after)?, self.window, now, horizon) else {
            return Ok(());
        };
        let list = self.list(window.after, window.to);
        let (mut batch, mut latest, mut next) = (Batch::default(), None, None);
        loop {
            let page = self.api.page(&list, next.as_deref()).await?;
            let emitted = self.emitted.lock().await;
            let mut later = 0_u64;
            for record in &page.records {
                if record.at > window.to {
                    later += 1; // Of a later window: some answers go beyond what was asked.
                    continue;
                }
                latest = latest.max(Some(record.at));
                if record.at > window.after && emitted.add(&mut batch, record) {
                    emit.raw(record.json.as_bytes())?;
                }
            }
            drop(emitted);
            self.tell_of_later(later);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        if let Some(at) = window.next(latest.filter(|at| *at > window.after)) {
            // Held until it is told what was written, so that others see it in the order of the checkpoints.
            let mut emitted = self.emitted.lock().await;
            emit.checkpoint(cursor(at)).await?;
            emitted.publish(batch, earlier(now, self.window + LAG));
        }
        Ok(())
    }

    /// One page of what exists, up to the cutoff and with it.
    async fn existing(
        self: Arc<Self>,
        page: Option<Page>,
        cutoff: Cursor,
        mut emit: Pages,
    ) -> FetchResult {
        let after = match page {
            None => None,
            Some(Page::String(after)) => Some(after),
            Some(_) => {
                let path = self.kind.path;
                return Err(format!("the page at which the backfill of `{path}` is to go on is no text; backfill the binding anew").into());
            }
        };
        let cutoff = instant(&cutoff)?;
        let list = self.list(window::begin(self.start_date, cutoff), cutoff);
        let page = self.api.page(&list, after.as_deref()).await?;
        let (owned, later): (Vec<_>, Vec<_>) =
            page.records.iter().partition(|record| record.at <= cutoff);
        let ids: HashSet<u64> = owned.iter().map(|record| record.id).collect();
        self.emitted.lock().await.backfilling(ids);
        for record in &owned {
            emit.raw(record.json.as_bytes())?;
        }
        self.tell_of_later(later.len() as u64);
        if let Some(next) = page.next {
            emit.checkpoint(Page::String(next)).await?;
        }
        Ok(())
    }

    fn list(&self, from: Timestamp, to: Timestamp) -> List {
        let Kind {
            path,
            attribute,
            has_connections,
            ..
        } = self.kind;
        List {
            path,
            attribute,
            has_connections,
            from,
            to,
        }
    }

    fn tell_of_later(&self, count: u64) {
        if count > 0 {
            tracing::info!(
                path = self.kind.path,
                count,
                "Outreach answered with records beyond the end that was asked for; skipped"
            );
        }
    }
}
