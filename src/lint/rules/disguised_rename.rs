use super::{Hit, Look};
use crate::schema::catalog::mentions;
use crate::schema::effect::Type;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::DropColumn { table, column, .. } = change else { return None };
    let old = before.column(table, column).filter(|_| !before.is_new_column(table, column))?;
    let wanted = Type::read(&old.data_type);
    let mut alike = look.throughout(table).filter_map(|other| match other {
        Change::AddColumn { column: new, .. } if Type::read(&new.data_type) == wanted => Some(&new.name),
        _ => None,
    });
    let (Some(new), None) = (alike.next(), alike.next()) else { return None };
    let is_copied = look.throughout(table).any(|other| {
        matches!(other, Change::Update { set, .. }
            if set.iter().any(|it| before.same(&it.column, new) && mentions(&it.expression, column)))
    });
    if is_copied {
        return None;
    }
    let dialect = before.dialect();
    Some(Hit::new(
        format!(
            "`{table}.{column}` goes and `{new}` of the same type comes: if that is a new name for it, every row loses its value"
        ),
        format!(
            "if it is a rename, run `lockkeeper plan FILE` on a migration of `ALTER TABLE {} RENAME COLUMN {} TO {}` alone; if \
             not, drop `{column}` in a migration of its own",
            dialect.quote_name(table),
            dialect.quote(column),
            dialect.quote(new)
        ),
    ))
}
