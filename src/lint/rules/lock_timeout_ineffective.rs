use super::{Hit, Look};
use crate::schema::Blocks;
use crate::sql::{Change, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    let dialect = before.dialect();
    let (name, example) = match dialect {
        Dialect::Postgres => ("lock_timeout", "SET lock_timeout = '2s'"),
        Dialect::Mysql | Dialect::Sqlite => ("lock_wait_timeout", "SET SESSION lock_wait_timeout = 2"),
    };
    let help = format!(
        "`{example}` in front of the first statement that waits for a lock; when it gives up, run the migration again"
    );
    if let Change::Set { name: set, local: true, value: Some(_) } = change
        && set == name
        && !before.session().in_transaction()
    {
        return Some(Hit::new("SET LOCAL outside of a transaction sets nothing: the server only warns", help));
    }
    let lock = effect?.locks.iter().find(|lock| lock.blocks >= Blocks::Writes)?;
    let relation = lock.relation.as_ref()?;
    let seconds = |name: &str| before.session().setting(name).and_then(|value| seconds(value, dialect));
    if seconds("statement_timeout").is_some_and(|it| it > 0 && it <= LONG) {
        return None;
    }
    let is_late = || {
        look.whole.all()[look.own.end..]
            .iter()
            .any(|later| matches!(later, Change::Set { name: set, value: Some(_), .. } if set == name))
    };
    let message = match seconds(name) {
        Some(0) => format!("`{name}` is 0: this waits for `{relation}` for ever"),
        Some(it) if it > LONG => format!("`{name}` is {it} seconds: so long this may wait for `{relation}`"),
        None if before.session().setting(name).is_none() && is_late() => {
            format!("`{name}` is set further down: this waits for `{relation}` without it")
        }
        _ => return None,
    };
    Some(Hit::new(format!("{message}, and every query of the running version behind it"), help))
}

/// More than that nobody wants to wait for a page.
const LONG: u64 = 30;

/// A setting's value in seconds, rounded up.
fn seconds(value: &str, dialect: Dialect) -> Option<u64> {
    let value = value.trim().trim_matches('\'').trim();
    let end = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let number: u64 = value[..end].parse().ok()?;
    Some(match (value[end..].trim(), dialect) {
        ("", Dialect::Postgres) | ("ms", _) => number.div_ceil(1000),
        ("" | "s", _) => number,
        ("min", _) => number.saturating_mul(60),
        ("h", _) => number.saturating_mul(60 * 60),
        ("d", _) => number.saturating_mul(24 * 60 * 60),
        _ => return None,
    })
}
