-- revert: NULL may be written again. The empty notes stay: which of them were NULL is not known any more.
ALTER TABLE orders ALTER COLUMN note DROP NOT NULL;
ALTER TABLE orders DROP CONSTRAINT IF EXISTS orders_note_filled;
DROP TRIGGER zzz_orders_note_filled ON orders;
DROP FUNCTION orders_note_filled();
