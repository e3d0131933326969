-- Values in build scope alone that an app is to get from another one (apps:clone): only the builder can open them, and seals
-- them for the new app. Sealed as the app from_app_id has them, also when that one is gone.
CREATE TABLE config_copies (
    app_id       INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    from_app_id  INTEGER NOT NULL,
    sealed_build BLOB NOT NULL,
    PRIMARY KEY (app_id, name)
) STRICT, WITHOUT ROWID;
