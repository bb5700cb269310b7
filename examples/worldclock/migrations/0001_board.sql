-- The tz database's zones, as the zone table describes them.
CREATE TABLE zones (
    name      TEXT NOT NULL PRIMARY KEY,
    countries TEXT NOT NULL, -- ISO 3166 codes, separated by spaces
    latitude  REAL NOT NULL,
    longitude REAL NOT NULL,
    comments  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: the id of a deleted clock is never given to another one, so an old link can't lead to a stranger.
CREATE TABLE clocks (
    id    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    label TEXT NOT NULL,
    zone  TEXT NOT NULL REFERENCES zones (name)
) STRICT;
