use super::{Hit, Look};
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let Change::Truncate { table, cascade } = change else { return None };
    if before.is_new(table) {
        return None;
    }
    let along = if *cascade { ", and of every table whose foreign keys point to it" } else { "" };
    Some(Hit::new(
        format!("all rows of `{table}` are gone{along}: the running version finds none, and nothing brings them back"),
        "delete what is not needed in batches by key, or drop the table in a contract phase",
    ))
}
