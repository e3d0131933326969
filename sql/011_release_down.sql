-- A release that failed because a part of the server's surroundings did not answer, rather than by itself: who asked for it
-- may ask again.
ALTER TABLE releases ADD COLUMN down INTEGER NOT NULL DEFAULT 0;
