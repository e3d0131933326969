-- People together: the role that a team has in an app is each member's. An id is never given out twice: a role is meant for the team
-- that had the name when it was given.
CREATE TABLE teams (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE team_members (
    team_id INTEGER NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (team_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_members_user ON team_members (user_id);

CREATE TABLE team_access (
    app_id  INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    team_id INTEGER NOT NULL REFERENCES teams (id) ON DELETE CASCADE,
    role    TEXT NOT NULL CHECK (role IN ('view', 'deploy', 'operate', 'own')),
    PRIMARY KEY (app_id, team_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_access_team ON team_access (team_id);

-- Whoever asks what somebody may do reads this: a row for each way in which a user has a role; the highest holds.
CREATE VIEW roles AS
    SELECT app_id, user_id, role FROM access
    UNION ALL
    SELECT t.app_id, m.user_id, t.role FROM team_access t JOIN team_members m ON m.team_id = t.team_id;
