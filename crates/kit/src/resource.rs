//! What a connector can capture: resources, and the functions that capture them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use staunch_state::{Cursor, Node, Page};

use crate::capture::{
    BackfillFn, Changes, FetchFuture, FetchResult, IncrementalFn, OnOpen, OnOpenFuture, Opening,
    Pages, Roster, RosterFn, Rows, SnapshotFn,
};
use crate::discovery::Reduction;

/// How often a resource is captured, unless it or its configuration says otherwise.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(300);

/// A resource: its name, its documents, and the functions that capture it.
///
/// A resource has an incremental function, a backfill function, or both; or else a snapshot function. Each captures the resource
/// as a whole, or is given once for each subtask. Functions are plain async functions; what they need besides their arguments,
/// they capture:
///
/// ```
/// # use std::sync::Arc;
/// # use staunch::{Changes, Cursor, FetchResult, Resource};
/// # struct Client;
/// async fn fetch_orders(client: Arc<Client>, cursor: Cursor, mut emit: Changes) -> FetchResult {
///     // …
///     # let _ = (client, cursor, &mut emit);
///     Ok(())
/// }
///
/// fn orders(client: Arc<Client>) -> Resource {
///     Resource::new("orders")
///         .key(["/id"])
///         .incremental(move |cursor, emit| fetch_orders(client.clone(), cursor, emit))
/// }
/// ```
#[must_use]
pub struct Resource {
    pub(crate) name: String,
    pub(crate) key: Vec<String>,
    /// None for any object: thousands of resources need not each have a copy of that.
    pub(crate) schema: Option<Value>,
    /// None for: if there is no schema.
    pub(crate) schema_inference: Option<bool>,
    pub(crate) reduction: Option<Reduction>,
    pub(crate) interval: Duration,
    /// None for never; empty for never as well, and discovery says so.
    pub(crate) schedule: Option<String>,
    pub(crate) initial_state: Node,
    pub(crate) is_disabled: bool,
    pub(crate) acknowledgements: bool,
    pub(crate) incremental: Option<Functions<IncrementalFn>>,
    pub(crate) backfill: Option<Functions<BackfillFn>>,
    pub(crate) snapshot: Option<Functions<SnapshotFn>>,
    pub(crate) roster: Option<RosterFn>,
    pub(crate) tombstone: Map<String, Value>,
    pub(crate) tombstones: BTreeMap<String, Map<String, Value>>,
    pub(crate) on_open: Option<OnOpen>,
    #[cfg(feature = "webhook")]
    pub(crate) webhook: Option<crate::webhook::Endpoint>,
}

/// The functions of one strategy.
#[derive(Clone)]
pub(crate) enum Functions<F> {
    /// One, of the resource as a whole.
    Flat(F),
    /// One for each of these subtasks.
    Named(Vec<(String, F)>),
    /// One for each subtask that the state has.
    Each(Arc<dyn Fn(&str) -> F + Send + Sync>),
}

impl<F: Clone> Functions<F> {
    /// That of a subtask, if it has any.
    pub(crate) fn of(&self, subtask: &str) -> Option<F> {
        match self {
            Functions::Flat(_) => None,
            Functions::Named(named) => named
                .iter()
                .find(|(name, _)| name == subtask)
                .map(|(_, f)| f.clone()),
            Functions::Each(make) => Some(make(subtask)),
        }
    }

    fn add(this: &mut Option<Self>, subtask: &str, function: F) {
        match this {
            Some(Functions::Named(named)) => named.push((subtask.to_owned(), function)),
            _ => *this = Some(Functions::Named(vec![(subtask.to_owned(), function)])),
        }
    }
}

/// What it is.
impl Resource {
    /// A resource of this name, which is also its path.
    ///
    /// It has no key yet; its documents are objects, whose schema is inferred from what is captured; its interval is five minutes.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            key: Vec::new(),
            schema: None,
            schema_inference: None,
            reduction: None,
            interval: DEFAULT_INTERVAL,
            schedule: None,
            initial_state: Node::Object(Default::default()),
            is_disabled: false,
            acknowledgements: false,
            incremental: None,
            backfill: None,
            snapshot: None,
            roster: None,
            tombstone: Map::new(),
            tombstones: BTreeMap::new(),
            on_open: None,
            #[cfg(feature = "webhook")]
            webhook: None,
        }
    }

    /// Whether the runtime must say what of it is durable.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.acknowledgements || self.is_posted()
    }

    /// Whether its documents are posted.
    pub(crate) fn is_posted(&self) -> bool {
        #[cfg(feature = "webhook")]
        return self.webhook.is_some();
        #[cfg(not(feature = "webhook"))]
        false
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The collection key: JSON pointers into the document. That of a snapshot holds `/_meta/row_id`.
    pub fn key<S: Into<String>>(mut self, pointers: impl IntoIterator<Item = S>) -> Self {
        self.key = pointers.into_iter().map(Into::into).collect();
        self
    }

    /// How often it is captured, unless its configuration says otherwise.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// The state with which a new binding begins: an object with any of `inc`, `backfill` and `snapshot`.
    pub fn initial_state(mut self, state: Node) -> Self {
        self.initial_state = state;
        self
    }

    /// Its checkpoints are waited for until they are durable, not just until they are written.
    pub fn acknowledged(mut self) -> Self {
        self.acknowledgements = true;
        self
    }

    /// Runs while the binding opens: after its state is migrated and initialised, and before any of its functions. See [`Opening`].
    /// An error ends the capture.
    pub fn on_open<F, Fut>(mut self, hook: F) -> Self
    where
        F: FnOnce(Opening) -> Fut + Send + 'static,
        Fut: Future<Output = FetchResult> + Send + 'static,
    {
        self.on_open = Some(Box::new(move |opening| {
            Box::pin(hook(opening)) as OnOpenFuture
        }));
        self
    }
}

/// What changed since a cursor, again and again.
impl Resource {
    /// Captures what changed since a cursor. See [`Changes`].
    pub fn incremental<F, Fut>(mut self, fetch: F) -> Self
    where
        F: Fn(Cursor, Changes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = FetchResult> + Send + 'static,
    {
        self.incremental = Some(Functions::Flat(incremental(fetch)));
        self
    }

    /// As [`incremental`](Self::incremental), for one subtask. May be given for several.
    pub fn incremental_subtask<F, Fut>(mut self, subtask: &str, fetch: F) -> Self
    where
        F: Fn(Cursor, Changes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = FetchResult> + Send + 'static,
    {
        Functions::add(&mut self.incremental, subtask, incremental(fetch));
        self
    }

    /// As [`incremental`](Self::incremental), for every subtask that the state has or a [roster](Self::roster) begins.
    pub fn incremental_each<F, Fut>(mut self, fetch: F) -> Self
    where
        F: Fn(Arc<str>, Cursor, Changes) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = FetchResult> + Send + 'static,
    {
        let fetch = Arc::new(fetch);
        self.incremental = Some(Functions::Each(Arc::new(move |subtask| {
            let (subtask, fetch) = (Arc::<str>::from(subtask), Arc::clone(&fetch));
            incremental(move |cursor, emit| fetch(Arc::clone(&subtask), cursor, emit))
        })));
        self
    }
}

/// What exists already, once.
impl Resource {
    /// Captures what exists already. See [`Pages`].
    pub fn backfill<F, Fut>(mut self, fetch: F) -> Self
    where
        F: Fn(Option<Page>, Cursor, Pages) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = FetchResult> + Send + 'static,
    {
        self.backfill = Some(Functions::Flat(backfill(fetch)));
        self
    }

    /// As [`backfill`](Self::backfill), for one subtask. May be given for several.
    pub fn backfill_subtask<F, Fut>(mut self, subtask: &str, fetch: F) -> Self
    where
        F: Fn(Option<Page>, Cursor, Pages) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = FetchResult> + Send + 'static,
    {
        Functions::add(&mut self.backfill, subtask, backfill(fetch));
        self
    }

    /// As [`backfill`](Self::backfill), for every subtask that the state has or a [roster](Self::roster) begins.
    pub fn backfill_each<F, Fut>(mut self, fetch: F) -> Self
    where
        F: Fn(Arc<str>, Option<Page>, Cursor, Pages) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = FetchResult> + Send + 'static,
    {
        let fetch = Arc::new(fetch);
        self.backfill = Some(Functions::Each(Arc::new(move |subtask| {
            let (subtask, fetch) = (Arc::<str>::from(subtask), Arc::clone(&fetch));
            backfill(move |page, cutoff, emit| fetch(Arc::clone(&subtask), page, cutoff, emit))
        })));
        self
    }
}

/// The whole of it, each time.
impl Resource {
    /// Captures the whole resource, each time. See [`Rows`].
    pub fn snapshot<F, Fut>(mut self, fetch: F) -> Self
    where
        F: Fn(Rows) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = FetchResult> + Send + 'static,
    {
        self.snapshot = Some(Functions::Flat(snapshot(fetch)));
        self
    }

    /// As [`snapshot`](Self::snapshot), for one subtask. May be given for several.
    pub fn snapshot_subtask<F, Fut>(mut self, subtask: &str, fetch: F) -> Self
    where
        F: Fn(Rows) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = FetchResult> + Send + 'static,
    {
        Functions::add(&mut self.snapshot, subtask, snapshot(fetch));
        self
    }

    /// The members which a deletion of a snapshot has besides `_meta/op` and `_meta/row_id`: those that the collection key needs. They
    /// may be members of `_meta`, too.
    pub fn tombstone(mut self, members: Map<String, Value>) -> Self {
        self.tombstone = members;
        self
    }

    /// As [`tombstone`](Self::tombstone), of the deletions of one subtask. Those of others have the members given there, if any.
    ///
    /// Each subtask counts its rows from zero. So the collection must be keyed on more than the row, and tombstones must differ in
    /// that: a capture does not open whose subtasks would delete each other's rows.
    pub fn tombstone_subtask(mut self, subtask: &str, members: Map<String, Value>) -> Self {
        self.tombstones.insert(subtask.to_owned(), members);
        self
    }
}

/// What others post.
#[cfg(feature = "webhook")]
impl Resource {
    /// Captures what is posted to the capture's [listener](crate::Connector::listener). See [`webhook`](crate::webhook).
    ///
    /// Without a key, its documents are keyed on the id that each is given.
    pub fn webhook(mut self, endpoint: crate::webhook::Endpoint) -> Self {
        self.webhook = Some(endpoint);
        self
    }
}

/// Subtasks that nobody knows beforehand.
impl Resource {
    /// Finds subtasks that come to be while the capture runs. See [`Roster`].
    pub fn roster<F, Fut>(mut self, fetch: F) -> Self
    where
        F: Fn(Roster) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = FetchResult> + Send + 'static,
    {
        self.roster = Some(Arc::new(move |emit| Box::pin(fetch(emit)) as FetchFuture));
        self
    }
}

fn incremental<F, Fut>(fetch: F) -> IncrementalFn
where
    F: Fn(Cursor, Changes) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = FetchResult> + Send + 'static,
{
    Arc::new(move |cursor, emit| Box::pin(fetch(cursor, emit)) as FetchFuture)
}

fn backfill<F, Fut>(fetch: F) -> BackfillFn
where
    F: Fn(Option<Page>, Cursor, Pages) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = FetchResult> + Send + 'static,
{
    Arc::new(move |page, cutoff, emit| Box::pin(fetch(page, cutoff, emit)) as FetchFuture)
}

fn snapshot<F, Fut>(fetch: F) -> SnapshotFn
where
    F: Fn(Rows) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = FetchResult> + Send + 'static,
{
    Arc::new(move |emit| Box::pin(fetch(emit)) as FetchFuture)
}
