//! SQLite: a trigger cannot change the row that is being written, so three AFTER triggers write it again.

use super::{Phases, Rename};
use crate::sql::{Dialect, Name};

pub(super) fn phases(rename: &Rename<'_>) -> Phases {
    let (table, old, new) = rename.quoted();
    let data_type = &rename.column.data_type;
    let in_schema = |name: String| Dialect::Sqlite.quote_name(&Name { schema: rename.table.schema.clone(), name });
    let trigger = |after| in_schema(rename.named("", after));
    let (insert, by_new, by_old) = (trigger("_sync_insert"), trigger("_sync_from_new"), trigger("_sync_from_old"));
    // Inside a trigger, and behind its ON, a table has no schema.
    let row = Dialect::Sqlite.quote(&rename.table.name);
    let this_row = match rename.row_key.as_slice() {
        [] => "rowid = NEW.rowid".to_string(),
        key => {
            let equals = |column: &String| {
                let column = Dialect::Sqlite.quote(column);
                format!("{column} = NEW.{column}")
            };
            key.iter().map(equals).collect::<Vec<_>>().join(" AND ")
        }
    };
    let typed = if data_type.is_empty() { String::new() } else { format!(" {data_type}") };

    let expand = format!(
        "\
-- Nullable and without a default: the old version's INSERTs, which do not know the column, go on, and
-- no row is rewritten.
ALTER TABLE {table} ADD COLUMN {new}{typed};

-- Whoever writes one column writes both. Every WHEN is false for a row whose columns agree, so that the
-- triggers come to rest whatever recursive_triggers says; COLLATE BINARY lets no collation take two
-- different values for the same.

-- In an UPDATE, the column that changed is the one that was meant, and {new} wins when both did. These two
-- come first: a row that the other filled would keep its value while the old version changes it.
CREATE TRIGGER {by_new} AFTER UPDATE OF {new} ON {row}
WHEN NEW.{new} IS NOT NEW.{old} COLLATE BINARY
  AND NEW.{new} IS NOT OLD.{new} COLLATE BINARY
  AND NOT (NEW.{new} IS NULL AND NEW.{old} IS NOT OLD.{old} COLLATE BINARY)
BEGIN
  UPDATE {row} SET {old} = NEW.{new} WHERE {this_row};
END;

-- Any UPDATE, of the key too: a row that moves behind the fill takes its value along.
CREATE TRIGGER {by_old} AFTER UPDATE ON {row}
WHEN NEW.{new} IS NOT NEW.{old} COLLATE BINARY
  AND (NEW.{old} IS NOT OLD.{old} COLLATE BINARY OR NEW.{new} IS NULL)
  AND (NEW.{new} IS OLD.{new} COLLATE BINARY OR NEW.{new} IS NULL AND NEW.{old} IS NOT OLD.{old} COLLATE BINARY)
BEGIN
  UPDATE {row} SET {new} = NEW.{old} WHERE {this_row};
END;

-- An INSERT that gives {new} comes from the new version.
CREATE TRIGGER {insert} AFTER INSERT ON {row}
WHEN NEW.{new} IS NOT NEW.{old} COLLATE BINARY
BEGIN
  UPDATE {row} SET {old} = coalesce(NEW.{new}, NEW.{old}), {new} = coalesce(NEW.{new}, NEW.{old})
  WHERE {this_row};
END;
"
    );
    let drop_triggers = format!("DROP TRIGGER {insert};\nDROP TRIGGER {by_new};\nDROP TRIGGER {by_old};\n");
    let named = rename.indexes.iter().filter_map(|index| index.name.as_ref());
    let drop_indexes: String = named.map(|index| format!("DROP INDEX {};\n", in_schema(index.clone()))).collect();
    let contract = format!(
        "\
-- The sync and the old column go together or not at all: in between, a write of one version would be lost
-- to the other. The values of {old} are gone after this; {new} has them. SQLite (3.35 or later) drops no
-- column that an index needs, and rewrites the table; nobody else writes meanwhile.
BEGIN;
{drop_triggers}{drop_indexes}ALTER TABLE {table} DROP COLUMN {old};
COMMIT;
"
    );
    let revert = format!(
        "\
-- {old} holds everything that was written to {new}: nothing is lost. No version that uses {new} may
-- be running. What is not there, because the change got half way, is passed over.
{drop_triggers}{}ALTER TABLE {table} DROP COLUMN {new};
",
        rename.without_twins(|name| format!("DROP INDEX {name}"))
    );
    Phases { expand, indexes: rename.twins("CREATE INDEX"), contract, revert }
}
