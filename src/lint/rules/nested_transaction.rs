use super::{Hit, Look};
use crate::schema::Transaction;
use crate::sql::{Change, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    if look.whole.printed || before.session().transaction() != Transaction::Runner {
        return None;
    }
    let ends = "ends the transaction that the tool has put around the file: what follows is on its own, and a crash in between leaves the rest undone";
    let message = match (change, before.dialect()) {
        (Change::Begin, Dialect::Postgres) => {
            "the tool has begun a transaction around this file: BEGIN does nothing, and the \
             COMMIT behind it ends the tool's"
                .into()
        }
        (Change::Begin, Dialect::Mysql) => "BEGIN commits the transaction that the tool has put around the file".into(),
        (Change::Begin, Dialect::Sqlite) => {
            "the tool has begun a transaction around this file: SQLite refuses another".into()
        }
        (Change::Commit, _) => format!("COMMIT {ends}"),
        (Change::Rollback, _) => format!("ROLLBACK {ends}"),
        _ => return None,
    };
    let is_second = *change != Change::Begin && look.whole.all()[..look.own.start].contains(&&Change::Begin);
    if is_second {
        return None;
    }
    Some(Hit::new(message, "leave it out, or tell the tool in its own way that the file wants no transaction"))
}
