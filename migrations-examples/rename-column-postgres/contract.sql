-- 0002_rename_status: orders.old_status becomes new_status.
-- contract: the old column goes.

-- NOT NULL without reading the table under a lock: the constraint is declared, then checked while
-- writers go on, then taken as the proof for SET NOT NULL.
ALTER TABLE orders ADD CONSTRAINT orders_new_status_filled CHECK (new_status IS NOT NULL) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT orders_new_status_filled;
ALTER TABLE orders ALTER COLUMN new_status SET NOT NULL;
ALTER TABLE orders DROP CONSTRAINT orders_new_status_filled;

-- The sync and the old column go together or not at all: in between, a write of one version would be lost
-- to the other. The first statement locks the table; the gates are asked once more before the COMMIT. The
-- values of old_status are gone after this, and its indexes; new_status has them.
BEGIN;
DROP TRIGGER zzz_orders_new_status_sync ON orders;
DROP FUNCTION orders_new_status_sync();
ALTER TABLE orders ALTER COLUMN new_status SET DEFAULT 'new';
ALTER TABLE orders DROP COLUMN old_status;
COMMIT;
