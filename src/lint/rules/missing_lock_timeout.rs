use super::{Hit, Look};
use crate::schema::Blocks;
use crate::sql::Dialect;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { before, effect, .. } = *look;
    let lock = effect?.locks.iter().find(|lock| lock.blocks >= Blocks::Writes)?;
    let relation = lock.relation.as_ref()?;
    let (names, example): (&[&str], _) = match before.dialect() {
        Dialect::Postgres if before.session().in_transaction() => (POSTGRES, "SET LOCAL lock_timeout = '2s'"),
        Dialect::Postgres => (POSTGRES, "SET lock_timeout = '2s'"),
        Dialect::Mysql | Dialect::Sqlite => (&["lock_wait_timeout"], "SET SESSION lock_wait_timeout = 2"),
    };
    if names.iter().any(|name| before.session().setting(name).is_some()) {
        return None;
    }
    Some(Hit::new(
        format!(
            "nothing in this migration ends the wait for `{relation}`: behind one long query it waits, and every query of the \
             running version behind it"
        ),
        format!("`{example}` in front of it; when it gives up, run the migration again"),
    ))
}

const POSTGRES: &[&str] = &["lock_timeout", "statement_timeout"];
