//! What can be captured: commits and refs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use staunch::state::Node;
use staunch::{BoxError, FetchResult, Resource, Rows};

use crate::branches::{Branches, Followed};
use crate::{CommitDocument, Config, RefDocument, Repository, place};

/// How often the repository is looked at.
const INTERVAL: Duration = Duration::from_secs(30);

/// The name of the resource that holds commits; also its state key, but for a backfill counter.
pub(crate) const COMMITS: &str = "commits";

pub(crate) fn open(config: &Config) -> Result<Repository, BoxError> {
    Ok(Repository::open(Path::new(&config.path))?)
}

/// The commits of every branch, each branch a subtask.
pub(crate) fn commits_of_branches(repository: &Repository, config: &Config) -> Resource {
    let (branches, resource) = commits(repository, config);
    let (found, changed, paged) = (Arc::clone(&branches), Arc::clone(&branches), branches);
    resource
        .roster(move |emit| Arc::clone(&found).find_branches(emit))
        .incremental_each(move |branch, cursor, emit| {
            Arc::clone(&changed).fetch_changes(Followed::Ref(branch), cursor, emit)
        })
        .backfill_each(move |branch, page, cutoff, emit| {
            Arc::clone(&paged).fetch_page(Followed::Ref(branch), page, cutoff, emit)
        })
}

/// The commits of `HEAD`, as the first release captured them.
pub(crate) fn commits_of_head(
    repository: &Repository,
    config: &Config,
) -> Result<Resource, BoxError> {
    let tip = repository.head()?.tip;
    let cursor = place::cursor(tip);
    let cursor = cursor.as_json();
    let state = match tip {
        Some(_) => format!(r#"{{"inc":{{"cursor":{cursor}}},"backfill":{{"cutoff":{cursor}}}}}"#),
        None => format!(r#"{{"inc":{{"cursor":{cursor}}}}}"#),
    };
    let (branches, resource) = commits(repository, config);
    let (changed, paged) = (Arc::clone(&branches), branches);
    let resource = resource
        .initial_state(Node::parse(&state)?)
        .incremental(move |cursor, emit| {
            Arc::clone(&changed).fetch_changes(Followed::Head, cursor, emit)
        })
        .backfill(move |page, cutoff, emit| {
            Arc::clone(&paged).fetch_page(Followed::Head, page, cutoff, emit)
        });
    Ok(resource)
}

fn commits(repository: &Repository, config: &Config) -> (Arc<Branches>, Resource) {
    let branches = Branches::new(repository.clone(), config.clone());
    let claims = Arc::clone(&branches);
    let resource = Resource::new(COMMITS)
        .key(["/id"])
        .documents::<CommitDocument>()
        .interval(INTERVAL)
        .on_open(async move |opening| claims.load(COMMITS, opening.state()));
    (branches, resource)
}

/// All refs, as they stand.
pub(crate) fn refs(repository: &Repository) -> Resource {
    let repository = repository.clone();
    Resource::new("refs")
        .key(["/_meta/row_id"])
        .documents::<RefRow>()
        .interval(INTERVAL)
        .snapshot(move |emit| fetch_refs(repository.clone(), emit))
}

async fn fetch_refs(repository: Repository, mut emit: Rows) -> FetchResult {
    for document in repository.refs()? {
        emit.document(&document)?;
    }
    Ok(())
}

/// A row of the snapshot of refs: a [`RefDocument`], or the deletion of one, which has nothing but `_meta`. Only its schema is
/// used: the kit makes rows of documents.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct RefRow {
    /// What happened to the row, and which it is.
    #[serde(rename = "_meta")]
    meta: Meta,
    #[serde(flatten)]
    document: Option<RefDocument>,
}

/// What happened to a row, and which it is.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Meta {
    /// What happened: c for created, u for updated, d for deleted.
    op: Op,
    /// The number of the row in the snapshot, counted from zero.
    row_id: u64,
}

/// What happened to a row.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Op {
    C,
    U,
    D,
}
