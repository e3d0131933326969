-- The replacement of a scope's sealing keys: asked for by an admin, done by the role that has the secret key.
CREATE TABLE rotations (
    scope     TEXT PRIMARY KEY CHECK (scope IN ('build', 'run')),
    state     TEXT NOT NULL CHECK (state IN ('asked', 'sealing', 'done')),
    sealed    INTEGER NOT NULL DEFAULT 0,      -- values that were sealed to the new key
    lost      INTEGER NOT NULL DEFAULT 0,      -- values that no key opens: damaged before
    reason    TEXT,                            -- why it could not go on; tried again
    asked_at  INTEGER NOT NULL,
    ended_at  INTEGER
) STRICT, WITHOUT ROWID;
