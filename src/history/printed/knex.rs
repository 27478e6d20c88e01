//! `DEBUG=knex:query knex migrate:latest`, the only way in which Knex tells what it runs: a line for each
//! statement, behind it the connection. Values are not printed.

use std::ops::Range;

use super::{Section, lines};

const QUERY: &str = "knex:query ";

/// `None` is another's output.
pub(super) fn sections(text: &str) -> Option<Vec<Section>> {
    let mut sections = vec![Section::default()];
    let mut open = false;
    for statement in statements(text) {
        let sql = &text[statement.clone()];
        let section = sections.last_mut().expect("there is always one");
        if ["BEGIN;", "COMMIT;", "ROLLBACK;"].contains(&sql) {
            open = sql == "BEGIN;";
        } else if sql.contains("from information_schema.tables") {
            // It looks whether its own tables, or others, are there.
        } else if !sql.contains("knex_migrations") {
            section.in_transaction = if section.parts.is_empty() { open } else { section.in_transaction };
            section.parts.push(statement);
        } else if sql.starts_with("insert into") && !sql.contains("knex_migrations_lock") {
            // It notes that the migration is done.
            sections.push(Section::default());
        }
    }
    text.contains(QUERY).then_some(sections)
}

/// The SQL of each line of the log, and of the lines that belong to it.
fn statements(text: &str) -> Vec<Range<usize>> {
    let mut statements: Vec<Range<usize>> = Vec::new();
    let mut inside = false;
    for (range, line) in lines(text) {
        if let Some(at) = query(line) {
            statements.push(range.start + at..range.end);
            inside = true;
        } else if line.contains("knex:") || line.starts_with("Batch ") {
            inside = false;
        } else if let Some(last) = statements.last_mut().filter(|_| inside) {
            last.end = range.end;
        }
    }
    for statement in &mut statements {
        let sql = without_connection(&text[statement.clone()]);
        statement.end = statement.start + sql.len();
    }
    statements
}

/// Where the SQL begins behind a time, or behind nothing.
fn query(line: &str) -> Option<usize> {
    let (before, _) = line.split_once(QUERY)?;
    (before.trim().is_empty() || before.ends_with("Z ")).then_some(before.len() + QUERY.len())
}

/// `create table "a" () trx2` without its last word, and without the time that a terminal is told.
fn without_connection(said: &str) -> &str {
    let said = said.trim_end();
    let said = said.rsplit_once(" +").filter(|(_, time)| time.ends_with('s')).map_or(said, |(sql, _)| sql);
    match said.rsplit_once(' ') {
        Some((sql, connection)) if connection == "undefined" || connection.starts_with("trx") => sql.trim_end(),
        _ => said,
    }
}
