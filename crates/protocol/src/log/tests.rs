use proptest::prelude::*;
use serde_json::{Value, json};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Event, Level, Migration, MigrationStep, Record};

fn record(ts: Option<&str>, level: Level, message: &str, fields: Value) -> Record {
    let Value::Object(fields) = fields else {
        panic!("fields are an object")
    };
    Record {
        ts: ts.map(str::to_owned),
        level,
        message: message.to_owned(),
        fields,
    }
}

#[test]
fn records_of_every_producer_are_read() {
    let time = "2026-01-02T03:04:05Z";
    for (line, expected) in [
        // Our own, and Python's.
        (
            r#"{"ts":"2026-01-02T03:04:05Z","level":"info","msg":"hi","fields":{"a":1}}"#,
            record(Some(time), Level::Info, "hi", json!({"a": 1})),
        ),
        (
            r#"{"level":"WARNING","msg":"hi","fields":{"source":"flow","file":"a:1"}}"#,
            record(
                None,
                Level::Warn,
                "hi",
                json!({"source": "flow", "file": "a:1"}),
            ),
        ),
        // Go's.
        (
            r#"{"eventType":"connectorStatus","level":"fatal","msg":"up","time":"2026-01-02T03:04:05Z"}"#,
            record(
                Some(time),
                Level::Error,
                "up",
                json!({"eventType": "connectorStatus"}),
            ),
        ),
        // Rust's, flat and not.
        (
            r#"{"timestamp":"2026-01-02T03:04:05Z","level":"INFO","message":"hi","port":1,"span":{"name":"s"}}"#,
            record(
                Some(time),
                Level::Info,
                "hi",
                json!({"port": 1, "span": {"name": "s"}}),
            ),
        ),
        (
            r#"{"level":"DEBUG","fields":{"message":"hi","port":1},"target":"t"}"#,
            record(None, Level::Debug, "hi", json!({"port": 1, "target": "t"})),
        ),
        // What each rule leaves over is kept.
        (
            r#"{"lvl":"trace","message":"a","msg":"b"}"#,
            record(None, Level::Trace, "a", json!({"msg": "b"})),
        ),
        (
            r#"{"level":"info","msg":"a","ts":7,"time":"noon"}"#,
            record(None, Level::Info, "a", json!({"ts": 7, "time": "noon"})),
        ),
        (
            r#"{"level":"info","msg":{"a":1}}"#,
            record(None, Level::Info, "", json!({"msg": {"a": 1}})),
        ),
        (
            r#"{"level":"info","msg":"a","fields":[1],"b":2}"#,
            record(None, Level::Info, "a", json!({"fields": [1], "b": 2})),
        ),
        (
            r#"{"level":"info","msg":"a","fields":{"b":1},"b":2}"#,
            record(None, Level::Info, "a", json!({"b": 1})),
        ),
        // A guessed level.
        (
            r#"{"msg":"all is well"}"#,
            record(None, Level::Warn, "all is well", json!({})),
        ),
        (
            r#"{"msg":"request TIMEOUT"}"#,
            record(None, Level::Error, "request TIMEOUT", json!({})),
        ),
        // Raw text: no object, a level that is not known, not JSON.
        (
            "  plain words \r\n",
            record(None, Level::Warn, "plain words", json!({})),
        ),
        (
            "goroutine 1: Panic",
            record(None, Level::Error, "goroutine 1: Panic", json!({})),
        ),
        ("[1]", record(None, Level::Warn, "[1]", json!({}))),
        (
            r#"{"level":"CRITICAL","msg":"x"}"#,
            record(
                None,
                Level::Warn,
                r#"{"level":"CRITICAL","msg":"x"}"#,
                json!({}),
            ),
        ),
        (
            r#"{"level":"Info","msg":"x"}"#,
            record(
                None,
                Level::Warn,
                r#"{"level":"Info","msg":"x"}"#,
                json!({}),
            ),
        ),
        (
            r#"{"level":30,"msg":"x"}"#,
            record(None, Level::Warn, r#"{"level":30,"msg":"x"}"#, json!({})),
        ),
        (
            r#"{"level":"info","#,
            record(None, Level::Warn, r#"{"level":"info","#, json!({})),
        ),
        ("", record(None, Level::Warn, "", json!({}))),
    ] {
        assert_eq!(Record::decode(line), expected, "{line}");
    }
}

#[test]
fn levels_are_ordered_by_severity_and_read_in_all_spellings() {
    use Level::{Debug, Error, Info, Trace, Warn};
    assert!(Error > Warn && Warn > Info && Info > Debug && Debug > Trace);
    for (names, level) in [
        (&["trace", "TRACE"][..], Trace),
        (&["debug", "DEBUG"], Debug),
        (&["info", "INFO"], Info),
        (&["warn", "WARN", "warning", "WARNING"], Warn),
        (
            &["error", "ERROR", "fatal", "FATAL", "panic", "PANIC"],
            Error,
        ),
    ] {
        for name in names {
            assert_eq!(name.parse(), Ok(level));
        }
        assert_eq!(names[0], level.to_string());
    }
    assert!("Critical".parse::<Level>().is_err());
}

#[test]
fn every_word_of_trouble_makes_an_error() {
    for word in [
        "Error",
        "FAILED",
        "panic",
        "timeout",
        "unable",
        "unrecognised",
        "unrecognized",
    ] {
        assert_eq!(
            Record::decode(&format!("it {word} so")).level,
            Level::Error,
            "{word}"
        );
    }
}

#[test]
fn a_record_is_written_with_msg_and_fields() {
    let with_time = record(
        Some("2026-01-02T03:04:05Z"),
        Level::Info,
        "two\nlines",
        json!({"a": 1}),
    );
    assert_eq!(
        with_time.encode(),
        r#"{"ts":"2026-01-02T03:04:05Z","level":"info","msg":"two\nlines","fields":{"a":1}}"#
    );
    let without = record(None, Level::Error, "x", json!({}));
    assert_eq!(
        without.encode(),
        r#"{"level":"error","msg":"x","fields":{}}"#
    );
}

#[test]
fn events_are_found_in_fields_and_at_the_top() {
    let config = json!({"a": 1});
    let progress = json!({"documents": 7, "bytes": 99});
    let progress = progress.as_object().unwrap();
    for (line, expected) in [
        (
            r#"{"level":"info","msg":"progress","fields":{"documents":7,"bytes":99}}"#,
            Some(Event::Progress(progress)),
        ),
        (
            r#"{"level":"info","msg":"progress","fields":{"documents":"some"}}"#,
            None,
        ),
        (
            r#"{"level":"info","msg":"up","fields":{"eventType":"connectorStatus"}}"#,
            Some(Event::Status("up")),
        ),
        (
            r#"{"level":"info","msg":"up","eventType":"connectorStatus"}"#,
            Some(Event::Status("up")),
        ),
        (
            r#"{"level":"info","msg":"new","fields":{"eventType":"configUpdate","config":{"a":1}}}"#,
            Some(Event::ConfigUpdate(&config)),
        ),
        (
            r#"{"level":"info","msg":"new","eventType":"configUpdate","config":{"a":1}}"#,
            Some(Event::ConfigUpdate(&config)),
        ),
        (
            r#"{"level":"info","msg":"new","eventType":"configUpdate"}"#,
            None,
        ),
        (
            r#"{"level":"info","msg":"moved","fields":{"migration":{"a":1}}}"#,
            Some(Event::Migration(&config)),
        ),
        (
            r#"{"level":"info","msg":"moved","fields":{"migration":"one"}}"#,
            None,
        ),
        (
            r#"{"level":"info","msg":"x","fields":{"eventType":"other"}}"#,
            None,
        ),
        (r#"{"level":"info","msg":"x"}"#, None),
    ] {
        assert_eq!(Record::decode(line).event(), expected, "{line}");
    }
}

fn migration(update: &str) -> Migration {
    Migration {
        migrations: vec![MigrationStep {
            name: "step".into(),
            checksum: None,
            bindings: 2,
        }],
        merge_patch: true,
        update_bytes: update.len() as u64,
        update_digest: "00".into(),
        consents: Vec::new(),
        update: RawValue::from_string(update.into()).ok(),
    }
}

#[test]
fn a_migration_is_written_with_the_text_of_its_update_and_read_again() {
    let text = r#"{"z":12345678901234567890123,"a":1.50}"#;
    let record = record(None, Level::Info, "moved", json!({"key": 1}));
    let line = record.encode_migration(&migration(text));
    let steps = r#"[{"name":"step","checksum":null,"bindings":2}]"#;
    let expected = format!(
        r#"{{"migrations":{steps},"mergePatch":true,"updateBytes":38,"updateDigest":"00","update":{text}}}"#
    );
    assert_eq!(
        line,
        format!(r#"{{"level":"info","msg":"moved","fields":{{"key":1,"migration":{expected}}}}}"#)
    );
    assert_eq!(read_migration(&line), (migration(text).migrations, true));
}

#[test]
fn a_migration_whose_update_no_value_can_hold_is_told_without_it() {
    for text in [
        r#"{"a":1e400}"#.to_owned(),
        format!("{}1{}", r#"{"a":"#.repeat(126), "}".repeat(126)),
    ] {
        let line =
            record(None, Level::Info, "moved", json!({})).encode_migration(&migration(&text));
        assert_eq!(
            read_migration(&line),
            (migration("1").migrations, false),
            "{line}"
        );
    }
}

/// The steps, and whether the update is there.
fn read_migration(line: &str) -> (Vec<MigrationStep>, bool) {
    let record = Record::decode(line);
    let Some(Event::Migration(event)) = record.event() else {
        panic!("{record:?}");
    };
    let read = Migration::deserialize(event).unwrap();
    (read.migrations, read.update.is_some())
}

proptest! {
    #[test]
    fn a_record_that_is_written_and_read_is_the_same(
        message: String, value: String, level in 0_usize..5, ts: bool,
    ) {
        let level = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error][level];
        let ts = ts.then_some("2026-01-02T03:04:05.5Z");
        let record = record(ts, level, &message, json!({"key": value, "count": 1}));
        let line = record.encode();
        prop_assert!(!line.contains(['\n', '\r']));
        prop_assert_eq!(Record::decode(&line), record);
    }

    #[test]
    fn any_text_is_a_record_that_keeps_it(line in "[^{]\\PC*") {
        prop_assert_eq!(Record::decode(&line).message, line.trim());
    }

    #[test]
    fn any_object_is_a_record_that_keeps_its_members(
        members in proptest::collection::btree_map("ts|time|msg|message|fields|[a-z]{1,3}", ".{0,4}", 0..5),
    ) {
        let line = serde_json::to_string(&members).unwrap();
        let record = Record::decode(&line);
        let kept = record.fields.len()
            + usize::from(record.ts.is_some())
            + usize::from(members.contains_key("msg") || members.contains_key("message"));
        prop_assert_eq!(kept, members.len());
    }
}
