//! A claim about a lock is checked against the server, not believed.
//!
//! PostgreSQL: `pg_locks`, the table's file and its scans, before the transaction is rolled back.
//! MariaDB: it refuses an ALGORITHM or LOCK that a change cannot be done with.

mod mariadb;
mod postgres;
mod sqlite;
mod waits;

use lockkeeper::database::{Connection, Session, Value};
use lockkeeper::schema::{Catalog, Effect, effect};
use lockkeeper::sql::{self, Engine};

/// What the statements of a text do together; `None` where of one nothing is known.
fn claim(text: &str, before: &Catalog, engine: Engine) -> Option<Effect> {
    let mut catalog = before.clone();
    let mut whole: Option<Effect> = None;
    for statement in sql::read(text, before.dialect()) {
        let clauses = statement.parsed.unwrap_or_else(|unread| panic!("{text}: {}", unread.reason));
        for clause in effect::in_order(&clauses, before.dialect()) {
            let one = effect::effect(&clause.change, &catalog, engine)?;
            whole = Some(match whole {
                Some(whole) => whole.and(one),
                None => one,
            });
            catalog.apply(clause);
        }
    }
    whole
}

/// Every value as text.
async fn rows(session: &mut Connection, query: &str) -> Vec<Vec<String>> {
    let text = |value: Value| match value {
        Value::Text(text) => text,
        Value::Int(number) => number.to_string(),
        other => panic!("{query}: {other:?}"),
    };
    let rows = session.query(query, &[]).await.unwrap();
    rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect()
}
