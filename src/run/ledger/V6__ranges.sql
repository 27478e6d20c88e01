CREATE TABLE IF NOT EXISTS {prefix}range (
  id {serial},
  plan {key} NOT NULL,
  step {key} NOT NULL,
  position {text},
  last_key {text} NOT NULL,
  rows_done bigint NOT NULL,
  token bigint NOT NULL,
  lease bigint NOT NULL,
  holder {text} NOT NULL,
  held_until {time} NOT NULL
){options};
DROP VIEW IF EXISTS {prefix}step_progress;
{view} {prefix}step_progress AS
SELECT
  d.plan,
  d.number,
  d.step,
  d.phase,
  d.state,
  d.rows_done,
  d.rows_total,
  CASE
    WHEN d.state = 'done' THEN 100.0
    WHEN d.rows_total > 0 AND d.rows_done <= d.rows_total THEN round(100.0 * d.rows_done / d.rows_total, 1)
  END AS percent,
  d.started_at,
  d.finished_at,
  d.problem
FROM (
  SELECT s.plan, s.position + 1 AS number, s.id AS step, s.phase, s.state, s.rows_total, s.started_at, s.finished_at,
    s.problem,
    CAST(s.rows_done + coalesce((SELECT sum(r.rows_done) FROM {prefix}range r WHERE r.plan = s.plan AND r.step = s.id), 0)
      AS {integer}) AS rows_done
  FROM {prefix}step s
) d;
{view} {prefix}worker AS
SELECT
  r.plan,
  r.step,
  r.holder,
  r.rows_done,
  r.position AS done_to,
  r.last_key AS claimed_to,
  r.held_until,
  CASE WHEN r.held_until > {now} THEN 'yes' ELSE 'no' END AS is_held
FROM {prefix}range r;
