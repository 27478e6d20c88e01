//! What a page calls good, and what a finding says to do instead, real servers take.

use std::collections::BTreeSet;

use lockkeeper::database::{Connection, Session, connect};
use lockkeeper::lint::rules;
use lockkeeper::sql::{self, Change, Dialect};

use super::{Block, blocks, judge, settings};
use crate::servers;

/// What pages and findings speak of as if it were there: tables, each with its columns, which a block may add itself.
const TABLES: &[(&str, &[&str])] = &[
    (
        "customers",
        &[
            "id bigint PRIMARY KEY",
            "name varchar(80)",
            "status varchar(20)",
            "email varchar(200)",
            "customer_id bigint",
        ],
    ),
    (
        "orders",
        &[
            "id bigint PRIMARY KEY",
            "status varchar(20)",
            "number bigint",
            "total bigint",
            "note varchar(80)",
            "name varchar(80)",
            "customer_id bigint",
            "shop int",
            "old_total bigint",
            "old_status varchar(20)",
            "new_status varchar(20)",
            "created_at timestamp NULL",
            "token varchar(40)",
            "price bigint",
            "amount bigint",
        ],
    ),
    ("users", &["id bigint PRIMARY KEY", "email varchar(200)", "name varchar(80)"]),
];

/// What else they speak of: made where the text has the first and not the second.
const OBJECTS: &[(Dialect, &str, &str, &str)] = &[
    (Dialect::Postgres, "orders_status", "orders_status ON orders", "CREATE INDEX orders_status ON orders (status)"),
    (Dialect::Postgres, "TYPE status ADD", "CREATE TYPE status", "CREATE TYPE status AS ENUM ('new', 'paid')"),
    (Dialect::Postgres, "open_orders", "CREATE VIEW open_orders", "CREATE VIEW open_orders AS SELECT id FROM orders"),
    (
        Dialect::Postgres,
        "VALIDATE CONSTRAINT positive_total",
        "ADD CONSTRAINT positive_total",
        "ALTER TABLE orders ADD CONSTRAINT positive_total CHECK (total > 0) NOT VALID",
    ),
    (
        Dialect::Postgres,
        "VALIDATE CONSTRAINT orders_customer",
        "ADD CONSTRAINT orders_customer",
        "ALTER TABLE orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES customers NOT VALID",
    ),
    (Dialect::Mysql, "open_orders", "CREATE VIEW open_orders", "CREATE VIEW open_orders AS SELECT id FROM orders"),
    (Dialect::Postgres, "keep_total()", "RETURNS trigger", TRIGGER_FUNCTION),
    (Dialect::Postgres, "orders_sync()", "RETURNS trigger", SYNC_FUNCTION),
    (Dialect::Postgres, "total_changed", "RETURNS trigger", TRIGGER_FUNCTION),
    (
        Dialect::Postgres,
        "total_changed",
        "CREATE TRIGGER",
        "CREATE TRIGGER total_changed BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION keep_total()",
    ),
    (
        Dialect::Mysql,
        "DROP TRIGGER orders_sync",
        "CREATE TRIGGER",
        "CREATE TRIGGER orders_sync BEFORE UPDATE ON orders FOR EACH ROW SET NEW.note = ''",
    ),
];

const TRIGGER_FUNCTION: &str =
    "CREATE FUNCTION keep_total() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'";
const SYNC_FUNCTION: &str = "CREATE FUNCTION orders_sync() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'";

/// Blocks that need what a database of ours does not have, by page and a part of their text, and why.
const NOT_HERE: &[(Dialect, &str, &str, &str)] = &[
    (Dialect::Postgres, "broad-grant", " TO app", "roles are the server's, not the database's"),
    (Dialect::Mysql, "broad-grant", " TO app", "the same"),
    (Dialect::Postgres, "revoke-privilege", " FROM app", "the same"),
    (Dialect::Mysql, "revoke-privilege", " FROM app", "the same"),
    (Dialect::Postgres, "enum-label-in-transaction", "CREATE TYPE status", "PostgreSQL takes it from 17 on"),
    (Dialect::Postgres, "missing-primary-key", "PARTITION OF orders", "a partitioned table"),
    (Dialect::Postgres, "partition-blocking", "PARTITION orders_20", "a partitioned table"),
    (Dialect::Postgres, "drop-trigger", "DROP TRIGGER orders_sync", "a trigger of that name"),
];

#[tokio::test]
async fn postgres_takes_what_pages_and_findings_advise() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    let reset = ["ROLLBACK", "DISCARD ALL", "DROP SCHEMA IF EXISTS public CASCADE", "CREATE SCHEMA public"];
    all(&mut session, &reset, Dialect::Postgres).await;
}

#[tokio::test]
async fn mariadb_takes_what_pages_and_findings_advise() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = connect(&database.url, "lockkeeper test").await.unwrap();
    let name = database.name();
    let reset = [format!("DROP DATABASE {name}"), format!("CREATE DATABASE {name}"), format!("USE {name}")];
    all(&mut session, &reset.each_ref().map(String::as_str), Dialect::Mysql).await;
}

/// Runs every Good block, and what the findings of every Bad block advise.
async fn all(session: &mut Connection, reset: &[&str], dialect: Dialect) {
    let mut failures = Vec::new();
    let mut executed = 0;
    // What the linter says of files and comments is about no statement.
    for rule in rules::all().iter().filter(|rule| rule.check.is_some()) {
        for block in blocks(&rule.page) {
            if !block.dialects.contains(&dialect) || block.file.name.is_some() || block.live.is_some() {
                continue;
            }
            let place = format!("rules/{}.md:{}", rule.id, block.line);
            let advised: Vec<String> = match block.bad {
                false => vec![block.file.sql.clone()],
                true => {
                    let (_, outcome) = judge(&block, dialect, &settings(&rule.page));
                    outcome.findings.iter().filter(|it| it.rule == rule.id).map(|it| advised(&it.help)).collect()
                }
            };
            for text in advised.iter().filter(|text| !text.is_empty()) {
                executed += 1;
                let known = |(of, page, part, _): &&(Dialect, &str, &str, &str)| {
                    *of == dialect && *page == rule.id && text.contains(part)
                };
                let mut result = run(session, reset, &block, text, false, dialect).await;
                if block.bad && result.is_err() {
                    // What one does behind the statement, or one of several ways.
                    let behind = run(session, reset, &block, text, true, dialect).await;
                    result =
                        if behind.is_ok() { behind } else { one_by_one(session, reset, &block, text, dialect).await };
                }
                match (result, NOT_HERE.iter().find(known)) {
                    (Err(why), None) => failures.push(format!("{place}: {why}\n{text}")),
                    (Ok(()), Some(_)) => failures.push(format!("{place}: NOT_HERE says that it fails\n{text}")),
                    _ => {}
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} of {executed}\n{}", failures.len(), failures.join("\n\n"));
    assert!(executed > 50, "{executed}");
}

async fn one_by_one(
    session: &mut Connection,
    reset: &[&str],
    block: &Block,
    text: &str,
    dialect: Dialect,
) -> Result<(), String> {
    for way in text.lines() {
        run(session, reset, block, way, false, dialect).await?;
    }
    Ok(())
}

/// The statements in a finding's help, those with gaps left out.
fn advised(help: &str) -> String {
    const VERBS: &[&str] = &["ALTER ", "CREATE ", "DROP ", "SELECT ", "SET ", "RESET ", "REINDEX ", "COMMENT "];
    let quoted = help.split('`').skip(1).step_by(2);
    let statements = quoted.filter(|text| VERBS.iter().any(|verb| text.starts_with(verb)) && !text.contains("..."));
    statements.map(|text| format!("{text};\n")).collect()
}

async fn run(
    session: &mut Connection,
    reset: &[&str],
    block: &Block,
    text: &str,
    behind: bool,
    dialect: Dialect,
) -> Result<(), String> {
    for statement in reset {
        session.execute(statement, &[]).await.map_err(|error| error.to_string())?;
    }
    let before: String = block.before.iter().map(|file| file.sql.as_str()).collect();
    let all = format!("{before}{}{text}", block.file.sql);
    for statement in missing(&all, dialect) {
        session.execute(&statement, &[]).await.map_err(|error| format!("{statement}: {error}"))?;
    }
    execute(session, &before, dialect).await?;
    let objects =
        OBJECTS.iter().filter(|(of, with, without, _)| *of == dialect && all.contains(with) && !all.contains(without));
    for (.., statement) in objects {
        session.execute(statement, &[]).await.map_err(|error| format!("{statement}: {error}"))?;
    }
    if behind {
        execute(session, &block.file.sql, dialect).await?;
    }
    execute(session, text, dialect).await
}

async fn execute(session: &mut Connection, text: &str, dialect: Dialect) -> Result<(), String> {
    for statement in sql::read(text, dialect) {
        let statement = &text[statement.range];
        session.execute(statement, &[]).await.map_err(|error| format!("{statement}: {error}"))?;
    }
    Ok(())
}

/// Creates the tables that a text neither makes nor can do without, without the columns that it adds.
fn missing(text: &str, dialect: Dialect) -> Vec<String> {
    let mut made = BTreeSet::new();
    let mut added = BTreeSet::new();
    for clause in sql::read(text, dialect).into_iter().flat_map(|statement| statement.parsed.unwrap_or_default()) {
        match clause.change {
            Change::CreateTable { table: name, .. } => {
                made.insert(name.name);
            }
            Change::AddColumn { table, column, .. } => {
                added.insert((table.name, column.name));
            }
            Change::RenameColumn { table, to, .. } => {
                added.insert((table.name, to));
            }
            _ => {}
        }
    }
    let table = |(table, columns): &(&str, &[&str])| {
        let is_there = |column: &&&str| {
            let name = column.split(' ').next().unwrap();
            !added.contains(&(table.to_string(), name.to_string()))
        };
        let columns: Vec<&str> = columns.iter().filter(is_there).copied().collect();
        format!("CREATE TABLE {table} ({})", columns.join(", "))
    };
    TABLES.iter().filter(|(name, _)| !made.contains(*name)).map(table).collect()
}
