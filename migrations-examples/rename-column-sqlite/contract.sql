-- 0002_rename_status: orders.old_status becomes new_status.
-- contract: the old column goes.

-- Only the new version is left: nobody needs the sync any more.
DROP TRIGGER orders_new_status_sync_insert;
DROP TRIGGER orders_new_status_sync_from_new;
DROP TRIGGER orders_new_status_sync_from_old;

-- SQLite drops no column that an index needs.
DROP INDEX orders_old_status_idx;

-- The old column. Its values are gone after this; new_status has them. SQLite (3.35 or later) rewrites the
-- table, and nobody else writes meanwhile.
ALTER TABLE orders DROP COLUMN old_status;
