//! MySQL 8 and MariaDB 10.11. Where the two differ, the dearer one counts.
//!
//! Even an INSTANT change waits for open transactions on its table, and whoever comes after it waits behind it.

use super::{Blocks, Effect, Type};
use crate::schema::Catalog;
use crate::sql::{Change, Column, ColumnAction, ConstraintKind, Name};

pub(super) fn effect(change: &Change, before: &Catalog) -> Option<Effect> {
    Some(match change {
        Change::AddColumn { table, column, .. } => add_column(table, column),
        Change::DropColumn { table, .. }
        | Change::RenameColumn { table, .. }
        | Change::SetDefault { table, .. }
        | Change::DropDefault { table, .. }
        | Change::DropConstraint { table, .. } => instant(table),
        Change::DropTable { table, .. } | Change::RenameTable { table, .. } => {
            Effect::new("EXCLUSIVE METADATA LOCK", Blocks::ReadsAndWrites, [table.clone()])
        }
        Change::ChangeType { table, column, to, .. } => match before.column(table, column) {
            Some(old) if is_free(&old.data_type, to) => instant(table),
            _ => copy(table),
        },
        Change::SetNotNull { table, column } if before.proves_not_null(table, column) => instant(table),
        // MODIFY repeats what is so already.
        Change::DropNotNull { table, column } if before.column(table, column).is_some_and(|known| !known.not_null) => {
            instant(table)
        }
        Change::SetNotNull { table, .. } | Change::DropNotNull { table, .. } => in_place(table).rewriting(true),
        Change::AddConstraint { table, constraint } => match &constraint.kind {
            ConstraintKind::ForeignKey { .. } | ConstraintKind::Check { .. } => copy(table),
            ConstraintKind::PrimaryKey { .. } => in_place(table).rewriting(true),
            _ => in_place(table).scanning(true),
        },
        Change::AlterColumn { table, column, action } => alter_column(table, column, action, before),
        Change::AlterTable { table, action, .. } => alter_table(table, action)?,
        // It says how the rest of the statement is carried out.
        Change::AlterMode { .. } => Effect::none(),
        Change::CreateIndex { table, .. } => in_place(table).scanning(true),
        Change::DropIndex { table: Some(table), .. } => in_place(table),
        Change::Update { table, .. } | Change::Delete { table, .. } => {
            Effect::new("X ROW LOCKS", Blocks::WritesToTouchedRows, [table.clone()]).scanning(true)
        }
        _ => return None,
    })
}

fn instant(table: &Name) -> Effect {
    Effect::new("ALGORITHM=INSTANT", Blocks::ReadsAndWrites, [table.clone()])
}

fn in_place(table: &Name) -> Effect {
    Effect::new("ALGORITHM=INPLACE, LOCK=NONE", Blocks::Nobody, [table.clone()])
}

fn copy(table: &Name) -> Effect {
    Effect::new("ALGORITHM=COPY, LOCK=SHARED", Blocks::Writes, [table.clone()]).rewriting(true).scanning(true)
}

fn add_column(table: &Name, column: &Column) -> Effect {
    // MariaDB adds an inline CHECK instantly, MySQL copies; an inline REFERENCES is ignored by MySQL, MariaDB copies.
    if column.identity || column.generated.is_some() || column.check || column.references.is_some() {
        copy(table)
    } else if column.unique || column.primary_key {
        in_place(table).scanning(true)
    } else {
        instant(table)
    }
}

fn alter_column(table: &Name, column: &str, action: &ColumnAction, before: &Catalog) -> Effect {
    // MODIFY and CHANGE repeat what is so already.
    let known = before.column(table, column);
    let repeats = match action {
        ColumnAction::AddIdentity => known.is_some_and(|known| known.identity),
        ColumnAction::DropIdentity => known.is_none_or(|known| !known.identity),
        ColumnAction::SetExpression | ColumnAction::DropExpression => false,
        // MySQL copies for an inline CHECK.
        ColumnAction::Other(words) => !words.starts_with("ADD CHECK"),
    };
    if repeats { instant(table) } else { copy(table) }
}

/// An action on the whole table, by its words; `None` where we do not know it.
fn alter_table(table: &Name, action: &str) -> Option<Effect> {
    let begins = |words: &[&str]| words.iter().any(|word| action.starts_with(word));
    Some(if begins(&["AUTO_INCREMENT", "COMMENT", "DEFAULT CHARACTER SET", "MAX_ROWS", "MIN_ROWS", "STATS_"]) {
        instant(table)
    } else if begins(&["FORCE", "ROW_FORMAT", "PAGE_COMPRESSED", "KEY_BLOCK_SIZE"]) {
        in_place(table).rewriting(true)
    } else if begins(&[
        "CONVERT TO",
        "ENGINE",
        "ORDER BY",
        "PARTITION BY",
        "REMOVE PARTITIONING",
        "ADD SYSTEM VERSIONING",
    ]) {
        // Another ENGINE copies; the same one is a rebuild in place.
        copy(table)
    } else {
        return None;
    })
}

/// Whether a column of type `old` becomes `new` without a copy: the same type, or a longer VARCHAR whose length
/// still takes as many bytes (four bytes a character, as in utf8mb4). MariaDB needs no copy from up to 127 bytes
/// either; MySQL does.
fn is_free(old: &str, new: &str) -> bool {
    if let (Some(from), Some(to)) = (labels(old), labels(new)) {
        return adds_labels(old, &from, new, &to);
    }
    let (old, new) = (Type::read(old), Type::read(new));
    let shortest_with_two_length_bytes = 64;
    match (old.arguments.as_slice(), new.arguments.as_slice()) {
        _ if old == new => true,
        ([from], [to]) if old.name == "varbinary" && new.name == "varbinary" => {
            from <= to && (*to < 256 || *from >= 256)
        }
        ([from], [to]) if old.name == "varchar" && new.name == "varchar" => {
            from <= to && (*to < shortest_with_two_length_bytes || *from >= 256)
        }
        _ => false,
    }
}

/// The labels of an ENUM or a SET, as written.
fn labels(written: &str) -> Option<Vec<String>> {
    let list = written.strip_prefix("enum(").or_else(|| written.strip_prefix("set("))?.rsplit_once(')')?.0;
    let mut labels = vec![String::new()];
    let mut quoted = false;
    for c in list.chars() {
        quoted ^= c == '\'';
        match labels.last_mut() {
            Some(_) if c == ',' && !quoted => labels.push(String::new()),
            Some(label) => label.push(c),
            None => {}
        }
    }
    Some(labels.iter().map(|label| label.trim().to_string()).collect())
}

/// Labels are added at the end, and their numbers still take as many bytes.
fn adds_labels(old: &str, from: &[String], new: &str, to: &[String]) -> bool {
    let is_enum = |written: &str| written.starts_with("enum");
    let bytes = |labels: &[String]| match is_enum(new) {
        true => usize::from(labels.len() > 255),
        false => labels.len().div_ceil(8),
    };
    let rest = |written: &str| written.rsplit_once(')').map_or(String::new(), |(_, rest)| rest.to_string());
    is_enum(old) == is_enum(new) && to.starts_with(from) && bytes(from) == bytes(to) && rest(old) == rest(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_type_changes_are_those_that_were_measured() {
        let table = [
            ("varchar(10)", "VARCHAR(63)", true),
            ("varchar(10)", "varchar(64)", false),
            ("varchar(300)", "varchar(400)", true),
            ("varchar(20)", "varchar(10)", false),
            ("varbinary(50)", "varbinary(100)", true),
            ("enum('a','b')", "enum('a','b','c')", true),
            ("enum('a','b')", "enum('a','c','b')", false),
            ("enum('a','b')", "enum('a')", false),
            ("enum('a,b')", "enum('a','b')", false),
            ("set('a','b')", "set('a','b','c')", true),
            ("set('a','b','c','d','e','f','g','h')", "set('a','b','c','d','e','f','g','h','i')", false),
            ("enum('a','b')", "varchar(10)", false),
            ("int", "int", true),
            ("int", "bigint", false),
            ("char(10)", "char(20)", false),
        ];
        for (old, new, expected) in table {
            assert_eq!(is_free(old, new), expected, "{old} to {new}");
        }
    }
}
