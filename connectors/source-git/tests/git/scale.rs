//! Ten thousand commits, and how fast they go: `cargo test --release -- --ignored --nocapture speed`.

use std::time::Instant;

use source_git::{
    Order,
    fixture::{Commit, EPOCH, File, GitFixture, Import},
};

use crate::{open, sorted};

/// Every seventh commit merges a side branch; every file of 500 changes in turn.
fn long_history(commits: usize) -> Import {
    let mut import = Import::default();
    for number in 0..commits {
        let parents: Vec<usize> = match number {
            0 => vec![],
            // Whatever side branch is open, so that the last commit reaches all.
            _ if number == commits - 1 => vec![number - 1, number - 2],
            _ if number % 7 == 6 => vec![number - 1, number - 4],
            _ if number % 7 == 3 => vec![number - 2],
            _ => vec![number - 1],
        };
        let clock = format!("{} +0100", EPOCH + (number as i64 * 7919) % 100_000);
        let message = format!("commit {number}\n\nIts body says a little more about it.\n");
        let path = format!("src/module{}/file{}.rs", number % 25, number % 500);
        let contents: String = (0..40)
            .map(|line| format!("line {line} of {}\n", number / (line + 1)))
            .collect();
        import.commit(Commit {
            parents: &parents,
            clock: &clock,
            message: message.as_bytes(),
            files: &[File::Put(path.as_bytes(), contents.as_bytes())],
            ..Commit::default()
        });
    }
    import
}

#[test]
fn ten_thousand_commits_are_walked_once_each() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let commits = fixture.import(&long_history(10_000));
    let repository = open(&fixture);
    let tip = repository.head().unwrap().tip.unwrap();
    let walk = repository.walk(tip, &[], Order::NewestFirst).unwrap();
    assert_eq!(sorted(&walk.ids), fixture.rev_list(&["--all"]));
    assert_eq!((walk.ids.len(), walk.ids[0]), (commits.len(), tip));
}

#[test]
#[ignore = "measures; run it alone"]
fn speed() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    fixture.import(&long_history(10_000));
    fixture.git(&["repack", "-a", "-d", "-f", "--quiet"]);
    let repository = open(&fixture);
    let tip = repository.head().unwrap().tip.unwrap();
    for what in ["cold", "warm"] {
        let start = Instant::now();
        let walk = repository.walk(tip, &[], Order::NewestFirst).unwrap();
        println!(
            "{what} walk of {} commits: {:?}",
            walk.ids.len(),
            start.elapsed()
        );
    }
    let ids = repository.walk(tip, &[], Order::NewestFirst).unwrap().ids;
    for stats in [false, true] {
        let reader = repository.commit_reader(stats).unwrap();
        let start = Instant::now();
        let bytes: usize = ids
            .iter()
            .map(|&id| serde_json::to_vec(&reader.read(id).unwrap()).unwrap().len())
            .sum();
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "stats {stats}: {:.0} documents/s, {bytes} bytes",
            ids.len() as f64 / seconds
        );
    }
}
