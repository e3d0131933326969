-- Host names of an app beside the one that it has by its name: small letters, each of one app.
CREATE TABLE domains (
    domain TEXT PRIMARY KEY,
    app_id INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX domains_app ON domains (app_id);
