-- expand: whoever leaves the note out writes an empty one from now on.

-- The version that is running still writes NULL: before anything refuses that, it is turned into what the
-- new version writes.
CREATE FUNCTION orders_note_filled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.note := coalesce(NEW.note, '');
  RETURN NEW;
END
$$;
CREATE TRIGGER zzz_orders_note_filled BEFORE INSERT OR UPDATE ON orders
  FOR EACH ROW EXECUTE FUNCTION orders_note_filled();
