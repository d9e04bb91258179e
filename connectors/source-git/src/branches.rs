//! The commits of all followed branches, each captured once.
//!
//! A *claim* is a branch's checkpointed cursor: all that it reaches is captured, or will be by that branch's backfill. A branch
//! that advances captures what its new tip reaches and no claim does. Branches take turns: a turn lasts until the new claim is
//! written, so two branches that share a commit cannot both find it unclaimed, and no claim is relied on that a crash could undo.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gix::ObjectId;
use staunch::state::{Node, Part, ResourceState};
use staunch::{BoxError, Changes, Cursor, FetchResult, Page, Pages, Roster, Subtask};
use tokio::sync::Mutex as Turn;

use crate::place::{self, Place};
use crate::{Config, Order, Repository, Walk};

/// The subtask of a `HEAD` that is on no branch, and the one claim of a capture that follows `HEAD` alone.
pub(crate) const HEAD: &str = "HEAD";

/// The branches of one binding.
pub(crate) struct Branches {
    repository: Repository,
    config: Config,
    /// The claim of each branch. Held for a turn.
    claims: Turn<BTreeMap<String, ObjectId>>,
    /// The walk of a backfill under way, kept from page to page.
    walks: Mutex<BTreeMap<String, BackfillWalk>>,
    /// Where all refs were, and when that was looked at.
    seen: Mutex<Option<(Instant, Arc<Tips>)>>,
}

/// For how long a look at the refs serves. All branches wake at once, and each look reads all refs.
const LOOK: Duration = Duration::from_millis(100);

/// Where what is followed was at one moment.
struct Tips {
    /// The branch that `HEAD` names.
    head: Option<String>,
    by_name: BTreeMap<String, ObjectId>,
}

struct BackfillWalk {
    tip: ObjectId,
    exclude: Vec<ObjectId>,
    ids: Arc<[ObjectId]>,
    /// How many of them are captured, and which was the last.
    captured: usize,
    after: Option<ObjectId>,
}

/// What to follow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Followed {
    /// Whatever `HEAD` is.
    Head,
    /// One ref, by its full name.
    Ref(Arc<str>),
}

impl Followed {
    fn claim(&self) -> &str {
        match self {
            Followed::Head => HEAD,
            Followed::Ref(name) => name,
        }
    }
}

impl Branches {
    pub(crate) fn new(repository: Repository, config: Config) -> Arc<Self> {
        Arc::new(Self {
            repository,
            config,
            claims: Turn::default(),
            walks: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    /// Takes the claims that the state holds, before anything else.
    pub(crate) fn load(&self, state_key: &str, state: &Node) -> FetchResult {
        let state = ResourceState::decode(state_key, state)?;
        let mut claims = self.claims.try_lock()?;
        match state.inc {
            Part::None => {}
            Part::Flat(inc) => {
                claims.extend(place::tip(&inc.cursor)?.map(|tip| (HEAD.to_owned(), tip)))
            }
            Part::Keyed(branches) => {
                for (name, inc) in branches {
                    if let Some(tip) = inc
                        .map(|inc| place::tip(&inc.cursor))
                        .transpose()?
                        .flatten()
                    {
                        claims.insert(name, tip);
                    }
                }
            }
        }
        Ok(())
    }

    /// Captures what a branch has gained.
    pub(crate) async fn fetch_changes(
        self: Arc<Self>,
        followed: Followed,
        cursor: Cursor,
        mut emit: Changes,
    ) -> FetchResult {
        let mut claims = self.claims.lock().await;
        let known = place::tip(&cursor)?;
        let Some(tip) = self.tip(&followed)? else {
            return Ok(()); // The branch is gone, or has no commit yet. What it captured stays captured.
        };
        if known == Some(tip) {
            return Ok(());
        }
        if let Some(known) = known
            && !self.is_kept(known, tip).await?
        {
            if emit.is_backfilling() {
                return Ok(()); // What it still has to capture is the old history's. One thing after the other.
            }
            tracing::warn!(
                branch = followed.claim(), old = %known, new = %tip,
                "the branch was rewritten: its old tip is not reachable any more; backfilling it"
            );
            let hidden = claims.values().copied().collect();
            let walk = self.walk(tip, hidden, Order::NewestFirst).await?;
            emit.restart(
                place::cursor(Some(tip)),
                Some(Place::beginning(&walk.boundary)),
            )
            .await?;
            // What it had stays captured: another branch may have taken it over, and be looked at later. No ref is named so.
            claims.insert(format!("{} before {tip}", followed.claim()), known);
            claims.insert(followed.claim().to_owned(), tip);
            return Ok(());
        }
        let hidden = claims.values().copied().collect();
        let walk = self.walk(tip, hidden, Order::OldestFirst).await?;
        self.advance(&followed, known, tip, &walk, &mut emit, &mut claims)
            .await
    }

    /// Captures `walk`, and moves the claim along wherever that is exact.
    async fn advance(
        &self,
        followed: &Followed,
        known: Option<ObjectId>,
        tip: ObjectId,
        walk: &Walk,
        emit: &mut Changes,
        claims: &mut BTreeMap<String, ObjectId>,
    ) -> FetchResult {
        let reader = self.repository.commit_reader(self.config.stats)?;
        // The commits that nothing captured so far has as its parent. While there is but one, it reaches all the others.
        let mut heads: HashSet<String> = known.iter().map(ToString::to_string).collect();
        let mut pending = 0;
        for &id in &walk.ids {
            let document = reader.read(id)?;
            for parent in &document.parents {
                heads.remove(parent);
            }
            heads.insert(document.id.clone());
            emit.document(&document)?;
            pending += 1;
            let may_rest = heads.len() == 1 && (pending >= self.page_size() || emit.is_stopping());
            if may_rest && id != tip {
                emit.checkpoint(place::cursor(Some(id))).await?;
                claims.insert(followed.claim().to_owned(), id);
                pending = 0;
                if emit.is_stopping() {
                    return Ok(());
                }
            }
        }
        emit.checkpoint(place::cursor(Some(tip))).await?;
        claims.insert(followed.claim().to_owned(), tip);
        Ok(())
    }

    /// Captures a page of what a branch had when it was first seen, newest first.
    pub(crate) async fn fetch_page(
        self: Arc<Self>,
        followed: Followed,
        page: Option<Page>,
        cutoff: Cursor,
        mut emit: Pages,
    ) -> FetchResult {
        let place = Place::of(page.as_ref())?;
        let Some(tip) = place::tip(&cutoff)? else {
            return Ok(()); // There was nothing to be captured.
        };
        if !self.repository.contains(tip) {
            tracing::warn!(
                branch = followed.claim(), cutoff = %tip,
                "the commit that the backfill began at was removed; what the branch has now is read instead"
            );
            // The incremental function finds the branch rewritten, and begins another backfill.
            return self.fetch_orphans(&followed, &place, &mut emit).await;
        }
        let (ids, from) = self.backfill_walk(&followed, tip, &place).await?;
        let reader = self.repository.commit_reader(self.config.stats)?;
        let end = ids.len().min(from + self.page_size());
        for &id in &ids[from..end] {
            emit.document(&reader.read(id)?)?;
        }
        if end == ids.len() {
            return Ok(());
        }
        let last = ids[end - 1];
        let walk = BackfillWalk {
            tip,
            exclude: place.exclude,
            ids,
            captured: end,
            after: Some(last),
        };
        self.walks().insert(followed.claim().to_owned(), walk);
        emit.checkpoint(Place::next(last)).await?;
        Ok(())
    }

    /// Captures what a backfill whose tip was removed leaves to nobody: other branches began without what it was to capture.
    ///
    /// Which of theirs that is, nobody can tell without the tip, so it is all that was not excluded from the beginning.
    async fn fetch_orphans(
        &self,
        followed: &Followed,
        place: &Place,
        emit: &mut Pages,
    ) -> FetchResult {
        let claims = self.claims.lock().await.clone();
        let reader = self.repository.commit_reader(self.config.stats)?;
        let mut hidden = place.exclude.clone();
        for (name, tip) in claims {
            if name == followed.claim() || !self.repository.contains(tip) {
                continue;
            }
            let walk = self.walk(tip, hidden.clone(), Order::NewestFirst).await?;
            for &id in &walk.ids {
                emit.document(&reader.read(id)?)?;
            }
            hidden.push(tip);
        }
        Ok(())
    }

    fn walks(&self) -> MutexGuard<'_, BTreeMap<String, BackfillWalk>> {
        self.walks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The commits of a backfill, and how many of them are captured.
    async fn backfill_walk(
        &self,
        followed: &Followed,
        tip: ObjectId,
        place: &Place,
    ) -> Result<(Arc<[ObjectId]>, usize), BoxError> {
        let kept = self.walks().remove(followed.claim());
        if let Some(walk) = kept
            && walk.tip == tip
            && walk.exclude == place.exclude
            && walk.after == place.after
        {
            return Ok((walk.ids, walk.captured));
        }
        let walk = self
            .walk(tip, place.exclude.clone(), Order::NewestFirst)
            .await?;
        let captured = match place.after {
            None => 0,
            Some(after) => {
                let at = walk.ids.iter().position(|&id| id == after);
                1 + at.ok_or_else(|| format!("commit `{after}` is not in the backfill that it was a page of; reset the binding"))?
            }
        };
        Ok((walk.ids.into(), captured))
    }

    /// Begins to follow the branches that are new.
    pub(crate) async fn find_branches(self: Arc<Self>, mut emit: Roster) -> FetchResult {
        for (name, tip) in self.in_order()? {
            if emit.is_known(&name) {
                continue;
            }
            let mut claims = self.claims.lock().await;
            let hidden = claims.values().copied().collect();
            let walk = self.walk(tip, hidden, Order::NewestFirst).await?;
            let backfill = (!walk.ids.is_empty()).then(|| Some(Place::beginning(&walk.boundary)));
            emit.begin(
                &name,
                Subtask {
                    cursor: place::cursor(Some(tip)),
                    backfill,
                },
            )
            .await?;
            claims.insert(name, tip);
        }
        Ok(())
    }

    /// What there is to follow: the branch that `HEAD` names first, so that it, and not a tag, has the shared history.
    fn in_order(&self) -> Result<Vec<(String, ObjectId)>, BoxError> {
        let tips = self.tips()?;
        let rank = |name: &str| match name {
            name if Some(name) == tips.head.as_deref() || name == HEAD => 0,
            name if name.starts_with("refs/heads/") => 1,
            name if name.starts_with("refs/tags/") => 3,
            _ => 2,
        };
        let mut ordered: Vec<_> = tips.by_name.clone().into_iter().collect();
        ordered.sort_by_key(|(name, _)| rank(name)); // Stable: within a rank they stay in the order of their names.
        Ok(ordered)
    }

    /// Where a branch is now.
    fn tip(&self, followed: &Followed) -> Result<Option<ObjectId>, BoxError> {
        match followed {
            Followed::Head => Ok(self.repository.head()?.tip),
            Followed::Ref(name) => Ok(self.tips()?.by_name.get(&**name).copied()),
        }
    }

    /// Where all that is followed is now, or was a moment ago.
    ///
    /// Every question is answered from here, and a look only ever gives way to a later one: a branch never seems to go back to
    /// where it was before.
    fn tips(&self) -> Result<Arc<Tips>, BoxError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, tips)) = &*seen
            && at.elapsed() < LOOK
        {
            return Ok(Arc::clone(tips));
        }
        let head = self.repository.head()?;
        let prefixes: Vec<&str> = self.config.refs.iter().map(String::as_str).collect();
        let tips = self.repository.tips(&prefixes)?.tips;
        let mut by_name: BTreeMap<_, _> = tips.into_iter().map(|tip| (tip.name, tip.id)).collect();
        if let (None, Some(tip)) = (&head.branch, head.tip) {
            by_name.insert(HEAD.to_owned(), tip);
        }
        let tips = Arc::new(Tips {
            head: head.branch,
            by_name,
        });
        *seen = Some((Instant::now(), Arc::clone(&tips)));
        Ok(tips)
    }

    /// Whether `old` is still part of the history of `new`.
    async fn is_kept(&self, old: ObjectId, new: ObjectId) -> Result<bool, BoxError> {
        let repository = self.repository.clone();
        let is_kept = move || Ok(repository.contains(old) && repository.is_reachable(old, new)?);
        tokio::task::spawn_blocking(is_kept).await?
    }

    async fn walk(
        &self,
        tip: ObjectId,
        hidden: Vec<ObjectId>,
        order: Order,
    ) -> Result<Walk, BoxError> {
        let repository = self.repository.clone();
        Ok(tokio::task::spawn_blocking(move || repository.walk(tip, &hidden, order)).await??)
    }

    fn page_size(&self) -> usize {
        self.config.advanced.page_size.get() as usize
    }
}
