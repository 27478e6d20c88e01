use super::Hit;
use crate::schema::{Catalog, Effect};
use crate::sql::{Change, Dialect};

pub(super) fn check(change: &Change, before: &Catalog, _effect: Option<&Effect>) -> Hit {
    let (table, what) = match change {
        Change::Update { table, .. } => (table, "UPDATE"),
        Change::Delete { table, limited: false, .. } => (table, "DELETE"),
        _ => return None,
    };
    if before.is_new(table) {
        return None;
    }
    let waits = match before.dialect() {
        Dialect::Sqlite => "every other write to the database waits until it commits",
        Dialect::Postgres | Dialect::Mysql => "writes of the running version to the same rows wait until it commits",
    };
    let help = match change {
        Change::Update { .. } => {
            "make it the backfill.sql of a phased change: `lockkeeper run` batches it by key, one short transaction each"
        }
        _ => "delete in batches by key, one short transaction each",
    };
    Some((format!("one {what} goes through all of `{table}` in one transaction: {waits}"), help.into()))
}
