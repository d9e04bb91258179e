//! From the first release to the present one: killed at every message, and whatever `HEAD` is.

use std::time::Duration;

use source_git::fixture::{Commit, EPOCH, GitFixture, Import};
use staunch::state::Node;

use crate::{
    bare, dangling,
    driver::{Capture, Message, Release, Sequence},
    goal, grow, line, with_work_tree,
};

/// Nine commits: a side branch that was merged, one that was not, a root of its own, and tags.
fn small(fixture: &GitFixture) {
    let mut import = Import::default();
    let mut commit = |branch, parents: &[usize]| {
        import.commit(Commit {
            branch,
            parents,
            message: format!("{branch} after {parents:?}\n").as_bytes(),
            ..Commit::default()
        })
    };
    let (main, side, other) = ("refs/heads/main", "refs/heads/side", "refs/heads/other");
    let root = commit(main, &[]);
    let second = commit(main, &[root]);
    let side_one = commit(side, &[root]);
    let merge = commit(main, &[second, side_one]);
    let last = commit(main, &[merge]);
    let side_two = commit(side, &[side_one]);
    commit(side, &[side_two, last]);
    let alone = commit(other, &[]);
    let tagged = commit("refs/heads/passing", &[alone]);
    import.reset("refs/tags/on-no-branch", tagged);
    fixture.import(&import);
    fixture.git(&["update-ref", "-d", "refs/heads/passing"]);
    fixture.git(&["tag", "--annotate", "--message=v1", "v1", "refs/heads/main"]);
}

#[test]
fn a_capture_is_exact_whichever_message_of_any_session_was_the_last() {
    let (_dir, fixture) = bare();
    small(&fixture);
    let of_main = fixture.rev_list(&["refs/heads/main"]);
    let mut states = Vec::new();
    for messages in 1.. {
        let what = format!("the first release was killed after {messages} messages");
        let mut capture = Capture::of(fixture.path()).page_size(2);
        let was_killed = capture.kill_after(Release::V1, messages, &fixture);
        states.push((what.clone(), capture.clone()));

        capture.settle(Release::V1, &fixture);
        capture.assert_captured(&of_main, &what);
        capture.settle(Release::V2, &fixture);
        capture.assert_exact(&fixture, &what);
        if !was_killed {
            assert!(messages > 10, "{messages} messages");
            break;
        }
    }
    // One of each: what the first release left behind differs only where it had committed something.
    states.dedup_by_key(|(_, capture)| capture.commits.len());
    assert!(states.len() >= 4, "{states:?}");
    for (before, capture) in states {
        for messages in 1.. {
            let what = format!("{before}, and the present one after {messages}");
            let mut capture = capture.clone();
            let was_killed = capture.kill_after(Release::V2, messages, &fixture);
            capture.settle(Release::V2, &fixture);
            capture.assert_exact(&fixture, &what);
            if !was_killed {
                break;
            }
        }
    }
}

#[test]
fn a_state_that_was_carried_over_is_keyed_by_full_ref_names() {
    let (_dir, fixture) = bare();
    small(&fixture);
    let mut capture = Capture::of(fixture.path());
    capture.settle(Release::V1, &fixture);
    capture.settle(Release::V2, &fixture);
    let inc = capture.of_commits("/inc").unwrap().as_object().unwrap();
    let mut keys: Vec<_> = inc.keys().collect();
    keys.sort_unstable();
    let tips = goal::tips(&fixture);
    assert_eq!(keys, tips.keys().collect::<Vec<_>>());
    assert_eq!(keys.len(), 5);
}

/// A capture of the first release, killed in the middle of its backfill.
fn half_way(fixture: &GitFixture, messages: usize) -> Capture {
    let mut capture = Capture::of(fixture.path()).page_size(2);
    assert!(capture.kill_after(Release::V1, messages, fixture));
    assert!(goal::is_backfilling(&capture), "{capture:?}");
    assert!(!capture.commits.is_empty(), "{capture:?}");
    capture
}

/// The sequences that a session began with, up to `count`, and what it asked for.
fn first_sequences(messages: &[Message]) -> (bool, Vec<&Sequence>) {
    assert!(matches!(messages[0], Message::Spec), "{messages:?}");
    let Message::Opened {
        explicit_acknowledgements,
    } = messages[1]
    else {
        panic!("{messages:?}");
    };
    let sequences = messages.iter().filter_map(|message| match message {
        Message::Checkpoint(sequence) => Some(sequence),
        _ => None,
    });
    (explicit_acknowledgements, sequences.collect())
}

#[test]
fn a_migration_is_one_checkpoint_that_is_durable_before_anything_else_is_said() {
    let (_dir, fixture) = bare();
    line(&fixture, "refs/heads/main", 12);
    let mut capture = half_way(&fixture, 12);
    // A text that nobody would write anew: whoever parsed the cursor and wrote it again would not come to it.
    let state = capture.state.to_json();
    let tip = fixture.git(&["rev-parse", "main"]);
    let odd = format!("\\u{:04x}{}", tip.as_bytes()[0], &tip[1..]);
    let inc = |tip: &str| format!(r#""inc":{{"cursor":["{tip}"]}}"#);
    assert!(state.contains(&inc(&tip)), "{state}");
    capture.state = Node::parse(&state.replace(&inc(&tip), &inc(&odd))).unwrap();
    let cursor = |capture: &Capture, pointer| capture.of_commits(pointer).unwrap().to_json();
    let flat = cursor(&capture, "/inc/cursor");
    let backfill = cursor(&capture, "/backfill");
    assert!(flat.contains("\\u00"), "{flat}");
    let rows = capture.rows.clone();
    // Whether the snapshot came before the kill is a race: what there was of it stays.
    let refs = |capture: &Capture| {
        let refs = capture.state.pointer("/bindingStateV1/refs");
        refs.cloned().unwrap_or(Node::Null)
    };
    let refs_before = refs(&capture);

    let mut running = capture.start(Release::V2);
    running.acknowledges = false;
    running.read(); // `Opened`
    running.read(); // The migration.
    assert!(
        running.is_silent_for(Duration::from_millis(500)),
        "something was said before the migration was durable: {:?}",
        running.messages
    );
    let (explicit, sequences) = first_sequences(&running.messages);
    assert!(explicit);
    assert_eq!(running.messages.len(), 3);
    assert!(sequences[0].documents.is_empty());
    let text = sequences[0].text.clone();
    assert!(
        text.contains(&format!(r#""refs/heads/main":{{"cursor":{flat}}}"#)),
        "{text}"
    );
    running.kill(); // Before it was committed: the next session says the same.

    let mut running = capture.start(Release::V2);
    running.read();
    running.read();
    let (explicit, sequences) = first_sequences(&running.messages);
    assert!(explicit);
    assert_eq!(sequences[0].text, text);
    running.kill(); // And this time it was.
    let migrated = capture.state.clone();
    assert_eq!(
        cursor(&capture, "/inc"),
        format!(r#"{{"refs/heads/main":{{"cursor":{flat}}}}}"#)
    );
    assert_eq!(
        cursor(&capture, "/backfill"),
        format!(r#"{{"refs/heads/main":{backfill}}}"#)
    );
    assert_eq!(capture.rows, rows);
    assert!(refs(&capture).same_state(&refs_before));

    let mut running = capture.start(Release::V2);
    running.settle(&fixture_with_news(&fixture));
    let (explicit, sequences) = first_sequences(&running.messages);
    assert!(!explicit, "nothing is left to be migrated");
    assert!(!sequences.is_empty());
    running.stop();
    assert!(!migrated.same_state(&capture.state));
    capture.assert_exact(&fixture, "after the migration");
}

/// The same repository, with a commit more: the odd cursor is replaced by a usual one.
fn fixture_with_news(fixture: &GitFixture) -> GitFixture {
    grow(fixture, "refs/heads/main", "news");
    fixture.clone()
}

#[test]
fn a_branch_that_gains_nothing_keeps_its_cursor_to_the_byte() {
    let (_dir, fixture) = bare();
    small(&fixture);
    let mut capture = Capture::of(fixture.path());
    capture.settle(Release::V1, &fixture);
    let flat = capture.of_commits("/inc/cursor").unwrap().to_json();
    capture.settle(Release::V2, &fixture);
    let keyed = capture.of_commits("/inc/refs~1heads~1main/cursor").unwrap();
    assert_eq!(keyed.to_json(), flat);
}

#[test]
fn a_detached_head_is_carried_over_as_a_branch_of_its_own() {
    for is_half_way in [false, true] {
        let (_dir, fixture) = with_work_tree();
        let ids = line(&fixture, "refs/heads/main", 12);
        fixture.git(&["checkout", "--quiet", "--detach", &ids[8]]);
        let lonely = fixture.commit("on no branch", EPOCH, &[]);
        let mut capture = if is_half_way {
            half_way(&fixture, 12)
        } else {
            let mut capture = Capture::of(fixture.path());
            capture.settle(Release::V1, &fixture);
            capture
        };
        capture.settle(Release::V2, &fixture);
        capture.assert_exact(&fixture, "detached");
        let cursor = capture.of_commits("/inc/HEAD/cursor").unwrap();
        assert_eq!(cursor.to_json(), format!(r#"["{lonely}"]"#));

        // It goes on, and what it captured stays its own when it is on a branch again.
        fixture.commit("further on no branch", EPOCH, &[]);
        capture.settle(Release::V2, &fixture);
        capture.assert_exact(&fixture, "further");
        fixture.git(&["branch", "kept"]);
        fixture.git(&["checkout", "--quiet", "main"]);
        fixture.commit("on main", EPOCH, &[]);
        capture.settle(Release::V2, &fixture);
        capture.assert_exact(&fixture, "attached");
    }
}

#[test]
fn a_head_that_moved_to_another_branch_before_the_upgrade_takes_nothing_twice() {
    for is_half_way in [false, true] {
        for branches_off in [false, true] {
            let what = format!("half way: {is_half_way}, branches off: {branches_off}");
            let (_dir, fixture) = bare();
            let ids = line(&fixture, "refs/heads/main", 12);
            let mut capture = if is_half_way {
                half_way(&fixture, 12)
            } else {
                let mut capture = Capture::of(fixture.path());
                capture.settle(Release::V1, &fixture);
                capture
            };
            // Either of its own history, or from the middle of that of `main`.
            let parents = if branches_off { vec![&*ids[5]] } else { vec![] };
            let tip = dangling(&fixture, &parents, "elsewhere", EPOCH);
            fixture.git(&["update-ref", "refs/heads/elsewhere", &tip]);
            grow(&fixture, "refs/heads/elsewhere", "elsewhere again");
            fixture.git(&["symbolic-ref", "HEAD", "refs/heads/elsewhere"]);
            grow(&fixture, "refs/heads/main", "meanwhile");
            capture.settle(Release::V2, &fixture);
            capture.assert_exact(&fixture, &what);
        }
    }
}

#[test]
fn a_repository_that_was_empty_until_the_upgrade_is_captured_from_its_first_commit() {
    for born_before in [false, true] {
        let (_dir, fixture) = bare();
        let mut capture = Capture::of(fixture.path());
        capture.settle(Release::V1, &fixture);
        assert_eq!(
            capture.of_commits("/inc/cursor").unwrap().to_json(),
            r#"[""]"#
        );
        if born_before {
            line(&fixture, "refs/heads/main", 3);
            grow(&fixture, "refs/heads/side", "a root of its own");
        }
        let mut running = capture.start(Release::V2);
        running.settle(&fixture);
        if !born_before {
            line(&fixture, "refs/heads/main", 3);
            grow(&fixture, "refs/heads/side", "a root of its own");
        }
        running.settle(&fixture);
        running.stop();
        capture.assert_exact(&fixture, &format!("born before: {born_before}"));
        assert_eq!(capture.commits.len(), 4);
    }
}

#[test]
fn the_first_release_does_not_open_the_state_of_the_present_one() {
    let (_dir, fixture) = bare();
    line(&fixture, "refs/heads/main", 3);
    let mut capture = Capture::of(fixture.path());
    capture.settle(Release::V2, &fixture);
    let state = capture.state.clone();
    let failure = capture.start(Release::V1).failure();
    assert!(
        failure.contains("by subtask") && failure.contains("commits"),
        "{failure}"
    );
    assert!(state.same_state(&capture.state));
}
