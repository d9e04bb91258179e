//! Edits of single members, and an author's own functions.

use super::super::{custom, remove, rename, replace, set};
use super::{becomes, keeps, node, one, refuses};
use crate::migration::{Effects, Migration, MigrationError};
use crate::node::Node;

#[test]
fn a_member_is_set_removed_renamed_or_replaced_at_its_pointer() {
    let one_hour = Node::string("PT1H");
    becomes(
        &one(set("/inc/window", one_hour.clone())),
        &[
            (
                r#"{"inc":{"cursor":7}}"#,
                r#"{"inc":{"cursor":7,"window":"PT1H"}}"#,
                "REWRITE",
            ),
            (
                r#"{"inc":{"cursor":7,"window":null}}"#,
                r#"{"inc":{"cursor":7,"window":"PT1H"}}"#,
                "REWRITE",
            ),
        ],
    );
    becomes(
        &one(set("/a~1b/c~0d", Node::integer(1))),
        &[(
            r#"{"inc":{"cursor":7},"a/b":{"e":2}}"#,
            r#"{"inc":{"cursor":7},"a/b":{"e":2,"c~d":1}}"#,
            "REWRITE",
        )],
    );
    becomes(
        &one(remove("/inc/window")),
        &[(
            r#"{"inc":{"cursor":7,"window":"PT1H"}}"#,
            r#"{"inc":{"cursor":7}}"#,
            "REWRITE",
        )],
    );
    becomes(
        &one(rename("/inc/window", "/window")),
        &[(
            r#"{"inc":{"cursor":7,"window":{"of":[1]}}}"#,
            r#"{"inc":{"cursor":7},"window":{"of":[1]}}"#,
            "REWRITE",
        )],
    );
    becomes(
        &one(replace(
            "/inc/window",
            one_hour.clone(),
            node(r#"{"hours":1}"#),
        )),
        &[(
            r#"{"inc":{"cursor":7,"window":"PT\u0031H"}}"#,
            r#"{"inc":{"cursor":7,"window":{"hours":1}}}"#,
            "REWRITE",
        )],
    );
    let window = r#"{"inc":{"cursor":7,"window":"PT1H"}}"#;
    keeps(&one(set("/inc/window", one_hour)), &[window, "null"]);
    keeps(
        &one(remove("/inc/size")),
        &[window, r#"{"inc":{"size":null}}"#],
    );
    keeps(
        &one(rename("/inc/size", "/size")),
        &[window, r#"{"inc":{"size":null}}"#],
    );
    keeps(
        &one(replace("/inc/window", Node::string("PT2H"), Node::Null)),
        &[window],
    );
    // A null inside is nothing, and is not set again at every open.
    keeps(
        &one(set("/tuning", node(r#"{"size":1,"lag":null}"#))),
        &[r#"{"tuning":{"size":1}}"#],
    );
}

#[test]
fn an_edit_that_would_take_something_else_away_is_refused() {
    let cursor = r#"{"inc":{"cursor":7},"window":1}"#;
    refuses(
        &one(set("/inc/cursor/at", Node::integer(1))),
        &[(
            cursor,
            "/inc/cursor/at",
            "`cursor` on the way to it is no object",
            "correct the pointer",
        )],
    );
    refuses(
        &one(rename("/window", "/inc/cursor")),
        &[(
            cursor,
            "/inc/cursor",
            "is there already, beside `/window`",
            "remove one",
        )],
    );
    refuses(
        &one(set("window", Node::integer(1))),
        &[(
            cursor,
            "window",
            "is no pointer to a member",
            "write it as in `/inc/cursor`",
        )],
    );
}

#[test]
fn an_edit_of_a_cursor_is_held_against_the_checks_as_any_other() {
    let to = |text: &str| one(set("/inc/cursor", node(text)));
    for (text, says) in [
        ("7", "KEEP"),
        (
            "6",
            "REWIND needs rewind: the cursor moves back by 1, and reads that again",
        ),
        ("8", "cursor-provenance"),
        (r#""2025-06-10T08:00:00Z""#, "cursor-kind-changed"),
        ("[7]", "cursor-kind-changed"),
        ("true", "not-decodable"),
    ] {
        let after = format!(r#"{{"inc":{{"cursor":{text}}}}}"#);
        becomes(&to(text), &[(r#"{"inc":{"cursor":7}}"#, &after, says)]);
    }
    let removed = r#"{"inc":{}}"#;
    let says = "BACKFILL needs backfill: the cursor is dropped, and what it read would start over";
    becomes(
        &one(remove("/inc/cursor")),
        &[(r#"{"inc":{"cursor":7}}"#, removed, says)],
    );
}

#[test]
fn functions_of_an_authors_own_are_held_to_what_they_declare() {
    let number = |effects: Effects| {
        custom(
            "count-from-one",
            |_, state| state.contains("index"),
            |_, mut state| {
                let index = state
                    .remove("index")
                    .and_then(|node| node.as_leaf()?.as_u64());
                let index = index
                    .ok_or_else(|| MigrationError::failed("/index", "is no count; correct it"))?;
                state.insert("number", Node::integer(index + 1));
                Ok(state)
            },
        )
        .declaring(effects)
    };
    let before = r#"{"inc":{"cursor":7},"index":4}"#;
    let after = r#"{"inc":{"cursor":7},"number":5}"#;
    let declared = Effects::NONE.edits("/index").edits("/number");
    becomes(
        &one(number(declared.clone())),
        &[(before, after, "REWRITE")],
    );
    becomes(
        &one(number(Effects::NONE)),
        &[(before, after, "sibling-lost")],
    );
    becomes(
        &one(number(Effects::NONE.edits("/index"))),
        &[(before, after, "sibling-lost")],
    );
    refuses(
        &one(number(declared.clone())),
        &[(r#"{"index":"x"}"#, "/index", "is no count", "correct it")],
    );
    assert_eq!(
        number(declared).definition(),
        "count-from-one: edit /index, edit /number"
    );
}

#[test]
fn a_transform_is_for_the_bindings_that_it_is_kept_to() {
    let step = set("/paused", Node::boolean(true))
        .named("pause")
        .only(|binding| {
            binding
                .resource
                .as_ref()
                .is_some_and(|resource| resource.pointer("/schema").is_some())
        });
    let bindings = [
        super::Binding {
            resource: Some(node(r#"{"schema":"main"}"#)),
            ..super::bound("with")
        },
        super::bound("without"),
    ];
    let before = node(r#"{"bindingStateV1":{"with":{"n":1},"without":{"n":1},"orphan":{"n":1}}}"#);
    let migrated = one(step).run(&before, &bindings).unwrap();
    assert_eq!(
        migrated.after.to_json(),
        r#"{"bindingStateV1":{"with":{"n":1,"paused":true},"without":{"n":1},"orphan":{"n":1}}}"#
    );
    assert_eq!(migrated.applied[0].migration, "pause");
}

#[test]
fn two_steps_of_one_name_are_refused_and_a_name_of_its_own_helps() {
    let twice = one(set("/a", Node::integer(1))).with(set("/b", Node::integer(1)));
    let error = twice.run(&super::state_of("{}"), &[]).unwrap_err();
    assert_eq!(error.code(), "migration-name-reused");
    assert_eq!(
        error.to_string(),
        "two migrations of the chain are named `set`; a name stands for one step for ever"
    );
    let named = one(set("/a", Node::integer(1))).with(set("/b", Node::integer(1)).named("b"));
    becomes(&named, &[("{}", r#"{"a":1,"b":1}"#, "REWRITE")]);
    assert_eq!(named.names().collect::<Vec<_>>(), ["set", "b"]);
}
