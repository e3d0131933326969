-- What the gateway asks the builder for, which alone may speak with the engine that builds: 'purge-cache' of an app, 'report'
-- of what takes space. Who asked reads the answer and removes the row.
CREATE TABLE errands (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL CHECK (kind IN ('purge-cache', 'report')),
    app_id     INTEGER REFERENCES apps (id) ON DELETE CASCADE, -- NULL: all
    state      TEXT NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'done', 'failed')),
    answer     TEXT,                           -- why it failed; of a report, JSON
    asked_at   INTEGER NOT NULL
) STRICT;
-- The app's cache was purged: its next build begins from nothing, and so do those after it until one has an image.
ALTER TABLE apps ADD COLUMN fresh_build INTEGER NOT NULL DEFAULT 0 CHECK (fresh_build IN (0, 1));
