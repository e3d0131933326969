-- Where an app runs: 'docker', 'kubernetes'; '': the server's setting, when its first release begins.
ALTER TABLE apps ADD COLUMN target TEXT NOT NULL DEFAULT '';
-- Where a release runs; '' until its worker begins. One that is made with another than its app's moves the app.
ALTER TABLE releases ADD COLUMN target TEXT NOT NULL DEFAULT '';

-- What an app has on a target that it doesn't live on: left by a move, or by a move that failed. The deployer removes it.
CREATE TABLE leavings (
    app_id INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    target TEXT NOT NULL,
    PRIMARY KEY (app_id, target)
) STRICT, WITHOUT ROWID;
