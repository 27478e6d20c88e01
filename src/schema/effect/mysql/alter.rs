//! The actions of ALTER TABLE, and CREATE and DROP INDEX, which are the same.

use std::borrow::Cow;

use super::{
    COPY, EXCLUSIVE, Facts, IN_PLACE, IN_PLACE_SHARED, INSTANT, Server, column, copy, exclusive, in_place,
    in_place_shared, instant, is_special, on, rank, types,
};
use crate::schema::Catalog;
use crate::schema::effect::{Answer, Blocks, Effect};
use crate::sql::{Change, Clause, Column, ColumnAction, Constraint, ConstraintKind, Generated, Index, Name, Object};

pub(super) fn effect(server: Server, change: &Change, before: &Catalog) -> Option<Effect> {
    let effect = alone(server, change, before)?;
    Some(match change.table() {
        Some(table) if server.is_mysql() => on_mysql(effect, table, std::iter::once(change), before),
        _ => effect,
    })
}

/// What MySQL, which knows no NOCOPY, does in place: it writes every row anew where columns come or go; and copies
/// where virtual ones are in the way of that. Measured on 8.0.
fn on_mysql<'a>(
    effect: Effect,
    table: &Name,
    mut changes: impl Iterator<Item = &'a Change> + Clone,
    before: &Catalog,
) -> Effect {
    let facts = Facts::of(table, before);
    if !effect.locks.first().is_some_and(|lock| [IN_PLACE, IN_PLACE_SHARED].contains(&lock.mode)) {
        return effect;
    }
    let is_virtual = |column: &String| {
        before.column(table, column).is_some_and(|column| column.generated == Some(Generated::Virtual))
    };
    let drops =
        changes.clone().any(|change| matches!(change, Change::DropColumn { column, .. } if !is_virtual(column)));
    let adds = |change: &Change| matches!(change, Change::AddColumn { column, .. } if column.generated.is_none());
    let effect = if drops || changes.any(adds) { effect.rewriting(true) } else { effect };
    if effect.rewrites == Answer::Yes && facts.has_virtual && (drops || facts.fulltext) { copy(table) } else { effect }
}

fn alone(server: Server, change: &Change, before: &Catalog) -> Option<Effect> {
    Some(match change {
        Change::AddColumn { table, column, if_not_exists, positioned } => {
            if *if_not_exists && before.column(table, &column.name).is_some() {
                return Some(instant(table));
            }
            column::add(server, table, column, *positioned, before)
        }
        Change::DropColumn { table, column, if_exists, .. } => column::drop(server, table, column, *if_exists, before),
        Change::RenameColumn { table, .. } if server.is_mysql() && is_referenced(table, before) => in_place(table),
        Change::RenameColumn { table, .. } => instant(table),
        Change::SetDefault { table, .. } | Change::DropDefault { table, .. } => instant(table),
        Change::ChangeType { .. } => types::change(server, change, before)?,
        Change::SetNotNull { table, column } if before.proves_not_null(table, column) => instant(table),
        // MODIFY repeats what is so already, and cannot take it from a key.
        Change::DropNotNull { table, column } if is_nullable_or_key(table, column, before) => instant(table),
        Change::SetNotNull { table, .. } | Change::DropNotNull { table, .. } => {
            nullability(server, change, table, before)
        }
        Change::AlterColumn { table, column, action } => alter_column(server, table, column, action, before),
        Change::AddConstraint { table, constraint } => add_constraint(server, table, constraint, before),
        Change::DropConstraint { table, name, .. } if server.is_mysql() && is_foreign_key(table, name, before) => {
            in_place(table)
        }
        Change::DropConstraint { table, name, .. } if !name.eq_ignore_ascii_case("PRIMARY") => instant(table),
        // Another unique key takes its place.
        Change::DropConstraint { table, .. } if has_other_key(table, before) && !server.is_mysql() => {
            in_place(table).rewriting(true)
        }
        Change::DropConstraint { table, .. } => copy(table),
        Change::CreateIndex { table, index, if_not_exists, .. } => {
            let known = before.table(table);
            let there =
                |name: &String| known.is_some_and(|known| known.indexes.contains_key(&name.to_ascii_lowercase()));
            if *if_not_exists && index.name.as_ref().is_some_and(there) {
                return Some(instant(table));
            }
            create_index(table, index, before)
        }
        Change::DropIndex { table: Some(table), name, if_exists: true, .. }
            if lacks_index(table, &name.name, before) =>
        {
            instant(table)
        }
        Change::DropIndex { table: Some(table), .. } => match Facts::of(table, before).other_engine {
            true => copy(table),
            false => in_place(table),
        },
        Change::RenameObject { object: Object::Index, table: Some(table), .. } => match server.is_mysql() {
            true => in_place(table),
            false => instant(table),
        },
        Change::AlterTable { table, action, value } => whole_table(server, table, action, value.as_deref(), before)?,
        Change::RenameTable { table, .. } => exclusive(table),
        // It says how the rest of the statement is carried out.
        Change::AlterMode { .. } => Effect::none(),
        _ => return None,
    })
}

/// All clauses of a statement, in the one way in which they are carried out.
pub(super) fn together(server: Server, clauses: &[Clause], before: &Catalog) -> Option<Effect> {
    let mut whole: Option<Effect> = None;
    let mut renamed: Vec<(&str, &str)> = Vec::new();
    for clause in clauses {
        if let Change::RenameColumn { column, to, .. } = &clause.change {
            renamed.push((column, to));
        }
        let change = under_old_name(&clause.change, &renamed);
        let one = match in_company(&change, clauses, before) {
            Some(effect) => effect,
            None => on(server, &change, before)?,
        };
        whole = Some(match whole {
            Some(whole) if rank(&whole) >= rank(&one) => merge(whole, &one),
            Some(whole) => merge(one, &whole),
            None => one,
        });
    }
    let mut whole = whole?;
    let is = |wanted: fn(&Change) -> bool| clauses.iter().any(|clause| wanted(&clause.change));
    let moves = |change: &Change| match change {
        Change::AddColumn { column, .. } => column.generated.is_none(),
        other => matches!(other, Change::DropColumn { .. }),
    };
    if is(moves)
        && whole.scans == Answer::Yes
        && whole.locks.first().is_some_and(|lock| [IN_PLACE, IN_PLACE_SHARED].contains(&lock.mode))
    {
        // Beside the building of an index, columns do not come and go instantly.
        whole = whole.rewriting(true);
    }
    if is(|change| matches!(change, Change::DropColumn { .. })) && clauses.len() > 1 && !server.is_mysql() {
        let table = clauses[0].change.table()?;
        let more = is(|change| matches!(change, Change::AddColumn { .. } | Change::DropConstraint { .. }));
        if Facts::of(table, before).has_virtual && more {
            whole = copy(table);
        }
    }
    if let Some(table) = clauses.first().and_then(|clause| clause.change.table()).filter(|_| server.is_mysql()) {
        whole = on_mysql(whole, table, clauses.iter().map(|clause| &clause.change), before);
    }
    // MariaDB takes ALGORITHM=INSTANT for these, and copies.
    let unguarded = |change: &Change| {
        matches!(change, Change::AlterTable { action, value, .. }
        if ["ORDER BY", "PARTITION BY", "REMOVE PARTITIONING"].contains(&action.as_str())
            || action == "ENGINE" && value.as_deref() != Some("innodb"))
    };
    let guarded = server.is_mysql() || !clauses.iter().any(|clause| unguarded(&clause.change));
    for clause in clauses {
        if let Change::AlterMode { table, algorithm, lock } = &clause.change {
            let algorithm = algorithm.as_deref().filter(|algorithm| guarded || *algorithm != "INSTANT");
            whole = asked(whole, table, algorithm, lock.as_deref());
            if server.is_mysql() && algorithm == Some("INPLACE") && whole.refused.is_none() {
                // Instead of instantly.
                let moved = clauses.iter().any(|clause| moves(&clause.change));
                whole = if moved { whole.rewriting(true).scanning(true) } else { whole };
            }
        }
    }
    Some(whole)
}

/// By a foreign key of another table.
fn is_referenced(table: &Name, before: &Catalog) -> bool {
    before.users(table).any(|user| user.references().any(|to| before.same(&to.name, &table.name)))
}

fn is_foreign_key(table: &Name, name: &str, before: &Catalog) -> bool {
    before.table(table).is_some_and(|known| {
        known.constraints.values().any(|constraint| {
            matches!(constraint.kind, ConstraintKind::ForeignKey { .. })
                && constraint.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name))
        })
    })
}

fn merge(dearer: Effect, other: &Effect) -> Effect {
    dearer.scanning(other.scans).rewriting(other.rewrites)
}

/// What costs something else beside other actions of the same statement.
fn in_company(change: &Change, clauses: &[Clause], before: &Catalog) -> Option<Effect> {
    let changes = || clauses.iter().map(|clause| &clause.change);
    let is_key = |change: &Change| matches!(change, Change::AddConstraint { constraint, .. } if matches!(constraint.kind, ConstraintKind::PrimaryKey { .. }));
    let is_fulltext =
        |change: &Change| matches!(change, Change::CreateIndex { index, .. } if is_special(index, "fulltext"));
    match change {
        // Replaced, not dropped.
        Change::DropConstraint { table, name, .. } if name.eq_ignore_ascii_case("PRIMARY") && changes().any(is_key) => {
            Some(in_place(table).rewriting(true))
        }
        // Two full-text indexes at once are more than the server does in place.
        Change::CreateIndex { table, index, .. }
            if is_special(index, "fulltext") && changes().filter(|change| is_fulltext(change)).count() > 1 =>
        {
            Some(copy(table))
        }
        Change::CreateIndex { table, index, .. } => {
            let new = changes().filter_map(|change| match change {
                Change::AddColumn { column, .. }
                    if index.columns.iter().any(|name| before.same(name, &column.name)) =>
                {
                    Some(column)
                }
                _ => None,
            });
            let new: Vec<&Column> = new.collect();
            match new.as_slice() {
                [] => None,
                _ if new.iter().any(|column| column.generated == Some(Generated::Virtual)) => {
                    Some(in_place_shared(table))
                }
                _ if is_special(index, "fulltext") => Some(in_place_shared(table).rewriting(true)),
                _ => Some(in_place(table).rewriting(true)),
            }
        }
        // Nothing is left of the indexes that it is in.
        Change::DropColumn { table, column, .. } => {
            let dropped = |name: &String| {
                changes().any(|change| matches!(change, Change::DropColumn { column, .. } if before.same(column, name)))
            };
            let known = before.table(table)?;
            let mut indexes =
                known.indexes.values().filter(|index| index.columns.iter().any(|name| before.same(name, column)));
            let several = indexes.clone().any(|index| index.columns.len() > 1);
            (several && indexes.all(|index| index.columns.iter().all(dropped))).then(|| in_place(table))
        }
        Change::AddConstraint { table, constraint } => match &constraint.kind {
            ConstraintKind::ForeignKey { columns, .. } if checks_are_off(before) => {
                let builds = changes().any(|change| matches!(change, Change::CreateIndex { index, .. } if index.columns.first() == columns.first()));
                builds.then(|| instant(table))
            }
            _ => None,
        },
        // The server takes the lock for a moment at the end.
        Change::RenameTable { table, .. }
            if clauses.len() > 1 && !changes().all(|change| matches!(change, Change::RenameTable { .. })) =>
        {
            Some(instant(table))
        }
        _ => None,
    }
}

/// A column that the same statement renames is known under its old name.
fn under_old_name<'a>(change: &'a Change, renamed: &[(&str, &str)]) -> Cow<'a, Change> {
    let mut own = change.clone();
    let (Change::ChangeType { column, .. }
    | Change::SetNotNull { column, .. }
    | Change::DropNotNull { column, .. }
    | Change::AlterColumn { column, .. }) = &mut own
    else {
        return Cow::Borrowed(change);
    };
    match renamed.iter().find(|(_, to)| to == column) {
        Some((old, _)) => {
            *column = (*old).to_string();
            Cow::Owned(own)
        }
        None => Cow::Borrowed(change),
    }
}

fn is_nullable_or_key(table: &Name, column: &str, before: &Catalog) -> bool {
    let nullable = before.column(table, column).is_some_and(|known| !known.not_null);
    let key = before.table(table).is_some_and(|known| known.primary_key().iter().any(|name| before.same(name, column)));
    nullable || key
}

/// There is a unique index besides the primary key over columns that are never NULL.
fn has_other_key(table: &Name, before: &Catalog) -> bool {
    let never_null = |columns: &[String]| columns.iter().all(|column| before.proves_not_null(table, column));
    before
        .table(table)
        .is_some_and(|known| known.indexes.values().any(|index| index.unique && never_null(&index.columns)))
}

fn lacks_index(table: &Name, name: &str, before: &Catalog) -> bool {
    let folded = name.to_ascii_lowercase();
    before.table(table).is_some_and(|known| known.parts_known && !known.indexes.contains_key(&folded))
}

/// What ALGORITHM and LOCK make of it: dearer, or refused.
fn asked(needs: Effect, table: &Name, algorithm: Option<&str>, lock: Option<&str>) -> Effect {
    let mode = needs.locks.first().map_or(INSTANT, |lock| lock.mode);
    if mode == EXCLUSIVE {
        return needs;
    }
    let copies = mode == COPY;
    let refuses = match (algorithm, lock) {
        (Some("INSTANT"), _) => mode != INSTANT,
        (Some("NOCOPY"), _) => copies || needs.rewrites == Answer::Yes,
        (Some("INPLACE"), _) => copies,
        (_, Some("NONE")) => copies || mode == IN_PLACE_SHARED,
        _ => false,
    };
    if refuses {
        // It blocks nobody: it is done in the cheap way or not at all.
        let unknown = Some(needs.rewrites).filter(|answer| matches!(answer, Answer::Unknown(_)));
        return Effect { refused: Some(mode), rewrites: unknown.unwrap_or(Answer::No), ..Effect::none() };
    }
    match (algorithm, lock) {
        (Some("COPY"), _) => copy(table),
        (_, Some("EXCLUSIVE")) => Effect { locks: exclusive(table).locks, ..needs },
        (_, Some("SHARED")) if mode == IN_PLACE => Effect { locks: in_place_shared(table).locks, ..needs },
        _ => needs,
    }
}

fn nullability(server: Server, change: &Change, table: &Name, before: &Catalog) -> Effect {
    let facts = Facts::of(table, before);
    if facts.other_engine || facts.versioned {
        return copy(table);
    }
    if facts.redundant && !server.is_mysql() && matches!(change, Change::DropNotNull { .. }) {
        return instant(table);
    }
    match change {
        Change::SetNotNull { column, .. } | Change::DropNotNull { column, .. }
            if before.column(table, column).is_none() =>
        {
            in_place(table).rewriting(Answer::Unknown("whether it can be NULL already is not told"))
        }
        _ => facts.rebuilt(table),
    }
}

fn add_constraint(server: Server, table: &Name, constraint: &Constraint, before: &Catalog) -> Effect {
    let facts = Facts::of(table, before);
    if facts.other_engine {
        return copy(table);
    }
    match &constraint.kind {
        ConstraintKind::ForeignKey { columns, .. } => match checks_are_off(before) {
            // The index that it needs is built all the same.
            true if !has_index(table, columns, before) => in_place(table).scanning(true),
            true if server.is_mysql() => in_place(table),
            true => instant(table),
            false => copy(table),
        },
        ConstraintKind::Check { .. } if constraint.not_valid => in_place(table),
        ConstraintKind::Check { .. } => copy(table),
        ConstraintKind::PrimaryKey { .. } => match facts.fulltext {
            true => in_place_shared(table).rewriting(true),
            false => in_place(table).rewriting(true),
        },
        _ => in_place(table).scanning(true),
    }
}

fn checks_are_off(before: &Catalog) -> bool {
    before
        .session()
        .setting("foreign_key_checks")
        .is_some_and(|value| ["0", "off", "false"].contains(&value.to_ascii_lowercase().as_str()))
}

/// An index begins with these columns.
fn has_index(table: &Name, columns: &[String], before: &Catalog) -> bool {
    let Some(known) = before.table(table) else { return false };
    let begins = |index: &[String]| {
        index.len() >= columns.len() && columns.iter().zip(index).all(|(column, part)| before.same(column, part))
    };
    known.indexes.values().any(|index| begins(&index.columns)) || begins(known.primary_key())
}

fn create_index(table: &Name, index: &Index, before: &Catalog) -> Effect {
    let facts = Facts::of(table, before);
    if facts.other_engine {
        return copy(table);
    }
    if is_special(index, "fulltext") {
        let prepared = before.column(table, "fts_doc_id").is_some();
        return in_place_shared(table).rewriting(!facts.fulltext && !prepared);
    }
    if is_special(index, "spatial") { in_place_shared(table) } else { in_place(table).scanning(true) }
}

fn alter_column(server: Server, table: &Name, column: &str, action: &ColumnAction, before: &Catalog) -> Effect {
    // MODIFY and CHANGE repeat what is so already.
    let known = before.column(table, column);
    let is_free = match action {
        ColumnAction::AddIdentity => known.is_some_and(|known| known.identity),
        ColumnAction::DropIdentity => !(server.is_mysql() && known.is_some_and(|known| known.identity)),
        ColumnAction::SetExpression => {
            let is_virtual = known.is_some_and(|known| known.generated == Some(Generated::Virtual));
            is_virtual && !Facts::of(table, before).has_indexed_virtual
        }
        ColumnAction::DropExpression => false,
        // MySQL copies for an inline CHECK.
        ColumnAction::Other(words) => !(words.starts_with("ADD CHECK") && server.is_mysql()),
    };
    if is_free { instant(table) } else { copy(table) }
}

/// An action on the whole table, by its words; `None` where we do not know it.
fn whole_table(server: Server, table: &Name, action: &str, value: Option<&str>, before: &Catalog) -> Option<Effect> {
    let begins = |words: &[&str]| words.iter().any(|word| action.starts_with(word));
    let facts = Facts::of(table, before);
    let rebuilt = || facts.rebuilt(table);
    Some(if begins(&["ALTER INDEX"]) {
        if server.is_mysql() { in_place(table) } else { instant(table) }
    } else if begins(&["ALTER CHECK", "ALTER CONSTRAINT"]) {
        if action.ends_with(" NOT ENFORCED") { in_place(table) } else { copy(table) }
    } else if begins(&["DISABLE KEYS", "ENABLE KEYS"]) {
        exclusive(table)
    } else if begins(&["FORCE", "ROW_FORMAT", "KEY_BLOCK_SIZE", "PAGE_COMPRESSED", "ENCRYPTED"])
        || action == "ENGINE" && value == Some("innodb")
    {
        rebuilt()
    } else if facts.other_engine && begins(&["AUTO_INCREMENT"]) {
        copy(table)
    } else if begins(&[
        "AUTO_INCREMENT",
        "COMMENT",
        "DEFAULT CHARACTER SET",
        "DEFAULT COLLATE",
        "CHARACTER SET",
        "COLLATE",
        "MAX_ROWS",
        "MIN_ROWS",
        "STATS_",
        "AVG_ROW_LENGTH",
        "CHECKSUM",
        "PACK_KEYS",
        "DELAY_KEY_WRITE",
    ]) {
        let only_noted = facts.other_engine && begins(&["COMMENT"]);
        if server.is_mysql() && !only_noted { in_place(table) } else { instant(table) }
    } else if action == "CONVERT TO CHARACTER SET" {
        converted(server, table, value, before)
    } else if begins(&[
        "CONVERT TO",
        "ENGINE",
        "ORDER BY",
        "PARTITION BY",
        "REMOVE PARTITIONING",
        "ADD SYSTEM VERSIONING",
        "ENCRYPTION",
    ]) {
        copy(table)
    } else if action == "DROP SYSTEM VERSIONING" {
        in_place_shared(table).rewriting(true)
    } else {
        return partition(table, action);
    })
}

/// Nothing changes where all texts have that character set already.
fn converted(server: Server, table: &Name, value: Option<&str>, before: &Catalog) -> Effect {
    let known = before.table(table);
    let of_table = known
        .and_then(|known| ["CHARACTER SET", "DEFAULT CHARACTER SET"].iter().find_map(|name| known.options.get(*name)));
    let plain = |column: &Column| {
        column.collation.is_none()
            && column.attributes.iter().all(|attribute| !attribute.to_ascii_uppercase().starts_with("CHAR"))
    };
    let same = of_table.is_some() && of_table.map(String::as_str) == value;
    let all = |holds: &dyn Fn(&Column) -> bool| {
        known.is_some_and(|known| known.columns_known && known.columns.values().all(|column| holds(column)))
    };
    if !(same && all(&plain) || all(&|column| !types::is_text(&column.data_type))) {
        return copy(table);
    }
    if server.is_mysql() { in_place(table) } else { instant(table) }
}

/// They take no ALGORITHM and no LOCK on MariaDB.
fn partition(table: &Name, action: &str) -> Option<Effect> {
    if action == "CONVERT TABLE" {
        return Some(exclusive(table).scanning(true));
    }
    let words = action.strip_suffix(" PARTITION")?;
    Some(match words {
        "DROP" | "TRUNCATE" | "DISCARD" | "IMPORT" | "CONVERT" => exclusive(table),
        "EXCHANGE" => exclusive(table).scanning(true),
        // Of a HASH or KEY the rows move to other partitions.
        "ADD" => exclusive(table).rewriting(Answer::Unknown("how the table is partitioned is not told")),
        "REPAIR" => Effect::none(),
        "REORGANIZE" | "COALESCE" | "REBUILD" | "OPTIMIZE" => {
            Effect::new("SHARED METADATA LOCK", Blocks::Writes, [table.clone()]).rewriting(true).scanning(true)
        }
        "ANALYZE" | "CHECK" => Effect::none(),
        _ => return None,
    })
}
