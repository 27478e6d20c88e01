use super::{Hit, Look};
use crate::schema::Answer;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, effect, .. } = *look;
    let Change::AlterDomain { domain, action, not_valid: false } = change else { return None };
    if !["ADD", "SET NOT NULL", "VALIDATE"].iter().any(|words| action.starts_with(words)) {
        return None;
    }
    let is_unused = before.data_type(domain).is_some() && effect.is_some_and(|effect| effect.scans == Answer::No);
    if is_unused {
        return None;
    }
    Some(Hit::new(
        format!(
            "every table with a column of the domain `{domain}` is read through while nobody can write it, all of them in one transaction"
        ),
        "put the check on each table instead, as NOT VALID, and validate one after the other: that blocks nobody",
    ))
}
