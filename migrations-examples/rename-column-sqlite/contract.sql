-- 0002_rename_status: orders.old_status becomes new_status.
-- contract: the old column goes.

-- The sync and the old column go together or not at all: in between, a write of one version would be lost
-- to the other. The values of old_status are gone after this; new_status has them. SQLite (3.35 or later) drops no
-- column that an index needs, and rewrites the table; nobody else writes meanwhile.
BEGIN;
DROP TRIGGER orders_new_status_sync_insert;
DROP TRIGGER orders_new_status_sync_from_new;
DROP TRIGGER orders_new_status_sync_from_old;
DROP INDEX orders_old_status_idx;
ALTER TABLE orders DROP COLUMN old_status;
COMMIT;
