//! The connector that plays the script, in two releases. It is made of the kit's public parts, as any connector is.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use staunch::state::{Chain, Node, transform};
use staunch::{
    BoxError, Changes, Connector, Cursor, FetchResult, Page, Pages, Resource, Roster, Rows, Subtask,
};

use crate::script::{
    self, ARCHIVE, ARCHIVE_STALL, CHANGES_PER_CHECKPOINT, EVENTS, LABELS, NORTH, Region, Release,
    SOUTH,
};
use crate::turns::{self, Turns};

/// How often a task that is at its end looks for more.
const INTERVAL: Duration = Duration::from_millis(10);

/// So long that a snapshot is taken but once.
const LABELS_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// How the script is played.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Config {
    /// Whether tasks take turns and wait for each checkpoint to be durable, so that every run is the same.
    pub paced: bool,
}

/// The connector.
#[derive(Clone, Copy, Debug)]
pub struct Scripted(pub Release);

impl Connector for Scripted {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/scripted";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        let turns = Turns::new(config.paced);
        let resources = match self.0 {
            Release::First => vec![
                whole(EVENTS, &turns, 0)?,
                whole(ARCHIVE, &turns, 1)?,
                labels(&turns, 2),
            ],
            Release::Second => vec![
                by_region(EVENTS, &turns, 0).roster(find_regions),
                by_region(ARCHIVE, &turns, 2),
                labels(&turns, 3),
            ],
        };
        let acknowledge = |resource: Resource| match config.paced {
            true => resource.acknowledged(),
            false => resource,
        };
        Ok(resources.into_iter().map(acknowledge).collect())
    }

    fn migrations(&self, _: &Config) -> Chain {
        match self.0 {
            Release::First => Chain::new(),
            Release::Second => Chain::new().with(transform::flat_to_keyed(NORTH)),
        }
    }
}

/// A task: what it captures, for whom, and when.
#[derive(Clone)]
struct Task {
    resource: &'static str,
    region: Region,
    release: Release,
    turns: Turns,
    turn: u32,
}

/// A resource as the first release captures it.
fn whole(name: &'static str, turns: &Turns, turn: u32) -> Result<Resource, BoxError> {
    let task = Task::new(name, NORTH, Release::First, turns, turn)?;
    let (changed, start) = (task.clone(), task.region.start);
    let state =
        format!(r#"{{"inc":{{"cursor":{start}}},"backfill":{{"cutoff":{start},"next_page":0}}}}"#);
    Ok(Resource::new(name)
        .key(["/id"])
        .interval(INTERVAL)
        .initial_state(Node::parse(&state)?)
        .incremental(move |cursor, emit| changed.clone().fetch_changes(cursor, emit))
        .backfill(move |page, _, emit| task.clone().fetch_page(page, emit)))
}

/// A resource as the second release captures it. Its regions have turns from `turn` on.
fn by_region(name: &'static str, turns: &Turns, turn: u32) -> Resource {
    let (changed, paged) = (turns.clone(), turns.clone());
    let task = move |region: &str, turns: &Turns| {
        let turn = turn + u32::from(region == SOUTH);
        Task::new(name, region, Release::Second, turns, turn)
    };
    Resource::new(name)
        .key(["/id"])
        .interval(INTERVAL)
        .incremental_each(move |region, cursor, emit| {
            let task = task(&region, &changed);
            async move { task?.fetch_changes(cursor, emit).await }
        })
        .backfill_each(move |region, page, _, emit| {
            let task = task(&region, &paged);
            async move { task?.fetch_page(page, emit).await }
        })
}

fn labels(turns: &Turns, turn: u32) -> Resource {
    let turns = turns.clone();
    Resource::new(LABELS)
        .key(["/_meta/row_id"])
        .interval(LABELS_INTERVAL)
        .snapshot(move |emit| fetch_labels(turns.clone(), turn, emit))
}

async fn find_regions(mut emit: Roster) -> FetchResult {
    if emit.is_known(SOUTH) {
        return Ok(());
    }
    let region = script::region(EVENTS, SOUTH).ok_or("the script has the south")?;
    let state = Subtask {
        cursor: Cursor::integer(region.start),
        backfill: Some(Some(integer(0))),
    };
    Ok(emit.begin(SOUTH, state).await?)
}

async fn fetch_labels(turns: Turns, turn: u32, mut emit: Rows) -> FetchResult {
    if !turns.wait(turn, || emit.is_stopping()).await {
        return Err("stopped before its turn".into());
    }
    for number in 0..script::ROWS {
        emit.document(&script::row(number))?;
    }
    Ok(())
}

impl Task {
    fn new(
        resource: &'static str,
        region: &str,
        release: Release,
        turns: &Turns,
        turn: u32,
    ) -> Result<Self, BoxError> {
        let found = script::region(resource, region);
        Ok(Self {
            resource,
            region: found.ok_or_else(|| format!("the script has no `{region}` of `{resource}`"))?,
            release,
            turns: turns.clone(),
            turn,
        })
    }

    /// Captures the next few changes. Its turn is over when there are no more.
    async fn fetch_changes(self, cursor: Cursor, mut emit: Changes) -> FetchResult {
        // Not waited for: the backfill of this task may still have to go, and asks for the same turn.
        if !self.turns.is_on(self.turn) || self.turns.are_kept() && emit.is_backfilling() {
            return Ok(());
        }
        let cursor = cursor.as_u64().ok_or("the cursor is an integer")?;
        let changes = self.region.after(cursor, self.release);
        let ids: Vec<u64> = changes.take(CHANGES_PER_CHECKPOINT).collect();
        for id in &ids {
            emit.document(&script::document(*id))?;
        }
        match ids.last() {
            Some(last) => emit.checkpoint(Cursor::integer(*last)).await?,
            None => self.turns.end(self.turn),
        }
        Ok(())
    }

    /// Captures one page. The last has no checkpoint of its own: its documents leave with the word that all is done.
    async fn fetch_page(self, page: Option<Page>, mut emit: Pages) -> FetchResult {
        let Some(Page::Integer(page)) = page else {
            return Err("the page is an integer, also the first".into());
        };
        let page = u64::try_from(page)?;
        let is_left_over =
            self.release == Release::First && self.resource == ARCHIVE && page == ARCHIVE_STALL;
        if is_left_over {
            self.turns.end(self.turn);
            turns::stop(|| emit.is_stopping()).await;
        }
        if is_left_over || !self.turns.wait(self.turn, || emit.is_stopping()).await {
            // To return without a checkpoint would mean that all pages are captured.
            return Ok(emit.checkpoint(integer(page)).await?);
        }
        let index = usize::try_from(page)?;
        let ids = self.region.pages.get(index).ok_or("the page is there")?;
        for id in *ids {
            emit.document(&script::document(*id))?;
        }
        if index + 1 < self.region.pages.len() {
            emit.checkpoint(integer(page + 1)).await?;
        }
        Ok(())
    }
}

fn integer(page: u64) -> Page {
    Page::Integer(i64::try_from(page).expect("the script has few pages"))
}
