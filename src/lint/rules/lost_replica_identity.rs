use super::{Hit, Look};
use crate::sql::{Change, ConstraintKind};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let table = match change {
        Change::AlterTable { table, action, .. } if action == "REPLICA IDENTITY NOTHING" => table,
        Change::DropConstraint { table, name, .. } => {
            let known = before.table(table).and_then(|known| known.constraints.get(name));
            let is_key = known.map(|known| matches!(known.kind, ConstraintKind::PrimaryKey { .. }));
            // The name that the server gives.
            is_key.unwrap_or(name.ends_with("_pkey")).then_some(table)?
        }
        _ => return None,
    };
    let has_another = look.throughout(table).any(|other| match other {
        Change::AlterTable { action, .. } => {
            action.starts_with("REPLICA IDENTITY") && !action.ends_with("NOTHING") && !action.ends_with("DEFAULT")
        }
        Change::AddConstraint { constraint, .. } => matches!(constraint.kind, ConstraintKind::PrimaryKey { .. }),
        Change::DropTable { .. } => true,
        _ => false,
    });
    if before.is_new(table) || has_another {
        return None;
    }
    let quoted = before.dialect().quote_name(table);
    Some(Hit::new(
        format!(
            "`{table}` loses its replica identity: where it is published, every UPDATE and DELETE of it is refused"
        ),
        format!(
            "in front of it `ALTER TABLE {quoted} REPLICA IDENTITY USING INDEX ...` with a unique index on columns that are NOT \
             NULL, or `ALTER TABLE {quoted} REPLICA IDENTITY FULL`"
        ),
    ))
}
