//! What is declared, in words.

use std::time::Duration;

use super::super::{
    convert_cursors, ensure_subtasks, flat_to_keyed, flat_to_subtasks, keyed_to_flat,
    merge_subtasks, move_state, remove, rename, rename_subtask, replace, reset, retire, set,
    split_subtask,
};
use super::{HOUR, NO_LAG, node};
use crate::cursor::Cursor;
use crate::migration::{Chain, CursorRule, Effects, StepInfo};
use crate::node::Node;

#[test]
fn each_effect_has_its_words() {
    let none = Effects::NONE;
    for (effects, words) in [
        (none.clone(), ""),
        (none.clone().rewind(HOUR), "rewind by at most 1 h"),
        (
            none.clone().rewind(Duration::from_micros(90_061_000_250)),
            "rewind by at most 1 d 1 h 1 min 1 s 250 µs",
        ),
        (none.clone().rewind(Duration::ZERO), "rewind by at most 0 s"),
        (
            none.clone().rewind(Duration::from_nanos(1)),
            "rewind by at most less than 1 µs",
        ),
        (none.clone().rewind_by(3), "rewind by at most 3"),
        (none.clone().forward(HOUR), "forward by at most 1 h"),
        (none.clone().forward_by(3), "forward by at most 3"),
        (none.clone().backfill(), "start a backfill again"),
        (none.clone().reset(), "start over"),
        (none.clone().retire(), "retire"),
        (
            none.clone().changes_cursor_kind(),
            "change the kind of cursors",
        ),
        (none.clone().replaces_state(), "replace the whole state"),
        (
            none.clone()
                .converts(CursorRule::epoch_seconds_to_datetime()),
            "convert cursors (epoch seconds to date-time)",
        ),
        (
            none.clone().begins("b", Cursor::integer(5)),
            "begin subtask b at 5",
        ),
        (none.clone().drops_subtask("b"), "drop subtask b"),
        (
            none.clone().drops_all_but(["a", "b"]),
            "drop all subtasks but a, b",
        ),
        (none.clone().moves("a", "b"), "move a to b"),
        (none.clone().edits("/a/b"), "edit /a/b"),
        (
            none.clone().rewind(HOUR).rewind(2 * HOUR),
            "rewind by at most 2 h",
        ),
        (
            none.clone()
                .rewind(HOUR)
                .and(&none.clone().rewind(2 * HOUR)),
            "rewind by at most 3 h",
        ),
        (
            none.clone()
                .drops_all_but(["a", "b"])
                .and(&none.clone().drops_all_but(["b", "c"])),
            "drop all subtasks but b",
        ),
        (
            none.clone()
                .edits("/x")
                .rewind_by(1)
                .reset()
                .and(&none.clone().rewind(HOUR).edits("/y")),
            "rewind by at most 1 h, rewind by at most 1, start over, edit /x, edit /y",
        ),
    ] {
        assert_eq!(effects.to_string(), words);
    }
}

#[test]
fn each_transform_says_what_it_was_made_with_and_whether_it_can_be_undone() {
    let initial = node(r#"{"inc":{"cursor":5}}"#).into_object().unwrap();
    let stores = || ensure_subtasks([("a", initial.clone())]);
    let info = |chain: Chain| -> StepInfo { chain.steps().next().unwrap() };
    let one = Chain::new;
    for (chain, definition, declares, is_reversible) in [
        (
            one().with(flat_to_keyed("a")),
            "flat-to-keyed: the flat entry becomes that of subtask a",
            "",
            true,
        ),
        (
            one().with(flat_to_keyed("a").marking_finished().named("stores")),
            "stores: the flat entry becomes that of subtask a, marking finished backfills",
            "",
            true,
        ),
        (
            one().with(keyed_to_flat("a")),
            "keyed-to-flat: the entry of subtask a becomes the flat one",
            "",
            true,
        ),
        (
            one().with(keyed_to_flat("a").dropping_others()),
            "keyed-to-flat: the entry of subtask a becomes the flat one, others are dropped",
            "drop all subtasks but a",
            false,
        ),
        (
            one().with(flat_to_subtasks([("a", NO_LAG), ("b", HOUR)])),
            "flat-to-subtasks: the flat entry becomes a, b less 1 h",
            "rewind by at most 1 h",
            true,
        ),
        (
            one().with(flat_to_subtasks([("a", HOUR), ("b", HOUR)])),
            "flat-to-subtasks: the flat entry becomes a less 1 h, b less 1 h",
            "rewind by at most 1 h",
            false, // How far had been read is nowhere any more.
        ),
        (
            one().with(split_subtask("a", [("a", NO_LAG), ("b", NO_LAG)])),
            "split-subtask: subtask a becomes a, b",
            "",
            true,
        ),
        (
            one().with(merge_subtasks(["a", "b"], "c").rewinding(HOUR)),
            "merge-subtasks: a, b become subtask c, at the earliest cursor, at most 1 h back",
            "rewind by at most 1 h",
            false,
        ),
        (
            one().with(rename_subtask("a", "b")),
            "rename-subtask: subtask a becomes b",
            "",
            true,
        ),
        (
            one().with(stores()),
            r#"ensure-subtasks: each of a {"inc":{"cursor":5}} has its entries; others are Kept"#,
            "begin subtask a at 5",
            false,
        ),
        (
            one().with(stores().archiving_others()),
            r#"ensure-subtasks: each of a {"inc":{"cursor":5}} has its entries; others are Archived"#,
            "begin subtask a at 5",
            false,
        ),
        (
            one().with(stores().dropping_others()),
            r#"ensure-subtasks: each of a {"inc":{"cursor":5}} has its entries; others are Dropped"#,
            "begin subtask a at 5, drop all subtasks but a",
            false,
        ),
        (
            one().with(convert_cursors(CursorRule::datetime_to_epoch_seconds())),
            "convert-cursors: cursors and cutoffs: date-time to epoch seconds",
            "rewind by at most 1 s, convert cursors (date-time to epoch seconds)",
            true,
        ),
        (
            one().with(convert_cursors(CursorRule::granularity(
                crate::Granularity::SECONDS,
            ))),
            "convert-cursors: cursors and cutoffs: date-time to seconds",
            "rewind by at most 1 s, convert cursors (date-time to seconds)",
            false,
        ),
        (
            one().with_whole(move_state("a", "b")),
            "move-state: the state of a becomes that of b",
            "move a to b, edit /backfillRequests",
            true,
        ),
        (
            one().with(reset(|_, _| false)),
            "reset: start over",
            "start over",
            false,
        ),
        (
            one().with(retire(|_, _| false)),
            "retire: retire",
            "retire",
            false,
        ),
        (
            one().with(set("/a", Node::integer(1))),
            "set: /a is 1",
            "edit /a",
            false,
        ),
        (
            one().with(remove("/a")),
            "remove: /a is removed",
            "edit /a",
            false,
        ),
        (
            one().with(rename("/a", "/b")),
            "rename: /a becomes /b",
            "edit /a, edit /b",
            true,
        ),
        (
            one().with(replace("/a", Node::integer(1), Node::integer(2))),
            "replace: /a of 1 becomes 2",
            "edit /a",
            true,
        ),
        (
            one().with_whole(set("/a", Node::integer(1)).named("version").at_root()),
            "version: /a is 1",
            "edit /a",
            false,
        ),
    ] {
        let name = definition.split(':').next().unwrap();
        let declared = chain.declared().by(name).to_string();
        let StepInfo {
            name: said,
            definition: text,
            is_reversible: reversible,
        } = info(chain);
        assert_eq!(
            (said.as_str(), text.as_str(), reversible),
            (name, definition, is_reversible)
        );
        assert_eq!(declared, declares, "{definition}");
    }
}

#[test]
fn subtasks_that_begin_at_the_same_place_are_told_together_and_once() {
    let begun = |names: std::ops::Range<u32>| {
        names.fold(Effects::NONE, |effects, name| {
            effects.begins(format!("s{name}"), Cursor::integer(5))
        })
    };
    let two = begun(0..2)
        .and(&begun(0..2))
        .begins("late", Cursor::integer(7));
    assert_eq!(
        two.to_string(),
        "begin subtasks s0, s1 at 5, begin subtask late at 7"
    );
    assert_eq!(
        begun(0..200).to_string(),
        "begin subtasks s0, s1, s2, s3, s4, s5, s6, s7, s8, s9 and 190 more at 5"
    );
}
