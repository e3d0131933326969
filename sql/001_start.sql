-- Times are milliseconds since 1970 (UTC). JSON columns hold what one program wrote and reads whole.

CREATE TABLE users (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    admin      INTEGER NOT NULL DEFAULT 0 CHECK (admin IN (0, 1)),
    may_create INTEGER NOT NULL DEFAULT 0 CHECK (may_create IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;

-- A key may be bound: to one app, to verbs, to an address, to a time (a deploy key is such a key).
CREATE TABLE keys (
    id          INTEGER PRIMARY KEY,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    type        TEXT NOT NULL,
    blob        BLOB NOT NULL UNIQUE,          -- RFC 4253 §6.6 public key blob
    fingerprint TEXT NOT NULL UNIQUE,          -- SHA256:base64
    created_at  INTEGER NOT NULL,
    last_used_at INTEGER,
    UNIQUE (user_id, name)
) STRICT;

-- An app's id names its repository and its sealed values: it is never given out twice.
CREATE TABLE apps (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT NOT NULL UNIQUE,
    owner_id      INTEGER NOT NULL REFERENCES users (id),
    deploy_branch TEXT NOT NULL DEFAULT 'main',
    lock_reason   TEXT,                        -- not NULL: locked
    locked_by     TEXT,
    locked_at     INTEGER,
    live_release_id INTEGER REFERENCES releases (id),
    config_version INTEGER NOT NULL DEFAULT 0, -- newest
    release_version INTEGER NOT NULL DEFAULT 0,-- newest vN given out
    on_disconnect TEXT NOT NULL DEFAULT 'continue' CHECK (on_disconnect IN ('continue', 'cancel')),
    deleting      INTEGER NOT NULL DEFAULT 0,  -- apps:destroy has begun; the deployer ends it
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE access (
    app_id  INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role    TEXT NOT NULL CHECK (role IN ('view', 'deploy', 'operate', 'own')),
    PRIMARY KEY (app_id, user_id)
) STRICT, WITHOUT ROWID;

-- A config version is a full set of values; unchanged values are shared between versions.
CREATE TABLE config_values (
    id           INTEGER PRIMARY KEY,
    app_id       INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    sealed_run   BLOB,                         -- sealed to the run key; NULL: not in run scope
    sealed_build BLOB,                         -- sealed to the build key; NULL: not in build scope
    hint         TEXT NOT NULL,                -- last characters for the masked display, '' for short values
    digest       BLOB NOT NULL                 -- keyed hash, tells equal values apart without opening
) STRICT;

CREATE TABLE config_items (
    app_id  INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    name    TEXT NOT NULL,
    value_id INTEGER NOT NULL REFERENCES config_values (id) ON DELETE CASCADE,
    PRIMARY KEY (app_id, version, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX config_items_value ON config_items (value_id);

CREATE TABLE formation (
    app_id  INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    process TEXT NOT NULL,
    count   INTEGER NOT NULL CHECK (count BETWEEN 0 AND 1000),
    PRIMARY KEY (app_id, process)
) STRICT, WITHOUT ROWID;

CREATE TABLE builds (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id     INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    user_id    INTEGER REFERENCES users (id) ON DELETE SET NULL,
    user_name  TEXT NOT NULL,
    branch     TEXT NOT NULL,
    old_commit TEXT,                           -- what the pusher believed to be live; NULL: nothing
    commit_id  TEXT NOT NULL,
    tree_id    TEXT NOT NULL,
    shallow    INTEGER NOT NULL DEFAULT 0,
    message    TEXT NOT NULL DEFAULT '',
    no_cache   INTEGER NOT NULL DEFAULT 0,
    config_version INTEGER NOT NULL,
    state      TEXT NOT NULL CHECK (state IN
               ('queued', 'building', 'built', 'releasing', 'live', 'failed', 'canceled')),
    cancel     INTEGER NOT NULL DEFAULT 0,     -- asked for
    attempts   INTEGER NOT NULL DEFAULT 0,
    input_hash TEXT,                           -- tree, builder, build config: equal inputs, equal image
    image      TEXT,                           -- name in the build registry
    digest     TEXT,                           -- sha256:…
    processes  TEXT,                           -- JSON [{"type","command":[…],"args":[…],"default":bool}]
    reused_from INTEGER REFERENCES builds (id) ON DELETE SET NULL,
    exit_code  INTEGER,
    reason     TEXT,
    release_id INTEGER REFERENCES releases (id),
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    built_at   INTEGER,
    ended_at   INTEGER,
    lease_owner TEXT, lease_boot TEXT, lease_pid INTEGER, lease_start INTEGER, lease_expires INTEGER
) STRICT;
CREATE INDEX builds_state ON builds (state);
CREATE INDEX builds_app ON builds (app_id, id);
CREATE INDEX builds_input ON builds (input_hash);

CREATE TABLE releases (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    app_id     INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    version    INTEGER NOT NULL,
    build_id   INTEGER REFERENCES builds (id) ON DELETE SET NULL,
    user_id    INTEGER REFERENCES users (id) ON DELETE SET NULL,
    user_name  TEXT NOT NULL,
    description TEXT NOT NULL,                 -- 'deploy 3f2c1ab', 'set DATABASE_URL', 'rollback to v7'
    commit_id  TEXT,
    from_live  INTEGER NOT NULL DEFAULT 0,     -- a change of config or scale: takes the image that is live when it begins
    source_image TEXT NOT NULL,                -- name in the build registry
    digest     TEXT NOT NULL,
    image      TEXT,                           -- name in the release registry, once published
    config_version INTEGER NOT NULL,
    formation  TEXT NOT NULL,                  -- JSON {"web": 2}
    processes  TEXT NOT NULL,                  -- as in builds
    run_release_command INTEGER NOT NULL DEFAULT 1,
    manifests  TEXT,                           -- JSON array as applied, without secret values
    state      TEXT NOT NULL CHECK (state IN ('pending', 'releasing', 'live', 'superseded', 'failed', 'canceled')),
    cancel     INTEGER NOT NULL DEFAULT 0,
    attempts   INTEGER NOT NULL DEFAULT 0,
    step       TEXT NOT NULL DEFAULT '',       -- publish, command, apply, rollout, restore
    command_done INTEGER NOT NULL DEFAULT 0,   -- the release command has succeeded: not run again after a restart
    reason     TEXT,
    url        TEXT,
    publish_ms INTEGER, command_ms INTEGER, apply_ms INTEGER, rollout_ms INTEGER,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at   INTEGER,
    lease_owner TEXT, lease_boot TEXT, lease_pid INTEGER, lease_start INTEGER, lease_expires INTEGER,
    UNIQUE (app_id, version)
) STRICT;
CREATE INDEX releases_state ON releases (state);
CREATE INDEX releases_build ON releases (build_id);

-- Objects that the target holds for an app, so that what a release no longer has can be removed.
CREATE TABLE inventory (
    app_id      INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    api_version TEXT NOT NULL,
    kind        TEXT NOT NULL,
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    uid         TEXT NOT NULL,
    release_id  INTEGER NOT NULL,              -- newest release that applied it
    PRIMARY KEY (app_id, api_version, kind, namespace, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    user_name   TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    address     TEXT NOT NULL,
    app         TEXT NOT NULL,                 -- name at that time; '' where none
    verb        TEXT NOT NULL,
    detail      TEXT NOT NULL,                 -- arguments without values
    result      INTEGER NOT NULL               -- exit code
) STRICT;
CREATE INDEX audit_app ON audit (app, id);
