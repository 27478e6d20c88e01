//! What an undo takes away for good: counted where that is cheap, otherwise said.

use crate::database::{self, DatabaseError, Held, Session, Value};
use crate::plan::enforced::adds;
use crate::plan::revert::{Values, dropped_values};
use crate::plan::{Action, Expectation, Plan};
use crate::sql::{self, Dialect, Dml, Name};

/// Tables of more rows than this are not counted: it would take longer than an undo may hesitate.
const COUNTED: u64 = 1_000_000;

/// Something whose values go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// `column orders.new_status`.
    pub what: String,
    /// What is lost with it, as the rest of a sentence.
    pub because: String,
}

/// What revert.sql drops although it may hold what nothing else does, and what the backfill wrote over.
pub(super) async fn losses<S: Session>(session: &mut S, plan: &Plan) -> Result<Vec<Loss>, DatabaseError> {
    let dropped = dropped_values(plan);
    let mut losses = Vec::new();
    for values in &dropped {
        let there = match values {
            Values::Column { table, column } => {
                Expectation::Column { table: table.clone(), column: column.clone(), exists: true }
            }
            Values::Table(table) => Expectation::Table { table: table.clone(), exists: true },
        };
        if database::holds(session, &there).await? == Held::Yes {
            losses.push(of(session, plan, values).await?);
        }
    }
    for (dml, written) in fills(plan) {
        for column in written {
            let goes = dropped.iter().any(|values| match values {
                Values::Column { table, column: dropped } => *table == dml.table && *dropped == column,
                Values::Table(table) => *table == dml.table,
            });
            if !goes {
                losses.push(Loss {
                    what: format!("column {}.{column}", dml.table),
                    because: "what the backfill wrote stays in it, and what stood there before is not known any more"
                        .to_string(),
                });
            }
        }
    }
    Ok(losses)
}

/// The UPDATEs of backfill.sql, taken apart, with the columns that they write.
fn fills(plan: &Plan) -> Vec<(Dml, Vec<String>)> {
    let steps = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Backfill(backfill) => Some((sql::dml(&step.sql, plan.dialect)?, backfill.rows.written.clone())),
        _ => None,
    });
    steps.collect()
}

async fn of<S: Session>(session: &mut S, plan: &Plan, values: &Values) -> Result<Loss, DatabaseError> {
    let dialect = plan.dialect;
    let fills = fills(plan);
    let (what, table, question, same) = match values {
        Values::Table(table) => (format!("table {table}"), table, Some(dialect.quote_name(table)), None),
        Values::Column { table, column } => {
            let what = format!("column {table}.{column}");
            let quoted = dialect.quote(column);
            let fill = fills.iter().find(|(dml, written)| dml.table == *table && written.contains(column));
            match fill {
                None => (what, table, Some(format!("{} WHERE {quoted} IS NOT NULL", dialect.quote_name(table))), None),
                Some((dml, _)) => {
                    let set = dml.set.iter().find(|set| set.column == *column);
                    let same = set.map_or("what backfill.sql", |set| set.expression.as_str());
                    (what, table, only_there(dialect, dml, column), Some(same))
                }
            }
        }
    };
    let counted = count(session, table, question.as_deref()).await?;
    let because = match (counted, same) {
        (None, Some(same)) => {
            format!("the values that are not what {same} gives: those that only the new version wrote")
        }
        (None, None) => "its values: those that only the new version wrote".to_string(),
        (Some(0), Some(same)) => format!("nothing: every value in it is what {same} gives"),
        (Some(0), None) => "nothing: it holds no value".to_string(),
        (Some(rows), Some(same)) => format!(
            "its values in {}, which are not what {same} gives: only the new version wrote them",
            in_words(rows)
        ),
        (Some(rows), None) => format!("its values, in {}: only the new version knows them", in_words(rows)),
    };
    let too_big = if counted.is_none() { " (not counted)" } else { "" };
    Ok(Loss { what, because: because + too_big })
}

/// Rows whose value in a filled column is not what the backfill would give, as the end of a query; `None` where other
/// tables have a say in it.
fn only_there(dialect: Dialect, dml: &Dml, column: &str) -> Option<String> {
    let set = dml.set.iter().find(|set| set.column == *column).filter(|_| !dml.joined)?;
    let value = format!("{}.{}", dml.row, dialect.quote(column));
    let differs = dialect.distinct(&value, &format!("({})", set.expression));
    Some(format!("{} WHERE {value} IS NOT NULL AND {differs}", dml.sources))
}

/// How many values are in the new shape alone, in all columns that a change fills; `None` where that cannot be asked:
/// nothing says which columns those are, other tables have a say, or there are too many rows.
pub(in crate::run) async fn differing<S: Session>(session: &mut S, plan: &Plan) -> Result<Option<u64>, DatabaseError> {
    let fills = fills(plan);
    if fills.is_empty() {
        return Ok(None);
    }
    let mut sum = 0;
    for (dml, written) in &fills {
        // A column that was there before is none of the new shape.
        for column in written.iter().filter(|column| adds(plan, &dml.table, column)) {
            let question = only_there(plan.dialect, dml, column);
            let Some(rows) = count(session, &dml.table, question.as_deref()).await? else { return Ok(None) };
            sum += rows;
        }
    }
    Ok(Some(sum))
}

fn in_words(rows: u64) -> String {
    if rows == 1 { "1 row".into() } else { format!("{rows} rows") }
}

/// The rows that are meant, where the table is not too big for it.
async fn count<S: Session>(
    session: &mut S,
    table: &Name,
    question: Option<&str>,
) -> Result<Option<u64>, DatabaseError> {
    let Some(question) = question else { return Ok(None) };
    if database::estimate_rows(session, table).await?.is_none_or(|rows| rows > COUNTED) {
        return Ok(None);
    }
    let sql = format!("SELECT count(*) FROM {question}");
    Ok(match session.query(&sql, &[]).await?.first().map(Vec::as_slice) {
        Some([Value::Int(rows)]) => u64::try_from(*rows).ok(),
        _ => None,
    })
}
