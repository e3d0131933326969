-- What has become of an image in the registry: 0: nothing; 1: it is to be removed, because the app needs it no more; 2: it is
-- removed. A release of such an image can't be rolled back to.
ALTER TABLE builds ADD COLUMN image_gone INTEGER NOT NULL DEFAULT 0 CHECK (image_gone IN (0, 1, 2));
ALTER TABLE releases ADD COLUMN image_gone INTEGER NOT NULL DEFAULT 0 CHECK (image_gone IN (0, 1, 2));
