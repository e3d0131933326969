-- A release of an image that nobody built here: the tag or digest that was asked for. Until its worker has looked it up,
-- its digest is '' and its processes are [].
ALTER TABLE releases ADD COLUMN image_ref TEXT;
