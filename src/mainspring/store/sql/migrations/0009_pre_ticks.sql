-- Schedules fire. `fire_at` is when the tick of `next_at` starts: later by its place in the window.
-- A schedule of code that is not declared any more is kept switched off, `gone` tells why.
ALTER TABLE schedule ADD COLUMN fire_at {bigint} NOT NULL DEFAULT 0;
ALTER TABLE schedule ADD COLUMN catch_up {text} NOT NULL DEFAULT 'latest';
ALTER TABLE schedule ADD COLUMN gone {bigint} NOT NULL DEFAULT 0;
UPDATE schedule SET fire_at = next_at;
DROP INDEX schedule_due;
-- what fires next
CREATE INDEX schedule_due ON schedule (shard_id, fire_at, schedule_id) WHERE active = 1;
