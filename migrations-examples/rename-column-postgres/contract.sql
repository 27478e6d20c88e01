-- 0002_rename_status: orders.old_status becomes new_status.
-- contract: the old column goes.

-- The default moves while the trigger still keeps both columns equal.
ALTER TABLE orders ALTER COLUMN new_status SET DEFAULT 'new';

-- NOT NULL without reading the table under a lock: the constraint is declared, then checked while
-- writers go on, then taken as the proof for SET NOT NULL.
ALTER TABLE orders ADD CONSTRAINT orders_new_status_filled CHECK (new_status IS NOT NULL) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT orders_new_status_filled;
ALTER TABLE orders ALTER COLUMN new_status SET NOT NULL;
ALTER TABLE orders DROP CONSTRAINT orders_new_status_filled;

-- From the next statement on nobody fills old_status any more: INSERTs must be free to leave it out.
ALTER TABLE orders ALTER COLUMN old_status DROP NOT NULL;

-- Only the new version is left: nobody needs the sync any more.
DROP TRIGGER zzz_orders_new_status_sync ON orders;
DROP FUNCTION orders_new_status_sync();

-- The old column, with its indexes. Its values are gone after this; new_status has them.
ALTER TABLE orders DROP COLUMN old_status;
