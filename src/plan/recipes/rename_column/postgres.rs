//! PostgreSQL: one BEFORE trigger, NOT NULL without a scan under lock, indexes built concurrently.

use super::{Phases, Rename};
use crate::sql::{Dialect, Name};

pub(super) fn phases(rename: &Rename<'_>) -> Phases {
    let (table, old, new) = rename.quoted();
    let data_type = &rename.column.data_type;
    let quote = |name: &str| Dialect::Postgres.quote(name);
    let trigger = quote(&rename.named("zzz_", "_sync"));
    // The function lives beside its table.
    let function =
        Dialect::Postgres.quote_name(&Name { schema: rename.table.schema.clone(), name: rename.named("", "_sync") });

    let expand = format!(
        "\
-- Nullable and without a default: the old version's INSERTs, which do not know the column, go on, and
-- no row is rewritten.
ALTER TABLE {table} ADD COLUMN {new} {data_type};

-- Whoever writes one column writes both. An INSERT that gives {new} comes from the new version; in an
-- UPDATE, the column that changed is the one that was meant, and {new} wins when both did.
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $sync$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.{new} IS NOT NULL THEN
      NEW.{old} := NEW.{new};
    ELSE
      NEW.{new} := NEW.{old};
    END IF;
  ELSIF NEW.{new} IS DISTINCT FROM OLD.{new}
    AND NOT (NEW.{new} IS NULL AND NEW.{old} IS DISTINCT FROM OLD.{old}) THEN
    NEW.{old} := NEW.{new};
  ELSIF NEW.{old} IS DISTINCT FROM OLD.{old} OR NEW.{new} IS NULL THEN
    NEW.{new} := NEW.{old};
  END IF;
  RETURN NEW;
END
$sync$;

-- BEFORE triggers fire in the order of their names: zzz_ sees what the others made of the row.
CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table}
  FOR EACH ROW EXECUTE FUNCTION {function}();
"
    );
    let mut contract = String::new();
    if rename.column.not_null {
        let check = quote(&rename.named("", "_filled"));
        contract += &format!(
            "\
-- NOT NULL without reading the table under a lock: the constraint is declared, then checked while
-- writers go on, then taken as the proof for SET NOT NULL.
ALTER TABLE {table} ADD CONSTRAINT {check} CHECK ({new} IS NOT NULL) NOT VALID;
ALTER TABLE {table} VALIDATE CONSTRAINT {check};
ALTER TABLE {table} ALTER COLUMN {new} SET NOT NULL;
ALTER TABLE {table} DROP CONSTRAINT {check};

"
        );
    }
    let default =
        rename.column.default.as_ref().map_or(String::new(), |default| {
            format!("ALTER TABLE {table} ALTER COLUMN {new} SET DEFAULT {default};\n")
        });
    contract += &format!(
        "\
-- The sync and the old column go together or not at all: in between, a write of one version would be lost
-- to the other. The first statement locks the table; the gates are asked once more before the COMMIT. The
-- values of {old} are gone after this, and its indexes; {new} has them.
BEGIN;
DROP TRIGGER {trigger} ON {table};
DROP FUNCTION {function}();
{default}ALTER TABLE {table} DROP COLUMN {old};
COMMIT;
"
    );
    let revert = format!(
        "\
-- {old} holds everything that was written to {new}: nothing is lost. No version that uses {new} may
-- be running. What is not there, because the change got half way, is passed over.
DROP TRIGGER {trigger} ON {table};
DROP FUNCTION {function}();
ALTER TABLE {table} DROP COLUMN {new};
"
    );
    Phases { expand, indexes: rename.twins("CREATE INDEX CONCURRENTLY"), contract, revert }
}
