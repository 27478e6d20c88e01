//! Every command of PostgreSQL, one a line: `fixtures/sql/postgres-forms.sql`.

use lockkeeper::database::{Session, Value, connect};
use lockkeeper::sql::Clause;

use super::{PG, read, terse};
use crate::servers;

const FILE: &str = include_str!("../../../fixtures/sql/postgres-forms.sql");

/// Each statement and the first version that knows it.
fn forms() -> Vec<(i64, &'static str)> {
    let sections = FILE.split("-- PostgreSQL ").skip(1).map(|section| section.split_once('\n').unwrap());
    let version = |number: &str| number.parse::<i64>().unwrap();
    sections
        .flat_map(|(number, text)| {
            let statements = read(text, PG);
            statements.into_iter().map(move |it| (version(number), &text[it.range]))
        })
        .collect()
}

#[test]
fn what_each_form_does() {
    let mut shown = String::new();
    for (_, sql) in forms() {
        shown.push_str(&format!("{sql}\n"));
        for Clause { range, change, .. } in read(sql, PG).remove(0).parsed.unwrap() {
            let source = &sql[range];
            let place = if source == sql { String::new() } else { format!("  <- {source}") };
            shown.push_str(&format!("    {}{place}\n", terse(&change)));
        }
    }
    insta::assert_snapshot!(shown);
}

/// A function's body is parsed by the server when the function is created, and not run.
#[tokio::test]
async fn the_server_knows_each_form_of_its_version() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    let rows = session.query("SELECT current_setting('server_version_num')::int / 10000", &[]).await.unwrap();
    let Value::Int(server) = rows[0][0] else { panic!("{rows:?}") };
    let mut refused = Vec::new();
    for (version, sql) in forms() {
        let create = format!("CREATE FUNCTION pg_temp.form() RETURNS void LANGUAGE sql AS $form$ {sql} $form$");
        let Err(error) = session.execute(&create, &[]).await else {
            session.execute("DROP FUNCTION pg_temp.form()", &[]).await.unwrap();
            continue;
        };
        if version <= server && error.code.as_deref() == Some("42601") {
            refused.push(format!("{sql}: {error:?}"));
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}
