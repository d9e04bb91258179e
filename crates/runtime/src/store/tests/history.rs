//! What was done to a state: kept, made anew, checked, and let go.

use super::*;

/// Commits a merge patch, on the state that is stored.
fn patch(store: &mut Store, patch: &str, cause: Option<Cause<'_>>) -> u64 {
    let update = StateUpdate::from_wire(patch, true).unwrap();
    commit(store, &update, cause, "2026-11-22T13:00:00Z")
}

fn commit(store: &mut Store, update: &StateUpdate, cause: Option<Cause<'_>>, at: &str) -> u64 {
    let row = store.load(CAPTURE).unwrap();
    let (revision, state) = row.map_or((0, "{}".to_owned()), |row| (row.revision, row.state));
    let state = update.apply(Node::parse(&state).unwrap()).to_json();
    let commit = Commit {
        update: Some(update),
        cause,
        at,
        ..plain(revision, Some(&state), &[])
    };
    store.commit(&commit).unwrap()
}

fn by_hand(reason: &str) -> Option<Cause<'_>> {
    Some(Cause {
        kind: "set",
        author: "ada",
        reason,
        ..Cause::default()
    })
}

fn states(store: &Store, revisions: std::ops::RangeInclusive<u64>) -> Vec<Option<String>> {
    let reader = store.reader();
    revisions
        .map(|revision| reader.state_at(CAPTURE, revision).unwrap())
        .collect()
}

#[test]
fn every_revision_can_be_made_anew_to_the_letter() {
    let (_folder, dir) = fresh();
    let mut expected = vec![Some("{}".to_owned())];
    for (nth, change) in [
        r#"{"b":{"x":1.50},"a":{"cursor":"é"}}"#,
        r#"{"a":null}"#,
        r#"{"a":{"cursor":1}}"#,
        r#"{"b":{"x":null,"y":[1,{"z":null}]}}"#,
        "{}",
    ]
    .iter()
    .enumerate()
    {
        // Another process each time, so that what is stored is compared with what was recorded.
        let mut store = Store::open(&dir, CAPTURE).unwrap();
        patch(&mut store, change, by_hand("why not").filter(|_| nth == 2));
        // An update that deletes, and then writes again.
        expected.push(Some(store.load(CAPTURE).unwrap().unwrap().state));
    }
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    let twice = StateUpdate::from_wire(r#"{"b":null}"#, true).unwrap();
    let twice = twice.then(StateUpdate::from_wire(r#"{"b":{"z":1}}"#, true).unwrap());
    for update in [
        twice,
        StateUpdate::from_wire(r#"{"whole":true}"#, false).unwrap(),
    ] {
        commit(&mut store, &update, None, "2026-11-22T13:00:00Z");
        expected.push(Some(store.load(CAPTURE).unwrap().unwrap().state));
    }
    // Documents alone change no state.
    store.commit(&plain(7, None, &[])).unwrap();
    expected.push(expected[7].clone());
    expected.push(None);
    assert_eq!(states(&store, 0..=9), expected);
    assert_eq!(store.reader().check_history(CAPTURE).unwrap(), 7);
    assert_eq!(store.reader().state_at("nobody", 0).unwrap(), None);

    let history = store.reader().history(CAPTURE, 5).unwrap();
    let shown = history.iter().map(|row| {
        let (kind, author, reason) = (&*row.kind, &*row.author, &*row.reason);
        (row.revision, kind, author, reason)
    });
    let shown: Vec<_> = shown.collect();
    assert_eq!(
        shown,
        [
            (7, "checkpoint", "", ""),
            (6, "checkpoint", "", ""),
            (5, "checkpoint", "", ""),
            (4, "checkpoint", "", ""),
            (3, "set", "ada", "why not"),
        ]
    );
}

#[test]
fn whatever_updates_are_committed_together_their_states_can_be_made_anew() {
    let (_folder, dir) = fresh();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    let mut seed = 1_u64;
    let mut draw = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let mut texts = Vec::new();
    for _ in 0..400 {
        let mut update = StateUpdate::empty();
        for _ in 0..=draw(3) {
            let members = (0..=draw(3)).map(|_| {
                let key = ["a", "b", "c", "d"][draw(4) as usize];
                let inner = ["x", "y", "z"][draw(3) as usize];
                match draw(4) {
                    0 => (key, "null".to_owned()),
                    1 => (key, draw(10).to_string()),
                    2 => (key, format!(r#"{{"{inner}":null}}"#)),
                    _ => (
                        key,
                        format!(r#"{{"{inner}":{{"n":{}}},"w":[1]}}"#, draw(10)),
                    ),
                }
            });
            let members: std::collections::BTreeMap<_, _> = members.collect();
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| format!(r#""{key}":{value}"#))
                .collect();
            let text = format!("{{{}}}", members.join(","));
            update = update.then(StateUpdate::from_wire(&text, draw(20) > 0).unwrap());
        }
        commit(&mut store, &update, None, "2026-11-22T13:00:00Z");
        texts.push(store.load(CAPTURE).unwrap().unwrap().state);
    }
    let found = states(&store, 1..=400).into_iter().flatten();
    assert!(found.eq(texts));
    assert_eq!(store.reader().check_history(CAPTURE).unwrap(), 400);
}

#[test]
fn a_state_that_somebody_else_wrote_is_found_and_not_taken_for_what_was_recorded() {
    let (_folder, dir) = fresh();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    patch(&mut store, r#"{"n":1}"#, None);
    drop(store);
    raw(&dir)
        .execute_batch(r#"UPDATE states SET state = '{"n":5}'; UPDATE progress SET revision = 4"#)
        .unwrap();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    let error = store.reader().check_history(CAPTURE).unwrap_err();
    assert_eq!(error.code(), "store.history_broken");
    assert!(
        error.to_string().contains("another state is stored"),
        "{error}"
    );
    let found = states(&store, 1..=4)
        .into_iter()
        .map(Option::unwrap_or_default);
    let found: Vec<_> = found.collect();
    assert_eq!(found, [r#"{"n":1}"#, "", "", r#"{"n":5}"#]);
    patch(&mut store, r#"{"m":6}"#, None);
    let found: Vec<_> = states(&store, 1..=5)
        .into_iter()
        .map(|state| state.unwrap_or_default())
        .collect();
    assert_eq!(
        found,
        [r#"{"n":1}"#, "", "", r#"{"n":5}"#, r#"{"n":5,"m":6}"#]
    );
    assert_eq!(store.reader().check_history(CAPTURE).unwrap(), 2);
}

#[test]
fn old_changes_are_let_go_and_what_a_person_did_is_kept_longer() {
    let (_folder, dir) = fresh();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    store.retain(Retention {
        changes: 1500,
        snapshots: 2,
        max_age: Duration::from_secs(3600),
    });
    for n in 1..=6000 {
        let update = format!(r#"{{"n":{n}}}"#);
        let update = StateUpdate::from_wire(&update, true).unwrap();
        let (cause, at) = match n {
            10 => (by_hand("too old"), "2026-11-22T11:59:59Z"),
            20 | 30 | 40 => (by_hand("young"), "2026-11-22T12:30:00Z"),
            _ => (None, "2026-11-22T13:00:00Z"),
        };
        commit(&mut store, &update, cause, at);
    }
    let kept = |revision: u64| {
        let state = store.reader().state_at(CAPTURE, revision).unwrap();
        if let Some(state) = &state {
            assert_eq!(*state, format!(r#"{{"n":{revision}}}"#));
        }
        state.is_some()
    };
    // The last two of what a person did, with what each of them found.
    let old: Vec<u64> = (1..=100).filter(|revision| kept(*revision)).collect();
    assert_eq!(old, [29, 30, 39, 40]);
    // Of the last segments as many as it takes.
    assert!(!kept(3000) && (4500..=6000).all(kept));
    let count = store.reader().check_history(CAPTURE).unwrap();
    assert!((1500..=3502).contains(&count), "{count}");
}

#[test]
fn a_large_state_begins_a_segment_only_when_its_changes_are_as_large() {
    let (_folder, dir) = fresh();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    let large = format!(r#"{{"a":"{}","n":0}}"#, "x".repeat(1 << 20));
    patch(&mut store, &large, None);
    for n in 1..=50 {
        patch(&mut store, &format!(r#"{{"n":{n}}}"#), None);
    }
    let whole = "SELECT count(*) FROM changes WHERE place = 0";
    let whole: i64 = raw(&dir).query_row(whole, [], |row| row.get(0)).unwrap();
    assert_eq!(whole, 1);
    let state = store.reader().state_at(CAPTURE, 30).unwrap().unwrap();
    assert_eq!(state, large.replace(r#""n":0"#, r#""n":29"#));
}

#[test]
fn damage_to_a_history_is_told_with_its_revision_and_the_state_of_now_is_still_there() {
    for (what, statement, message) in [
        (
            "an update",
            r#"UPDATE changes SET state_update = '{"n":7}' WHERE revision = 2"#,
            "revision 2: it is not as it was written",
        ),
        (
            "what is said of it",
            "UPDATE changes SET author = 'bob' WHERE revision = 3",
            "revision 3: it is not as it was written",
        ),
        (
            "a change that is gone",
            "DELETE FROM changes WHERE revision = 2",
            "revision 3: what was done before it is missing",
        ),
        (
            "the state",
            r#"UPDATE states SET state = '{"n":8}'"#,
            "revision 4: it is the last one, and another state is stored",
        ),
    ] {
        let (_folder, dir) = fresh();
        let mut store = Store::open(&dir, CAPTURE).unwrap();
        for n in 1..=4 {
            patch(&mut store, &format!(r#"{{"n":{n}}}"#), None);
        }
        let raw = raw(&dir);
        raw.execute_batch("DROP TRIGGER changes_stay_as_they_are")
            .unwrap();
        raw.execute_batch(statement).unwrap();
        let error = store.reader().check_history(CAPTURE).unwrap_err();
        assert!(error.to_string().contains(message), "{what}: {error}");
        assert_eq!(store.load(CAPTURE).unwrap().unwrap().revision, 4);
        if what != "the state" {
            let error = store.reader().state_at(CAPTURE, 3).unwrap_err();
            assert!(error.to_string().contains(message), "{what}: {error}");
        }
    }
}

#[test]
fn a_history_is_checked_while_the_capture_goes_on() {
    let (_folder, dir) = fresh();
    let mut store = Store::open(&dir, CAPTURE).unwrap();
    patch(&mut store, r#"{"n":0}"#, None);
    let reader = Store::open_readonly(&dir).unwrap();
    std::thread::scope(|scope| {
        let checks = scope.spawn(move || {
            for _ in 0..50 {
                reader.check_history(CAPTURE).unwrap();
                reader.check_head(CAPTURE).unwrap();
                let revision = reader.load(CAPTURE).unwrap().unwrap().revision;
                let state = reader.state_at(CAPTURE, revision).unwrap().unwrap();
                assert_eq!(state, format!(r#"{{"n":{}}}"#, revision - 1));
            }
        });
        let mut n = 1;
        while !checks.is_finished() {
            patch(&mut store, &format!(r#"{{"n":{n}}}"#), None);
            n += 1;
        }
    });
}

#[test]
fn a_store_of_version_1_is_read_as_it_is_and_gets_its_history_when_it_is_written() {
    let (_folder, dir) = fresh();
    std::fs::create_dir_all(&dir).unwrap();
    raw(&dir)
        .execute_batch(include_str!("version_1.sql"))
        .unwrap();
    let bytes = std::fs::read(dir.join("state.db")).unwrap();
    let reader = Store::open_readonly(&dir).unwrap();
    let journal = reader.journal(CAPTURE).unwrap();
    assert_eq!(reader.load(CAPTURE).unwrap().unwrap().revision, 9);
    assert_eq!(reader.history(CAPTURE, 10).unwrap(), []);
    assert_eq!(reader.state_at(CAPTURE, 2).unwrap(), None);
    assert_eq!(
        reader.state_at(CAPTURE, 9).unwrap().as_deref(),
        Some(r#"{"new":9}"#)
    );
    drop(reader);
    assert_eq!(std::fs::read(dir.join("state.db")).unwrap(), bytes);

    let mut store = Store::open(&dir, CAPTURE).unwrap();
    assert_eq!(store.reader().journal(CAPTURE).unwrap(), journal);
    patch(&mut store, r#"{"new":10}"#, None);
    let found: Vec<_> = states(&store, 1..=10)
        .into_iter()
        .map(|state| state.unwrap_or_default())
        .collect();
    let nothing = "";
    assert_eq!(
        found,
        [
            r#"{"old":1}"#,
            nothing,
            nothing,
            nothing,
            nothing,
            nothing,
            nothing,
            nothing,
            r#"{"new":9}"#,
            r#"{"new":10}"#
        ]
    );
    assert_eq!(store.reader().check_history(CAPTURE).unwrap(), 2);
    drop(store);
    assert_eq!(
        Store::open(&dir, CAPTURE)
            .unwrap()
            .reader()
            .journal(CAPTURE)
            .unwrap(),
        journal
    );
}
