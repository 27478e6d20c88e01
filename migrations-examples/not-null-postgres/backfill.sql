-- backfill: the rows from before the trigger. Beside a constant, IS NULL says which rows are meant: the
-- proof is that none of them is left.
UPDATE orders SET note = '' WHERE note IS NULL;

-- What enforces runs after that proof, wherever it stands in this file below the UPDATE. None of the four
-- reads the table while writers wait: the first two let them go on, the third takes the second for its proof.
ALTER TABLE orders ADD CONSTRAINT orders_note_filled CHECK (note IS NOT NULL) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT orders_note_filled;
ALTER TABLE orders ALTER COLUMN note SET NOT NULL;
ALTER TABLE orders DROP CONSTRAINT orders_note_filled;
