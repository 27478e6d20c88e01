CREATE TABLE IF NOT EXISTS {prefix}pause (
  plan {key} PRIMARY KEY,
  paused_by {text} NOT NULL,
  reason {text} NOT NULL,
  paused_at {time} NOT NULL
){options};
CREATE TABLE IF NOT EXISTS {prefix}throttled (
  plan {key} NOT NULL,
  token bigint NOT NULL,
  because {text} NOT NULL,
  since {time} NOT NULL,
  seen_at {time} NOT NULL,
  PRIMARY KEY (plan, token)
){options};
