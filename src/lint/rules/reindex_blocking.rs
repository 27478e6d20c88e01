use super::{Hit, Look};
use crate::schema::InTransaction;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, effect, .. } = *look;
    if let Change::Reindex { what, name: Some(name), concurrently: true } = change
        && what == "TABLE"
        && look.before.table(name).is_some_and(|table| table.partitioned)
    {
        return Some(Hit::new(
            format!(
                "`{name}` is partitioned: even CONCURRENTLY waits for the writers of each partition with a lock that keeps all \
                 later ones waiting"
            ),
            "outside a transaction: REINDEX TABLE CONCURRENTLY for one partition after the other",
        ));
    }
    let Change::Reindex { what, name, concurrently: false } = change else { return None };
    let place = match name {
        Some(name) => format!("{} `{name}`", what.to_lowercase()),
        None => what.to_lowercase(),
    };
    let blocked = match effect.map(|effect| effect.transaction) {
        Some(InTransaction::Refuses) => "table after table can neither be read nor written",
        _ => "its table can neither be read nor written",
    };
    Some(Hit::new(
        format!("while the {place} is built anew, {blocked}"),
        "outside a transaction: REINDEX ... CONCURRENTLY, leaf by leaf where the table is partitioned",
    ))
}
