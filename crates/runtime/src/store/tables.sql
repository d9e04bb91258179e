-- `progress` changes with every commit and stays small; `states` changes only when the state does. Kept in one row,
-- each commit of documents would rewrite the whole state.
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

-- What a person looks at.
CREATE VIEW captures AS
SELECT p.capture, p.revision, coalesce(s.state, '{}') AS state, p.connector, p.updated_at,
       a.spec AS applied_spec, p.documents, p.checkpoints
FROM progress AS p LEFT JOIN states AS s USING (capture) LEFT JOIN applied_specs AS a USING (capture);
