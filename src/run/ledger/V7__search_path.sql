CREATE TABLE IF NOT EXISTS {prefix}plan_search_path (
  plan {key} PRIMARY KEY,
  found_in {text} NOT NULL
){options};
