CREATE TABLE IF NOT EXISTS {prefix}proof (
  id {serial},
  plan {key} NOT NULL,
  step {key} NOT NULL,
  digest {key} NOT NULL,
  outcome {key} NOT NULL,
  rows_seen bigint NOT NULL,
  ranges bigint NOT NULL,
  repaired bigint NOT NULL,
  example {text},
  last_key {text},
  kept_by {text} NOT NULL,
  position {text},
  filled bigint NOT NULL,
  milliseconds bigint NOT NULL,
  proved_at {time} NOT NULL
){options};
{view} {prefix}last_proof AS
SELECT
  p.plan,
  p.step,
  p.outcome,
  p.proved_at,
  p.rows_seen,
  p.ranges,
  p.repaired,
  p.example,
  p.position AS write_position,
  p.milliseconds
FROM {prefix}proof p
WHERE p.id = (SELECT max(n.id) FROM {prefix}proof n WHERE n.plan = p.plan AND n.step = p.step);
