//! MySQL and MariaDB: two BEFORE triggers, NOT NULL by MODIFY.

use super::{Phases, Rename};
use crate::sql::Dialect;

pub(super) fn phases(rename: &Rename<'_>) -> Phases {
    let (table, old, new) = rename.quoted();
    let data_type = &rename.column.data_type;
    let trigger = |after| {
        Dialect::Mysql
            .quote_name(&crate::sql::Name { schema: rename.table.schema.clone(), name: rename.named("", after) })
    };
    let (insert, update) = (trigger("_sync_insert"), trigger("_sync_update"));
    let new_changed = differs(data_type, &format!("NEW.{new}"), &format!("OLD.{new}"));
    let old_changed = differs(data_type, &format!("NEW.{old}"), &format!("OLD.{old}"));
    let by_byte = if is_text(data_type) {
        "\n-- The comparison is by byte: to most collations 'a' and 'A' are equal."
    } else {
        ""
    };

    let expand = format!(
        "\
-- Nullable and without a default: the old version's INSERTs, which do not know the column, go on.
ALTER TABLE {table} ADD COLUMN {new} {data_type} NULL;

-- Whoever writes one column writes both. In an UPDATE, the column that changed is the one that was meant, and
-- {new} wins when both did. It comes first: a row that the other trigger filled would keep its value while the
-- old version changes it.{by_byte}
CREATE TRIGGER {update} BEFORE UPDATE ON {table} FOR EACH ROW
BEGIN
  IF {new_changed}
    AND NOT (NEW.{new} IS NULL AND {old_changed}) THEN
    SET NEW.{old} = NEW.{new};
  ELSEIF {old_changed} OR NEW.{new} IS NULL THEN
    SET NEW.{new} = NEW.{old};
  END IF;
END;

-- An INSERT that gives {new} comes from the new version.
CREATE TRIGGER {insert} BEFORE INSERT ON {table} FOR EACH ROW
BEGIN
  IF NEW.{new} IS NOT NULL THEN
    SET NEW.{old} = NEW.{new};
  ELSE
    SET NEW.{new} = NEW.{old};
  END IF;
END;
"
    );
    let mut contract = String::new();
    let default = rename.column.default.as_ref();
    if rename.column.not_null {
        let default = default.map(|default| format!(" DEFAULT {default}")).unwrap_or_default();
        contract += &format!(
            "\
-- The new column takes over NOT NULL and default, and the old one gives NOT NULL up, so that INSERTs may
-- leave it out when the triggers are gone. Either may rebuild the table. The old version must not come back
-- from here on: with a default on {new}, the trigger takes its INSERTs for the new version's.
ALTER TABLE {table} MODIFY COLUMN {new} {data_type} NOT NULL{default};
ALTER TABLE {table} MODIFY COLUMN {old} {data_type} NULL;

"
        );
    } else if let Some(default) = default {
        contract += &format!(
            "\
-- The default moves. The old version must not come back from here on: with a default on {new}, the trigger
-- takes its INSERTs for the new version's.
ALTER TABLE {table} ALTER COLUMN {new} SET DEFAULT {default};

"
        );
    }
    contract += &format!(
        "\
-- Only the new version is left: nobody needs the sync any more.
DROP TRIGGER {insert};
DROP TRIGGER {update};

"
    );
    let named: Vec<&String> = rename.indexes.iter().filter_map(|index| index.name.as_ref()).collect();
    if !named.is_empty() {
        contract += "-- An index over several columns would outlive its column, with a column less.\n";
        for index in named {
            contract += &format!("DROP INDEX {} ON {table};\n", Dialect::Mysql.quote(index));
        }
        contract.push('\n');
    }
    contract += &format!(
        "\
-- The old column. Its values are gone after this; {new} has them.
ALTER TABLE {table} DROP COLUMN {old};
"
    );
    let revert = format!(
        "\
-- {old} holds everything that was written to {new}: nothing is lost. No version that uses {new} may
-- be running. What is not there, because the change got half way, is passed over.
DROP TRIGGER {insert};
DROP TRIGGER {update};
{}ALTER TABLE {table} DROP COLUMN {new};
",
        rename.without_twins(|name| format!("DROP INDEX {name} ON {table}"))
    );
    Phases { expand, indexes: rename.twins("CREATE INDEX"), contract, revert }
}

/// The condition that two values of this type differ: text by byte.
pub(super) fn differs(data_type: &str, one: &str, other: &str) -> String {
    if is_text(data_type) {
        format!("NOT (CAST({one} AS BINARY) <=> CAST({other} AS BINARY))")
    } else {
        format!("NOT ({one} <=> {other})")
    }
}

/// Types that are compared by a collation.
fn is_text(data_type: &str) -> bool {
    ["char", "text", "enum", "set", "clob"].iter().any(|word| data_type.to_lowercase().contains(word))
}
