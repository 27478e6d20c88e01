ALTER TABLE orders RENAME COLUMN old_status TO new_status;
