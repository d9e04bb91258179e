-- What a run knows beside the states, and the next one goes on with.

-- What the documents of each collection have looked like so far: a JSON schema that only ever widens.
CREATE TABLE inferred_schemas (
    collection TEXT NOT NULL PRIMARY KEY,
    schema     TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

-- The endpoint config that a connector has asked for in place of the one in the catalog, sealed as it came. `replaces` is the digest of that one:
-- when a person changes it, theirs counts again.
CREATE TABLE endpoint_configs (
    capture    TEXT NOT NULL PRIMARY KEY REFERENCES progress (capture),
    config     TEXT NOT NULL,
    replaces   TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

-- Upgrades that are on probation: what is needed to take one back if it does not come to its end.
CREATE TABLE probations (
    capture         TEXT    NOT NULL PRIMARY KEY REFERENCES progress (capture),
    -- The last revision of before the upgrade, and how many documents were committed by then.
    revision_before INTEGER NOT NULL,
    documents       INTEGER NOT NULL,
    -- The program and arguments of the candidate, as JSON, and what identifies it and the connector of before.
    command         TEXT    NOT NULL,
    connector       TEXT    NOT NULL,
    before          TEXT    NOT NULL,
    began_at        TEXT    NOT NULL
) STRICT;
