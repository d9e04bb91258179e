//! Which commits does a tip have that others have not, and in which order do they come?
//!
//! `reach(tip) \ reach(hidden)`, exact whatever the commits' dates say: dates are never looked at. The
//! price is that all of the hidden history is visited; so that a poll does not read it from disk each
//! time, the parents of every commit seen are kept, about 80 bytes for each. That is sound because a
//! commit's id is the digest of its parents: what was read once cannot change.
//!
//! The order is a depth-first one, first parents first, so it depends on the graph alone. It has a
//! property that paging needs: hiding more commits only takes commits out of the list. A page that
//! begins after commit X therefore stays that page when other branches have moved on in between.

use gix::{
    ObjectId,
    hashtable::{HashMap, HashSet},
};

/// In which order a [`Walk`] lists commits. Both depend on the graph alone, and one is the other reversed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Children before their parents: for backfills.
    NewestFirst,
    /// Parents before their children: for incremental reading.
    OldestFirst,
}

/// The commits reachable from a tip and from nothing hidden.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Walk {
    /// Each commit once, in the order asked for.
    pub ids: Vec<ObjectId>,
    /// Hidden commits, or ancestors of them, that are not there (any more), sorted. What is reachable
    /// through them only could not be hidden, and is listed again if the tip reaches it too.
    pub missing_hidden: Vec<ObjectId>,
    /// The hidden commits at which the walk stopped: parents of listed ones, or the tip itself, sorted. Hiding
    /// these alone gives the same list, for as long as the tip is there.
    pub boundary: Vec<ObjectId>,
}

/// What a source of commits knows about an id.
pub(crate) enum Found {
    /// The parents of the commit, in order.
    Commit(Vec<ObjectId>),
    /// No object, or none that is a commit.
    Missing,
}

/// Where a [`Graph`] reads commits that it has not seen.
pub(crate) trait Commits {
    type Error: From<MissingCommit>;
    fn find(&mut self, id: ObjectId) -> Result<Found, Self::Error>;
}

/// A commit that the tip reaches is not there.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct MissingCommit(pub(crate) ObjectId);

/// Every commit seen so far, by number, with the numbers of its parents.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    numbers: HashMap<ObjectId, u32>,
    nodes: Vec<Node>,
    /// The parents of all nodes, one run per node.
    parents: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    id: ObjectId,
    /// Where its run in `parents` begins, and how long it is; `UNREAD` until the commit was found.
    first: u32,
    len: u32,
}

const UNREAD: u32 = u32::MAX;

/// What a walk knows about a node.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Mark {
    Fresh,
    Hidden,
    Visited,
}

impl Graph {
    /// See [`Walk`]. The parents of a commit in `shallow` count as not existing.
    ///
    /// # Errors
    /// [`MissingCommit`] for the tip or an ancestor of it that is neither there nor hidden; or the
    /// source's own error.
    pub(crate) fn walk<C: Commits>(
        &mut self,
        commits: &mut C,
        tip: ObjectId,
        hidden: &[ObjectId],
        shallow: &HashSet,
        order: Order,
    ) -> Result<Walk, C::Error> {
        let tip = self.number(tip);
        self.read_or_missing(commits, tip)?;
        let mut marks = vec![Mark::Fresh; self.nodes.len()];
        let missing_hidden = self.hide(commits, hidden, shallow, &mut marks)?;
        let mut ids = self.descend(commits, tip, shallow, &mut marks)?;
        let boundary = self.boundary(tip, &ids, shallow, &marks);
        if order == Order::NewestFirst {
            ids.reverse();
        }
        Ok(Walk {
            ids,
            missing_hidden,
            boundary,
        })
    }

    /// The hidden parents of `ids`, which were read; the tip if it is hidden itself.
    fn boundary(
        &self,
        tip: u32,
        ids: &[ObjectId],
        shallow: &HashSet,
        marks: &[Mark],
    ) -> Vec<ObjectId> {
        let is_hidden = |node: &u32| marks[*node as usize] == Mark::Hidden;
        let parents = ids
            .iter()
            .flat_map(|id| self.parents_of(self.numbers[id], shallow));
        let mut boundary: Vec<ObjectId> = parents
            .chain([tip])
            .filter(is_hidden)
            .map(|node| self.nodes[node as usize].id)
            .collect();
        boundary.sort_unstable();
        boundary.dedup();
        boundary
    }

    /// Whether `ancestor` is `from` or an ancestor of it.
    ///
    /// # Errors
    /// As [`Graph::walk`].
    pub(crate) fn is_reachable<C: Commits>(
        &mut self,
        commits: &mut C,
        ancestor: ObjectId,
        from: ObjectId,
        shallow: &HashSet,
    ) -> Result<bool, C::Error> {
        let ancestor = self.number(ancestor);
        let from = self.number(from);
        let mut marks = vec![Mark::Fresh; self.nodes.len()];
        let mut stack = vec![from];
        while let Some(node) = stack.pop() {
            if !first_visit(&mut marks, node, Mark::Visited) {
                continue;
            }
            self.read_or_missing(commits, node)?;
            if node == ancestor {
                return Ok(true);
            }
            stack.extend(self.parents_of(node, shallow));
        }
        Ok(false)
    }

    /// Marks all that `hidden` reaches; answers what was not there.
    fn hide<C: Commits>(
        &mut self,
        commits: &mut C,
        hidden: &[ObjectId],
        shallow: &HashSet,
        marks: &mut Vec<Mark>,
    ) -> Result<Vec<ObjectId>, C::Error> {
        let mut missing = Vec::new();
        let mut stack: Vec<u32> = hidden.iter().map(|&id| self.number(id)).collect();
        while let Some(node) = stack.pop() {
            if !first_visit(marks, node, Mark::Hidden) {
                continue;
            }
            if self.read(commits, node)? {
                stack.extend(self.parents_of(node, shallow));
            } else {
                missing.push(self.nodes[node as usize].id);
            }
        }
        missing.sort_unstable();
        Ok(missing)
    }

    /// All that `tip` reaches and nobody has marked, parents first. An explicit stack, because histories
    /// are deeper than a thread's.
    fn descend<C: Commits>(
        &mut self,
        commits: &mut C,
        tip: u32,
        shallow: &HashSet,
        marks: &mut Vec<Mark>,
    ) -> Result<Vec<ObjectId>, C::Error> {
        let mut ids = Vec::new();
        let mut stack = Vec::new();
        if first_visit(marks, tip, Mark::Visited) {
            stack.push((tip, 0));
        }
        while let Some((node, next)) = stack.last_mut() {
            let parent = self.parents_of(*node, shallow).nth(*next);
            match parent {
                Some(parent) => {
                    *next += 1;
                    if first_visit(marks, parent, Mark::Visited) {
                        self.read_or_missing(commits, parent)?;
                        stack.push((parent, 0));
                    }
                }
                None => {
                    ids.push(self.nodes[*node as usize].id);
                    stack.pop();
                }
            }
        }
        Ok(ids)
    }

    /// The parents of a node that was read; none for the boundary of a shallow clone.
    fn parents_of(&self, node: u32, shallow: &HashSet) -> impl Iterator<Item = u32> + '_ {
        let Node { id, first, len } = self.nodes[node as usize];
        debug_assert_ne!(
            first, UNREAD,
            "a node is read before its parents are asked for"
        );
        let len = if !shallow.is_empty() && shallow.contains(&id) {
            0
        } else {
            len
        };
        self.parents[first as usize..(first + len) as usize]
            .iter()
            .copied()
    }

    fn read_or_missing<C: Commits>(&mut self, commits: &mut C, node: u32) -> Result<(), C::Error> {
        if self.read(commits, node)? {
            return Ok(());
        }
        Err(MissingCommit(self.nodes[node as usize].id).into())
    }

    /// Learns the parents of a node; false if the commit is not there, which is not remembered: it may
    /// be fetched later.
    fn read<C: Commits>(&mut self, commits: &mut C, node: u32) -> Result<bool, C::Error> {
        let Node { id, first, .. } = self.nodes[node as usize];
        if first != UNREAD {
            return Ok(true);
        }
        let Found::Commit(parents) = commits.find(id)? else {
            return Ok(false);
        };
        let first =
            u32::try_from(self.parents.len()).expect("fewer than 2^32 parents fit in memory");
        for &parent in &parents {
            let parent = self.number(parent);
            self.parents.push(parent);
        }
        let entry = &mut self.nodes[node as usize];
        entry.first = first;
        entry.len = u32::try_from(parents.len()).expect("a commit's parents fit in its object");
        Ok(true)
    }

    fn number(&mut self, id: ObjectId) -> u32 {
        *self.numbers.entry(id).or_insert_with(|| {
            let number =
                u32::try_from(self.nodes.len()).expect("fewer than 2^32 commits fit in memory");
            self.nodes.push(Node {
                id,
                first: UNREAD,
                len: 0,
            });
            number
        })
    }
}

/// Marks a node that has no mark yet; false if it has one.
fn first_visit(marks: &mut Vec<Mark>, node: u32, mark: Mark) -> bool {
    let node = node as usize;
    if node >= marks.len() {
        marks.resize(node + 1, Mark::Fresh);
    }
    if marks[node] != Mark::Fresh {
        return false;
    }
    marks[node] = mark;
    true
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use gix::{ObjectId, hashtable::HashSet};
    use proptest::prelude::*;

    use super::{Commits, Found, Graph, MissingCommit, Order, Walk};

    /// Commits by number; every parent's number is smaller.
    #[derive(Clone, Debug, Default)]
    struct History(BTreeMap<u32, Vec<u32>>);

    fn id(number: u32) -> ObjectId {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b1).to_be_bytes());
        bytes[16..].copy_from_slice(&number.to_be_bytes());
        ObjectId::from_bytes_or_panic(&bytes)
    }

    fn number(id: &ObjectId) -> u32 {
        u32::from_be_bytes(id.as_slice()[16..].try_into().unwrap())
    }

    impl Commits for History {
        type Error = MissingCommit;
        fn find(&mut self, id: ObjectId) -> Result<Found, MissingCommit> {
            Ok(match self.0.get(&number(&id)) {
                Some(parents) => Found::Commit(
                    parents
                        .iter()
                        .map(|&parent| super::tests::id(parent))
                        .collect(),
                ),
                None => Found::Missing,
            })
        }
    }

    impl History {
        fn reach(&self, from: &[u32]) -> BTreeSet<u32> {
            let mut reached = BTreeSet::new();
            let mut stack = from.to_vec();
            while let Some(commit) = stack.pop() {
                if reached.insert(commit) {
                    stack.extend(&self.0[&commit]);
                }
            }
            reached
        }

        fn walk(&self, graph: &mut Graph, tip: u32, hidden: &[u32], order: Order) -> Vec<u32> {
            let hidden: Vec<_> = hidden.iter().copied().map(id).collect();
            let walk = graph
                .walk(
                    &mut self.clone(),
                    id(tip),
                    &hidden,
                    &HashSet::default(),
                    order,
                )
                .unwrap();
            assert!(walk.missing_hidden.is_empty());
            let from_boundary = graph
                .walk(
                    &mut self.clone(),
                    id(tip),
                    &walk.boundary,
                    &HashSet::default(),
                    order,
                )
                .unwrap();
            assert_eq!(from_boundary, walk, "the boundary hides the same");
            walk.ids.iter().map(number).collect()
        }
    }

    fn history() -> impl Strategy<Value = History> {
        proptest::collection::vec(
            proptest::collection::vec(any::<proptest::sample::Index>(), 0..4),
            1..60,
        )
        .prop_map(|commits| {
            let parents = |(child, parents): (usize, Vec<proptest::sample::Index>)| {
                let parents = if child == 0 { vec![] } else { parents };
                (
                    child as u32,
                    parents
                        .iter()
                        .map(|parent| parent.index(child) as u32)
                        .collect(),
                )
            };
            History(commits.into_iter().enumerate().map(parents).collect())
        })
    }

    fn some_of(history: &History, choice: &[proptest::sample::Index]) -> Vec<u32> {
        choice
            .iter()
            .map(|index| index.index(history.0.len()) as u32)
            .collect()
    }

    proptest! {
        #[test]
        fn a_walk_has_exactly_what_the_tip_reaches_and_the_hidden_do_not(
            history in history(),
            tip in any::<proptest::sample::Index>(),
            hidden in proptest::collection::vec(any::<proptest::sample::Index>(), 0..4),
        ) {
            let tip = some_of(&history, &[tip])[0];
            let hidden = some_of(&history, &hidden);
            let listed = history.walk(&mut Graph::default(), tip, &hidden, Order::OldestFirst);
            let expected: BTreeSet<u32> =
                history.reach(&[tip]).difference(&history.reach(&hidden)).copied().collect();
            prop_assert_eq!(listed.len(), expected.len());
            prop_assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), expected);
        }

        #[test]
        fn oldest_first_lists_parents_before_children_and_newest_first_is_its_reverse(
            history in history(),
            tip in any::<proptest::sample::Index>(),
        ) {
            let tip = some_of(&history, &[tip])[0];
            let mut listed = history.walk(&mut Graph::default(), tip, &[], Order::OldestFirst);
            let mut seen = BTreeSet::new();
            for &commit in &listed {
                prop_assert!(history.0[&commit].iter().all(|parent| seen.contains(parent)));
                seen.insert(commit);
            }
            listed.reverse();
            prop_assert_eq!(history.walk(&mut Graph::default(), tip, &[], Order::NewestFirst), listed);
        }

        #[test]
        fn hiding_more_only_takes_commits_out_of_the_list(
            history in history(),
            tip in any::<proptest::sample::Index>(),
            hidden in proptest::collection::vec(any::<proptest::sample::Index>(), 0..4),
        ) {
            let tip = some_of(&history, &[tip])[0];
            let hidden = some_of(&history, &hidden);
            let reached = history.reach(&hidden);
            let mut all = history.walk(&mut Graph::default(), tip, &[], Order::NewestFirst);
            all.retain(|commit| !reached.contains(commit));
            prop_assert_eq!(history.walk(&mut Graph::default(), tip, &hidden, Order::NewestFirst), all);
        }

        #[test]
        fn what_a_graph_has_seen_before_does_not_change_a_walk(
            history in history(),
            walks in proptest::collection::vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>()), 1..6),
        ) {
            let mut warm = Graph::default();
            for (tip, hidden) in walks {
                let chosen = some_of(&history, &[tip, hidden]);
                let (tip, hidden) = (chosen[0], [chosen[1]]);
                let cold = history.walk(&mut Graph::default(), tip, &hidden, Order::NewestFirst);
                prop_assert_eq!(history.walk(&mut warm, tip, &hidden, Order::NewestFirst), cold);
                let reachable = warm
                    .is_reachable(&mut history.clone(), id(hidden[0]), id(tip), &HashSet::default())
                    .unwrap();
                prop_assert_eq!(reachable, history.reach(&[tip]).contains(&hidden[0]));
            }
        }
    }

    fn linear(length: u32) -> History {
        History(
            (0..length)
                .map(|commit| (commit, commit.checked_sub(1).into_iter().collect()))
                .collect(),
        )
    }

    #[test]
    fn a_hidden_commit_that_is_gone_is_told_and_hides_nothing() {
        let walk = Graph::default().walk(
            &mut linear(3),
            id(2),
            &[id(99), id(0)],
            &HashSet::default(),
            Order::OldestFirst,
        );
        assert_eq!(
            walk,
            Ok(Walk {
                ids: vec![id(1), id(2)],
                missing_hidden: vec![id(99)],
                boundary: vec![id(0)],
            })
        );
    }

    #[test]
    fn a_missing_ancestor_is_an_error_until_it_is_there() {
        let (mut graph, none) = (Graph::default(), HashSet::default());
        let mut history = linear(3);
        history.0.remove(&0);
        let walk = graph.walk(&mut history, id(2), &[], &none, Order::OldestFirst);
        assert_eq!(walk, Err(MissingCommit(id(0))));
        assert_eq!(
            graph.is_reachable(&mut history, id(7), id(2), &none),
            Err(MissingCommit(id(0)))
        );
        assert_eq!(
            linear(3).walk(&mut graph, 2, &[], Order::OldestFirst),
            [0, 1, 2]
        );
    }

    #[test]
    fn a_shallow_boundary_ends_the_walk_silently() {
        let mut history = linear(5);
        history.0.remove(&1);
        let shallow: HashSet = [id(2)].into_iter().collect();
        let walk = Graph::default().walk(&mut history, id(4), &[], &shallow, Order::OldestFirst);
        assert_eq!(
            walk,
            Ok(Walk {
                ids: vec![id(2), id(3), id(4)],
                missing_hidden: vec![],
                boundary: vec![],
            })
        );
    }

    #[test]
    fn a_history_deeper_than_a_thread_stack_is_walked() {
        let listed = linear(300_000).walk(&mut Graph::default(), 299_999, &[], Order::NewestFirst);
        assert!(listed.into_iter().eq((0..300_000).rev()));
    }
}
