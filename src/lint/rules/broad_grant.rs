use super::{Hit, Look};
use crate::sql::{Change, Dialect};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::Grant { privileges, object, name, to } = change else { return None };
    let is = |word: &str, of: &str| word.trim_matches(['`', '"', '\'']).eq_ignore_ascii_case(of);
    let all = privileges.iter().any(|it| is(it, "ALL") || is(it, "ALL PRIVILEGES"));
    let everybody = before.dialect() == Dialect::Postgres && to.iter().any(|role| is(role, "PUBLIC"));
    let only_usage = privileges.iter().all(|it| is(it, "USAGE") || is(it, "EXECUTE") || is(it, "CONNECT"));
    let what = match (all, everybody && !only_usage) {
        (true, _) => "all privileges".to_string(),
        (_, true) => privileges.join(", "),
        _ => return None,
    };
    let whom = if everybody { "everybody".to_string() } else { to.join(", ") };
    Some(Hit::new(
        format!("{whom} gets {what} on {} `{name}`", object.to_lowercase()),
        "name the privileges that the version needs, and the role that it connects as",
    ))
}
