CREATE TABLE IF NOT EXISTS {prefix}backfill_key (
  plan {key} NOT NULL,
  step {key} NOT NULL,
  goes_by {text} NOT NULL,
  PRIMARY KEY (plan, step)
){options};
