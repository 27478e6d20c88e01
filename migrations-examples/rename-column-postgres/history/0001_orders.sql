CREATE TABLE orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer text NOT NULL,
  old_status text NOT NULL DEFAULT 'new'
);
CREATE INDEX orders_old_status_idx ON orders (old_status);
