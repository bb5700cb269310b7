-- How far each file has been read. A file is known by its inode and the time of its creation, as a rotation gives its
-- name to another one.
CREATE TABLE files (
    id       INTEGER PRIMARY KEY,
    inode    INTEGER NOT NULL,
    created  INTEGER NOT NULL,  -- nanoseconds since 1970
    name     TEXT    NOT NULL,  -- when it was seen first
    position INTEGER NOT NULL,  -- all before it is in `lines`
    UNIQUE (inode, created)
) STRICT;

CREATE TABLE lines (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,  -- what the collector knows a line by: never used again
    file INTEGER NOT NULL REFERENCES files (id),
    line BLOB    NOT NULL                    -- as it was, whether it is UTF-8 or not
) STRICT;

-- One row: the last line that the collector has acknowledged.
CREATE TABLE forwarded (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    seq      INTEGER NOT NULL
) STRICT;

INSERT INTO forwarded VALUES (1, 0);
