-- 0002_rename_status: orders.old_status becomes new_status.
-- revert: undoes expand, before contract has begun.

-- old_status holds everything that was written to new_status: nothing is lost. No version that uses new_status may
-- be running. What is not there, because the change got half way, is passed over.
DROP TRIGGER zzz_orders_new_status_sync ON orders;
DROP FUNCTION orders_new_status_sync();
ALTER TABLE orders DROP COLUMN new_status;
