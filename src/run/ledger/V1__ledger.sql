CREATE TABLE IF NOT EXISTS {prefix}plan (
  name {key} PRIMARY KEY,
  digest {key} NOT NULL,
  dialect {key} NOT NULL,
  started_at {time} NOT NULL,
  finished_at {time}
){options};
CREATE TABLE IF NOT EXISTS {prefix}plan_file (
  plan {key} NOT NULL,
  name {key} NOT NULL,
  digest {key} NOT NULL,
  PRIMARY KEY (plan, name)
){options};
CREATE TABLE IF NOT EXISTS {prefix}step (
  plan {key} NOT NULL,
  id {key} NOT NULL,
  position bigint NOT NULL,
  phase {key} NOT NULL,
  digest {key} NOT NULL,
  state {key} NOT NULL,
  last_key {text},
  final_key {text},
  rows_done bigint NOT NULL DEFAULT 0,
  rows_total bigint,
  started_at {time},
  finished_at {time},
  problem {text},
  PRIMARY KEY (plan, id)
){options};
CREATE TABLE IF NOT EXISTS {prefix}approval (
  id {serial},
  plan {key} NOT NULL,
  gate {key} NOT NULL,
  digest {key} NOT NULL,
  approved_by {key} NOT NULL,
  reason {text} NOT NULL,
  stands_in_for {text} NOT NULL,
  approved_at {time} NOT NULL
){options};
CREATE TABLE IF NOT EXISTS {prefix}evidence (
  id {serial},
  plan {key} NOT NULL,
  phase {key} NOT NULL,
  gate {key} NOT NULL,
  verdict {key} NOT NULL,
  because {text} NOT NULL,
  observed {text} NOT NULL,
  judged_at {time} NOT NULL
){options};
CREATE TABLE IF NOT EXISTS {prefix}event (
  id {serial},
  plan {key} NOT NULL,
  step {key} NOT NULL,
  kind {key} NOT NULL,
  detail {text} NOT NULL,
  happened_at {time} NOT NULL
){options};
CREATE TABLE IF NOT EXISTS {prefix}lease (
  id bigint PRIMARY KEY,
  holder {text} NOT NULL,
  token bigint NOT NULL,
  held_until {time} NOT NULL
){options};
INSERT INTO {prefix}lease (id, holder, token, held_until) SELECT 1, '', 0, {now} WHERE NOT EXISTS (SELECT 1 FROM {prefix}lease WHERE id = 1);
