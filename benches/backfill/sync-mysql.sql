CREATE TRIGGER t_sync_update BEFORE UPDATE ON t FOR EACH ROW
SET NEW.old = IF(NOT NEW.new <=> OLD.new AND NEW.old <=> OLD.old AND NOT upper(NEW.old) <=> NEW.new, lower(NEW.new), NEW.old),
    NEW.new = IF(NEW.new <=> OLD.new AND (NOT NEW.old <=> OLD.old OR NEW.new IS NULL), upper(NEW.old), NEW.new);
CREATE TRIGGER t_sync_insert BEFORE INSERT ON t FOR EACH ROW
SET NEW.new = coalesce(NEW.new, upper(NEW.old)), NEW.old = coalesce(NEW.old, lower(NEW.new));
