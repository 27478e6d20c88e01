-- 0002_rename_status: orders.old_status becomes new_status.
-- expand: the new column beside the old one.

-- Nullable and without a default: the old version's INSERTs, which do not know the column, go on, and
-- no row is rewritten.
ALTER TABLE orders ADD COLUMN new_status text;

-- Whoever writes one column writes both. An INSERT that gives new_status comes from the new version; in an
-- UPDATE, the column that changed is the one that was meant, and new_status wins when both did.
CREATE FUNCTION orders_new_status_sync() RETURNS trigger LANGUAGE plpgsql AS $sync$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.new_status IS NOT NULL THEN
      NEW.old_status := NEW.new_status;
    ELSE
      NEW.new_status := NEW.old_status;
    END IF;
  ELSIF NEW.new_status IS DISTINCT FROM OLD.new_status
    AND NOT (NEW.new_status IS NULL AND NEW.old_status IS DISTINCT FROM OLD.old_status) THEN
    NEW.old_status := NEW.new_status;
  ELSIF NEW.old_status IS DISTINCT FROM OLD.old_status OR NEW.new_status IS NULL THEN
    NEW.new_status := NEW.old_status;
  END IF;
  RETURN NEW;
END
$sync$;

-- BEFORE triggers fire in the order of their names: zzz_ sees what the others made of the row.
CREATE TRIGGER zzz_orders_new_status_sync BEFORE INSERT OR UPDATE ON orders
  FOR EACH ROW EXECUTE FUNCTION orders_new_status_sync();
