//! Edits of whole files: what is added, what stays as it was, and what is refused.

use std::fs;

use proptest::prelude::*;
use serde_json::json;

use super::super::tests::folder;
use super::*;

fn found(stream: &str) -> Found {
    Found {
        resource: json!({ "stream": stream }),
        target: format!("acme/{stream}"),
        schema: json!({ "type": "object", "properties": { "id": { "type": "integer" } }, "required": ["id"] }),
        key: vec!["/id".to_owned()],
        disable: false,
    }
}

fn edit(text: &str, found: &[Found]) -> Result<Edited, String> {
    let dir = folder(&[("flow.yaml", text)]);
    write_discovered(&dir.path().join("flow.yaml"), "acme/shop", found).map_err(|error| {
        format!("{} {error}", error.code()).replace(&format!("{}/", dir.path().display()), "")
    })
}

/// The text without the lines that are not in `old`, which must all be there in order.
fn keeps_every_line(old: &str, new: &str) -> bool {
    let mut lines = new.lines();
    old.lines()
        .all(|line| lines.any(|candidate| candidate == line))
}

const COMMENTED: &str = "\
# the shop, and nothing but the shop
captures:
    acme/shop: # ours
        endpoint:
            local: { command: [source-shop], config: {} } # local for now

        bindings:
            # live
            - resource: { stream: orders }   # the first
              target: acme/orders
              # about orders
            # - resource: { stream: later }
        # every five minutes
        interval: 5m

# what is written
collections:
    acme/orders:
        key: [ '/id' ]
        schema: {type: object}
    # more to come

# the end
";

#[test]
fn comments_order_and_formatting_stay_as_they_are() {
    let edited = edit(
        COMMENTED,
        &[
            found("orders"),
            found("customers"),
            Found {
                disable: true,
                ..found("line items")
            },
        ],
    );
    assert_eq!(
        edited.unwrap_err(),
        "catalog.bad_name flow.yaml:3:5: `acme/line items` is not a name of a collection at /captures/acme~1shop: \
         only letters, numbers, `-`, `_`, `.`, `=` and `/` are allowed; names look like `acme/orders`"
    );
    let items = Found {
        disable: true,
        target: "acme/line_items".into(),
        ..found("line items")
    };
    let edited = edit(COMMENTED, &[found("orders"), found("customers"), items]).unwrap();
    assert_eq!(edited.added, ["acme/customers", "acme/line_items"]);
    assert!(keeps_every_line(COMMENTED, &edited.text));
    insta::assert_snapshot!("commented", edited.text);
}

#[test]
fn each_layout_is_extended_in_its_own_way() {
    const ENDPOINT: &str = "    endpoint: { local: { command: [c], config: {} } }\n";
    let head = format!("captures:\n  acme/shop:\n{ENDPOINT}");
    let mut seen = String::new();
    for (what, text) in [
        ("no bindings, no collections", head.clone()),
        ("no end of line", head.trim_end().to_owned()),
        (
            "empty inline list",
            format!("{head}    bindings: [] # none yet\n    interval: 5m\ncollections: {{}}\n"),
        ),
        (
            "empty member",
            format!("{head}    bindings:\n    interval: 5m\ncollections: ~  # none\n"),
        ),
        (
            "empty member with comments",
            format!("{head}    bindings: # discovered\n      # none\ncollections:\n  # none\n"),
        ),
        (
            "dashes at the member's column",
            format!(
                "{head}    bindings:\n    - resource: {{ stream: orders }}\n      target: acme/orders\n    # about the interval\n    interval: 5m\ncollections:\n  acme/orders: {{ schema: {{}}, key: [/id] }}\n"
            ),
        ),
        (
            "collections first",
            format!("collections:\n  acme/orders: {{ schema: {{}}, key: [/id] }}\n\n{head}"),
        ),
        (
            "another capture after it",
            format!(
                "{head}\n  # the other\n  acme/other:\n{ENDPOINT}    bindings:\n    - resource: {{}}\n      target: acme/orders\ncollections:\n  acme/orders:\n    schema: {{}}\n    key: [/id]\n"
            ),
        ),
        (
            "block scalars at the end",
            format!(
                "{head}    bindings:\n      - resource:\n          stream: orders\n          query: |\n            select\n            # not a comment\n        target: acme/orders\ncollections:\n  acme/orders:\n    key: [/id]\n    schema:\n      description: >-\n        folded\n\n        text\n\n"
            ),
        ),
        (
            "document markers",
            format!("%YAML 1.2\n---\n{head}...\n# after\n"),
        ),
        ("crlf", head.replace('\n', "\r\n")),
    ] {
        let edited = edit(&text, &[found("orders"), found("customers")])
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(edited.text.contains("\r\n"), what == "crlf");
        if what == "crlf" {
            assert_eq!(
                edited.text.matches('\n').count(),
                edited.text.matches("\r\n").count()
            );
        }
        seen.push_str(&format!("--- {what}\n{}\n", edited.text.replace('\r', "")));
    }
    insta::assert_snapshot!("layouts", seen);
}

#[test]
fn what_is_there_already_is_left_alone() {
    let text = "captures:\n  acme/shop:\n    endpoint: { local: { command: [c], config: {} } }\n    bindings:\n      - { resource: { stream: orders, _meta: { path: [orders] } }, target: acme/elsewhere }\n      - { resource: { stream: customers }, target: acme/none, disable: true }\ncollections: { acme/elsewhere: { schema: {}, key: [/id] } }\n";
    let edited = edit(
        text,
        &[found("orders"), found("customers"), found("orders")],
    )
    .unwrap();
    assert_eq!(
        edited,
        Edited {
            text: text.to_owned(),
            added: Vec::new()
        }
    );
}

#[test]
fn a_collection_of_another_file_is_not_made_again() {
    let dir = folder(&[
        (
            "flow.yaml",
            "import: [c.yaml]\ncaptures:\n  acme/shop:\n    endpoint: { local: { command: [c], config: {} } }\n",
        ),
        (
            "c.yaml",
            "collections:\n  acme/orders: { schema: {}, key: [/id] }\n",
        ),
    ]);
    let path = dir.path().join("flow.yaml");
    let edited = write_discovered(&path, "shop", &[found("orders")]).unwrap();
    assert!(
        edited.text.ends_with(
            "    bindings:\n      - resource: { stream: orders }\n        target: acme/orders\n"
        ),
        "{}",
        edited.text
    );
    assert!(!edited.text.contains("collections"));
    // And a capture of another file is not edited from here.
    fs::write(dir.path().join("root.yaml"), "import: [flow.yaml]\n").unwrap();
    let error =
        write_discovered(&dir.path().join("root.yaml"), "shop", &[found("orders")]).unwrap_err();
    assert_eq!(error.code(), "catalog.cannot_edit");
}

#[test]
fn what_cannot_be_edited_safely_is_refused() {
    let mut seen = String::new();
    const LOCAL: &str = "endpoint: { local: { command: [c], config: {} } }";
    for (what, text) in [
        ("json", r#"{"captures": {"acme/shop": {"endpoint": {"local": {"command": ["c"], "config": {}}}}}}"#.to_owned()),
        ("inline captures", format!("captures: {{ acme/shop: {{ {LOCAL} }} }}\n")),
        ("inline capture", format!("captures:\n  acme/shop: {{ {LOCAL} }}\n")),
        ("inline bindings", format!("captures:\n  acme/shop:\n    {LOCAL}\n    bindings: [{{ resource: {{}}, target: a }}]\ncollections:\n  a: {{ schema: {{}}, key: [/id] }}\n")),
        ("inline collections", format!("captures:\n  acme/shop:\n    {LOCAL}\ncollections: {{ a: {{ schema: {{}}, key: [/id] }} }}\n")),
        ("aliased bindings", format!("captures:\n  acme/a:\n    {LOCAL}\n    bindings: &all\n      - {{ resource: {{}}, target: a }}\n  acme/shop:\n    {LOCAL}\n    bindings: *all\ncollections:\n  a: {{ schema: {{}}, key: [/id] }}\n")),
        ("aliased capture", format!("captures:\n  acme/a: &a\n    {LOCAL}\n  acme/shop: *a\n")),
        ("anchored bindings, used elsewhere", format!("captures:\n  acme/shop:\n    {LOCAL}\n    bindings: &all\n      - {{ resource: {{}}, target: a }}\n  acme/b:\n    {LOCAL}\n    bindings: *all\ncollections:\n  a: {{ schema: {{}}, key: [/id] }}\n")),
        ("empty list over lines", format!("captures:\n  acme/shop:\n    {LOCAL}\n    bindings: [\n    ]\n")),
        ("kept line breaks at the end", format!("captures:\n  acme/shop:\n    {LOCAL}\n    bindings:\n      - target: a\n        resource:\n          q: |+\n            x\n\n\ncollections:\n  a: {{ schema: {{}}, key: [/id] }}\n")),
    ] {
        let told = match edit(&text, &[found("orders")]) {
            Ok(edited) => format!("edited\n{}", edited.text),
            Err(error) => error,
        };
        seen.push_str(&format!("--- {what}\n{told}\n"));
    }
    insta::assert_snapshot!("refused", seen);
}

#[test]
fn what_a_connector_discovers_is_checked() {
    let text = "captures:\n  acme/shop:\n    endpoint: { local: { command: [c], config: {} } }\n";
    for (bad, code) in [
        (
            Found {
                target: "../x".into(),
                ..found("orders")
            },
            "catalog.bad_name",
        ),
        (
            Found {
                key: Vec::new(),
                ..found("orders")
            },
            "catalog.bad_key",
        ),
        (
            Found {
                key: vec!["id".into()],
                ..found("orders")
            },
            "catalog.bad_key",
        ),
        (
            Found {
                schema: json!(true),
                ..found("orders")
            },
            "catalog.bad_schema",
        ),
        (
            Found {
                schema: json!({ "type": 7 }),
                ..found("orders")
            },
            "catalog.bad_schema",
        ),
        (
            Found {
                resource: json!([1]),
                ..found("orders")
            },
            "catalog.unexpected_value",
        ),
    ] {
        let error = edit(text, &[bad]).unwrap_err();
        assert!(error.starts_with(code), "{error}");
    }
}

/// Lines that may stand anywhere between entries, and change nothing.
fn filler() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "",
        "\n",
        "# c\n",
        "  # c\n",
        "      # c\n",
        "          # c\n",
        "\n\n# c\n",
        "   \n",
    ])
    .prop_map(str::to_owned)
}

fn stream() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "orders", "a b", "null", "1", "é", "x: y", "# z", "\"q\"", "-", "\u{85}",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_new_file_is_the_old_one_and_the_additions(
        fillers in prop::collection::vec(filler(), 7),
        bound in prop::collection::btree_set(stream(), 0..3),
        new in prop::collection::vec((stream(), any::<bool>()), 0..4),
        indent_lists in any::<bool>(),
        after in prop::sample::select(vec!["", "    interval: 5m\n", "  acme/other:\n    endpoint: { local: { command: [c], config: {} } }\n"]),
        collections_first in any::<bool>(),
    ) {
        let dash = if indent_lists { "      " } else { "    " };
        let items: String = bound
            .iter()
            .map(|stream| format!("{dash}- resource: {{ stream: {} }}\n{dash}  target: acme/known\n{}", json!(stream), fillers[0]))
            .collect();
        let bindings = if bound.is_empty() { String::new() } else { format!("    bindings:\n{}{items}", fillers[1]) };
        let captures = format!(
            "captures:\n{}  acme/shop:\n{}    endpoint: {{ local: {{ command: [c], config: {{}} }} }}\n{}{bindings}{}{after}{}",
            fillers[2], fillers[3], fillers[4], fillers[5], fillers[6],
        );
        let known = "collections:\n  acme/known:\n    schema: {}\n    key: [/id]\n";
        let text = if collections_first { format!("{known}{captures}") } else { format!("{captures}{known}") };
        let new: Vec<Found> = new
            .into_iter()
            .enumerate()
            .map(|(index, (stream, disable))| Found {
                target: if index % 2 == 0 { "acme/known".into() } else { format!("acme/new{index}") },
                disable,
                ..found(&stream)
            })
            .collect();
        let distinct: BTreeSet<&str> =
            new.iter().map(|found| found.resource["stream"].as_str().unwrap()).filter(|stream| !bound.contains(*stream)).collect();

        let edited = edit(&text, &new).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(edited.added.len(), distinct.len());
        prop_assert!(keeps_every_line(&text, &edited.text), "{}\n=>\n{}", text, edited.text);
        let (old, now) = (node::parse(&text).unwrap().to_value(), node::parse(&edited.text).unwrap().to_value());
        let bindings = |root: &Value| root["captures"]["acme/shop"]["bindings"].as_array().cloned().unwrap_or_default();
        let (before, after) = (bindings(&old), bindings(&now));
        prop_assert_eq!(&after[..before.len()], &before[..]);
        prop_assert_eq!(after.len(), before.len() + distinct.len());
        // A second time, there is nothing left to add.
        let again = edit(&edited.text, &new).map_err(TestCaseError::fail)?;
        prop_assert_eq!(again.added.len(), 0);
        prop_assert_eq!(again.text, edited.text);
    }
}
