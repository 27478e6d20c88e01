//! `[[throttle.queries]]`: the user's own queries, each of which returns one number.

use super::{Look, Reading, number, refused};
use crate::database::{Connection, DatabaseError, Session, Value};
use crate::sql::Dialect;

pub(super) async fn read(look: &mut Look) -> Vec<Reading> {
    let mut readings = Vec::new();
    for query in &look.settings.queries {
        let signal = format!("query {}", query.name);
        let answer = ask(&mut look.session, &query.sql).await;
        readings.push(match answer.map_err(|error| refused(&error)).and_then(|rows| one_number(&rows)) {
            Ok(value) => {
                let what = format!("{} is {}", query.name, query.limit.unit.show(value));
                Reading { signal, value: Ok(value), limit: Some(query.limit), what }
            }
            Err(why) => Reading::unreadable(signal, why),
        });
    }
    readings
}

/// In a transaction that writes nothing and is short; what the driver gives up, the server ends by itself.
async fn ask(session: &mut Connection, sql: &str) -> Result<Vec<Vec<Value>>, DatabaseError> {
    let begin: &[&str] = match session.dialect() {
        Dialect::Postgres => &["BEGIN READ ONLY", "SET LOCAL statement_timeout = '5s'"],
        // The one is read by MariaDB alone, the other by MySQL.
        Dialect::Mysql => &[
            "SET SESSION lock_wait_timeout = 2 /*M!100300 , max_statement_time = 5 */ /*!50708 , max_execution_time = 5000 */",
            "START TRANSACTION READ ONLY",
        ],
        Dialect::Sqlite => &["BEGIN"],
    };
    for statement in begin {
        session.execute(statement, &[]).await?;
    }
    let rows = session.query(sql, &[]).await;
    session.execute("ROLLBACK", &[]).await?;
    rows
}

fn one_number(rows: &[Vec<Value>]) -> Result<f64, String> {
    match rows {
        [row] => match row.as_slice() {
            [Value::Null] => Err("the query returns NULL".to_string()),
            [_] => number(row, 0).ok_or_else(|| "the query returns no number".to_string()),
            columns => Err(format!("the query returns {} columns, not one number", columns.len())),
        },
        rows => Err(format!("the query returns {} rows, not one number", rows.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_number_is_a_number() {
        let text = |word: &str| Value::Text(word.into());
        let table = [
            (vec![vec![Value::Int(3)]], "Ok(3.0)"),
            (vec![vec![text("2.5")]], "Ok(2.5)"),
            (vec![vec![Value::Null]], "Err(\"the query returns NULL\")"),
            (vec![vec![text("many")]], "Err(\"the query returns no number\")"),
            (vec![vec![Value::Int(1), Value::Int(2)]], "Err(\"the query returns 2 columns, not one number\")"),
            (vec![], "Err(\"the query returns 0 rows, not one number\")"),
            (vec![vec![Value::Int(1)], vec![Value::Int(2)]], "Err(\"the query returns 2 rows, not one number\")"),
        ];
        for (rows, expected) in table {
            assert_eq!(format!("{:?}", one_number(&rows)), expected);
        }
    }
}
