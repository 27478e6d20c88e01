use super::{Hit, Look};
use crate::schema::Answer;
use crate::sql::Change;

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, effect, .. } = *look;
    let effect = effect.filter(|effect| effect.rewrites.is_possible() && effect.blocks_for_long())?;
    let table = effect.relations().next().map_or("the whole database".into(), |table| format!("`{table}`"));
    let help = match change {
        // Rules of their own speak of these.
        Change::AlterMode { .. }
        | Change::ChangeType { .. }
        | Change::DropColumn { .. }
        | Change::AddConstraint { .. } => return None,
        Change::AddColumn { .. } => {
            "add the column without it, set the default for new rows afterwards, and backfill the old ones in batches"
        }
        Change::RefreshView { .. } => "give the view a unique index and use CONCURRENTLY, which lets reads go on",
        Change::Maintain { .. } => "let autovacuum do its work, or use pg_repack, which copies beside the traffic",
        Change::AlterColumn { .. } => {
            "add a column beside it, fill it in batches, and drop the old one in a contract phase"
        }
        _ => "do it while nobody needs the table, or copy it beside the traffic with a tool that is made for that",
    };
    let does = match effect.rewrites {
        Answer::Unknown(_) => "may be",
        _ => "is",
    };
    Some(Hit::new(format!("every row of {table} {does} written anew while nobody can {} it", look.blocked()), help))
}
