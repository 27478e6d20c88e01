//! Every statement of `fixtures/sql/mysql-forms.sql` and `sqlite-forms.sql`: what it does, and that its server's grammar
//! knows it.

use lockkeeper::database::{Session, connect};

use super::{Dialect, LITE, MY, clauses, read};
use crate::servers;

const MYSQL: &str = include_str!("../../../fixtures/sql/mysql-forms.sql");
const SQLITE: &str = include_str!("../../../fixtures/sql/sqlite-forms.sql");

/// The statements of a text, each as it stands there.
fn statements(text: &'static str, dialect: Dialect) -> Vec<&'static str> {
    read(text, dialect).into_iter().map(|statement| &text[statement.range]).collect()
}

fn show(text: &str, dialect: Dialect) -> String {
    let mut shown = String::new();
    for statement in read(text, dialect) {
        let sql = &text[statement.range.clone()];
        assert!(statement.parsed.is_ok(), "{sql}: {:?}", statement.parsed);
        shown.push_str(&format!("{sql}\n"));
        for (source, change) in clauses(&format!("{sql};"), dialect) {
            let place = if source == sql { String::new() } else { format!("  <- {source}") };
            shown.push_str(&format!("    {change}{place}\n"));
        }
    }
    shown
}

#[test]
fn what_each_form_of_mysql_does() {
    insta::assert_snapshot!(show(MYSQL, MY));
}

#[test]
fn what_each_form_of_sqlite_does() {
    insta::assert_snapshot!(show(SQLITE, LITE));
}

/// PREPARE reads a statement and does nothing: whatever it complains about, it is not the grammar.
#[tokio::test]
async fn mariadb_knows_each_form() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    let mut wrong = Vec::new();
    let (mariadbs, mysqls) = MYSQL.split_once("-- Of MySQL only.").unwrap();
    let known = if servers::is_mariadb(&mut session).await { mariadbs } else { mysqls };
    for sql in statements(known, MY) {
        let quoted = sql.replace('\\', "\\\\").replace('\'', "''");
        if let Err(error) = session.execute(&format!("PREPARE x FROM '{quoted}'"), &[]).await
            && error.to_string().contains("error in your SQL syntax")
        {
            wrong.push(format!("{sql}\n  {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// EXPLAIN reads a statement and does nothing.
#[tokio::test]
async fn sqlite_knows_each_form() {
    let database = servers::sqlite();
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    let mut wrong = Vec::new();
    let (known, _) = SQLITE.split_once("-- Of SQLite 3.53 and later.").unwrap();
    for sql in statements(known, LITE) {
        let explained = if sql.starts_with("EXPLAIN") { sql.to_string() } else { format!("EXPLAIN {sql}") };
        if let Err(error) = session.query(&explained, &[]).await
            && error.to_string().contains("syntax error")
        {
            wrong.push(format!("{sql}\n  {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
