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
