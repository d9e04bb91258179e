//! Random histories that evolve in random steps, with random kills, and an upgrade somewhere on the way.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, sample::Index, test_runner::RngSeed};
use source_git::fixture::{EPOCH, GitFixture};

use crate::{
    dangling,
    driver::{Capture, Release},
};

/// The first is where `HEAD` is for as long as the first release runs.
const BRANCHES: [&str; 4] = [
    "refs/heads/main",
    "refs/heads/side",
    "refs/heads/deep/er",
    "refs/remotes/origin/main",
];

/// What happens next. An index chooses among the commits that some ref reaches.
#[derive(Clone, Debug)]
enum Step {
    /// A branch gains a commit, perhaps a merge; it begins with a root if it is new.
    Commit {
        branch: usize,
        others: Vec<Index>,
        seconds: i64,
    },
    /// A branch is moved anywhere, or made there.
    Move { branch: usize, to: Index },
    /// The last commit of a branch is replaced.
    Amend { branch: usize },
    /// A branch goes; never that of `HEAD`.
    Delete { branch: usize },
    /// An annotated tag.
    Tag { at: Index },
    /// Objects and refs are packed. Nothing is pruned.
    Pack,
    /// A session, killed after so many messages if it is not done before.
    Session { messages: usize },
    /// A session that ends when everything is captured.
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let branch = || 0..BRANCHES.len();
    let index = any::<Index>;
    let others = proptest::collection::vec(index(), 0..3);
    prop_oneof![
        8 => (branch(), others, -50_i64..50)
            .prop_map(|(branch, others, seconds)| Step::Commit { branch, others, seconds }),
        3 => (branch(), index()).prop_map(|(branch, to)| Step::Move { branch, to }),
        1 => branch().prop_map(|branch| Step::Amend { branch }),
        1 => (1..BRANCHES.len()).prop_map(|branch| Step::Delete { branch }),
        1 => index().prop_map(|at| Step::Tag { at }),
        1 => Just(Step::Pack),
        5 => (2_usize..30).prop_map(|messages| Step::Session { messages }),
        1 => Just(Step::Settle),
    ]
}

/// The repository, and what a capture of it may and must have.
struct World {
    fixture: GitFixture,
    /// Where each branch is, or was before it went.
    places: BTreeMap<usize, String>,
    gone: BTreeSet<usize>,
    /// All that some ref ever reached.
    ever: BTreeSet<String>,
    /// What a branch reached, and then did not: of that, nobody may remember that it was captured.
    left_behind: BTreeSet<String>,
    made: usize,
}

impl World {
    fn new(fixture: GitFixture) -> Self {
        Self {
            fixture,
            places: BTreeMap::new(),
            gone: BTreeSet::new(),
            ever: BTreeSet::new(),
            left_behind: BTreeSet::new(),
            made: 0,
        }
    }

    fn reachable(&self) -> Vec<String> {
        self.fixture.rev_list(&["--all"])
    }

    fn commit(&mut self, parents: &[&str], seconds: i64) -> String {
        self.made += 1;
        let message = format!("commit {}", self.made);
        dangling(&self.fixture, parents, &message, EPOCH + seconds)
    }

    fn put(&mut self, branch: usize, id: String) {
        if let Some(old) = self.places.get(&branch) {
            let kept: BTreeSet<_> = self.fixture.rev_list(&[&id]).into_iter().collect();
            let had = self.fixture.rev_list(&[old]);
            self.left_behind
                .extend(had.into_iter().filter(|id| !kept.contains(id)));
        }
        self.fixture.git(&["update-ref", BRANCHES[branch], &id]);
        self.gone.remove(&branch);
        self.places.insert(branch, id);
    }

    /// Where a branch is now.
    fn place(&self, branch: usize) -> Option<String> {
        let is_there = !self.gone.contains(&branch);
        self.places.get(&branch).filter(|_| is_there).cloned()
    }

    fn step(&mut self, step: &Step) {
        let reachable = self.reachable();
        match step {
            Step::Commit {
                branch,
                others,
                seconds,
            } => {
                let mut parents: Vec<String> = self.place(*branch).into_iter().collect();
                if !reachable.is_empty() {
                    parents.extend(others.iter().map(|index| index.get(&reachable).clone()));
                }
                let mut seen = BTreeSet::new();
                parents.retain(|parent| seen.insert(parent.clone()));
                let parents: Vec<&str> = parents.iter().map(String::as_str).collect();
                let id = self.commit(&parents, *seconds);
                self.put(*branch, id);
            }
            Step::Move { branch, to } if !reachable.is_empty() => {
                self.put(*branch, to.get(&reachable).clone());
            }
            Step::Amend { branch } => {
                if let Some(id) = self.place(*branch) {
                    let parents = self.fixture.git(&["log", "-1", "--format=%P", &id]);
                    let parents: Vec<&str> = parents.split_whitespace().collect();
                    let id = self.commit(&parents, 0);
                    self.put(*branch, id);
                }
            }
            Step::Delete { branch } if self.place(*branch).is_some() => {
                self.fixture.git(&["update-ref", "-d", BRANCHES[*branch]]);
                self.gone.insert(*branch);
            }
            Step::Tag { at } if !reachable.is_empty() => {
                self.made += 1;
                let name = format!("tag-{}", self.made);
                let at = at.get(&reachable);
                self.fixture
                    .git(&["tag", "--annotate", "--message=it", &name, at]);
            }
            Step::Pack => {
                self.fixture.git(&["pack-refs", "--all"]);
                self.fixture.git(&["repack", "-d", "--quiet"]);
            }
            _ => {}
        }
        self.ever.extend(self.reachable());
    }
}

/// How the upgrade comes about.
#[derive(Clone, Debug)]
struct Upgrade {
    /// Before which step.
    at: Index,
    /// What `HEAD` is moved to just then, if it is.
    head: Option<Head>,
}

#[derive(Clone, Debug)]
enum Head {
    Branch(usize),
    Detached(Index),
}

fn upgrade() -> impl Strategy<Value = Upgrade> {
    let head = prop_oneof![
        2 => Just(None),
        1 => (1..BRANCHES.len() - 1).prop_map(|branch| Some(Head::Branch(branch))),
        1 => any::<Index>().prop_map(|at| Some(Head::Detached(at))),
    ];
    (any::<Index>(), head).prop_map(|(at, head)| Upgrade { at, head })
}

fn move_head(world: &World, head: &Head) {
    let reachable = world.reachable();
    match head {
        Head::Branch(branch) => {
            world
                .fixture
                .git(&["symbolic-ref", "HEAD", BRANCHES[*branch]]);
        }
        Head::Detached(at) if !reachable.is_empty() => {
            let id = at.get(&reachable);
            world.fixture.git(&["update-ref", "--no-deref", "HEAD", id]);
        }
        Head::Detached(_) => {}
    }
}

/// That what is captured is what it should be; `must` is what it may not lack.
fn check(capture: &Capture, world: &World, must: &[String]) -> Result<(), TestCaseError> {
    let ids = capture.ids();
    let captured: BTreeSet<_> = ids.iter().cloned().collect();
    let missing: Vec<_> = must.iter().filter(|id| !captured.contains(*id)).collect();
    prop_assert!(
        missing.is_empty(),
        "missing: {missing:?}\n{}",
        capture.state.to_json()
    );
    let foreign: Vec<_> = captured.difference(&world.ever).collect();
    prop_assert!(foreign.is_empty(), "of no ref: {foreign:?}");
    let mut seen = BTreeSet::new();
    let twice: Vec<_> = ids
        .iter()
        .filter(|id| !seen.insert(*id) && !world.left_behind.contains(*id))
        .collect();
    prop_assert!(
        twice.is_empty(),
        "twice: {twice:?}\n{}",
        capture.state.to_json()
    );
    let documents: BTreeSet<_> = capture.commits.iter().collect();
    prop_assert_eq!(
        documents.len(),
        captured.len(),
        "other bytes for the same commit"
    );
    Ok(())
}

proptest! {
    // A case is a dozen of git's processes and several of the connector's; the seed is fixed so that a red run can be had again.
    #![proptest_config(ProptestConfig {
        cases: 40,
        rng_seed: RngSeed::Fixed(20_260_101),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_commit_is_missing_and_none_comes_twice_whatever_happens(
        steps in proptest::collection::vec(step(), 6..30),
        upgrade in upgrade(),
        page_size in 1_u32..5,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::new(GitFixture::init_bare(dir.path()));
        let mut capture = Capture::of(dir.path()).page_size(page_size);
        let mut release = Release::V1;
        let at = upgrade.at.index(steps.len());
        for (number, step) in steps.iter().enumerate() {
            if number == at {
                release = Release::V2;
                if let Some(head) = &upgrade.head {
                    move_head(&world, head);
                }
            }
            match step {
                Step::Session { messages } => {
                    capture.kill_after(release, *messages, &world.fixture);
                    check(&capture, &world, &[])?;
                }
                Step::Settle => {
                    capture.settle(release, &world.fixture);
                    let reached = match release {
                        Release::V1 if world.place(0).is_none() => vec![],
                        Release::V1 => world.fixture.rev_list(&["HEAD"]),
                        Release::V2 => world.reachable(),
                    };
                    check(&capture, &world, &reached)?;
                }
                step => world.step(step),
            }
        }
        capture.settle(Release::V2, &world.fixture);
        check(&capture, &world, &world.reachable())?;
    }
}
