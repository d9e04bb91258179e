use staunch_state::StateUpdate;

use super::*;

const NOW: &str = "2026-03-01T12:00:00Z";
const STAMP: &str = r#""last_initialized":"2026-03-01T12:00:00Z""#;

/// Came round at noon, half an hour after [`MISSED_SINCE`].
const DAILY: &str = "30 11 * * *";
const MISSED_SINCE: &str = r#""last_initialized":"2026-03-01T11:00:00Z""#;

struct Case<'a> {
    stored: Option<&'a str>,
    initial: &'a str,
    schedule: Option<&'a str>,
    is_requested: bool,
    is_backfilling: bool,
}

const CASE: Case<'_> = Case {
    stored: None,
    initial: r#"{"inc":{"cursor":10}}"#,
    schedule: None,
    is_requested: false,
    is_backfilling: false,
};

impl Case<'_> {
    fn begin(&self) -> Beginning {
        let stored = self.stored.map(|json| Node::parse(json).unwrap());
        let stored = stored.as_ref();
        let beginning = begin(Terms {
            state_key: "k",
            stored: stored.map(|node| (node, ResourceState::decode("k", node).unwrap())),
            is_requested: self.is_requested,
            is_backfilling: self.is_backfilling,
            schedule: self.schedule.map(|expression| expression.parse().unwrap()),
            initial: &Node::parse(self.initial).unwrap(),
            now: NOW.parse().unwrap(),
        })
        .unwrap();
        // Whatever is decided: the patch makes the stored state the one that the functions run with.
        let before = stored.filter(|_| !self.is_requested).cloned();
        let before = before.unwrap_or(Node::Null);
        let after = match &beginning.patch {
            None => before,
            Some(patch) => StateUpdate::merge(patch.clone()).apply(before),
        };
        let run_with = ResourceState::decode("k", &after).unwrap();
        assert_eq!(run_with, beginning.typed);
        assert!(run_with.last_initialized.is_some());
        let state = ResourceState::decode("k", &beginning.state).unwrap();
        assert_eq!(state, beginning.typed);
        beginning
    }

    /// The patch, as JSON.
    fn patch(&self) -> Option<String> {
        Some(self.begin().patch?.to_json())
    }
}

#[test]
fn a_new_binding_gets_its_initial_state_and_a_stamp() {
    let expected = format!(r#"{{"inc":{{"cursor":10}},{STAMP}}}"#);
    assert_eq!(CASE.patch(), Some(expected.clone()));
    let null = Case {
        stored: Some("null"),
        ..CASE
    };
    // A null state is absent, and comes here as none; taken literally it is stamped like an empty one.
    assert_eq!(null.patch(), Some(format!("{{{STAMP}}}")));
    // A new binding has not missed anything.
    let scheduled = Case {
        schedule: Some(DAILY),
        ..CASE
    };
    assert_eq!(scheduled.patch(), Some(expected));
}

#[test]
fn a_state_without_a_stamp_is_stamped_by_emitting_it_whole() {
    let case = Case {
        stored: Some(r#"{"inc":{"cursor":3},"backfill":{"cutoff":2,"next_page":"p"}}"#),
        schedule: Some("* * * * *"),
        ..CASE
    };
    let expected =
        format!(r#"{{"inc":{{"cursor":3}},"backfill":{{"cutoff":2,"next_page":"p"}},{STAMP}}}"#);
    assert_eq!(case.patch(), Some(expected));
}

#[test]
fn a_complete_state_is_left_alone() {
    let stored =
        format!(r#"{{"inc":{{"cursor":3}},{MISSED_SINCE},"is_connector_initiated":true}}"#);
    for schedule in [
        None,
        Some("30 12 * * *"),
        Some("30 10 * * *"),
        Some("1 12 * * *"),
    ] {
        let case = Case {
            stored: Some(&stored),
            schedule,
            ..CASE
        };
        let beginning = case.begin();
        assert!(beginning.patch.is_none(), "{schedule:?}");
        assert!(beginning.typed.is_connector_initiated);
    }
}

#[test]
fn quirk_06_a_requested_backfill_begins_from_just_the_initial_state() {
    for stored in [
        // Neither the stamp, nor its absence, nor what the initial state does not mention comes back.
        r#"{"inc":{"old":{"cursor":3}},"backfill":{"old":{"cutoff":2,"next_page":"p"}},"is_connector_initiated":true}"#,
        r#"{"inc":{"cursor":3},"last_initialized":"2026-02-01T00:00:00Z","is_connector_initiated":true}"#,
    ] {
        let case = Case {
            stored: Some(stored),
            is_requested: true,
            is_backfilling: true,
            ..CASE
        };
        let beginning = case.begin();
        assert_eq!(
            beginning.state.to_json(),
            format!(r#"{{"inc":{{"cursor":10}},{STAMP}}}"#)
        );
        assert!(beginning.is_initial && !beginning.typed.is_connector_initiated);
    }
}

#[test]
fn a_missed_schedule_begins_a_backfill_up_to_the_earliest_cursor_and_keeps_them() {
    let initial =
        r#"{"inc":{"cursor":"2026-03-01T12:00:00Z"},"backfill":{"cutoff":"2026-03-01T12:00:00Z"}}"#;
    for (inc, cutoff) in [
        (
            r#"{"cursor":"2026-03-01T10:00:00+01:00"}"#,
            "2026-03-01T10:00:00+01:00",
        ),
        (
            r#"{"x":{"cursor":"2026-03-01T10:00:00Z"},"y":{"cursor":"2026-03-01T10:30:00+02:00"},"z":{"cursor":5}}"#,
            "2026-03-01T10:30:00+02:00",
        ),
    ] {
        let case = Case {
            stored: Some(&format!(r#"{{"inc":{inc},{MISSED_SINCE}}}"#)),
            initial,
            schedule: Some(DAILY),
            ..CASE
        };
        let expected = format!(
            r#"{{"inc":{inc},{STAMP},"backfill":{{"cutoff":"{cutoff}"}},"is_connector_initiated":true}}"#
        );
        assert_eq!(case.patch(), Some(expected));
        assert!(!case.begin().is_initial);
    }
}

#[test]
fn a_schedule_that_comes_round_right_now_was_missed_and_at_the_stamp_was_not() {
    for (since, schedule, is_missed) in [
        ("2026-03-01T11:59:59Z", "0 12 * * *", true),
        ("2026-03-01T12:00:00Z", "0 12 * * *", false),
        ("2026-03-01T11:00:00Z", "0 11 * * *", false),
        ("2026-03-01T11:00:00Z", "1 11 * * *", true),
        // Quirk 10: about to come round.
        ("2026-03-01T11:59:59Z", "1 12 * * *", false),
        // Stamped by a clock that was ahead.
        ("2026-03-02T11:00:00Z", "* * * * *", false),
        // Quirk 16: of UTC.
        ("2026-03-01T11:00:00", "30 11 * * *", true),
        ("2026-03-01T11:45:00", "30 11 * * *", false),
    ] {
        let stored = format!(r#"{{"inc":{{"cursor":3}},"last_initialized":"{since}"}}"#);
        let case = Case {
            stored: Some(&stored),
            schedule: Some(schedule),
            ..CASE
        };
        assert_eq!(
            case.begin().patch.is_some(),
            is_missed,
            "{schedule} since {since}"
        );
    }
}

#[test]
fn quirk_07_where_the_cutoff_cannot_be_taken_from_cursors_the_old_state_is_removed() {
    let of_time = r#"{"cursor":"2026-03-01T10:00:00Z"}"#;
    for (what, stored, initial, patch) in [
        (
            "integers",
            r#""inc":{"cursor":7},"archived":{"inc":{"a":{"cursor":1}}}"#.to_owned(),
            r#"{"inc":{"cursor":100},"backfill":{"cutoff":100}}"#.to_owned(),
            r#"{"inc":{"cursor":100},"backfill":{"cutoff":100},@,"is_connector_initiated":true,"archived":null}"#.to_owned(),
        ),
        (
            "by subtask, and then flat",
            r#""inc":{"a":{"cursor":7},"b":{"cursor":8}}"#.to_owned(),
            r#"{"inc":{"cursor":100},"backfill":{"cutoff":100}}"#.to_owned(),
            r#"{"inc":{"cursor":100,"a":null,"b":null},"backfill":{"cutoff":100},@,"is_connector_initiated":true}"#.to_owned(),
        ),
        (
            "flat, and then by subtask",
            r#""inc":{"cursor":7}"#.to_owned(),
            r#"{"inc":{"a":{"cursor":1}}}"#.to_owned(),
            r#"{"inc":{"a":{"cursor":1},"cursor":null},@,"is_connector_initiated":true}"#.to_owned(),
        ),
        (
            "backfills by subtask",
            format!(r#""inc":{of_time}"#),
            format!(r#"{{"inc":{of_time},"backfill":{{"a":{{"cutoff":"2026-03-01T10:00:00Z"}}}}}}"#),
            format!(r#"{{"inc":{of_time},"backfill":{{"a":{{"cutoff":"2026-03-01T10:00:00Z"}}}},@,"is_connector_initiated":true}}"#),
        ),
        (
            "no backfill",
            format!(r#""inc":{of_time}"#),
            r#"{"inc":{"cursor":"2020-01-01T00:00:00Z"}}"#.to_owned(),
            r#"{"inc":{"cursor":"2020-01-01T00:00:00Z"},@,"is_connector_initiated":true}"#.to_owned(),
        ),
        (
            "a snapshot",
            r#""snapshot":{"updated_at":"2026-03-01T10:00:00Z","last_count":1,"last_digest":"d"}"#.to_owned(),
            "{}".to_owned(),
            r#"{@,"is_connector_initiated":true,"snapshot":null}"#.to_owned(),
        ),
    ] {
        let case = Case {
            stored: Some(&format!("{{{stored},{MISSED_SINCE}}}")),
            initial: &initial,
            schedule: Some(DAILY),
            ..CASE
        };
        assert_eq!(case.patch(), Some(patch.replace('@', STAMP)), "{what}");
        assert!(case.begin().is_initial, "{what}");
    }
}

#[test]
fn a_backfill_with_which_nobody_goes_on_is_replaced() {
    let case = Case {
        stored: Some(&format!(
            r#"{{"inc":{{"cursor":"2026-03-01T10:00:00Z"}},"backfill":{{"old":{{"cutoff":3,"next_page":{{"a":1}}}}}},{MISSED_SINCE}}}"#
        )),
        initial: r#"{"inc":{"cursor":"2026-03-01T12:00:00Z"},"backfill":{"cutoff":"2026-03-01T12:00:00Z","next_page":{"b":1}}}"#,
        schedule: Some(DAILY),
        ..CASE
    };
    let patch = case.patch().unwrap();
    assert!(patch.contains(r#""old":null"#), "{patch}");
}

#[test]
fn no_schedule_is_acted_upon_while_a_backfill_is_in_progress() {
    let stored = format!(
        r#"{{"inc":{{"cursor":3}},"backfill":{{"cutoff":2,"next_page":"p7"}},{MISSED_SINCE}}}"#
    );
    let case = Case {
        stored: Some(&stored),
        schedule: Some(DAILY),
        is_backfilling: true,
        ..CASE
    };
    assert_eq!(case.patch(), None);
}

#[test]
fn quirk_08_a_request_wins_over_a_missed_schedule() {
    let stored = format!(r#"{{"inc":{{"cursor":"2026-03-01T10:00:00Z"}},{MISSED_SINCE}}}"#);
    let case = Case {
        stored: Some(&stored),
        initial: r#"{"inc":{"cursor":"2026-03-01T12:00:00Z"},"backfill":{"cutoff":"2026-03-01T12:00:00Z"}}"#,
        schedule: Some(DAILY),
        is_requested: true,
        ..CASE
    };
    let state = case.begin().state.to_json();
    assert!(!state.contains("is_connector_initiated"), "{state}");
    assert!(
        state.contains(r#""cursor":"2026-03-01T12:00:00Z""#),
        "the cursor is not kept: {state}"
    );
}
