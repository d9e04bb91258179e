//! Mistakes about when a migration runs, and what happens when it cannot.

use staunch_state::transform::{custom, flat_to_keyed};
use staunch_state::{Chain, ConnectorState, Effects, Node, Object, Outcome, Terms, plan};

use super::exhibit::{Exhibit, says};
use super::support::{bound, node, refusal};
use super::updates::realtime_and_lookback;

#[test]
fn m04_there_is_nothing_to_send_before_every_binding_is_migrated() {
    let exhibit = Exhibit::m(4);
    let migrated = exhibit.is_put_right_by(
        &realtime_and_lookback(),
        &["issues", "boards"].map(bound),
        &[],
    );
    assert_eq!(
        migrated.plan.bindings().count(),
        2,
        "one checkpoint for both"
    );

    let mut state = exhibit.before.clone();
    let boards = state.pointer_mut("/bindingStateV1/boards/inc").unwrap();
    boards
        .as_object_mut()
        .unwrap()
        .insert("cursor", Node::integer(7));
    let error = realtime_and_lookback().run(&state, &[]).unwrap_err();
    says(
        &error,
        &[
            "`flat-to-subtasks`",
            "`boards`",
            "`/bindingStateV1/boards/inc/cursor`",
            "no date-time",
        ],
        "use one without a lag",
    );

    // What was sent too early is completed.
    let late = realtime_and_lookback().run(&exhibit.mistaken, &[]).unwrap();
    assert_eq!(late.after.to_json(), exhibit.right.to_json());
    assert_eq!(&*late.applied[0].state_keys, ["boards".into()]);
}

#[test]
fn m05_the_chain_sees_states_that_the_model_cannot_read() {
    let exhibit = Exhibit::m(5);
    let state = ConnectorState::new(exhibit.mistaken.clone()).unwrap();
    let error = state.decode().unwrap_err();
    says(
        &error,
        &["`events`", "`/bindingStateV1/events/inc/last_seen`"],
        "the entry of a subtask is one",
    );

    let chain = Chain::new().with(custom(
        "last-seen-is-the-cursor",
        |_, state| {
            state
                .get("inc")
                .and_then(Node::as_object)
                .is_some_and(|inc| inc.contains("last_seen"))
        },
        |_, mut state| {
            let inc = state.get_mut("inc").and_then(Node::as_object_mut);
            if let Some(inc) = inc
                && let Some(seen) = inc.remove("last_seen")
            {
                inc.insert("cursor", seen);
            }
            Ok(state)
        },
    ));
    let migrated = exhibit.is_put_right_by(&chain, &[bound("events")], &[]);
    let (group, _) = migrated.plan.binding("events").unwrap();
    assert_eq!(
        group.outcome,
        Outcome::Rewrite,
        "the cursor is found in the old shape"
    );
    assert_eq!(group.notes, ["the state before does not fit the model"]);
    ConnectorState::new(migrated.after)
        .unwrap()
        .decode()
        .unwrap();
}

#[test]
fn m12_a_state_that_cannot_be_read_is_an_error_and_never_an_empty_one() {
    let exhibit = Exhibit::m(12);
    let decode = |state: &Node| ConnectorState::new(state.clone()).unwrap().decode();
    let error = decode(&exhibit.before).unwrap_err();
    says(
        &error,
        &[
            "`events`",
            "`/bindingStateV1/events/inc/cursor`",
            "without a zone",
        ],
        "add `Z`",
    );
    assert!(!error.to_string().contains("2025"), "no value is quoted");
    assert!(ConnectorState::parse(r#"{"bindingStateV1":"#).is_err());
    assert!(ConnectorState::parse("[]").is_err());

    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(refused.code(), "binding-lost");
    says(&refused, &["`mistaken`", "`events`"], "keep it");

    // Nor is it taken for one that may begin again, without the word of a person.
    let starts_over = |_: &_, _: Object| {
        let initial = r#"{"inc":{"cursor":"2025-06-15T12:00:00Z"},"backfill":{"cutoff":"2025-06-15T12:00:00Z"},"last_initialized":"2025-01-01T00:00:00Z"}"#;
        Ok(node(initial).into_object().unwrap())
    };
    let of_events = |binding: &staunch_state::Binding, state: &Object| {
        binding.state_key == "events" && !state.contains("backfill")
    };
    let silently = Chain::new().with(custom("begin-again", of_events, starts_over));
    let refused = refusal(&exhibit.before, &silently, &[]);
    says(&refused, &["needs consent"], "`--allow unknown:events`");

    let zone = custom(
        "all-are-utc",
        |_, state| at(state).is_some_and(|text| !text.ends_with('Z')),
        |_, mut state| {
            let text = at(&state).unwrap_or_default();
            state.insert(
                "inc",
                Object::from_iter([("cursor", Node::string(text + "Z"))]),
            );
            Ok(state)
        },
    );
    let chain = Chain::new().with(zone);
    let migrated =
        exhibit.is_put_right_by(&chain, &["events", "users"].map(bound), &["unknown:events"]);
    assert_eq!(
        migrated.outcome("events"),
        Outcome::Unknown,
        "nobody can tell which zone it was"
    );
    decode(&migrated.after).unwrap();
}

/// The text of a flat cursor.
fn at(state: &Object) -> Option<String> {
    let inc = state.get("inc")?.as_object()?;
    Some(inc.get("cursor")?.as_str()?.into_owned())
}

#[test]
fn m17_a_list_whose_order_changed_is_told_by_a_marker_and_goes_back_as_it_came() {
    let exhibit = Exhibit::m(17);
    let of = |state: &Object, member: &str| {
        let metadata = state.get("metadata").and_then(Node::as_object);
        metadata.and_then(|metadata| metadata.get(member).cloned())
    };
    let is_from_one = move |state: &Object| of(state, "enums").is_some();
    // Every list has the empty value in front, or none has.
    let edit = |add: bool| {
        move |_: &_, mut state: Object| {
            let metadata = state.get_mut("metadata").and_then(Node::as_object_mut);
            let Some(metadata) = metadata else {
                return Ok(state);
            };
            for (_, column) in metadata.iter_mut() {
                if let Some(values) = column.as_leaf().and_then(|leaf| leaf.elements()) {
                    let empty = add.then(|| Node::string(""));
                    let kept = values.into_iter().skip(usize::from(!add));
                    *column = Node::array(empty.into_iter().chain(kept));
                }
            }
            if add {
                metadata.insert("enums", Node::string("from-one"));
            } else {
                metadata.remove("enums");
            }
            Ok(state)
        }
    };
    let step = |marked: bool| {
        custom(
            "enums-from-one",
            move |_, state| state.contains("metadata") && !(marked && is_from_one(state)),
            edit(true),
        )
        .undone_by(move |_, state| is_from_one(state), edit(false))
        .declaring(Effects::NONE.edits("/metadata"))
    };
    let chain = Chain::new().with(step(true));
    let migrated = exhibit.is_put_right_by(&chain, &["orders", "refunds"].map(bound), &[]);
    assert_eq!(
        migrated.outcome("refunds"),
        Outcome::Keep,
        "mixed states are told apart"
    );

    // Without a marker a step cannot tell, and that is found before anything is sent.
    let error = Chain::new()
        .with(step(false))
        .run(&exhibit.before, &[])
        .unwrap_err();
    assert_eq!(error.code(), "migration-not-fixed");
    says(
        &error,
        &["`enums-from-one`", "`orders`"],
        "`applies` must be false of what the chain returns",
    );

    // What the new version wrote goes back too: the order of before is that of the older version.
    let back = chain.back_to(None).unwrap();
    let undone = back.run(&migrated.after, &[]).unwrap();
    let orders = |state: &Node| state.pointer("/bindingStateV1/orders").unwrap().to_json();
    assert_eq!(orders(&undone.after), orders(&exhibit.before));
    let terms = Terms {
        declared: back.declared(),
        ..Terms::default()
    };
    plan(&migrated.after, &undone.after, &[], &undone.applied, &terms).unwrap();
}

#[test]
fn m19_a_migration_that_was_not_committed_is_made_again_and_comes_out_the_same() {
    let exhibit = Exhibit::m(19);
    let chain = Chain::new().with(flat_to_keyed("main"));
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(
        refused.code(),
        "not-decodable",
        "what followed, merged into the old shape"
    );
    says(
        &std::error::Error::source(&refused).unwrap(),
        &["`docs`", "`/bindingStateV1/docs/inc`"],
        "migrate again",
    );

    let first = exhibit.is_put_right_by(&chain, &[bound("docs")], &[]);
    let again = exhibit.is_put_right_by(&chain, &[bound("docs")], &[]);
    assert_eq!(
        first.plan, again.plan,
        "the process ended before: the same plan once more"
    );
    let committed = first.plan.apply(exhibit.before.clone());
    let after = chain.run(&committed, &[bound("docs")]).unwrap();
    assert!(
        after.applied.is_empty(),
        "it ended behind: nothing is left to do"
    );
    assert_eq!(after.after.to_json(), committed.to_json());
}

#[test]
fn m21_the_same_state_comes_out_the_same_whoever_asks() {
    let exhibit = Exhibit::m(21);
    let refused = exhibit.refused(Effects::NONE);
    assert_eq!(
        refused.code(),
        "not-decodable",
        "`boards` was opened another way"
    );
    let chain = Chain::new().with(flat_to_keyed("alpha"));
    exhibit.is_put_right_by(&chain, &["issues", "boards"].map(bound), &[]);
    for bindings in [
        vec![],
        vec![bound("boards")],
        ["boards", "other", "issues"].map(bound).to_vec(),
    ] {
        exhibit.is_put_right_by(&chain, &bindings, &[]);
    }
}
