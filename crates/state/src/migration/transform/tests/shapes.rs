//! From one entry to several, under other names, and back.

use super::super::{
    flat_to_keyed, flat_to_subtasks, keyed_to_earliest, keyed_to_flat, merge_subtasks,
    rename_subtask, split_subtask,
};
use super::{HOUR, NO_LAG, becomes, keeps, one, refuses};

/// States of which nothing that is flat is to be made keyed, for there is nothing flat.
const NOTHING_FLAT: [&str; 7] = [
    "null",
    "{}",
    r#"{"inc":null}"#,
    r#"{"inc":{}}"#,
    r#"{"inc":{"cursor":null,"a":{"cursor":7}}}"#,
    r#"{"inc":{"a":{"cursor":7},"b":null},"backfill":{"a":{"cutoff":7}}}"#,
    r#"{"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":1,"last_digest":"d"}}"#,
];

#[test]
fn a_flat_entry_gets_a_key() {
    let chain = one(flat_to_keyed("a"));
    becomes(
        &chain,
        &[
            (
                r#"{"inc":{"cursor":7}}"#,
                r#"{"inc":{"a":{"cursor":7}}}"#,
                "REWRITE",
            ),
            (
                r#"{"inc":{"cursor":["x\u0041",7],"mark":[1]},"backfill":{"cutoff":1,"next_page":{"p":1.50},"try":2}}"#,
                r#"{"inc":{"a":{"cursor":["x\u0041",7],"mark":[1]}},"backfill":{"a":{"cutoff":1,"next_page":{"p":1.50},"try":2}}}"#,
                "REWRITE",
            ),
            (
                r#"{"backfill":null,"inc":{"cursor":7},"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":1,"last_digest":"d"}}"#,
                r#"{"backfill":null,"inc":{"a":{"cursor":7}},"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":1,"last_digest":"d"}}"#,
                "REWRITE",
            ),
            (
                r#"{"inc":{"cursor":7},"backfill":{}}"#,
                r#"{"inc":{"a":{"cursor":7}},"backfill":{}}"#,
                "REWRITE",
            ),
            // Half of it had been done.
            (
                r#"{"inc":{"cursor":7},"backfill":{"a":{"cutoff":5}}}"#,
                r#"{"inc":{"a":{"cursor":7}},"backfill":{"a":{"cutoff":5}}}"#,
                "REWRITE",
            ),
        ],
    );
    keeps(&chain, &NOTHING_FLAT);
    refuses(
        &chain,
        &[
            (
                r#"{"inc":{"cursor":7,"a":{"cursor":7}}}"#,
                "/inc",
                "the subtask `a`",
                "remove one",
            ),
            (
                r#"{"inc":{"cursor":7},"backfill":{"cutoff":7,"b":{"cutoff":7}}}"#,
                "/backfill",
                "the subtask `b`",
                "remove one",
            ),
            (
                r#"{"inc":{"cursor":{"cursor":7}}}"#,
                "/inc",
                "the subtask `cursor`",
                "remove one",
            ),
        ],
    );
    let marking = one(flat_to_keyed("a").marking_finished());
    becomes(
        &marking,
        &[
            (
                r#"{"inc":{"cursor":7}}"#,
                r#"{"inc":{"a":{"cursor":7}},"backfill":{}}"#,
                "REWRITE",
            ),
            (
                r#"{"inc":{"cursor":7},"backfill":{"cutoff":7}}"#,
                r#"{"inc":{"a":{"cursor":7}},"backfill":{"a":{"cutoff":7}}}"#,
                "REWRITE",
            ),
        ],
    );
    keeps(&marking, &NOTHING_FLAT);
}

#[test]
fn a_flat_cursor_becomes_one_for_each_subtask_less_its_lag() {
    let chain = one(flat_to_subtasks([
        ("realtime", NO_LAG),
        ("lookback", 6 * HOUR),
    ]));
    let rewinds = "REWIND: the cursor of `lookback` moves back by 6 h, and reads that again";
    becomes(
        &chain,
        &[
            (
                r#"{"inc":{"cursor":"2025-06-10T08:00:00.250000Z"}}"#,
                r#"{"inc":{"realtime":{"cursor":"2025-06-10T08:00:00.250000Z"},"lookback":{"cursor":"2025-06-10T02:00:00.250000Z"}}}"#,
                rewinds,
            ),
            (
                r#"{"inc":{"cursor":"2025-03-01 01:00:00+02:00","mark":[1]},"backfill":{"cutoff":"2025-02-01T00:00:00Z","next_page":"p"}}"#,
                r#"{"inc":{"realtime":{"cursor":"2025-03-01 01:00:00+02:00","mark":[1]},"lookback":{"cursor":"2025-02-28 19:00:00+02:00","mark":[1]}},"backfill":{"cutoff":"2025-02-01T00:00:00Z","next_page":"p"}}"#,
                rewinds,
            ),
        ],
    );
    keeps(&chain, &NOTHING_FLAT);
    refuses(
        &chain,
        &[
            (
                r#"{"inc":{"cursor":7}}"#,
                "/inc/cursor",
                "no date-time that a lag can be taken from",
                "without a lag",
            ),
            (
                r#"{"inc":{"cursor":["a"]}}"#,
                "/inc/cursor",
                "no date-time",
                "without a lag",
            ),
            (
                r#"{"inc":{"cursor":"2025-06-10"}}"#,
                "/inc/cursor",
                "no RFC 3339 date-time",
                "write it as in",
            ),
            (
                r#"{"inc":{"cursor":7,"lookback":{"cursor":7}}}"#,
                "/inc",
                "the subtask `lookback`",
                "remove one",
            ),
        ],
    );
    let copies = one(flat_to_subtasks([("a", NO_LAG), ("b", NO_LAG)]));
    becomes(
        &copies,
        &[(
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"a":{"cursor":7},"b":{"cursor":7}}}"#,
            "REWRITE",
        )],
    );
    let flat = r#"{"inc":{"cursor":7}}"#;
    let none: [(&str, _); 0] = [];
    refuses(
        &one(flat_to_subtasks(none)),
        &[(flat, "/inc", "no subtask at all", "name at least one")],
    );
    let twice = one(flat_to_subtasks([("a", NO_LAG), ("a", NO_LAG)]));
    refuses(
        &twice,
        &[(flat, "/inc", "two subtasks named `a`", "a name of its own")],
    );
}

#[test]
fn an_entry_under_a_key_becomes_flat() {
    let chain = one(keyed_to_flat("a"));
    becomes(
        &chain,
        &[
            (
                r#"{"inc":{"a":{"cursor":7,"mark":[1]}},"backfill":{"a":{"cutoff":7,"next_page":"p"}}}"#,
                r#"{"inc":{"cursor":7,"mark":[1]},"backfill":{"cutoff":7,"next_page":"p"}}"#,
                "REWRITE",
            ),
            // What is finished leaves no entry, whichever way it was written.
            (
                r#"{"inc":{"a":{"cursor":7}},"backfill":{}}"#,
                r#"{"inc":{"cursor":7}}"#,
                "REWRITE",
            ),
            (
                r#"{"inc":{"a":{"cursor":7}},"backfill":{"a":null}}"#,
                r#"{"inc":{"cursor":7}}"#,
                "REWRITE",
            ),
            (
                r#"{"inc":{"a":{"cursor":7},"b":null}}"#,
                r#"{"inc":{"cursor":7}}"#,
                "REWRITE",
            ),
            // Half of it had been done.
            (
                r#"{"inc":{"a":{"cursor":7}},"backfill":{"cutoff":7}}"#,
                r#"{"inc":{"cursor":7},"backfill":{"cutoff":7}}"#,
                "REWRITE",
            ),
            (
                r#"{"inc":{"a":{"cursor":7}},"snapshot":{"a":{"updated_at":"2025-06-10T08:00:00Z","last_count":1,"last_digest":"d"}}}"#,
                r#"{"inc":{"cursor":7},"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":1,"last_digest":"d"}}"#,
                "REWRITE",
            ),
        ],
    );
    keeps(
        &chain,
        &[
            "null",
            "{}",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"b":{"cursor":7}}}"#,
            r#"{"inc":{"a":null}}"#,
        ],
    );
    refuses(
        &chain,
        &[
            (
                r#"{"inc":{"a":{"cursor":7},"b":{"cursor":8}}}"#,
                "/inc",
                "the subtask `b` beside `a`",
                "`dropping_others()`",
            ),
            (
                r#"{"inc":{"a":{"cursor":7}},"backfill":{"b":{"cutoff":8}}}"#,
                "/backfill",
                "the subtask `b` beside `a`",
                "`dropping_others()`",
            ),
        ],
    );
    becomes(
        &one(keyed_to_flat("a").dropping_others()),
        &[(
            r#"{"inc":{"a":{"cursor":7},"b":{"cursor":5}},"backfill":{"b":{"cutoff":5,"next_page":"p"}}}"#,
            r#"{"inc":{"cursor":7}}"#,
            "REWRITE: the cursor of `b` is given up, as declared",
        )],
    );
}

#[test]
fn all_subtasks_become_one_flat_entry_at_the_earliest_cursor() {
    let chain = one(keyed_to_earliest());
    becomes(
        &chain,
        &[
            (
                r#"{"inc":{"a":{"cursor":7,"mark":[1]}}}"#,
                r#"{"inc":{"cursor":7,"mark":[1]}}"#,
                "REWRITE",
            ),
            (
                r#"{"inc":{"a":{"cursor":9},"b":{"cursor":7}},"backfill":{"b":{"cutoff":7}}}"#,
                r#"{"inc":{"cursor":7},"backfill":{"cutoff":7}}"#,
                "REWIND needs rewind: the cursor of `a` moves back by 2, and reads that again",
            ),
            (
                r#"{"inc":{"a":{"cursor":7},"b":{"cursor":7}},"backfill":{}}"#,
                r#"{"inc":{"cursor":7}}"#,
                "REWRITE",
            ),
        ],
    );
    keeps(
        &chain,
        &[
            "null",
            "{}",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"a":null}}"#,
        ],
    );
    let both = r#"{"inc":{"a":{"cursor":7},"b":{"cursor":7}},"backfill":{"a":{"cutoff":7},"b":{"cutoff":7}}}"#;
    let tuples = r#"{"inc":{"a":{"cursor":["x"]},"b":{"cursor":["y"]}}}"#;
    refuses(
        &chain,
        &[
            (
                both,
                "/backfill",
                "`a` and of `b`, which cannot become one",
                "finish them first",
            ),
            (
                tuples,
                "/inc/b/cursor",
                "cannot be ordered",
                "come to one position first",
            ),
            (
                r#"{"inc":{"a":{}}}"#,
                "/inc/a/cursor",
                "is null",
                "a cursor is",
            ),
        ],
    );
    becomes(
        &one(keyed_to_earliest().rewinding(HOUR)),
        &[
            (
                r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:00Z"},"b":{"cursor":"2025-06-10T07:00:00Z"}}}"#,
                r#"{"inc":{"cursor":"2025-06-10T07:00:00Z"}}"#,
                "REWIND: the cursor of `a` moves back by 1 h, and reads that again",
            ),
            (
                r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:00Z"},"b":{"cursor":"2025-06-10T06:59:59Z"}}}"#,
                r#"{"inc":{"cursor":"2025-06-10T06:59:59Z"}}"#,
                "REWIND needs rewind: the cursor of `a` moves back by 1 h 1 s, and reads that again",
            ),
        ],
    );
}

#[test]
fn a_subtask_gets_another_name_at_its_place() {
    let chain = one(rename_subtask("a", "x/y"));
    becomes(
        &chain,
        &[
            (
                r#"{"inc":{"z":{"cursor":1},"a":{"cursor":7,"mark":[1]},"b":{"cursor":2}},"backfill":{"a":{"cutoff":7}}}"#,
                r#"{"inc":{"z":{"cursor":1},"x/y":{"cursor":7,"mark":[1]},"b":{"cursor":2}},"backfill":{"x/y":{"cutoff":7}}}"#,
                "REWRITE",
            ),
            (
                r#"{"inc":{"x/y":null,"a":{"cursor":7}}}"#,
                r#"{"inc":{"x/y":{"cursor":7}}}"#,
                "REWRITE",
            ),
            // Half of it had been done.
            (
                r#"{"inc":{"x/y":{"cursor":7}},"backfill":{"a":{"cutoff":7}}}"#,
                r#"{"inc":{"x/y":{"cursor":7}},"backfill":{"x/y":{"cutoff":7}}}"#,
                "REWRITE",
            ),
            (
                r#"{"snapshot":{"a":{"updated_at":"2025-06-10T08:00:00Z","last_count":1,"last_digest":"d"}}}"#,
                r#"{"snapshot":{"x/y":{"updated_at":"2025-06-10T08:00:00Z","last_count":1,"last_digest":"d"}}}"#,
                "REWRITE",
            ),
        ],
    );
    keeps(
        &chain,
        &[
            "null",
            "{}",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"b":{"cursor":7},"a":null}}"#,
        ],
    );
    refuses(
        &chain,
        &[(
            r#"{"inc":{"a":{"cursor":7},"x/y":{"cursor":8}}}"#,
            "/inc",
            "`a` and of `x/y`, and nothing tells which is ahead",
            "remove one",
        )],
    );
    keeps(
        &one(rename_subtask("a", "a")),
        &[r#"{"inc":{"a":{"cursor":7}}}"#],
    );
}

#[test]
fn a_subtask_is_split_and_the_first_part_carries_its_backfill_on() {
    let chain = one(split_subtask("all", [("new", NO_LAG), ("old", HOUR)]));
    becomes(
        &chain,
        &[
            (
                r#"{"inc":{"z":{"cursor":1},"all":{"cursor":"2025-06-10T08:00:00Z","mark":[1]}},"backfill":{"all":{"cutoff":"2025-06-01T00:00:00Z","next_page":"p"}}}"#,
                r#"{"inc":{"z":{"cursor":1},"new":{"cursor":"2025-06-10T08:00:00Z","mark":[1]},"old":{"cursor":"2025-06-10T07:00:00Z","mark":[1]}},"backfill":{"new":{"cutoff":"2025-06-01T00:00:00Z","next_page":"p"}}}"#,
                "REWIND: the cursor of `old` moves back by 1 h, and reads that again",
            ),
            (
                r#"{"inc":{"new":null,"all":{"cursor":"2025-06-10T08:00:00Z"}},"backfill":{}}"#,
                r#"{"inc":{"new":{"cursor":"2025-06-10T08:00:00Z"},"old":{"cursor":"2025-06-10T07:00:00Z"}},"backfill":{}}"#,
                "REWIND: the cursor of `old` moves back by 1 h, and reads that again",
            ),
        ],
    );
    keeps(
        &chain,
        &[
            "null",
            "{}",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"new":{"cursor":7},"old":{"cursor":7}}}"#,
        ],
    );
    refuses(
        &chain,
        &[
            (
                r#"{"inc":{"all":{"cursor":7},"old":{"cursor":7}}}"#,
                "/inc",
                "`all` and `old`",
                "remove one",
            ),
            (
                r#"{"inc":{"all":{"cursor":7}}}"#,
                "/inc/all/cursor",
                "no date-time",
                "without a lag",
            ),
            (
                r#"{"inc":{"all":{"cursor":"2025-06-10T08:00:00Z"}},"backfill":{"all":{"cutoff":7},"new":{"cutoff":7}}}"#,
                "/backfill",
                "the subtask `new` already",
                "remove one",
            ),
        ],
    );
    becomes(
        &one(split_subtask("all", [("all", NO_LAG), ("more", NO_LAG)])),
        &[(
            r#"{"inc":{"all":{"cursor":7}},"backfill":{"all":{"cutoff":7}}}"#,
            r#"{"inc":{"all":{"cursor":7},"more":{"cursor":7}},"backfill":{"all":{"cutoff":7}}}"#,
            "REWRITE: subtask `more` is new, and begins by itself",
        )],
    );
}

#[test]
fn subtasks_are_merged_at_the_earliest_cursor_which_needs_consent_or_a_word_beforehand() {
    let chain = one(merge_subtasks(["a", "b"], "all"));
    let apart = r#"{"inc":{"a":{"cursor":"2025-06-10T08:00:00Z"},"z":{"cursor":1},"b":{"cursor":"2025-06-10T07:00:00Z","mark":[1]}},"backfill":{"a":{"cutoff":"2025-06-01T00:00:00Z"}}}"#;
    let merged = r#"{"inc":{"z":{"cursor":1},"all":{"cursor":"2025-06-10T07:00:00Z","mark":[1]}},"backfill":{"all":{"cutoff":"2025-06-01T00:00:00Z"}}}"#;
    becomes(
        &chain,
        &[
            (
                apart,
                merged,
                "REWIND needs rewind: the cursor of `a` moves back by 1 h, and reads that again",
            ),
            (
                r#"{"inc":{"a":{"cursor":7},"b":{"cursor":7}}}"#,
                r#"{"inc":{"all":{"cursor":7}}}"#,
                "REWRITE",
            ),
            (
                r#"{"inc":{"b":{"cursor":7},"a":null}}"#,
                r#"{"inc":{"a":null,"all":{"cursor":7}}}"#,
                "REWRITE",
            ),
        ],
    );
    becomes(
        &one(merge_subtasks(["a", "b"], "all").rewinding(HOUR)),
        &[(
            apart,
            merged,
            "REWIND: the cursor of `a` moves back by 1 h, and reads that again",
        )],
    );
    keeps(
        &chain,
        &[
            "null",
            "{}",
            r#"{"inc":{"cursor":7}}"#,
            r#"{"inc":{"all":{"cursor":7}}}"#,
            r#"{"inc":{"z":{"cursor":7}}}"#,
        ],
    );
    let both = r#"{"inc":{"a":{"cursor":7},"b":{"cursor":7}},"backfill":{"a":{"cutoff":7},"b":{"cutoff":7}}}"#;
    refuses(
        &chain,
        &[
            (
                r#"{"inc":{"a":{"cursor":7},"all":{"cursor":7}}}"#,
                "/inc",
                "a subtask `all` already",
                "remove one",
            ),
            (both, "/backfill", "`a` and of `b`", "finish them first"),
            (
                r#"{"inc":{"a":{"cursor":7},"b":{"cursor":["x"]}}}"#,
                "/inc/b/cursor",
                "cannot be ordered",
                "one position",
            ),
        ],
    );
    // Into one of themselves.
    let into_a = one(merge_subtasks(["a", "b"], "a"));
    becomes(
        &into_a,
        &[(
            r#"{"inc":{"a":{"cursor":7},"b":{"cursor":7}}}"#,
            r#"{"inc":{"a":{"cursor":7}}}"#,
            "REWRITE: the cursor of `b` is given up, as declared",
        )],
    );
    keeps(&into_a, &[r#"{"inc":{"a":{"cursor":7}}}"#]);
}
