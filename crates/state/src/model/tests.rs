use super::*;

fn decode(json: &str) -> Result<ResourceState, ModelError> {
    ResourceState::decode("K", &Node::parse(json).unwrap())
}

const FULL: &str = concat!(
    r#"{"inc":{"realtime":{"cursor":"2025-06-10T08:00:00.250000Z","seen":["x"]},"lookback":{"cursor":["a",7]}},"#,
    r#""backfill":{"cutoff":12,"next_page":{"b1":{"n":10}},"rows":{"total":7}},"#,
    r#""snapshot":{"updated_at":"2025-06-10T08:00:00+02:00","last_count":3,"last_digest":"d"},"#,
    r#""last_initialized":"2025-01-01T00:00:00Z","is_connector_initiated":true,"newer":{"a":1.50}}"#,
);

#[test]
fn unknown_members_and_texts_survive_reading_and_writing() {
    let state = decode(FULL).unwrap();
    assert_eq!(state.to_node().unwrap().to_json(), FULL);
    assert_eq!(
        state.inc.subtask("realtime").unwrap().cursor.to_string(),
        "2025-06-10T08:00:00.250000Z"
    );
    assert_eq!(state.backfill.flat().unwrap().cutoff.as_u64(), Some(12));
    assert!(matches!(
        state.backfill.flat().unwrap().next_page,
        Some(Page::Object(_))
    ));
    assert_eq!(state.snapshot.flat().unwrap().last_count, 3);
}

#[test]
fn unknown_members_of_a_subtask_leave_with_it() {
    let mut state = decode(FULL).unwrap();
    let Part::Keyed(subtasks) = &mut state.inc else {
        panic!("two subtasks")
    };
    subtasks.retain(|(name, _)| name != "realtime");
    let written = state.to_node().unwrap();
    assert_eq!(
        written.pointer("/inc").unwrap().to_json(),
        r#"{"lookback":{"cursor":["a",7]}}"#
    );
}

#[test]
fn flat_keyed_and_absent_are_told_apart_by_shape_alone() {
    for (json, inc, backfill) in [
        ("{}", "none", "none"),
        ("null", "none", "none"),
        (r#"{"inc":null,"backfill":null}"#, "none", "none"),
        (
            r#"{"inc":{"cursor":1},"backfill":{"cutoff":1}}"#,
            "flat",
            "flat",
        ),
        (
            r#"{"inc":{"cursor":1,"realtime":null},"backfill":{"cutoff":1,"next_page":{"cutoff":2}}}"#,
            "flat",
            "flat",
        ),
        (
            r#"{"inc":{"a":{"cursor":1}},"backfill":{"a":{"cutoff":1}}}"#,
            "keyed",
            "keyed",
        ),
        (
            r#"{"inc":{"cursor":null,"a":{"cursor":1}},"backfill":{"cutoff":null,"next_page":null,"a":null}}"#,
            "keyed",
            "keyed",
        ),
        (r#"{"inc":{},"backfill":{}}"#, "keyed", "keyed"),
    ] {
        fn shape<T>(part: &Part<T>) -> &'static str {
            match part {
                Part::None => "none",
                Part::Flat(_) => "flat",
                Part::Keyed(_) => "keyed",
            }
        }
        let state = decode(json).unwrap();
        assert_eq!(
            (shape(&state.inc), shape(&state.backfill)),
            (inc, backfill),
            "{json}"
        );
    }
}

#[test]
fn what_does_not_fit_is_named_with_its_place() {
    for (json, pointer, because) in [
        ("[]", "", "is no object"),
        (r#"{"inc":7}"#, "/inc", "is no object"),
        (
            r#"{"inc":{"cursor":-1}}"#,
            "/inc/cursor",
            "no integer from 0 up",
        ),
        (
            r#"{"inc":{"cursor":"2025-06-10T08:00:00"}}"#,
            "/inc/cursor",
            "without a zone",
        ),
        (
            r#"{"inc":{"a":{"cursor":true}}}"#,
            "/inc/a/cursor",
            "is a boolean",
        ),
        (r#"{"inc":{"a/b":{}}}"#, "/inc/a~1b", "lacks `cursor`"),
        (r#"{"inc":{"a":1}}"#, "/inc/a", "is no object"),
        (
            r#"{"backfill":{"next_page":"x"}}"#,
            "/backfill",
            "lacks `cutoff`",
        ),
        (
            r#"{"backfill":{"cutoff":1,"next_page":1.5}}"#,
            "/backfill/next_page",
            "is no page",
        ),
        (
            r#"{"snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":-1,"last_digest":""}}"#,
            "/snapshot/last_count",
            "no count",
        ),
        (
            r#"{"snapshot":{"last_count":1,"last_digest":""}}"#,
            "/snapshot",
            "lacks `updated_at`",
        ),
        (
            r#"{"last_initialized":"2025-06-10"}"#,
            "/last_initialized",
            "no RFC 3339 date-time",
        ),
        (
            r#"{"is_connector_initiated":"yes"}"#,
            "/is_connector_initiated",
            "neither `true` nor `false`",
        ),
    ] {
        let error = decode(json).unwrap_err();
        assert_eq!(
            error.pointer,
            format!("/bindingStateV1/K{pointer}"),
            "{json}: {error}"
        );
        assert!(error.to_string().contains(because), "{json}: {error}");
        assert_eq!(error.state_key.as_deref(), Some("K"));
    }
}

#[test]
fn m03_an_entry_of_its_own_beside_subtasks_does_not_decode() {
    let error = decode(r#"{"inc":{"cursor":1,"realtime":{"cursor":1}}}"#).unwrap_err();
    assert!(
        error.to_string().contains("and the subtask `realtime`"),
        "{error}"
    );
    let error = decode(r#"{"backfill":{"cutoff":1,"a":{"cutoff":1}}}"#).unwrap_err();
    assert!(error.to_string().contains("and the subtask `a`"), "{error}");
}

#[test]
fn m22_a_subtask_with_the_name_of_a_member_is_refused_and_named() {
    for name in RESERVED_SUBTASKS {
        assert!(
            check_subtask_name(name)
                .unwrap_err()
                .to_string()
                .contains(&format!("`{name}`"))
        );
        let entry = Incremental {
            cursor: Cursor::integer(1),
        };
        let state = ResourceState {
            inc: Part::Keyed(vec![(name.to_owned(), Some(entry))]),
            ..ResourceState::default()
        };
        assert!(
            state
                .to_node()
                .unwrap_err()
                .to_string()
                .contains(&format!("`{name}`"))
        );
        let error = decode(&format!(r#"{{"inc":{{"{name}":{{"cursor":1}}}}}}"#)).unwrap_err();
        assert!(error.to_string().contains(&format!("`{name}`")), "{error}");
    }
    assert!(check_subtask_name("realtime").is_ok());
}

#[test]
fn m06_a_finished_backfill_does_not_make_a_subtask_new() {
    let state = decode(r#"{"inc":{"a":{"cursor":1}},"backfill":{"a":null}}"#).unwrap();
    assert!(
        state.inc.subtask("a").is_some(),
        "newness is asked of `inc`"
    );
    assert!(state.backfill.is_none());
    let without = decode(r#"{"inc":{"a":{"cursor":1}}}"#).unwrap();
    assert_eq!(
        without.inc, state.inc,
        "whether or not the null vanished under a merge"
    );
}

#[test]
fn a_state_that_cannot_be_read_is_never_an_empty_one() {
    for text in [
        "",
        "[]",
        "7",
        r#"{"bindingStateV1":[]}"#,
        r#"{"backfillRequests":7}"#,
    ] {
        assert!(ConnectorState::parse(text).is_err(), "{text}");
    }
    let state = ConnectorState::parse(
        r#"{"bindingStateV1":{"a":{"inc":{"cursor":1}},"b":null},"backfillRequests":{"a":true,"b":null,"c":false}}"#,
    )
    .unwrap();
    assert_eq!(
        state.bindings().map(|(key, _)| key).collect::<Vec<_>>(),
        ["a"]
    );
    assert!(state.binding("b").is_none());
    assert_eq!(state.backfill_requests().collect::<Vec<_>>(), ["a"]);
    assert_eq!(state.decode().unwrap().len(), 1);
    assert!(
        ConnectorState::parse("null")
            .unwrap()
            .decode()
            .unwrap()
            .is_empty()
    );
}

/// A state with every member that there is, flat and keyed.
const EVERY: [(&str, &str); 2] = [
    (
        "flat",
        concat!(
            r#"{"inc":{"cursor":1},"backfill":{"cutoff":1,"next_page":"p"},"#,
            r#""snapshot":{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"d"},"#,
            r#""last_initialized":"2025-01-01T00:00:00Z","is_connector_initiated":true}"#,
        ),
    ),
    (
        "keyed",
        concat!(
            r#"{"inc":{"a":{"cursor":1}},"backfill":{"a":{"cutoff":1,"next_page":"p"}},"#,
            r#""snapshot":{"a":{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"d"}}}"#,
        ),
    ),
];

fn entries_of(state: &ResourceState) -> String {
    let inc: Vec<_> = state.inc.entries().collect();
    let backfill: Vec<_> = state.backfill.entries().collect();
    let snapshot: Vec<_> = state.snapshot.entries().collect();
    let rest = (&state.last_initialized, state.is_connector_initiated);
    format!("{inc:?} {backfill:?} {snapshot:?} {rest:?}")
}

#[test]
fn a_null_member_is_an_absent_one_at_every_place() {
    for (form, json) in EVERY {
        let state = Node::parse(json).unwrap();
        for pointer in members_below(&state) {
            let mut null = state.clone();
            *null.pointer_mut(&pointer).unwrap() = Node::Null;
            let mut absent = state.clone();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let parent = absent.pointer_mut(parent).unwrap();
            parent.as_object_mut().unwrap().remove(name);
            let null = ResourceState::decode("K", &null);
            let absent = ResourceState::decode("K", &absent);
            assert_eq!(
                null.as_ref().map(entries_of),
                absent.as_ref().map(entries_of),
                "{form} `{pointer}`"
            );
        }
    }
}

/// Pointers to every member, those of members too.
fn members_below(node: &Node) -> Vec<String> {
    let mut pointers = Vec::new();
    for (key, inner) in node.as_object().into_iter().flat_map(Object::iter) {
        pointers.push(format!("/{key}"));
        pointers.extend(
            members_below(inner)
                .iter()
                .map(|below| format!("/{key}{below}")),
        );
    }
    pointers
}

#[test]
fn each_member_refuses_each_wrong_kind_and_says_where() {
    let values = [
        ("a boolean", "true"),
        ("a negative number", "-1"),
        ("a fraction", "1.5"),
        ("an integer", "7"),
        ("a huge integer", "99999999999999999999"),
        ("a text", r#""tomorrow""#),
        ("a date-time", r#""2025-06-10T08:00:00Z""#),
        ("a local date-time", r#""2025-06-10T08:00:00""#),
        ("an empty array", "[]"),
        ("an array of strings", r#"["a"]"#),
        ("an array of nulls", "[null]"),
        ("an object", "{}"),
    ];
    let cursor: &[&str] = &[
        "an integer",
        "a huge integer",
        "a date-time",
        "an array of strings",
    ];
    let texts: &[&str] = &["a text", "a date-time", "a local date-time"];
    let page = [
        "a text",
        "a date-time",
        "a local date-time",
        "an integer",
        "a negative number",
        "an object",
    ];
    for (member, allowed) in [
        ("/inc", &["an object"][..]),
        ("/inc/cursor", cursor),
        ("/backfill", &["an object"]),
        ("/backfill/cutoff", cursor),
        ("/backfill/next_page", &page),
        ("/snapshot", &["an object"]),
        ("/snapshot/updated_at", &["a date-time"]),
        ("/snapshot/last_count", &["an integer"]),
        ("/snapshot/last_digest", texts),
        ("/last_initialized", &["a date-time", "a local date-time"]), // Of UTC.
        ("/is_connector_initiated", &["a boolean"]),
    ] {
        for (form, json) in EVERY {
            let pointer = match member.split('/').collect::<Vec<_>>()[..] {
                ["", part, name] if form == "keyed" => format!("/{part}/a/{name}"),
                _ => member.to_owned(),
            };
            let state = Node::parse(json).unwrap();
            for (kind, value) in values {
                let mut state = state.clone();
                let Some(place) = state.pointer_mut(&pointer) else {
                    continue;
                };
                *place = Node::parse(value).unwrap();
                let read = ResourceState::decode("a/b", &state);
                if allowed.contains(&kind) {
                    assert!(read.is_ok(), "{form} `{pointer}` {kind}: {read:?}");
                    continue;
                }
                let error = read.expect_err(&format!("{form} `{pointer}` {kind}"));
                // An object in the place of a flat member may have been meant as a subtask: the part is named.
                let place = match member.rsplit_once('/') {
                    Some((part, _))
                        if kind == "an object" && form == "flat" && !part.is_empty() =>
                    {
                        part
                    }
                    _ => &pointer,
                };
                assert_eq!(error.state_key.as_deref(), Some("a/b"));
                assert_eq!(
                    error.pointer,
                    format!("/bindingStateV1/a~1b{place}"),
                    "{form} {kind}: {error}"
                );
                assert!(
                    !error.to_string().contains("tomorrow"),
                    "no value is quoted: {error}"
                );
                assert!(error.message.contains("; "), "a remedy: {error}");
            }
        }
    }
}

#[test]
fn each_member_that_an_entry_needs_is_missed_by_name() {
    for (part, names) in [
        ("inc", &["cursor"][..]),
        ("backfill", &["cutoff"]),
        ("snapshot", &["updated_at", "last_count", "last_digest"]),
    ] {
        for name in names {
            for (form, json) in EVERY {
                let mut state = Node::parse(json).unwrap();
                let entry = if form == "flat" {
                    format!("/{part}")
                } else {
                    format!("/{part}/a")
                };
                let object = state.pointer_mut(&entry).unwrap().as_object_mut().unwrap();
                object.remove(name);
                // Without any of its members a flat entry is none, and its rest would be subtasks.
                if form == "flat" && object.is_empty() {
                    continue;
                }
                let error = ResourceState::decode("K", &state).unwrap_err();
                assert_eq!(
                    error.pointer,
                    format!("/bindingStateV1/K{entry}"),
                    "{error}"
                );
                assert!(
                    error.message.contains(&format!("lacks `{name}`")),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn m22_each_reserved_name_is_refused_in_each_part_read_or_written() {
    let entries = [
        ("inc", r#"{"cursor":1}"#),
        ("backfill", r#"{"cutoff":1}"#),
        (
            "snapshot",
            r#"{"updated_at":"2025-06-10T08:00:00Z","last_count":3,"last_digest":"d"}"#,
        ),
    ];
    for name in RESERVED_SUBTASKS {
        for (part, entry) in entries {
            let error = decode(&format!(r#"{{"{part}":{{"a":{entry},"{name}":{entry}}}}}"#));
            let error = error.unwrap_err();
            // `next_page` may be an object: what is beside it then is no entry of its own.
            let named = error.message.contains(&format!("`{name}`"))
                || (part, name) == ("backfill", "next_page");
            assert!(named, "{part} {name}: {error}");
            assert!(
                error
                    .pointer
                    .starts_with(&format!("/bindingStateV1/K/{part}")),
                "{error}"
            );

            let mut state = decode(&format!(r#"{{"{part}":{{"a":{entry}}}}}"#)).unwrap();
            rename(&mut state.inc, name);
            rename(&mut state.backfill, name);
            rename(&mut state.snapshot, name);
            let error = state.to_node().unwrap_err();
            assert!(
                error.message.contains(&format!("`{name}`")),
                "{part} {name}: {error}"
            );
        }
    }
}

fn rename<T>(part: &mut Part<T>, to: &str) {
    if let Part::Keyed(entries) = part {
        entries.iter_mut().for_each(|(name, _)| to.clone_into(name));
    }
}

#[test]
fn unknown_members_survive_at_every_level() {
    let unknown = r#""newer":{"a":[1.50,null],"n":1e0}"#;
    for (form, json) in EVERY {
        let state = Node::parse(json).unwrap();
        for pointer in std::iter::once(String::new()).chain(members_below(&state)) {
            let mut state = state.clone();
            let Some(object) = state.pointer_mut(&pointer).and_then(Node::as_object_mut) else {
                continue;
            };
            if form == "keyed" && ["/inc", "/backfill", "/snapshot"].contains(&pointer.as_str()) {
                // There an unknown member is a subtask.
                continue;
            }
            let newer = Node::parse(&format!("{{{unknown}}}")).unwrap();
            object.insert("newer", newer.pointer("/newer").unwrap().clone());
            let written = decode(&state.to_json()).unwrap().to_node().unwrap();
            let kept = written.pointer(&pointer).unwrap().to_json();
            assert!(kept.contains(unknown), "{form} `{pointer}`: {kept}");
        }
    }
}
