CREATE TABLE orders (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer varchar(80) NOT NULL,
  old_status varchar(20) NOT NULL DEFAULT 'new',
  KEY orders_old_status_idx (old_status)
) ENGINE=InnoDB;
