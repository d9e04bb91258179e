-- The databases into which a capture's documents go together with its state, by the name that they have in staunch.yaml: what must be known to
-- tell, after a crash, whether the last transaction there is one of ours that is not here yet.
CREATE TABLE sinks (
    capture       TEXT    NOT NULL REFERENCES progress (capture),
    sink          TEXT    NOT NULL,
    -- Stands in the database, too: it tells this store from any other that writes as the same capture.
    token         TEXT    NOT NULL,
    -- The capture's revision that was committed there last.
    revision      INTEGER NOT NULL CHECK (revision >= 0),
    -- Whether the database has the token.
    is_registered INTEGER NOT NULL DEFAULT 0,
    -- Whether it is known that nothing is committed there that is not here.
    is_settled    INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (capture, sink)
) STRICT;
