use super::{Hit, Look};
use crate::sql::{Change, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let only_some = before.dialect() != Dialect::Postgres;
    let name = match change {
        Change::DropTable { table: name, if_exists: false, .. }
        | Change::DropView { view: name, if_exists: false, .. }
        | Change::DropFunction { name, if_exists: false, .. }
        | Change::DropObject { name, if_exists: false, .. } => &name.name,
        Change::DropIndex { name, table: None, if_exists: false, .. } => &name.name,
        // MySQL and SQLite have no IF EXISTS for these.
        Change::DropColumn { .. } | Change::DropConstraint { .. } if only_some => return None,
        Change::DropColumn { column: name, if_exists: false, .. }
        | Change::DropConstraint { name, if_exists: false, .. }
        | Change::DropTrigger { name, if_exists: false, .. } => name,
        _ => return None,
    };
    if before.dialect().transactional_ddl() && before.session().in_transaction() {
        return None;
    }
    Some(Hit::new(format!("run a second time, this fails where `{name}` is gone already"), "`IF EXISTS`"))
}
