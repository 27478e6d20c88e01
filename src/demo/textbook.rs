//! The textbook's three steps, to the letter, under the same load: add the column; a second version that
//! writes both and reads the old; fill where the new column is NULL; a third version that knows the new
//! one only; drop the old column when no pod of the second is left.

use std::sync::Arc;
use std::time::Duration;

use super::book::{Book, Comparison};
use super::cluster::Cluster;
use super::place::Place;
use super::pod::Version;
use super::{Chapter, Event, Listener, broken, open};
use crate::database::{self, Connection, Session, Value};
use crate::error::Result;
use crate::sql::Dialect;

const V1: Version = Version { name: "v1", reads: "old_status", writes: &["old_status"] };
const V2: Version = Version { name: "v2", reads: "old_status", writes: &["old_status", "new_status"] };
const V3: Version = Version { name: "v3", reads: "new_status", writes: &["new_status"] };

/// How long the versions work undisturbed between two things.
const WHILE: Duration = Duration::from_millis(1200);

pub(super) async fn tell(place: &Place, book: &Arc<Book>, listener: &Listener<'_>) -> Result<Comparison> {
    let mut session = database::connect(&place.url, "lockkeeper demo").await?;
    open(&mut session, book, listener).await?;

    listener.tell(Event::Chapter(Chapter::FirstVersion));
    let evidence = place.directory.path().join("pods.json");
    let mut cluster = Cluster::deploy(&place.url, evidence, Arc::clone(book), listener, &V1).await?;
    listener.pause(WHILE).await?;
    listener.tell(Event::Load(book.tallies()));

    listener.tell(Event::Chapter(Chapter::TextbookExpand));
    let text = if session.dialect() == Dialect::Mysql { "varchar(40)" } else { "text" };
    execute(&mut session, listener, &format!("ALTER TABLE orders ADD COLUMN new_status {text}")).await?;
    cluster.roll_out(&V2).await?;
    listener.tell(Event::Load(book.tallies()));

    listener.tell(Event::Chapter(Chapter::TextbookMigrate));
    execute(&mut session, listener, "UPDATE orders SET new_status = old_status WHERE new_status IS NULL").await?;
    verify(&mut session, listener).await?;

    listener.tell(Event::Chapter(Chapter::TextbookContract));
    cluster.roll_out(&V3).await?;
    // MariaDB drops an index together with its only column, and SQLite refuses to drop such a column.
    if session.dialect() == Dialect::Sqlite {
        execute(&mut session, listener, "DROP INDEX orders_old_status").await?;
    }
    execute(&mut session, listener, "ALTER TABLE orders DROP COLUMN old_status").await?;
    listener.pause(WHILE).await?;
    listener.tell(Event::Load(book.tallies()));

    listener.tell(Event::Chapter(Chapter::End));
    cluster.shut_down().await?;
    book.compare(&mut session, V3.reads).await.map_err(|error| broken("the table cannot be compared", &error))
}

async fn execute(session: &mut Connection, listener: &Listener<'_>, sql: &str) -> Result<()> {
    let rows = session.execute(sql, &[]).await.map_err(|error| broken(sql, &error))?;
    let rows = sql.starts_with("UPDATE").then_some(rows);
    listener.tell(Event::Statement { sql: sql.to_string(), rows });
    Ok(())
}

/// The textbook's question, without the rows that have no status at all.
async fn verify(session: &mut Connection, listener: &Listener<'_>) -> Result<()> {
    let sql = "SELECT count(*) FROM orders WHERE new_status IS NULL AND old_status IS NOT NULL";
    let answer = session.query(sql, &[]).await.map_err(|error| broken(sql, &error))?;
    if let Some(Value::Int(rows)) = answer.first().and_then(|row| row.first()) {
        listener.tell(Event::Unfilled { sql: sql.to_string(), rows: *rows });
    }
    Ok(())
}
