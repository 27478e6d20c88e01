-- 0002_rename_status: orders.old_status becomes new_status.
-- expand: the new column beside the old one.

-- Nullable and without a default: the old version's INSERTs, which do not know the column, go on, and
-- no row is rewritten.
ALTER TABLE orders ADD COLUMN new_status text;

-- Whoever writes one column writes both. Every WHEN is false for a row whose columns agree, so that the
-- triggers come to rest whatever recursive_triggers says; COLLATE BINARY lets no collation take two
-- different values for the same.

-- In an UPDATE, the column that changed is the one that was meant, and new_status wins when both did. These two
-- come first: a row that the other filled would keep its value while the old version changes it.
CREATE TRIGGER orders_new_status_sync_from_new AFTER UPDATE OF new_status ON orders
WHEN NEW.new_status IS NOT NEW.old_status COLLATE BINARY
  AND NEW.new_status IS NOT OLD.new_status COLLATE BINARY
  AND NOT (NEW.new_status IS NULL AND NEW.old_status IS NOT OLD.old_status COLLATE BINARY)
BEGIN
  UPDATE orders SET old_status = NEW.new_status WHERE rowid = NEW.rowid;
END;

-- Any UPDATE, of the key too: a row that moves behind the fill takes its value along.
CREATE TRIGGER orders_new_status_sync_from_old AFTER UPDATE ON orders
WHEN NEW.new_status IS NOT NEW.old_status COLLATE BINARY
  AND (NEW.old_status IS NOT OLD.old_status COLLATE BINARY OR NEW.new_status IS NULL)
  AND (NEW.new_status IS OLD.new_status COLLATE BINARY OR NEW.new_status IS NULL AND NEW.old_status IS NOT OLD.old_status COLLATE BINARY)
BEGIN
  UPDATE orders SET new_status = NEW.old_status WHERE rowid = NEW.rowid;
END;

-- An INSERT that gives new_status comes from the new version.
CREATE TRIGGER orders_new_status_sync_insert AFTER INSERT ON orders
WHEN NEW.new_status IS NOT NEW.old_status COLLATE BINARY
BEGIN
  UPDATE orders SET old_status = coalesce(NEW.new_status, NEW.old_status), new_status = coalesce(NEW.new_status, NEW.old_status)
  WHERE rowid = NEW.rowid;
END;
