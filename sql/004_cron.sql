-- What is remembered of the scheduled tasks of app.json; a task without a row is not suspended.
CREATE TABLE cron (
    app_id    INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    id        TEXT NOT NULL,                   -- of its schedule and command (sql/app_json.h)
    suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
    done_at   INTEGER,                         -- up to here its times are done: started, or left out (where the deployer starts it)
    PRIMARY KEY (app_id, id)
) STRICT, WITHOUT ROWID;
