use super::{Hit, Look};
use crate::schema::Transaction;
use crate::sql::{Change, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, whole, .. } = *look;
    // A tool that puts its own around the file ends that one.
    if *change != Change::Begin
        || whole.goes_on
        || whole.printed
        || before.session().transaction() == Transaction::Runner
    {
        return None;
    }
    let rest = &whole.all()[look.own.end..];
    let is_write =
        |last: &&Change| matches!(last, Change::Insert { .. } | Change::Update { .. } | Change::Delete { .. });
    let is_undone = before.dialect() != Dialect::Mysql || rest.last().is_some_and(is_write);
    if !is_undone || rest.iter().any(|change| matches!(change, Change::Commit | Change::Rollback)) {
        return None;
    }
    Some(Hit::new(
        "the transaction that begins here never ends: when the connection closes, the server undoes what was done in it",
        "`COMMIT` at the end",
    ))
}
