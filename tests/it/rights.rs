//! The rights that the README lists are enough for a user to run a change with, and without them a hint names them.

use std::path::Path;

use lockkeeper::database::{Connection, Session};
use lockkeeper::sql::Dialect;

use super::run::{Change, Said, expect};
use super::servers;

/// The statements that the README has between two marks, without their comments.
fn documented(mark: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let block = readme.split(&format!("<!-- {mark} -->")).nth(1).unwrap_or_else(|| panic!("README.md has no {mark}"));
    let sql = block.split("```").nth(1).unwrap().trim_start_matches("sql\n");
    let lines: Vec<&str> = sql.lines().map(|line| line.split("--").next().unwrap()).collect();
    lines.join("\n").split(';').map(str::trim).filter(|one| !one.is_empty()).map(str::to_string).collect()
}

/// The command as `user`.
fn say_as(change: &Change, user: &str, arguments: &[&str]) -> Said {
    let mut url = url::Url::parse(&change.database.url).unwrap();
    url.set_username(user).unwrap();
    url.set_password(Some("change me")).unwrap();
    change.command(arguments).env("LOCKKEEPER_DATABASE_URL", url.as_str()).output().unwrap().into()
}

async fn execute(session: &mut Connection, statements: &[String]) {
    for sql in statements {
        session.execute(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
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

/// One right after the other, until a whole change runs; what is lacking is told each time.
#[tokio::test(flavor = "multi_thread")]
async fn the_listed_rights_are_enough_on_postgres() {
    let Some(database) = servers::postgres().await else { return };
    let change = Change::rename(database, Dialect::Postgres, 100).await;
    let mut admin = change.session().await;
    let name = change.database.name();
    let [owner, runner, watcher] = ["o", "r", "w"].map(|role| format!("{role}_{name}"));
    execute(
        &mut admin,
        &[
            format!("CREATE ROLE {owner}"),
            format!("GRANT USAGE ON SCHEMA public TO {owner}"),
            format!("ALTER TABLE orders OWNER TO {owner}"),
            format!("CREATE ROLE {watcher} LOGIN"),
        ],
    )
    .await;
    let rights: Vec<String> = documented("role on postgres")
        .iter()
        .map(|sql| sql.replace("deployer", &runner).replace("shop_owner", &owner).replace("shop", name))
        .collect();
    let [create_role, of_database, of_schema, of_owner, of_statistics] = &rights[..] else { panic!("{rights:?}") };
    for (right, lacking) in [
        (create_role, &["permission denied for database", "hint: the first run needs CREATE on the database"][..]),
        (
            of_database,
            &[
                "must be owner of table orders",
                "hint: only its owner may do that: GRANT the role that owns table orders",
            ],
        ),
        (of_owner, &["permission denied for schema public", "hint: GRANT USAGE, CREATE ON SCHEMA public TO this user"]),
    ] {
        execute(&mut admin, std::slice::from_ref(right)).await;
        let said = say_as(&change, &runner, &["run"]);
        expect(&said, said.code, lacking);
        assert!([2, 4].contains(&said.code), "{}", said.err);
    }
    execute(&mut admin, &[of_schema.clone(), of_statistics.clone()]).await;
    finish_as(&change, &runner);

    let refused = ["permission denied for schema lockkeeper", "needs USAGE on that schema"];
    expect(&say_as(&change, &watcher, &["status"]), 2, &refused);
    let rights: Vec<String> =
        documented("reader on postgres").iter().map(|sql| sql.replace(" dba", &format!(" {watcher}"))).collect();
    execute(&mut admin, &rights).await;
    expect(&say_as(&change, &watcher, &["status"]), 0, &["finished 2"]);
    for role in [runner, watcher, owner] {
        execute(&mut admin, &[format!("DROP OWNED BY {role} CASCADE"), format!("DROP ROLE {role}")]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listed_rights_are_enough_on_mariadb() {
    let Some(database) = servers::mariadb().await else { return };
    let change = Change::rename(database, Dialect::Mysql, 100).await;
    let mut admin = change.session().await;
    let name = change.database.name();
    // MySQL takes no name of more than 32 characters.
    let runner = format!("r_{}", name.trim_start_matches("lockkeeper_test_"));
    let rights: Vec<String> = documented("role on mysql")
        .iter()
        .map(|sql| sql.replace("deployer", &runner).replace("shop.", &format!("{name}.")))
        .collect();
    let [create_user, of_database, of_process] = &rights[..] else { panic!("{rights:?}") };
    execute(&mut admin, std::slice::from_ref(create_user)).await;
    for (lacking, words) in [
        (
            "CREATE, ",
            &["CREATE command denied", "hint: the user needs CREATE, CREATE VIEW, SELECT, INSERT, UPDATE and DELETE"][..],
        ),
        ("CREATE VIEW, ", &["CREATE VIEW command denied", "hint: the user needs CREATE, CREATE VIEW"]),
        ("ALTER, ", &["ALTER command denied", "`orders` TO '"]),
        ("TRIGGER, ", &["TRIGGER command denied", "`orders` TO '"]),
    ] {
        assert!(of_database.contains(lacking), "{of_database}");
        execute(&mut admin, &[of_database.replace(lacking, "")]).await;
        let said = say_as(&change, &runner, &["run"]);
        expect(&said, said.code, words);
        execute(&mut admin, &[format!("REVOKE ALL PRIVILEGES ON {name}.* FROM '{runner}'@'%'")]).await;
    }
    execute(&mut admin, &[of_database.clone(), of_process.clone()]).await;
    finish_as(&change, &runner);
    execute(&mut admin, &[format!("DROP USER '{runner}'@'%'")]).await;
}
