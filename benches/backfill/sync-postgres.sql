CREATE FUNCTION t_sync() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  old_changed boolean;
  new_changed boolean;
BEGIN
  -- A pair that agrees is left alone, first of all: every row of the backfill is one.
  IF upper(NEW.old) = NEW.new THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'INSERT' THEN
    IF NEW.new IS NULL THEN
      NEW.new := upper(NEW.old);
    ELSIF NEW.old IS NULL OR upper(NEW.old) IS DISTINCT FROM NEW.new THEN
      NEW.old := lower(NEW.new);
    END IF;
    RETURN NEW;
  END IF;
  old_changed := NEW.old IS DISTINCT FROM OLD.old;
  new_changed := NEW.new IS DISTINCT FROM OLD.new;
  IF new_changed THEN
    IF NEW.new IS NULL THEN
      IF NOT old_changed THEN NEW.old := NULL; ELSE NEW.new := upper(NEW.old); END IF;
    ELSIF NEW.old IS NULL OR upper(NEW.old) IS DISTINCT FROM NEW.new THEN
      NEW.old := lower(NEW.new);
    END IF;
  ELSIF old_changed OR (NEW.new IS NULL AND NEW.old IS NOT NULL) THEN
    NEW.new := upper(NEW.old);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER zzz_t_sync BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION t_sync();
