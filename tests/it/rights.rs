//! The rights that the README lists are enough for a user to run a change with, and without them a hint names them.

use lockkeeper::database::{Connection, Session};
use lockkeeper::sql::Dialect;

use super::run::{Change, Said};
use super::servers;

/// The command as `user`, who needs no password here.
fn say_as(change: &Change, user: &str, arguments: &[&str]) -> Said {
    let mut url = url::Url::parse(&change.database.url).unwrap();
    url.set_username(user).unwrap();
    url.set_password(None).unwrap();
    change.command(arguments).env("LOCKKEEPER_DATABASE_URL", url.as_str()).output().unwrap().into()
}

async fn execute(session: &mut Connection, statements: &[String]) {
    for sql in statements {
        session.execute(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

fn expect(said: &Said, code: i32, words: &[&str]) {
    assert_eq!(said.code, code, "{}{}", said.out, said.err);
    for word in words {
        assert!(said.out.contains(word) || said.err.contains(word), "`{word}` is not in {}{}", said.out, said.err);
    }
}

/// From the first run to the last, as `user`.
fn finish_as(change: &Change, user: &str) {
    expect(&say_as(change, user, &["run"]), 3, &["gate approval: pending", "gate db_sessions: unknown"]);
    for gate in ["approval", "db_sessions"] {
        expect(&say_as(change, user, &["approve", "--gate", gate, "--reason", "a test"]), 0, &[]);
    }
    expect(&say_as(change, user, &["run"]), 0, &["finished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listed_rights_are_enough_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 100).await;
    let mut admin = change.session().await;
    let name = change.database.name();
    let [runner, watcher] = ["r", "w"].map(|role| format!("{role}_{name}"));
    execute(
        &mut admin,
        &[
            format!("CREATE ROLE {runner} LOGIN"),
            format!("CREATE ROLE {watcher} LOGIN"),
            format!("GRANT CREATE, USAGE ON SCHEMA public TO {runner}"),
            format!("ALTER TABLE orders OWNER TO {runner}"),
        ],
    )
    .await;
    let refused = ["permission denied for database", "hint: the first run needs CREATE on the database"];
    expect(&say_as(&change, &runner, &["run"]), 2, &refused);
    execute(&mut admin, &[format!("GRANT CREATE ON DATABASE {name} TO {runner}")]).await;
    finish_as(&change, &runner);

    let refused = ["permission denied for schema lockkeeper", "needs USAGE on that schema"];
    expect(&say_as(&change, &watcher, &["status"]), 2, &refused);
    execute(
        &mut admin,
        &[
            format!("GRANT USAGE ON SCHEMA lockkeeper TO {watcher}"),
            format!("GRANT SELECT ON ALL TABLES IN SCHEMA lockkeeper TO {watcher}"),
        ],
    )
    .await;
    expect(&say_as(&change, &watcher, &["status"]), 0, &["finished 2"]);
    for role in [runner, watcher] {
        execute(&mut admin, &[format!("DROP OWNED BY {role} CASCADE"), format!("DROP ROLE {role}")]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listed_rights_are_enough_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let change = Change::rename(database, Dialect::Mysql, 100).await;
    let mut admin = change.session().await;
    let name = change.database.name();
    let runner = format!("r_{name}");
    execute(
        &mut admin,
        &[
            format!("CREATE USER {runner}@localhost"),
            format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO {runner}@localhost"),
        ],
    )
    .await;
    let refused =
        ["CREATE command denied", "hint: the user needs CREATE, CREATE VIEW, SELECT, INSERT, UPDATE and DELETE"];
    expect(&say_as(&change, &runner, &["run"]), 2, &refused);
    execute(
        &mut admin,
        &[
            format!("GRANT CREATE, CREATE VIEW, ALTER, DROP, INDEX, TRIGGER ON {name}.* TO {runner}@localhost"),
            format!("GRANT PROCESS ON *.* TO {runner}@localhost"),
        ],
    )
    .await;
    finish_as(&change, &runner);
    execute(&mut admin, &[format!("DROP USER {runner}@localhost")]).await;
}
