-- An app's own certificate. Its private key is a value among the config's, sealed to the run key, in no version's set: so
-- secrets:rotate seals it anew with them.
CREATE TABLE certificates (
    app_id      INTEGER PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
    chain       TEXT NOT NULL,                 -- PEM, the app's first
    key_id      INTEGER NOT NULL REFERENCES config_values (id) ON DELETE CASCADE,
    hash        TEXT NOT NULL,                 -- of the chain; names it in the target
    names       TEXT NOT NULL,                 -- host names, separated by blanks
    subject     TEXT NOT NULL,
    issuer      TEXT NOT NULL,
    fingerprint TEXT NOT NULL,                 -- SHA-256 of the first one's DER, hexadecimal
    not_before  INTEGER NOT NULL,
    not_after   INTEGER NOT NULL
) STRICT;
