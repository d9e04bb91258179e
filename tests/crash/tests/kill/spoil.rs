//! What may go wrong with a capture, done by hand: the tests must see each of these.

use std::fs;

use serde_json::Value;

use crate::project::Project;

const EVENTS: &str = "crash/events.jsonl";

/// What is wrong, and how it is done.
type Spoil = (&'static str, fn(&Project));

pub(crate) const ALL: [Spoil; 10] = [
    ("a lost document", |project| {
        rewrite(project, |lines| _ = lines.pop())
    }),
    ("a repeated document", |project| {
        rewrite(project, |lines| lines.push(lines[0].clone()))
    }),
    ("two documents in another order", |project| {
        rewrite(project, |lines| lines.swap(0, 1))
    }),
    ("a document with another text", |project| {
        rewrite(project, |lines| lines[0] = r#"{"id":1,"text":"?"}"#.into())
    }),
    ("a torn document", |project| {
        execute(
            project,
            &format!(
                "UPDATE files SET committed_bytes = committed_bytes - 3 WHERE path = '{EVENTS}'"
            ),
        );
    }),
    ("bytes that were left over", |project| {
        let path = project.path("out").join(EVENTS);
        let text = fs::read_to_string(&path).expect("the file can be read");
        fs::write(&path, text + "{\"id\":").expect("the file can be written");
    }),
    ("a state of which one binding is not migrated", |project| {
        change_state(project, |state| {
            state["bindingStateV1"]["archive"]["inc"] = serde_json::json!({ "cursor": 501 });
        });
    }),
    ("a state that is ahead of the documents", |project| {
        change_state(project, |state| {
            state["bindingStateV1"]["labels"]["snapshot"] = Value::Null
        });
    }),
    ("a history that lacks its last change", |project| {
        execute(
            project,
            "DELETE FROM changes WHERE revision = (SELECT max(revision) FROM changes WHERE kind = 'checkpoint')",
        );
    }),
    ("a migration that is committed twice", |project| {
        execute(
            project,
            "INSERT INTO changes (capture, revision, at, kind, connector, author, reason, migrations, consents, form, state_update, \
             state_before, state_digest, documents, previous, link, place, bytes, segment_bytes) \
             SELECT capture, revision + 1000, at, kind, connector, author, reason, migrations, consents, form, state_update, \
             state_before, state_digest, documents, previous, link, place, bytes, segment_bytes FROM changes WHERE kind = 'migration'",
        );
    }),
];

/// Changes a file's documents, and has the store agree.
fn rewrite(project: &Project, change: impl Fn(&mut Vec<String>)) {
    let path = project.path("out").join(EVENTS);
    let text = fs::read_to_string(&path).expect("the file can be read");
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let before = lines.len();
    change(&mut lines);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&path, &text).expect("the file can be written");
    execute(
        project,
        &format!(
            "UPDATE files SET committed_bytes = {}, committed_documents = {} WHERE path = '{EVENTS}'; \
             UPDATE progress SET documents = documents + {} - {before}",
            text.len(),
            lines.len(),
            lines.len(),
        ),
    );
}

fn change_state(project: &Project, change: impl Fn(&mut Value)) {
    let database = open(project);
    let state: String = database
        .query_row("SELECT state FROM states", [], |row| row.get(0))
        .expect("there is a state");
    let mut state: Value = serde_json::from_str(&state).expect("it is JSON");
    change(&mut state);
    database
        .execute("UPDATE states SET state = ?1", [state.to_string()])
        .expect("the state can be changed");
}

fn execute(project: &Project, sql: &str) {
    open(project)
        .execute_batch(sql)
        .expect("the store can be changed");
}

fn open(project: &Project) -> rusqlite::Connection {
    rusqlite::Connection::open(project.path(".staunch/state.db")).expect("the store can be opened")
}
