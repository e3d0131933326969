-- What a release keeps of its tree's app.json: healthchecks, cron, scripts.postdeploy (sql/app_json.h).
ALTER TABLE builds ADD COLUMN app_json TEXT;
ALTER TABLE releases ADD COLUMN app_json TEXT;
ALTER TABLE releases ADD COLUMN postdeploy_done INTEGER NOT NULL DEFAULT 0; -- scripts.postdeploy has ended, well or not
