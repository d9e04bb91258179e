-- A store as version 1 made it, with a capture that was migrated at revision 2 and has gone on since.
CREATE TABLE progress (
    capture      TEXT    NOT NULL PRIMARY KEY,
    revision     INTEGER NOT NULL DEFAULT 0 CHECK (revision >= 0),
    connector    TEXT    NOT NULL DEFAULT '',
    documents    INTEGER NOT NULL DEFAULT 0 CHECK (documents >= 0),
    checkpoints  INTEGER NOT NULL DEFAULT 0 CHECK (checkpoints >= 0),
    updated_at   TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE states (
    capture TEXT NOT NULL PRIMARY KEY REFERENCES progress (capture),
    state   TEXT NOT NULL
) STRICT;
CREATE TABLE applied_specs (
    capture TEXT NOT NULL PRIMARY KEY REFERENCES progress (capture),
    spec    TEXT NOT NULL
) STRICT;
CREATE TABLE files (
    path                TEXT    NOT NULL PRIMARY KEY,
    capture             TEXT    NOT NULL REFERENCES progress (capture),
    collection          TEXT    NOT NULL,
    committed_bytes     INTEGER NOT NULL DEFAULT 0 CHECK (committed_bytes >= 0),
    committed_documents INTEGER NOT NULL DEFAULT 0 CHECK (committed_documents >= 0)
) STRICT;
CREATE INDEX files_by_capture ON files (capture);
CREATE TABLE journal (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    capture      TEXT    NOT NULL REFERENCES progress (capture),
    revision     INTEGER NOT NULL,
    at           TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    connector    TEXT    NOT NULL,
    migrations   TEXT    NOT NULL,
    state_update TEXT    NOT NULL,
    state_before TEXT    NOT NULL,
    consents     TEXT    NOT NULL
) STRICT;
CREATE INDEX journal_by_capture ON journal (capture, id);
CREATE TRIGGER journal_is_append_only_update BEFORE UPDATE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER journal_is_append_only_delete BEFORE DELETE ON journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE VIEW captures AS
SELECT p.capture, p.revision, coalesce(s.state, '{}') AS state, p.connector, p.updated_at,
       a.spec AS applied_spec, p.documents, p.checkpoints
FROM progress AS p LEFT JOIN states AS s USING (capture) LEFT JOIN applied_specs AS a USING (capture);
CREATE VIEW history AS
SELECT id, capture, revision, at, kind, connector, migrations, consents,
       length(state_update) AS update_bytes, length(state_before) AS before_bytes
FROM journal ORDER BY id;
PRAGMA application_id = 1400136053;
PRAGMA user_version = 1;
INSERT INTO progress VALUES ('acmeCo/git', 9, 'source-git 1.0.0', 3, 9, '2026-11-22T13:00:00Z');
INSERT INTO states VALUES ('acmeCo/git', '{"new":9}');
INSERT INTO journal (capture, revision, at, kind, connector, migrations, state_update, state_before, consents)
VALUES ('acmeCo/git', 2, '2026-11-22T12:00:00Z', 'migration', 'source-git 1.0.0', '[{"name":"rename"}]',
        '{"old":null,"new":1}', '{"old":1}', '["rewind:commits"]');
