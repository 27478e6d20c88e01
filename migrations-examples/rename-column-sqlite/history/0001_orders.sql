CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer TEXT NOT NULL,
  old_status TEXT
);
CREATE INDEX orders_old_status_idx ON orders (old_status);
