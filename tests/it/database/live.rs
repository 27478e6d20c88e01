//! A live schema as a catalog: a history executed on a server and replayed beside it leave the same.

use lockkeeper::database::live::read_from;
use lockkeeper::database::{Connection, Session};
use lockkeeper::schema::{Catalog, Table, drift};
use lockkeeper::sql::{self, ConstraintKind, Dialect};

use super::{name, open, run};
use crate::servers;

/// Executes a history and replays it.
async fn both(session: &mut Connection, text: &str) -> (Catalog, Catalog) {
    let dialect = session.dialect();
    let mut catalog = Catalog::new(dialect);
    catalog.enter(1, false, []);
    for statement in sql::read(text, dialect) {
        run(session, &[&text[statement.range.clone()]]).await;
        let clauses = statement.parsed.unwrap_or_else(|unread| panic!("{}: {}", &text[statement.range], unread.reason));
        clauses.iter().for_each(|clause| catalog.apply(clause));
    }
    let live = read_from(session).await.unwrap();
    (catalog, live.catalog)
}

fn assert_same(replayed: &Catalog, live: &Catalog) {
    let drifts: Vec<_> =
        drift(replayed, live, &[]).iter().map(|drift| format!("{}: {:?}", drift.table, drift.what)).collect();
    assert!(drifts.is_empty(), "{}", drifts.join("\n"));
}

/// Constraints and indexes have the names that the server has given them.
fn assert_same_names(replayed: &Catalog, live: &Catalog) {
    let is_told = |kind: &ConstraintKind| match kind {
        ConstraintKind::NotNull { .. } => false,
        // MariaDB and MySQL call them differently.
        ConstraintKind::Check { .. } => live.dialect() == Dialect::Postgres,
        _ => true,
    };
    let names = |table: &Table| {
        let constraints = table.constraints.iter().filter(|(_, constraint)| is_told(&constraint.kind));
        let mut names: Vec<_> = constraints.map(|(name, _)| name).chain(table.indexes.keys()).cloned().collect();
        names.sort();
        names
    };
    let told = replayed.tables().filter(|table| table.parts_known && table.partition_of.is_none());
    let pairs: Vec<_> = told.filter_map(|table| Some((table, live.table(&table.name)?))).collect();
    assert!(pairs.len() > 5);
    for (table, other) in pairs {
        assert_eq!(names(table), names(other), "{}", table.name);
    }
}

#[tokio::test]
async fn a_history_on_postgres_leaves_what_its_replay_leaves() {
    let Some(database) = servers::postgres().await else { return };
    let mut session = open(&database.url).await;
    let (replayed, live) = both(&mut session, include_str!("../../../fixtures/catalog/postgres.sql")).await;
    assert_same(&replayed, &live);
    assert_same_names(&replayed, &live);
    let labels = |catalog: &Catalog| catalog.data_type(&name("feeling")).unwrap().kind.clone();
    assert_eq!(labels(&replayed), labels(&live));
}

#[tokio::test]
async fn a_history_on_mariadb_leaves_what_its_replay_leaves() {
    let Some(database) = servers::mariadb().await else { return };
    let mut session = open(&database.url).await;
    let (replayed, live) = both(&mut session, include_str!("../../../fixtures/catalog/mysql.sql")).await;
    assert_same(&replayed, &live);
    assert_same_names(&replayed, &live);
}

#[tokio::test]
async fn a_history_on_sqlite_leaves_what_its_replay_leaves() {
    let database = servers::sqlite();
    let mut session = open(&database.url).await;
    let (replayed, live) = both(&mut session, include_str!("../../../fixtures/catalog/sqlite.sql")).await;
    assert_same(&replayed, &live);
    assert_eq!(live.table(&name("customers")).unwrap().rows, Some(0));
}
