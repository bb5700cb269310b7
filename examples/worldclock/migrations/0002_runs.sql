-- The service's own history: a run without an end was killed, or still lasts.
CREATE TABLE runs (
    id         INTEGER NOT NULL PRIMARY KEY,
    started_at TEXT NOT NULL,
    stopped_at TEXT,
    clocks     INTEGER -- on the board when it stopped
) STRICT;
