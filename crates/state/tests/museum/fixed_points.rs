//! What has the new shape is left alone, by every ready-made migration.

use std::time::Duration;

use staunch_state::transform::{
    convert_cursors, custom, custom_whole, ensure_subtasks, flat_to_keyed, flat_to_subtasks,
    keyed_to_earliest, keyed_to_flat, merge_subtasks, move_state, remove, rename, rename_subtask,
    replace, reset, retire, set, split_subtask,
};
use staunch_state::{Chain, CursorRule, Effects, Granularity, Node};

use super::exhibit::{EXHIBITS, Exhibit, says};
use super::support::{bound, node};

#[test]
fn m20_a_state_of_the_new_shape_is_left_alone_and_migrated_once_more_it_is_refused() {
    let exhibit = Exhibit::m(20);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "not-decodable");
    let source = std::error::Error::source(&refused).unwrap();
    says(
        source,
        &[
            "`issues`",
            "`/bindingStateV1/issues/inc/alpha`",
            "lacks `cursor`",
        ],
        "add it",
    );
    let chain = Chain::new().with(flat_to_keyed("alpha"));
    let migrated = exhibit.is_put_right_by(&chain, &[bound("issues")], &[]);
    assert!(migrated.plan.is_empty());

    let wrap = custom(
        "wrap-again",
        |_, state| state.contains("inc"),
        |_, mut state| {
            let inc = state.remove("inc").unwrap_or(Node::Null);
            state.insert(
                "inc",
                [("alpha", inc)]
                    .into_iter()
                    .collect::<staunch_state::Object>(),
            );
            Ok(state)
        },
    );
    let error = Chain::new()
        .with(wrap)
        .run(&exhibit.before, &[])
        .unwrap_err();
    assert_eq!(error.code(), "migration-not-fixed");
    says(
        &error,
        &["`wrap-again`", "`issues`"],
        "`applies` must be false",
    );
}

/// Every ready-made migration, made with names that the exhibits have.
fn every_transform() -> Vec<Chain> {
    let lag = Duration::from_secs(3600);
    let initial = |text: &str| node(text).into_object().unwrap();
    let each = |text: &str| ["alpha", "acct_1", "main"].map(|name| (name, initial(text)));
    let bare = r#"{"inc":{"cursor":0}}"#;
    let one = Chain::new;
    vec![
        one().with(flat_to_keyed("alpha")),
        one().with(flat_to_keyed("alpha").marking_finished()),
        one().with(keyed_to_flat("alpha")),
        one().with(keyed_to_flat("acct_1").dropping_others()),
        one().with(keyed_to_earliest()),
        one().with(flat_to_subtasks([
            ("realtime", Duration::ZERO),
            ("late", lag),
        ])),
        one().with(split_subtask(
            "alpha",
            [("alpha", Duration::ZERO), ("late", lag)],
        )),
        one().with(split_subtask(
            "realtime",
            [("a", Duration::ZERO), ("b", Duration::ZERO)],
        )),
        one().with(merge_subtasks(["realtime", "lookback"], "all")),
        one().with(merge_subtasks(["main", "other"], "main")),
        one().with(rename_subtask("alpha", "beta")),
        one().with(rename_subtask("acct_1", "acct/1")),
        one().with(ensure_subtasks(each(bare))),
        one().with(ensure_subtasks(each(
            r#"{"inc":{"cursor":9},"backfill":{"cutoff":9}}"#,
        ))),
        one().with(ensure_subtasks(each(bare)).dropping_others()),
        one().with(ensure_subtasks(each(bare)).archiving_others()),
        one().with(convert_cursors(CursorRule::epoch_seconds_to_datetime())),
        one().with(convert_cursors(CursorRule::epoch_millis_to_datetime())),
        one().with(convert_cursors(CursorRule::datetime_to_epoch_seconds())),
        one().with(convert_cursors(CursorRule::datetime_to_epoch_millis())),
        one().with(convert_cursors(CursorRule::granularity(
            Granularity::SECONDS,
        ))),
        one().with_whole(move_state("issues", "tickets")),
        one().with_whole(move_state("acme/orders", "orders")),
        one().with(reset(|binding, _| binding.state_key == "users")),
        one().with(retire(|binding, _| binding.resource.is_none())),
        one().with(set("/paused", Node::boolean(false))),
        one().with(set("/inc/window", Node::string("PT1H"))),
        one().with(remove("/last_initialized")),
        one().with(rename("/last_initialized", "/begun")),
        one().with(replace("/page_size", Node::integer(50), Node::integer(25))),
        one().with_whole(set("/version", Node::integer(2)).at_root()),
        one().with_whole(remove("/refresh_token").at_root()),
        one().with(custom("none", |_, _| false, |_, state| Ok(state))),
        one().with_whole(custom_whole("none", |_, _| false, |_, state| Ok(state))),
    ]
}

#[test]
fn m20_every_transform_run_twice_on_every_state_changes_it_once() {
    let (mut changed, mut refused) = (0, 0);
    for number in EXHIBITS {
        let right = Exhibit::m(number).right;
        for chain in every_transform() {
            let step = chain.names().next().unwrap().to_owned();
            let Ok(once) = chain.run(&right, &[]) else {
                refused += 1;
                continue; // It says so, and the state is as it was.
            };
            changed += usize::from(!once.applied.is_empty());
            let twice = chain.run(&once.after, &[]).unwrap();
            assert!(
                twice.applied.is_empty(),
                "{step} of m{number}: {}",
                once.after
            );
            assert_eq!(
                twice.after.to_json(),
                once.after.to_json(),
                "{step} of m{number}"
            );
        }
    }
    assert!(
        changed > 200 && refused < changed / 5,
        "{changed} changed, {refused} refused"
    );
}

#[test]
fn m23_every_transform_leaves_alone_what_it_does_not_know() {
    let unknown =
        r#""region":{"of":"eu","null":null,"big":12345678901234567890123},"tags":[1,null,2.50]"#;
    for state in [
        r#"{"inc":{"cursor":7,"mark":[1]},"backfill":{"cutoff":7,"attempt":2},"#,
        r#"{"inc":{"alpha":{"cursor":7,"mark":[1]}},"backfill":{"alpha":{"cutoff":7,"attempt":2}},"#,
        r#"{"inc":{"realtime":{"cursor":7,"mark":[1]},"lookback":{"cursor":7,"mark":[1]}},"#,
    ] {
        let state =
            format!(r#"{{"newer":{{"x":1.0}},"bindingStateV1":{{"K":{state}{unknown}}}}}}}"#);
        for chain in every_transform() {
            let step = chain.names().next().unwrap().to_owned();
            let Ok(migrated) = chain.run(&node(&state), &[bound("K")]) else {
                continue; // A lag of an integer.
            };
            let after = migrated.after.to_json();
            assert!(after.contains(unknown), "{step}: {after}");
            assert!(after.contains(r#""newer":{"x":1.0}"#), "{step}: {after}");
            assert!(
                after.contains(r#""mark":[1]"#) || step == "ensure-subtasks",
                "{step}: {after}"
            );
            let attempts = state.matches(r#""attempt":2"#).count();
            let kept = after.matches(r#""attempt":2"#).count();
            assert!(kept == attempts, "{step}: {after}");
        }
    }
}
