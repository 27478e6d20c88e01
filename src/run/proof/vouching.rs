//! Who keeps proved rows as the proof found them: sync triggers of expand.sql that see every write to every table that
//! the proof reads. What they do with it is the change's own business.

use crate::database::{self, Cascade, Session};
use crate::plan::{Action, Phase, Plan, Trigger, Verify};
use crate::run::range::Ranges;
use crate::run::{Context, Event, Trouble};
use crate::sql::{self, Dialect};

/// Whether triggers vouch for a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Vouching {
    /// These do, each with its version; and the key by which the last place of a proof is one.
    By(String),
    /// Nobody does, and why.
    Nobody(String),
}

impl Vouching {
    /// As the ledger keeps it: empty where nobody vouches.
    pub(super) fn versions(self) -> String {
        match self {
            Self::By(versions) => versions,
            Self::Nobody(_) => String::new(),
        }
    }
}

/// Who vouches for what `verify` proves, now.
pub(super) async fn vouching<S: Session>(session: &mut S, plan: &Plan, verify: &Verify) -> Result<Vouching, Trouble> {
    let Verify::Derived { rows, sources, condition, reads, .. } = verify else {
        return Ok(Vouching::Nobody("a query of verify.sql may read any table".to_string()));
    };
    let asked = format!("{sources} {condition}");
    if let Some(function) = database::own_functions(session, &asked).await?.first() {
        return Ok(Vouching::Nobody(format!("the function {function}() may read any table")));
    }
    if let Some(because) = past_triggers(session, verify).await? {
        return Ok(Vouching::Nobody(because));
    }
    let mut versions = String::new();
    for table in std::iter::once(&rows.table).chain(reads) {
        // A row that is proved may go; one that others are made from may not.
        let mut covered = [("inserted", false), ("updated", false), ("deleted", !reads.contains(table))];
        for Trigger { name, .. } in plan.sync.iter().filter(|trigger| trigger.table == *table) {
            let Some(standing) = database::standing(session, table, name).await? else {
                return Ok(Vouching::Nobody(format!("trigger `{name}` does not fire")));
            };
            for ((_, covered), fires) in covered.iter_mut().zip(standing.events) {
                *covered |= fires;
            }
            versions += &format!("{name}: {}\n", standing.version);
        }
        if let Some((how, _)) = covered.iter().find(|(_, covered)| !covered) {
            return Ok(Vouching::Nobody(format!(
                "no trigger of expand.sql is known to fire for every row of `{table}` that is {how}"
            )));
        }
    }
    // Places of another key are others.
    versions += &format!("by {}\n", Ranges::of(session, rows, None).await?.goes_by());
    Ok(Vouching::By(versions))
}

/// Says before the first step what the sync triggers will not see.
pub(in crate::run) async fn tell_past_triggers<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Trouble> {
    if context.plan.sync.is_empty() {
        return Ok(());
    }
    for step in context.plan.steps_of(Phase::Backfill) {
        let Action::Verify(verify) = &step.action else { continue };
        if let Some(because) = past_triggers(session, verify).await? {
            on_event(Event::Bypassed { because });
        }
    }
    Ok(())
}

/// How rows change that `verify` reads, or move to another place among them, and no trigger fires: in words, the first
/// such way.
async fn past_triggers<S: Session>(session: &mut S, verify: &Verify) -> Result<Option<String>, Trouble> {
    let Verify::Derived { rows, sources, condition, reads, .. } = verify else { return Ok(None) };
    let asked = format!("{sources} {condition}");
    let is_asked = |column: &String| sql::mentions(Dialect::Mysql, &asked, column);
    for table in std::iter::once(&rows.table).chain(reads) {
        for Cascade { foreign_key, columns, deletes } in database::cascades(session, table).await? {
            let mut written = columns.iter().find(|column| is_asked(column));
            let ranges;
            if written.is_none() && *table == rows.table && !columns.is_empty() {
                ranges = Ranges::of(session, rows, None).await?;
                written = columns.iter().find(|column| ranges.is_cut_by(column));
            }
            let what = match written {
                Some(column) => format!("`{column}` of"),
                None if deletes && reads.contains(table) => "the rows of".to_string(),
                None => continue,
            };
            return Ok(Some(format!(
                "foreign key `{foreign_key}` changes {what} `{table}` when the row that it points to changes, and no trigger \
                 fires for that"
            )));
        }
    }
    Ok(None)
}
