use super::{Hit, Look};
use crate::schema::Effect;
use crate::schema::effect::is_same_type;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let before = look.before;
    let Change::ChangeType { table, column, to, collation, .. } = look.change else { return None };
    let known = before.column(table, column);
    let stays = known.is_some_and(|old| is_same_type(&old.data_type, to) && old.collation == *collation);
    if stays || before.is_new_column(table, column) {
        return None;
    }
    // Where it costs more, that is said, and the way out is a column of its own.
    if look.effect.is_some_and(Effect::blocks_for_long) {
        return None;
    }
    let was = known.map_or(String::new(), |old| format!(" from {}", old.data_type));
    Some(Hit::new(
        format!(
            "`{table}.{column}` changes its type{was} to {to}: in sessions that are open now, prepared statements that return it \
             fail (\"cached plan must not change result type\") until they are prepared anew"
        ),
        "make sure that the application's driver prepares anew on that error (within a transaction none can), or that its \
         sessions are renewed right behind the migration",
    ))
}
