//! Kills what a person types to change a state, at every step of it.

use staunch_crash_tests::script::Release;
use staunch_runtime::store::Store;

use crate::point::step_orders;
use crate::project::{CAPTURE, Ended, Pace, Project};
use crate::reference::Reference;

/// What is looked at of a project.
#[derive(Debug, PartialEq)]
struct Left {
    revision: u64,
    state: String,
    documents: u64,
    /// Whether the last change was this.
    kind: String,
}

fn look(project: &Project) -> Left {
    let reader = Store::open_readonly(&project.path(".staunch")).expect("the store can be read");
    let row = reader
        .load(CAPTURE)
        .expect("it can be read")
        .expect("it is there");
    reader.check_history(CAPTURE).expect("the history is whole");
    let last = reader
        .history(CAPTURE, 1)
        .expect("it can be read")
        .remove(0);
    Left {
        revision: row.revision,
        state: row.state,
        documents: row.documents,
        kind: last.kind,
    }
}

fn typed(project: &Project, words: &[&str], orders: &[(&str, String)]) -> Ended {
    project.staunch(words, Release::Second, orders)
}

#[test]
fn killing_a_change_by_hand_at_every_step_leaves_it_done_or_not_done() {
    let reference = Reference::of(Pace::Paced);
    let second = env!("CARGO_BIN_EXE_scripted-v2");
    let rollback = format!("migrate rollback --with {second} --mode snapshot --yes");
    let reset = "state reset --binding events --allow backfill:events --unread --yes";
    for (line, kind) in [(&*rollback, "rollback"), (reset, "reset")] {
        let words: Vec<&str> = line.split(' ').collect();
        let words = &words[..];
        let begin = reference.begin_after(Release::Second);
        let before = look(&begin);
        let whole = begin.copy();
        let ended = typed(&whole, words, &[]);
        assert!(ended.status.success(), "{words:?}: {}", ended.said);
        let after = look(&whole);
        assert_eq!(
            (after.revision, &*after.kind, after.documents),
            (before.revision + 1, kind, before.documents)
        );
        assert!(ended.steps.len() > 4, "{:?}", ended.steps);
        let mut kinds = [0, 0];
        for (nth, step) in ended.steps.iter().enumerate() {
            let project = begin.copy();
            let killed = typed(&project, words, &step_orders(nth + 1));
            assert!(
                !killed.status.success(),
                "{words:?} at {step}: {}",
                killed.said
            );
            let left = look(&project);
            match left == before {
                true => {
                    kinds[0] += 1;
                    let again = typed(&project, words, &[]);
                    assert!(again.status.success(), "{step}: {}", again.said);
                    assert_eq!(look(&project), after, "{words:?} after {step}");
                }
                false => {
                    kinds[1] += 1;
                    assert_eq!(left, after, "{words:?} at {step}");
                }
            }
        }
        assert!(kinds.iter().all(|count| *count > 0), "{kinds:?}");
    }
}
