-- 0002_rename_status: orders.old_status becomes new_status.
-- expand: the new column beside the old one.

-- Nullable and without a default: the old version's INSERTs, which do not know the column, go on.
ALTER TABLE orders ADD COLUMN new_status varchar(20) NULL;

-- Whoever writes one column writes both. In an UPDATE, the column that changed is the one that was meant, and
-- new_status wins when both did. It comes first: a row that the other trigger filled would keep its value while the
-- old version changes it.
-- The comparison is by byte: to most collations 'a' and 'A' are equal.
CREATE TRIGGER orders_new_status_sync_update BEFORE UPDATE ON orders FOR EACH ROW
BEGIN
  IF NOT (CAST(NEW.new_status AS BINARY) <=> CAST(OLD.new_status AS BINARY))
    AND NOT (NEW.new_status IS NULL AND NOT (CAST(NEW.old_status AS BINARY) <=> CAST(OLD.old_status AS BINARY))) THEN
    SET NEW.old_status = NEW.new_status;
  ELSEIF NOT (CAST(NEW.old_status AS BINARY) <=> CAST(OLD.old_status AS BINARY)) OR NEW.new_status IS NULL THEN
    SET NEW.new_status = NEW.old_status;
  END IF;
END;

-- An INSERT that gives new_status comes from the new version.
CREATE TRIGGER orders_new_status_sync_insert BEFORE INSERT ON orders FOR EACH ROW
BEGIN
  IF NEW.new_status IS NOT NULL THEN
    SET NEW.old_status = NEW.new_status;
  ELSE
    SET NEW.new_status = NEW.old_status;
  END IF;
END;
