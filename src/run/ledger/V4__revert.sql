CREATE TABLE IF NOT EXISTS {prefix}revert (
  plan {key} PRIMARY KEY,
  digest {key} NOT NULL,
  reverted_by {key} NOT NULL,
  reason {text} NOT NULL,
  started_at {time} NOT NULL,
  finished_at {time}
){options};
CREATE TABLE IF NOT EXISTS {prefix}plan_table (
  plan {key} NOT NULL,
  name {key} NOT NULL,
  PRIMARY KEY (plan, name)
){options};
DROP VIEW IF EXISTS {prefix}plan_progress;
{view} {prefix}plan_progress AS
SELECT
  p.name AS plan,
  p.started_at,
  p.finished_at,
  (SELECT count(*) FROM {prefix}step s WHERE s.plan = p.name AND s.phase <> 'revert') AS steps,
  (SELECT count(*) FROM {prefix}step s WHERE s.plan = p.name AND s.phase <> 'revert' AND s.state = 'done') AS steps_done,
  (SELECT s.id FROM {prefix}step s WHERE s.plan = p.name AND s.phase <> 'revert' AND s.state <> 'done' ORDER BY s.position LIMIT 1) AS next_step,
  (SELECT o.database_name FROM {prefix}plan_origin o WHERE o.plan = p.name) AS begun_in,
  p.digest
FROM {prefix}plan p;
