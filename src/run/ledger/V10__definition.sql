CREATE TABLE IF NOT EXISTS {prefix}plan_definition (
  plan {key} NOT NULL,
  position int NOT NULL,
  object_name {text} NOT NULL,
  kind {text} NOT NULL,
  name {text} NOT NULL,
  definition {text} NOT NULL,
  PRIMARY KEY (plan, position)
){options};
