-- Whether web's address shows a maintenance page instead of the app: what people were told, the target holds it.
ALTER TABLE apps ADD COLUMN maintenance INTEGER NOT NULL DEFAULT 0 CHECK (maintenance IN (0, 1));
