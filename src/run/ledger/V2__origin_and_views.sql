CREATE TABLE IF NOT EXISTS {prefix}plan_origin (
  plan {key} PRIMARY KEY,
  server {key} NOT NULL,
  server_number {key} NOT NULL,
  database_id {key} NOT NULL,
  database_name {key} NOT NULL,
  recorded_at {time} NOT NULL
){options};
{view} {prefix}plan_progress AS
SELECT
  p.name AS plan,
  p.started_at,
  p.finished_at,
  (SELECT count(*) FROM {prefix}step s WHERE s.plan = p.name) AS steps,
  (SELECT count(*) FROM {prefix}step s WHERE s.plan = p.name AND s.state = 'done') AS steps_done,
  (SELECT s.id FROM {prefix}step s WHERE s.plan = p.name AND s.state <> 'done' ORDER BY s.position LIMIT 1) AS next_step,
  (SELECT o.database_name FROM {prefix}plan_origin o WHERE o.plan = p.name) AS begun_in,
  p.digest
FROM {prefix}plan p;
{view} {prefix}step_progress AS
SELECT
  s.plan,
  s.position + 1 AS number,
  s.id AS step,
  s.phase,
  s.state,
  s.rows_done,
  s.rows_total,
  CASE
    WHEN s.state = 'done' THEN 100.0
    WHEN s.rows_total > 0 AND s.rows_done <= s.rows_total THEN round(100.0 * s.rows_done / s.rows_total, 1)
  END AS percent,
  s.started_at,
  s.finished_at,
  s.problem
FROM {prefix}step s;
{view} {prefix}runner AS
SELECT
  l.holder,
  l.held_until,
  CASE WHEN l.holder <> '' AND l.held_until > {now} THEN 'yes' ELSE 'no' END AS is_held,
  l.token
FROM {prefix}lease l;
{view} {prefix}gate_progress AS
SELECT
  e.plan,
  e.phase,
  e.gate,
  e.verdict,
  e.because,
  e.judged_at,
  (SELECT count(*) FROM {prefix}approval a JOIN {prefix}plan p ON p.name = a.plan AND p.digest = a.digest
    WHERE a.plan = e.plan AND a.gate = e.gate) AS approvals
FROM {prefix}evidence e
WHERE e.id = (SELECT max(n.id) FROM {prefix}evidence n WHERE n.plan = e.plan AND n.phase = e.phase AND n.gate = e.gate);
{view} {prefix}story AS
SELECT e.id AS number, e.happened_at, e.plan, e.step, e.kind, e.detail FROM {prefix}event e;
