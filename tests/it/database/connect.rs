//! Connections that do not come about: what is said, and that the password never is.

use std::time::Duration;

use lockkeeper::database::temporary::Engine;
use lockkeeper::database::{Session, connect, redact};
use lockkeeper::error::{Error, Kind};

use crate::servers;

#[tokio::test]
async fn a_missing_or_wrong_sqlite_file_is_refused_and_not_created() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("orders.db");
    for url in [format!("sqlite:{}", missing.display()), format!("sqlite://{}?mode=rwc", missing.display())] {
        let error = connect(&url, "lockkeeper test").await.err().unwrap();
        assert_eq!(error.kind, Kind::Connection);
        assert_eq!(error.message, format!("no database file `{}`", missing.display()));
        assert!(!missing.exists());
    }
    std::fs::write(&missing, "this is a text and not a database, however long it is".repeat(100)).unwrap();
    let error = connect(&format!("sqlite:{}", missing.display()), "lockkeeper test").await.err().unwrap();
    assert_eq!((error.kind, &error.causes[..]), (Kind::Connection, &["file is not a database".to_string()][..]));
}

/// The error of a connection, after looking for the password in all of its text.
async fn refused(url: &str, password: &str) -> Error {
    let error = connect(url, "lockkeeper test").await.err().unwrap_or_else(|| panic!("{url} connects"));
    assert!(!format!("{error:?}").contains(password), "{error:?}");
    assert!(!error.hints.is_empty(), "{error:?}");
    error
}

#[tokio::test]
async fn nobody_listens() {
    for (url, place) in [
        ("postgres://app:s3cr%65t@127.0.0.1:1/orders", "PostgreSQL at 127.0.0.1:1, database `orders`, as `app`"),
        ("mysql://app:s3cr%65t@127.0.0.1:1/orders", "MySQL at 127.0.0.1:1, database `orders`, as `app`"),
        (
            "postgres://app:s3cr%65t@localhost/orders?host=/nowhere",
            "PostgreSQL at /nowhere, database `orders`, as `app`",
        ),
        ("mariadb://app:s3cr%65t@localhost/o?socket=/no.sock", "MySQL at /no.sock, database `o`, as `app`"),
    ] {
        let error = refused(url, "s3cr").await;
        assert_eq!((error.kind, error.message), (Kind::Connection, format!("no connection to {place}")));
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_database() {
    if let Some(server) = servers::mariadb().await {
        let wrong = server.url.replace("root@", "stranger:s3cret@");
        let error = refused(&wrong, "s3cret").await;
        assert_eq!(error.causes, ["Access denied for user 'stranger'@'localhost' (using password: YES)"]);
        assert!(error.hints[0].starts_with("check the user `stranger`, its password"), "{error:?}");
        let error = refused(&server.url.replace(server.name(), "nope"), "s3cret").await;
        assert_eq!(error.causes, ["Unknown database 'nope'"]);
    }
    if let Some(server) = servers::postgres().await {
        let error = refused(&server.url.replace(server.name(), "nope"), "s3cret").await;
        assert_eq!(error.causes, ["database \"nope\" does not exist"]);
        assert_eq!(error.kind, Kind::Connection);
    }
}

#[tokio::test]
async fn a_wrong_password_on_postgres() {
    // Only on a server of our own may the access rules be changed.
    let Some(server) = servers::temporary(Engine::Postgres) else { return };
    let role = format!("guarded_{}", std::process::id());
    let mut admin = connect(&server.url("postgres"), "lockkeeper test").await.unwrap();
    admin.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'correct'"), &[]).await.unwrap();
    let rules = server.directory.join("data/pg_hba.conf");
    let before = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("local all {role} scram-sha-256\n{before}")).unwrap();
    admin.execute("SELECT pg_reload_conf()", &[]).await.unwrap();

    let url = |password: &str| server.url("postgres").replace("postgres@", &format!("{role}:{password}@"));
    // The rules are read again soon after the call, not within it.
    let mut tries = 0;
    let error = loop {
        match connect(&url("s3cr%65t"), "lockkeeper test").await {
            Err(error) => break error,
            Ok(_) if tries < 100 => tokio::time::sleep(Duration::from_millis(50)).await,
            Ok(_) => panic!("the password is not asked for"),
        }
        tries += 1;
    };
    assert_eq!(error.kind, Kind::Connection);
    assert_eq!(error.causes, [format!("password authentication failed for user \"{role}\"")]);
    refused(&url("s3cr%65t"), "s3cr").await;
    assert!(connect(&url("correct"), "lockkeeper test").await.is_ok());
    admin.execute(&format!("DROP ROLE {role}"), &[]).await.unwrap();
}

#[tokio::test]
async fn a_malformed_url_is_refused_without_its_password() {
    for url in [
        "postgres://app:s3/cret@db/orders",
        "postgres://app:12/s3cret@db/orders",
        "postgres://app:s3#cret@db/orders",
        "postgres://app:12?s3cret@db/orders",
        "postgres://app:12#s3cret@db/orders",
        "mysql://app:12@s3cret@db/orders/x@y",
        "postgres://app:s3cret",
        "postgres://",
        "postgres:///orders",
        "postgres://app:s3cret@db/orders?sslmode=sometimes",
        "mysql://app:s3cret@db",
        "oracle://app:s3cret@db/orders",
        "orders",
    ] {
        let error = refused(url, "cret").await;
        assert_eq!(error.kind, Kind::Input, "{url}: {error}");
    }
}

#[test]
fn a_url_is_shown_without_its_password() {
    for (url, shown) in [
        ("postgres://app:secret@db:5432/orders", "postgres://app:***@db:5432/orders"),
        ("postgres://app@db/orders", "postgres://app@db/orders"),
        ("postgres://db:5432/orders", "postgres://db:5432/orders"),
        ("postgres://[::1]:5432/orders", "postgres://[::1]:5432/orders"),
        ("postgres://app:se/cr@et@db/orders", "postgres://app:***@db/orders"),
        ("postgres://app:secret", "postgres://app:***"),
        ("mysql://db/orders?user=app&password=secret&x=1", "mysql://db/orders?user=app&password=***&x=1"),
        ("sqlite:orders.db", "sqlite:orders.db"),
        ("orders", "orders"),
        ("app:secret@db:5432/orders", "***"),
        ("host=db user=app password=secret", "***"),
    ] {
        assert_eq!(redact(url), shown);
    }
}
