//! What was done to the states: a chain of changes for each capture, from which every revision that is kept can be made anew.
//!
//! A *segment* begins with a whole state, the one that its first change found, and goes on with changes alone. Each change has a digest of the
//! state that it made, and is linked to the one before it by a digest of both. That finds damage, and changes of the database by hand. It is no
//! protection from somebody who means it: whoever can write the database can write the digests.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};
use staunch_state::{Node, StateUpdate};
use twox_hash::XxHash3_128;

use super::commit::{Cause, Commit, Made, signed};
use super::open::HISTORY_SINCE;
use super::read::unsigned;
use super::{Retention, StoreError, StoreReader};

/// How a commit is called that had no other cause.
pub(super) const CHECKPOINT: &str = "checkpoint";

/// Changes in a segment: what may have to be applied to make a state anew.
const SEGMENT_CHANGES: u64 = 1000;

/// Bytes of changes in a segment, if the state itself has no more.
const SEGMENT_BYTES: u64 = 16 << 20;

/// Of the last changes, no segments are kept beyond so many bytes, however few they are.
const RECENT_BYTES: u64 = 256 << 20;

/// The forms of an update.
const PATCH: &str = "patch";
const WHOLE: &str = "state";

/// The state of a capture that has none.
const NOTHING: &str = "{}";

/// A change of a state, as it was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangeRow {
    /// The revision that it made.
    pub revision: u64,
    /// When, RFC 3339.
    pub at: String,
    /// `checkpoint`, `migration`, or what a person did.
    pub kind: String,
    /// By which connector.
    pub connector: String,
    /// Who did it; empty for what a connector did.
    pub author: String,
    /// Why, in their words.
    pub reason: String,
    /// JSON text: which migrations, by name and checksum.
    pub migrations: String,
    /// JSON text: what was consented to.
    pub consents: String,
    /// How many documents the capture had committed by then, these included.
    pub documents: u64,
    /// How long the update is.
    pub update_bytes: u64,
}

impl ChangeRow {
    /// The names of the steps of a migration, in their order.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        let steps: Vec<serde_json::Value> =
            serde_json::from_str(&self.migrations).unwrap_or_default();
        let names = steps.iter().filter_map(|step| step["name"].as_str());
        names.map(str::to_owned).collect()
    }
}

/// A change with all that its link is made of.
#[derive(Clone)]
struct Link {
    capture: String,
    revision: u64,
    at: String,
    kind: String,
    connector: String,
    author: String,
    reason: String,
    migrations: String,
    consents: String,
    form: String,
    update: String,
    before: Option<String>,
    /// Of the state that it made; empty where that was not kept.
    digest: String,
    documents: u64,
    previous: String,
    link: String,
}

const LINK_COLUMNS: &str = "capture, revision, at, kind, connector, author, reason, migrations, consents, form, state_update, \
                            state_before, state_digest, documents, previous, link";

/// The last change of a capture.
struct Last {
    digest: String,
    link: String,
    place: u64,
    segment_bytes: u64,
}

impl Last {
    /// Whether its segment takes another change, of so many bytes, that makes a state of so many.
    fn has_room(&self, bytes: usize, state_bytes: usize) -> bool {
        let limit = SEGMENT_BYTES.max(state_bytes as u64);
        self.place + 1 < SEGMENT_CHANGES && self.segment_bytes + bytes as u64 <= limit
    }
}

impl Link {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            capture: row.get(0)?,
            revision: unsigned(row, 1)?,
            at: row.get(2)?,
            kind: row.get(3)?,
            connector: row.get(4)?,
            author: row.get(5)?,
            reason: row.get(6)?,
            migrations: row.get(7)?,
            consents: row.get(8)?,
            form: row.get(9)?,
            update: row.get(10)?,
            before: row.get(11)?,
            digest: row.get(12)?,
            documents: unsigned(row, 13)?,
            previous: row.get(14)?,
            link: row.get(15)?,
        })
    }

    /// What its link has to be.
    fn computed(&self) -> String {
        let mut text = self.previous.clone();
        let parts = [
            &self.capture,
            &self.revision.to_string(),
            &self.at,
            &self.kind,
            &self.connector,
            &self.author,
            &self.reason,
            &self.migrations,
            &self.consents,
            &self.form,
            &digest(&self.update),
            &self.before.as_deref().map(digest).unwrap_or_default(),
            &self.digest,
            &self.documents.to_string(),
        ];
        for part in parts {
            text.push_str(&format!("\n{}:{part}", part.len()));
        }
        digest(&text)
    }

    /// The state that it makes of another.
    fn apply(&self, state: Node) -> Result<Node, String> {
        let update = StateUpdate::from_wire(&self.update, self.form == PATCH);
        let update = update.map_err(|error| format!("its update cannot be read: {error}"))?;
        Ok(update.apply(state))
    }

    /// Whether nothing was done between it and another one.
    fn comes_before(&self, next: &Link) -> bool {
        let is_found = |before: &String| digest(before) == self.digest;
        self.link == next.previous && next.before.as_ref().is_none_or(is_found)
    }

    /// Whether it is as it was written.
    fn check(&self) -> Result<(), StoreError> {
        match self.computed() == self.link {
            true => Ok(()),
            false => Err(self.broken("it is not as it was written")),
        }
    }

    fn broken(&self, detail: impl Into<String>) -> StoreError {
        StoreError::HistoryBroken {
            capture: self.capture.clone(),
            revision: self.revision,
            detail: detail.into(),
        }
    }
}

/// Records the change that a commit makes, before its state is written. `is_known` says that this process recorded the one before.
pub(super) fn record(
    transaction: &Connection,
    commit: &Commit<'_>,
    state: &str,
    made: Made,
    is_known: bool,
    retention: &Retention,
) -> rusqlite::Result<()> {
    let last = last(transaction, commit.capture)?;
    let (form, update) = written(commit.update, state);
    let segment = last
        .as_ref()
        .filter(|last| commit.cause.is_none() && last.has_room(update.len(), state.len()));
    let found = match segment {
        Some(_) if is_known => None,
        _ => Some(stored(transaction, commit.capture)?),
    };
    // A state that somebody else wrote begins anew, with what is found.
    let is_expected = |found: &String| segment.is_some_and(|last| digest(found) == last.digest);
    let before = found.filter(|found| !is_expected(found));
    let cause = commit.cause.unwrap_or(Cause {
        kind: CHECKPOINT,
        ..Cause::default()
    });
    let mut link = Link {
        capture: commit.capture.to_owned(),
        revision: made.revision,
        at: commit.at.to_owned(),
        kind: cause.kind.to_owned(),
        connector: commit.connector.to_owned(),
        author: cause.author.to_owned(),
        reason: cause.reason.to_owned(),
        migrations: cause.migrations.to_owned(),
        consents: cause.consents.to_owned(),
        form: form.to_owned(),
        update,
        before,
        digest: digest(state),
        documents: made.documents,
        previous: last
            .as_ref()
            .map_or_else(String::new, |last| last.link.clone()),
        link: String::new(),
    };
    link.link = link.computed();
    let begins = link.before.is_some();
    insert(transaction, &link, segment.filter(|_| !begins))?;
    if begins {
        trim(transaction, commit, retention)?;
    }
    Ok(())
}

/// Records what the journal of version 1 knows: of each migration the state that it found, and its update.
pub(super) fn adopt_journal(transaction: &Connection) -> rusqlite::Result<()> {
    let mut query = transaction.prepare(
        "SELECT capture, revision, at, kind, connector, migrations, consents, state_update, state_before \
         FROM journal_of_version_1 ORDER BY id",
    )?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        let mut link = Link {
            capture: row.get(0)?,
            revision: unsigned(row, 1)?,
            at: row.get(2)?,
            kind: row.get(3)?,
            connector: row.get(4)?,
            author: String::new(),
            reason: String::new(),
            migrations: row.get(5)?,
            consents: row.get(6)?,
            form: PATCH.to_owned(),
            update: row.get(7)?,
            before: Some(row.get(8)?),
            // What it made was not kept, nor how many documents there were.
            digest: String::new(),
            documents: 0,
            previous: String::new(),
            link: String::new(),
        };
        link.previous =
            last(transaction, &link.capture)?.map_or_else(String::new, |last| last.link);
        link.link = link.computed();
        insert(transaction, &link, None)?;
    }
    Ok(())
}

/// The form of an update, and its text: a merge patch, if it is one, and the whole state otherwise. An update that deletes an object and
/// writes to it then has two patches, which would make the same state with its members in another order.
fn written(update: Option<&StateUpdate>, state: &str) -> (&'static str, String) {
    let mut parts = update.map(StateUpdate::to_wire).unwrap_or_default();
    match (parts.len(), parts.pop()) {
        (1, Some(part)) if part.merge_patch => (PATCH, part.updated),
        _ => (WHOLE, state.to_owned()),
    }
}

fn digest(text: &str) -> String {
    format!("{:032x}", XxHash3_128::oneshot(text.as_bytes()))
}

/// The state that is stored now.
fn stored(transaction: &Connection, capture: &str) -> rusqlite::Result<String> {
    let state = transaction
        .prepare_cached("SELECT state FROM states WHERE capture = ?1")?
        .query_row([capture], |row| row.get(0))
        .optional()?;
    Ok(state.unwrap_or_else(|| NOTHING.to_owned()))
}

fn last(transaction: &Connection, capture: &str) -> rusqlite::Result<Option<Last>> {
    transaction
        .prepare_cached(
            "SELECT state_digest, link, place, segment_bytes FROM changes WHERE capture = ?1 ORDER BY revision DESC LIMIT 1",
        )?
        .query_row([capture], |row| {
            Ok(Last {
                digest: row.get(0)?,
                link: row.get(1)?,
                place: unsigned(row, 2)?,
                segment_bytes: unsigned(row, 3)?,
            })
        })
        .optional()
}

/// Adds a row: the next one of a segment, or the first of another.
fn insert(transaction: &Connection, link: &Link, segment: Option<&Last>) -> rusqlite::Result<()> {
    let bytes = (link.update.len() + link.before.as_ref().map_or(0, String::len)) as u64;
    let place = segment.map_or(0, |last| last.place + 1);
    let segment_bytes = segment.map_or(0, |last| last.segment_bytes + bytes);
    transaction
        .prepare_cached(&format!(
            "INSERT INTO changes ({LINK_COLUMNS}, place, bytes, segment_bytes) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)"
        ))?
        .execute(params![
            link.capture,
            signed(link.revision)?,
            link.at,
            link.kind,
            link.connector,
            link.author,
            link.reason,
            link.migrations,
            link.consents,
            link.form,
            link.update,
            link.before,
            link.digest,
            signed(link.documents)?,
            link.previous,
            link.link,
            signed(place)?,
            signed(bytes)?,
            signed(segment_bytes)?,
        ])?;
    Ok(())
}

/// Takes away what need not be kept any longer: segments before the last changes; and of what was no checkpoint all but the last ones.
fn trim(
    transaction: &Connection,
    commit: &Commit<'_>,
    retention: &Retention,
) -> rusqlite::Result<()> {
    let Some(kept_from) = kept_from(transaction, commit.capture, retention.changes)? else {
        return Ok(());
    };
    transaction
        .prepare_cached(
            "DELETE FROM changes WHERE capture = ?1 AND revision < ?2 AND kind = 'checkpoint'",
        )?
        .execute(params![commit.capture, kept_from])?;
    let mut query = transaction.prepare_cached(
        "SELECT id, at, revision FROM changes WHERE capture = ?1 AND kind <> 'checkpoint' ORDER BY revision DESC",
    )?;
    let rows = query.query_map([commit.capture], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    let rows: Vec<(i64, String, i64)> = rows.collect::<Result<_, _>>()?;
    for (nth, (id, at, revision)) in rows.iter().enumerate() {
        let is_kept = nth < retention.snapshots && !retention.is_past(at, commit.at);
        if *revision < kept_from && !is_kept {
            transaction
                .prepare_cached("DELETE FROM changes WHERE id = ?1")?
                .execute([id])?;
        }
    }
    Ok(())
}

/// The beginning of the segment with which enough of the last changes are kept; none if that is the first one.
fn kept_from(
    transaction: &Connection,
    capture: &str,
    changes: usize,
) -> rusqlite::Result<Option<i64>> {
    let mut query = transaction.prepare_cached(
        "SELECT revision, place, bytes FROM changes WHERE capture = ?1 ORDER BY revision DESC",
    )?;
    let mut rows = query.query([capture])?;
    let (mut counted, mut sum) = (0, 0);
    while let Some(row) = rows.next()? {
        let (revision, place, bytes): (i64, i64, u64) =
            (row.get(0)?, row.get(1)?, unsigned(row, 2)?);
        counted += 1;
        sum += bytes;
        if place == 0 && (counted > changes || sum > RECENT_BYTES) {
            return Ok(Some(revision));
        }
    }
    Ok(None)
}

impl StoreReader {
    fn has_history(&self) -> bool {
        self.version >= HISTORY_SINCE
    }

    /// What was done to the state of `capture`, as far back as is kept: the newest first, at most so many.
    ///
    /// # Errors
    /// Those of reading the database.
    pub fn history(&self, capture: &str, limit: usize) -> Result<Vec<ChangeRow>, StoreError> {
        if !self.has_history() {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.query("reading the history", |connection| {
            connection
                .prepare_cached(
                    "SELECT revision, at, kind, connector, author, reason, migrations, consents, documents, octet_length(state_update) \
                     FROM changes WHERE capture = ?1 ORDER BY revision DESC LIMIT ?2",
                )?
                .query_map(params![capture, limit], |row| {
                    Ok(ChangeRow {
                        revision: unsigned(row, 0)?,
                        at: row.get(1)?,
                        kind: row.get(2)?,
                        connector: row.get(3)?,
                        author: row.get(4)?,
                        reason: row.get(5)?,
                        migrations: row.get(6)?,
                        consents: row.get(7)?,
                        documents: unsigned(row, 8)?,
                        update_bytes: unsigned(row, 9)?,
                    })
                })?
                .collect()
        })
    }

    /// The state of `capture` as it was at a revision; `None` if that revision never was, or is not kept any longer.
    ///
    /// # Errors
    /// [`StoreError::HistoryBroken`] if what is kept does not make that state anew.
    pub fn state_at(&self, capture: &str, revision: u64) -> Result<Option<String>, StoreError> {
        let _snapshot = self.snapshot()?;
        let Some(now) = self.load(capture)? else {
            return Ok(None);
        };
        if revision == 0 {
            return Ok(Some(NOTHING.to_owned()));
        }
        if revision >= now.revision || !self.has_history() {
            return Ok((revision == now.revision).then_some(now.state));
        }
        let made = self.link(capture, "revision <= ?2", "DESC", revision)?;
        let next = self.link(capture, "revision > ?2", "ASC", revision)?;
        match (made, next) {
            (Some(made), None) if made.digest == digest(&now.state) => Ok(Some(now.state)),
            (Some(made), Some(next)) if made.comes_before(&next) => match next.before {
                Some(before) => Ok(Some(before)),
                None => self.made_anew(capture, made.revision).map(Some),
            },
            (Some(made), _) if made.revision == revision && !made.digest.is_empty() => {
                self.made_anew(capture, revision).map(Some)
            }
            (_, Some(next)) if next.revision == revision + 1 => {
                next.check()?;
                Ok(next.before)
            }
            _ => Ok(None),
        }
    }

    /// Checks that the last change of `capture` that is recorded made the state that is stored.
    ///
    /// # Errors
    /// [`StoreError::HistoryBroken`] if it made another.
    pub fn check_head(&self, capture: &str) -> Result<(), StoreError> {
        if !self.has_history() {
            return Ok(());
        }
        let _snapshot = self.snapshot()?;
        self.check_last(capture)
    }

    fn check_last(&self, capture: &str) -> Result<(), StoreError> {
        let last = self.link(capture, "revision <= ?2", "DESC", i64::MAX.unsigned_abs())?;
        match (last, self.load(capture)?) {
            (Some(last), Some(now))
                if !last.digest.is_empty() && last.digest != digest(&now.state) =>
            {
                Err(last.broken("it is the last one, and another state is stored"))
            }
            _ => Ok(()),
        }
    }

    /// Checks all that is kept of the history of `capture`: every link, and every state, made anew. Answers with how many changes that are.
    ///
    /// # Errors
    /// [`StoreError::HistoryBroken`], for the first that is not as it was written.
    pub fn check_history(&self, capture: &str) -> Result<u64, StoreError> {
        if !self.has_history() {
            return Ok(0);
        }
        let _snapshot = self.snapshot()?;
        let mut count = 0;
        let mut walk = Walk::default();
        self.links(capture, 0, u64::MAX, |link| {
            count += 1;
            walk.go_on(link)?;
            walk.check().map(drop)
        })?;
        self.check_last(capture)?;
        Ok(count)
    }

    /// What is read until it is dropped is of one moment, whatever is committed meanwhile.
    fn snapshot(&self) -> Result<Transaction<'_>, StoreError> {
        let begun = self.connection.unchecked_transaction();
        begun.map_err(|source| StoreError::sqlite("reading the history", &self.path, source))
    }

    /// Makes the state of a revision from the segment that it is in.
    fn made_anew(&self, capture: &str, revision: u64) -> Result<String, StoreError> {
        let first = self.query("looking for a segment", |connection| {
            connection
                .prepare_cached(
                    "SELECT max(revision) FROM changes WHERE capture = ?1 AND revision <= ?2 AND place = 0",
                )?
                .query_row(params![capture, signed(revision)?], |row| {
                    row.get::<_, Option<i64>>(0)
                })
        })?;
        let mut walk = Walk::default();
        let first = first.unwrap_or_default();
        self.links(capture, first, revision, |link| walk.go_on(link))?;
        walk.check()
    }

    /// Goes over what is kept of some revisions.
    fn links(
        &self,
        capture: &str,
        from: i64,
        to: u64,
        mut take: impl FnMut(Link) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let to = i64::try_from(to).unwrap_or(i64::MAX);
        self.query("reading the history", |connection| {
            let mut query = connection.prepare_cached(&format!(
                "SELECT {LINK_COLUMNS} FROM changes WHERE capture = ?1 AND revision BETWEEN ?2 AND ?3 ORDER BY revision"
            ))?;
            let mut rows = query.query(params![capture, from, to])?;
            while let Some(row) = rows.next()? {
                if let Err(error) = take(Link::read(row)?) {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        })?
    }

    fn link(
        &self,
        capture: &str,
        which: &str,
        order: &str,
        revision: u64,
    ) -> Result<Option<Link>, StoreError> {
        self.query("reading the history", |connection| {
            connection
                .prepare_cached(&format!(
                    "SELECT {LINK_COLUMNS} FROM changes WHERE capture = ?1 AND {which} ORDER BY revision {order} LIMIT 1"
                ))?
                .query_row(params![capture, signed(revision)?], Link::read)
                .optional()
        })
    }
}

/// A walk over a history, from the beginning of a segment on.
#[derive(Default)]
struct Walk {
    /// Where it is, and the state there.
    at: Option<(Link, Node)>,
}

impl Walk {
    fn go_on(&mut self, link: Link) -> Result<(), StoreError> {
        link.check()?;
        let found = match (&link.before, self.at.take()) {
            (Some(before), _) => Node::parse(before)
                .map_err(|error| link.broken(format!("the state before it: {error}")))?,
            (None, Some((last, state))) if last.link == link.previous => state,
            _ => return Err(link.broken("what was done before it is missing")),
        };
        let state = link.apply(found).map_err(|detail| link.broken(detail))?;
        self.at = Some((link, state));
        Ok(())
    }

    /// The state, which has to be the one that was made there.
    fn check(&self) -> Result<String, StoreError> {
        let (link, state) = self.at.as_ref().expect("a revision that is there");
        let state = state.to_json();
        match digest(&state) == link.digest || link.digest.is_empty() {
            true => Ok(state),
            false => Err(link.broken("what it makes now is not the state that it made then")),
        }
    }
}
