-- The file in the state folder's images/ that holds the image of a release, as a person sent it, until it is published.
ALTER TABLE releases ADD COLUMN image_file TEXT;
