-- What was done to the state of each capture: a row for every commit that changed it, as far back as is kept. Rows are added at the end, and whole
-- segments are taken away at the beginning. A row with `state_before` begins a segment; every state in it follows from there.
CREATE TABLE changes (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    capture       TEXT    NOT NULL REFERENCES progress (capture),
    revision      INTEGER NOT NULL,
    at            TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    connector     TEXT    NOT NULL,
    author        TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    migrations    TEXT    NOT NULL,
    consents      TEXT    NOT NULL,
    state_digest  TEXT    NOT NULL,
    -- How many the capture had committed then.
    documents     INTEGER NOT NULL CHECK (documents >= 0),
    previous      TEXT    NOT NULL,
    link          TEXT    NOT NULL,
    -- The place in its segment, from 0 on; the bytes of this row, and of the segment up to here.
    place         INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    segment_bytes INTEGER NOT NULL,
    -- What `state_update` is: a merge patch, or the whole new state. What may be long comes last, so that nothing is read over it.
    form          TEXT    NOT NULL CHECK (form IN ('patch', 'state')),
    state_update  TEXT    NOT NULL,
    state_before  TEXT
) STRICT;

CREATE UNIQUE INDEX changes_by_capture ON changes (capture, revision);

CREATE TRIGGER changes_stay_as_they_are BEFORE UPDATE ON changes
BEGIN SELECT RAISE(ABORT, 'what was done to a state does not change'); END;

-- What a person looks at: everything that was done, and what was not a checkpoint with all that is known of it.
CREATE VIEW history AS
SELECT id, capture, revision, at, kind, connector, author, reason, migrations, consents, documents,
       octet_length(state_update) AS update_bytes, octet_length(state_before) AS before_bytes
FROM changes ORDER BY id;

CREATE VIEW journal AS
SELECT id, capture, revision, at, kind, connector, author, reason, migrations, consents, state_update, state_before
FROM changes WHERE kind <> 'checkpoint';
