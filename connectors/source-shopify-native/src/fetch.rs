//! How streams are read: the functions of the reference's chapter on fetching, one for each kind.
//!
//! Times of records are whole seconds, and the server compares with finer ones. So a second counts as read only when it is over: what is
//! of the last second of a span belongs to the next one. A cursor with a fraction is where a capture began: of its second everything is
//! still to come, unless it is the last microsecond.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use staunch::{BoxError, Changes, Cursor, FetchResult, Page, Pages as Emit, Rows};
use tokio::time::Instant;

use crate::api::{Refused, Store};
use crate::bulk::{Finished, JobError, Jobs};
use crate::config::Config;
use crate::pages::{Nested, Pages};
use crate::query::Bounds;
use crate::rows::Assembly;
use crate::selection::Selection;
use crate::streams::{Grants, Stream};

/// Documents between two checkpoints, at least. What is recorded of that has less.
const PER_CHECKPOINT: u64 = if cfg!(test) { 3 } else { 1000 };

/// How long a call of a backfill goes on before it lets others have its turn.
const TURN: Duration = Duration::from_secs(300);

/// How long a record takes to be found by a search, at least.
const SETTLING: Duration = Duration::from_secs(1);

/// The last microsecond of a second.
const LAST_MICRO: i32 = 999_999;

/// No bulk job is asked for less than this.
const SMALLEST_WINDOW: Duration = Duration::from_secs(60);

/// A stream of a store.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) store: Store,
    pub(crate) stream: &'static Stream,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) config: Arc<Config>,
    /// Made when something is asked for the first time: of most streams of most stores that is long after the start.
    pub(crate) asked: OnceLock<Arc<Pages>>,
}

impl Source {
    fn pages(&self) -> &Arc<Pages> {
        self.asked.get_or_init(|| {
            let asked: Selection = self.stream.selection().granted(&self.grants.access());
            let store = serde_json::Value::from(&*self.store.name);
            Arc::new(Pages {
                store: self.store.clone(),
                stream: self.stream,
                nested: Nested::of(&asked),
                asked,
                meta: format!(r#"{{"store":{store}}}"#),
            })
        })
    }

    /// One window, by a bulk job. Its end is the next cursor, whether there was anything in it or not.
    pub(crate) async fn bulk(self: Arc<Self>, cursor: Cursor, mut emit: Changes) -> FetchResult {
        let from = instant(&cursor)?;
        let settled = earlier(staunch::now(), SETTLING);
        let mut window = self.config.window();
        loop {
            let end = from.checked_add(window).unwrap_or(settled).min(settled);
            let end = whole_micros(end);
            if end <= from {
                return Ok(());
            }
            let bounds = Bounds { from, to: end };
            let query = self.stream.bulk_query(&self.pages().asked, bounds);
            match self.jobs.run(&query).await {
                Ok(finished) => {
                    self.download(finished, &mut emit).await?;
                    emit.checkpoint(time(end)).await?;
                    return Ok(());
                }
                Err(JobError::TooMuch(how)) => {
                    let length = Duration::try_from(end.duration_since(from)).unwrap_or(window);
                    if length <= SMALLEST_WINDOW {
                        return Err(self.too_much(&how).into());
                    }
                    window = (length / 2).max(SMALLEST_WINDOW);
                    tracing::warn!(
                        store = &*self.store.name,
                        stream = self.stream.name,
                        "a bulk operation ended as {how}; trying a window of {} s",
                        window.as_secs()
                    );
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn too_much(&self, how: &str) -> Refused {
        let problem = format!(
            "a bulk operation for `{}` ended as {how}, however little it had to do; see www.shopifystatus.com, and open the capture again later",
            self.stream.name
        );
        Refused::new(&self.store.name, problem)
    }

    async fn download(&self, finished: Finished, emit: &mut Changes) -> Result<(), BoxError> {
        let Some(url) = finished.url else {
            // Without rows there is no file. With rows, there must be one.
            return match finished.bytes {
                None | Some(0) => Ok(()),
                Some(_) => Err(self
                    .unusable("it has rows, and no address to read them from")
                    .into()),
            };
        };
        let mut lines = self.store.lines(&url).await?;
        let mut assembly = Assembly::new(self.stream, &self.store.name);
        while let Some(line) = lines.next().await.map_err(|error| self.broken(error))? {
            let line =
                std::str::from_utf8(line).map_err(|_| self.unusable("it holds what is no text"))?;
            let ended = assembly
                .row(line)
                .map_err(|error| self.unusable(&error.to_string()));
            for document in ended? {
                emit.raw(document)?;
            }
        }
        if finished.bytes.is_some_and(|bytes| lines.bytes() < bytes) {
            return Err(self.unusable("it ends before its end").into());
        }
        for document in assembly.end() {
            emit.raw(document)?;
        }
        Ok(())
    }

    fn broken(&self, error: staunch::http::HttpError) -> Refused {
        Refused::result(&self.store.name, error)
    }

    fn unusable(&self, how: &str) -> Refused {
        let problem = format!(
            "the result of a bulk operation for `{}` cannot be used: {how}; nothing of it is captured, open the capture again",
            self.stream.name
        );
        Refused::new(&self.store.name, problem)
    }

    /// What changed after a cursor, in the order of its time.
    pub(crate) async fn sorted(self: Arc<Self>, cursor: Cursor, emit: Changes) -> FetchResult {
        self.changes(cursor, emit, true).await
    }

    /// What changed after a cursor, in no order that would tell when a time is complete.
    pub(crate) async fn unsorted(self: Arc<Self>, cursor: Cursor, emit: Changes) -> FetchResult {
        self.changes(cursor, emit, false).await
    }

    async fn changes(&self, cursor: Cursor, mut emit: Changes, mut is_sorted: bool) -> FetchResult {
        let cursor = instant(&cursor)?;
        let to = whole_seconds(earlier(staunch::now(), SETTLING));
        if to <= cursor {
            return Ok(());
        }
        let bounds = Bounds { from: cursor, to };
        let (mut emitted, mut last, mut latest, mut after) = (0_u64, None, None, None);
        loop {
            let page = self.pages().page(bounds, after.as_deref()).await?;
            for record in &page.records {
                let Some(at) = record.at else { continue };
                if !is_after(at, cursor) || at >= to {
                    continue; // What was changed since then is of the next span.
                }
                if is_sorted && last.is_some_and(|last| at < last) {
                    is_sorted = false; // From here on no time is known to be complete before the end.
                    self.tell_of_disorder();
                }
                if let Some(complete) = last.filter(|last| is_sorted && *last < at)
                    && emitted >= PER_CHECKPOINT
                {
                    emit.checkpoint(time(through(complete, cursor))).await?;
                    emitted = 0;
                }
                emit.raw(&record.json)?;
                emitted += 1;
                last = Some(at);
                latest = latest.max(Some(at));
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if let Some(latest) = latest.filter(|_| emitted > 0) {
            emit.checkpoint(time(through(latest, cursor))).await?;
        }
        Ok(())
    }

    /// What exists up to the cutoff, in the order of its time. A page is a time from which on everything is still to come.
    pub(crate) async fn existing_sorted(
        self: Arc<Self>,
        page: Option<Page>,
        cutoff: Cursor,
        mut emit: Emit,
    ) -> FetchResult {
        let began = Instant::now();
        let cutoff = instant(&cutoff)?;
        let from = match page {
            None => self.config.begin(cutoff),
            Some(Page::String(page)) => page.parse().map_err(|_| self.wrong_page())?,
            Some(_) => return Err(self.wrong_page().into()),
        };
        let bounds = Bounds { from, to: cutoff };
        let (mut emitted, mut last, mut is_sorted) = (0_u64, None, true);
        let mut after = None;
        loop {
            let page = self.pages().page(bounds, after.as_deref()).await?;
            for record in &page.records {
                let Some(at) = record.at else { continue };
                if at < whole_seconds(from) || at > cutoff {
                    continue; // What was changed since the cutoff is followed by its changes.
                }
                if is_sorted && last.is_some_and(|last| at < last) {
                    is_sorted = false;
                    self.tell_of_disorder();
                }
                if let Some(complete) = last.filter(|last| is_sorted && *last < at)
                    && emitted >= PER_CHECKPOINT
                {
                    emit.checkpoint(Page::String(text(complete))).await?;
                    emitted = 0;
                    if began.elapsed() >= TURN {
                        return Ok(());
                    }
                }
                emit.raw(&record.json)?;
                emitted += 1;
                last = Some(at);
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// One page of what exists up to the cutoff, in no order.
    pub(crate) async fn existing_unsorted(
        self: Arc<Self>,
        page: Option<Page>,
        cutoff: Cursor,
        mut emit: Emit,
    ) -> FetchResult {
        let after = match page {
            None => None,
            Some(Page::String(after)) => Some(after),
            Some(_) => return Err(self.wrong_page().into()),
        };
        let to = instant(&cutoff)?;
        let bounds = Bounds {
            from: self.config.begin(to),
            to,
        };
        let page = self.pages().page(bounds, after.as_deref()).await?;
        for record in &page.records {
            emit.raw(&record.json)?;
        }
        if let Some(next) = page.next {
            emit.checkpoint(Page::String(next)).await?;
        }
        Ok(())
    }

    /// All that there is.
    pub(crate) async fn snapshot(self: Arc<Self>, mut emit: Rows) -> FetchResult {
        let nothing = Bounds {
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::UNIX_EPOCH,
        };
        let mut after = None;
        loop {
            let page = self.pages().page(nothing, after.as_deref()).await?;
            for record in &page.records {
                emit.raw(&record.json)?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    fn tell_of_disorder(&self) {
        tracing::info!(
            store = &*self.store.name,
            stream = self.stream.name,
            "records came in another order than that of their times; there is no checkpoint before the end of this span"
        );
    }

    fn wrong_page(&self) -> Refused {
        let problem = format!(
            "the page at which the backfill of `{}` is to go on is none of its pages; backfill the binding anew",
            self.stream.name
        );
        Refused::new(&self.store.name, problem)
    }
}

/// Whether a time, in whole seconds, is after a cursor.
fn is_after(at: Timestamp, cursor: Timestamp) -> bool {
    match cursor.subsec_nanosecond() / 1000 {
        0 | LAST_MICRO => at > cursor,
        _ => at >= whole_seconds(cursor),
    }
}

/// The cursor that stands for all of a second. It is later than `cursor`, which may be a part of that second.
fn through(second: Timestamp, cursor: Timestamp) -> Timestamp {
    match second > cursor {
        true => second,
        false => second
            .checked_add(Duration::from_micros(LAST_MICRO.unsigned_abs().into()))
            .unwrap_or(second),
    }
}

/// The instant of a cursor.
fn instant(cursor: &Cursor) -> Result<Timestamp, BoxError> {
    let wrong = "a cursor of Shopify is a date-time; backfill the binding anew";
    Ok(cursor.timestamp().ok_or(wrong)?)
}

/// A cursor: in whole seconds, or else with six digits of them.
fn time(at: Timestamp) -> Cursor {
    Cursor::datetime(&text(at)).expect("a time is printed as RFC 3339")
}

/// As it stands in a state.
pub(crate) fn text(at: Timestamp) -> String {
    match at.subsec_nanosecond() {
        0 => at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        _ => at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
    }
}

fn floor(at: Timestamp, unit: jiff::Unit) -> Timestamp {
    let rounding = jiff::TimestampRound::new()
        .smallest(unit)
        .mode(jiff::RoundMode::Floor);
    at.round(rounding).unwrap_or(at)
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    floor(at, jiff::Unit::Second)
}

/// A state has no more digits.
fn whole_micros(at: Timestamp) -> Timestamp {
    floor(at, jiff::Unit::Microsecond)
}

/// When a capture begins: in the middle of the last second that is over, of which nothing counts as read.
pub(crate) fn beginning(now: Timestamp) -> Timestamp {
    earlier(whole_seconds(now), Duration::from_millis(500))
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
