-- A build that is only planned with (git push -o plan): it makes no release. Its row ends as 'canceled', because the
-- table's check knows no other word; with plan and a digest it is shown as planned.
ALTER TABLE builds ADD COLUMN plan INTEGER NOT NULL DEFAULT 0;
