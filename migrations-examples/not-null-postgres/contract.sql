-- contract: no version writes NULL any more.
BEGIN;
DROP TRIGGER zzz_orders_note_filled ON orders;
DROP FUNCTION orders_note_filled();
COMMIT;
