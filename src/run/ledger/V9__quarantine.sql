CREATE TABLE IF NOT EXISTS {prefix}quarantine (
  id {serial},
  plan {key} NOT NULL,
  step {key} NOT NULL,
  after_key {text},
  row_key {text} NOT NULL,
  because {text} NOT NULL,
  noted_at {time} NOT NULL
){options};
{view} {prefix}quarantined_row AS
SELECT q.plan, q.step, q.row_key, q.because, q.noted_at FROM {prefix}quarantine q;
