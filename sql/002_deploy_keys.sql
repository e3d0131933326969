-- A deploy key: bound to one app and to verbs, and where wanted to an address and a time. app_id NULL: a person's key.
ALTER TABLE keys ADD COLUMN app_id INTEGER REFERENCES apps (id) ON DELETE CASCADE;
ALTER TABLE keys ADD COLUMN verbs TEXT;          -- 'push', 'fetch' and names of commands, separated by spaces
ALTER TABLE keys ADD COLUMN source TEXT;         -- '192.0.2.0/24'; NULL: anywhere
ALTER TABLE keys ADD COLUMN expires_at INTEGER;  -- NULL: never
