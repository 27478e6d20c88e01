-- 0002_rename_status: orders.old_status becomes new_status.
-- contract: the old column goes.

-- The new column takes over NOT NULL and default, and the old one gives NOT NULL up, so that INSERTs may
-- leave it out when the triggers are gone. Either may rebuild the table. The old version must not come back
-- from here on: with a default on new_status, the trigger takes its INSERTs for the new version's.
ALTER TABLE orders MODIFY COLUMN new_status varchar(20) NOT NULL DEFAULT 'new';
ALTER TABLE orders MODIFY COLUMN old_status varchar(20) NULL;

-- Only the new version is left: nobody needs the sync any more.
DROP TRIGGER orders_new_status_sync_insert;
DROP TRIGGER orders_new_status_sync_update;

-- An index over several columns would outlive its column, with a column less.
DROP INDEX orders_old_status_idx ON orders;

-- The old column. Its values are gone after this; new_status has them.
ALTER TABLE orders DROP COLUMN old_status;
