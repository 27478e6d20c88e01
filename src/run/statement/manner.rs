//! A statement, carried out in the cheapest way that the server agrees to. MySQL and MariaDB copy a table without a word
//! where they know no other way; here a table that is not small is copied only when the user says so.

use super::{trouble, watch};
use crate::database::{DatabaseError, Session};
use crate::error::{Error, Kind};
use crate::plan::{self, Action, Plan, SMALL_TABLE, Step};
use crate::run::{Context, Event, Trouble};
use crate::sql::Name;

/// The statement of a step as it is sent to the server first: with the clauses of the cheapest way.
pub(in crate::run) fn sent(plan: &Plan, step: &Step) -> String {
    let manner = match step.action {
        Action::Statement { .. } => plan::manner(&step.sql, plan.dialect),
        _ => None,
    };
    manner.and_then(|manner| manner.ways.into_iter().next()).map_or_else(|| step.sql.clone(), |way| way.sql)
}

/// Runs the statement of a step with the clauses that keep writers from waiting, as far as the server agrees to one.
pub(super) async fn execute<S: Session>(
    session: &mut S,
    context: &Context<'_>,
    step: &Step,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Trouble> {
    if let Some(manner) = plan::manner(&step.sql, context.plan.dialect) {
        let mut refusal = None;
        for (at, way) in manner.ways.iter().enumerate() {
            let (result, watched) = watch::execute(session, context, step, &way.sql, false, on_event).await;
            let error = match result {
                Ok(_) => return Ok(()),
                Err(error) if is_refused(&error) => error,
                Err(error) => return Err(trouble(step, context, error, watched, None)),
            };
            if let Some(next) = manner.ways.get(at + 1) {
                let because = format!("the server cannot do it with {}: tried with {}", way.clause, next.clause);
                on_event(Event::OtherWay { step: step.id.clone(), because });
            }
            refusal = Some(error);
        }
        if has_more_rows(session, &manner.table).await? {
            return Err(copies(step, &manner.table, refusal).into());
        }
        let because = match refusal {
            Some(error) => format!("{error}: done as it is written, `{}` is small", manner.table),
            None => format!("it may copy the table: done, `{}` is small", manner.table),
        };
        on_event(Event::OtherWay { step: step.id.clone(), because });
    }
    let (result, watched) = watch::execute(session, context, step, &step.sql, false, on_event).await;
    match result {
        Ok(_) => Ok(()),
        Err(error) if is_refused(&error) => Err(refused(step, &error).into()),
        Err(error) => Err(trouble(step, context, error, watched, None)),
    }
}

/// Not in the way that was asked for; nothing was done. MySQL has a number of its own for a table that was altered
/// instantly too often.
fn is_refused(error: &DatabaseError) -> bool {
    matches!(error.code.as_deref(), Some("1845" | "1846" | "4092"))
}

/// Whether the table is not small, without a count of all of it, and whatever its statistics say.
async fn has_more_rows<S: Session>(session: &mut S, table: &Name) -> Result<bool, DatabaseError> {
    let table = session.dialect().quote_name(table);
    let rows = session.query(&format!("SELECT 1 FROM {table} LIMIT 1 OFFSET {SMALL_TABLE}"), &[]).await?;
    Ok(!rows.is_empty())
}

/// The statement would copy a table that is not small.
fn copies(step: &Step, table: &Name, refusal: Option<DatabaseError>) -> Error {
    let place = format!("step {} ({}:{})", step.id, step.file, step.line);
    let message = format!(
        "{place} is not carried out: it would copy or scan `{table}`, which has more than {SMALL_TABLE} rows, while its writers wait"
    );
    let error = Error::new(Kind::Step, message);
    let error = refusal.into_iter().fold(error, Error::because);
    error
        .hint("a new column or table beside the old one, filled in batches, keeps nobody waiting")
        .hint(format!("to do it all the same, when nobody needs to write, say so in the statement: `ALTER TABLE {table} LOCK=SHARED, ...`, or LOCK=SHARED at the end of CREATE INDEX"))
}

/// The statement asks for a way itself that the server does not know for it.
fn refused(step: &Step, error: &DatabaseError) -> Error {
    let place = format!("step {} ({}:{})", step.id, step.file, step.line);
    Error::new(Kind::Step, format!("{place} is not carried out in the way that it asks for")).because(error).hint(
        "nothing was done; ask for the way that the server names, or for none: then the cheapest is tried first, and a table that is not small is not copied",
    )
}
