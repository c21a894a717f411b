-- The chain. at is the text that was hashed.
CREATE TABLE events (
  run     TEXT    NOT NULL,
  seq     INTEGER NOT NULL,
  at      TEXT    NOT NULL,
  epoch   INTEGER NOT NULL,
  actor   TEXT    NOT NULL,
  type    TEXT    NOT NULL,
  step    TEXT    NOT NULL,
  attempt INTEGER NOT NULL,
  body    TEXT    NOT NULL,
  prev    TEXT    NOT NULL,
  hash    TEXT    NOT NULL,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

-- An index of the runs. Only epoch is more than that: it fences a conductor
-- off that has lost its lock. The rest follows from the events, and verify
-- compares.
CREATE TABLE runs (
  id      INTEGER PRIMARY KEY,
  run     TEXT    NOT NULL UNIQUE,
  name    TEXT    NOT NULL,
  mode    TEXT    NOT NULL,
  created TEXT    NOT NULL,
  epoch   INTEGER NOT NULL DEFAULT 0,
  seq     INTEGER NOT NULL DEFAULT 0,
  head    TEXT    NOT NULL DEFAULT '',
  ended   TEXT    NOT NULL DEFAULT '',
  result  TEXT    NOT NULL DEFAULT ''
) STRICT;
