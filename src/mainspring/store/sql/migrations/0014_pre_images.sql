-- Versions whose code is in an image, which the server does not keep.

ALTER TABLE deployment ADD COLUMN image {text} NOT NULL DEFAULT '';
