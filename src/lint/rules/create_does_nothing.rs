use super::{Hit, Look};
use crate::schema::effect::Type;
use crate::sql::{Change, Column};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let is_same = |new: &Column, old: &Column| Type::read(&new.data_type) == Type::read(&old.data_type);
    let (what, help) = match change {
        Change::CreateTable { table, columns, columns_from, if_not_exists: true, .. } => {
            let known = before.table(table).filter(|known| known.columns_known && columns_from.is_empty())?;
            let differs = |new: &&Column| before.column(table, &new.name).is_none_or(|old| !is_same(new, old));
            let missing = columns.iter().find(differs).map(|column| column.name.as_str());
            if missing.is_none() && known.columns.len() == columns.len() {
                return None;
            }
            let column =
                missing.map_or("has other columns".into(), |name| format!("has no column `{name}` like this one"));
            (format!("the table `{table}`, which {column}"), "change it with ALTER TABLE")
        }
        Change::AddColumn { table, column, if_not_exists: true, .. } => {
            let old = before.column(table, &column.name).filter(|old| !is_same(column, old))?;
            (
                format!("the column `{table}.{}` of type {}", column.name, old.data_type),
                "change its type, or take another name",
            )
        }
        Change::CreateIndex { table, index, if_not_exists: true, .. } => {
            let name = index.name.as_deref()?;
            let indexes = &before.table(table)?.indexes;
            let old = indexes.iter().find(|(known, _)| before.same(known, name))?.1;
            let same = old.columns.len() == index.columns.len()
                && old.columns.iter().zip(&index.columns).all(|(a, b)| before.same(a, b));
            if same {
                return None;
            }
            (
                format!("the index `{name}` on ({})", old.columns.join(", ")),
                "take another name, and drop the old one behind it",
            )
        }
        _ => return None,
    };
    Some(Hit::new(format!("IF NOT EXISTS keeps {what}: the statement succeeds and does nothing"), help))
}
