-- The name under which an app's objects are in the targets and its images in the registries: given once, and kept when the
-- app is renamed, so that nothing of it has to be made anew.
ALTER TABLE apps ADD COLUMN handle TEXT NOT NULL DEFAULT '';
UPDATE apps SET handle = name;
CREATE UNIQUE INDEX apps_handle ON apps (handle);
-- The app's name from the moment on at which this release is live; NULL: the one that it has.
ALTER TABLE releases ADD COLUMN rename_to TEXT;
-- Whose row it is, whatever the app was called then. Ids are never given out twice; NULL: of no app, or of one not found.
ALTER TABLE audit ADD COLUMN app_id INTEGER;
UPDATE audit SET app_id = (SELECT id FROM apps WHERE name = audit.app AND created_at <= audit.at);
DROP INDEX audit_app;
CREATE INDEX audit_app ON audit (app_id, id);
