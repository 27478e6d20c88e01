//! Liquibase's changelogs in XML, YAML and JSON: what they include, what their changes do, and where that is said.

use lockkeeper::sql::Dialect;

use super::{POSTGRES, fixture};

#[test]
fn xml() {
    insta::assert_snapshot!(fixture("liquibase-xml", POSTGRES), @r#"
    ann:1: liquibase-xml/changes/1-orders.xml (1)
    ann:2: liquibase-xml/changes/1-orders.xml (1, no transaction)
    bob:4: liquibase-xml/changes/later/10.xml (2)
    bob:4: liquibase-xml/sql/totals.sql (2)
    bob:4: liquibase-xml/changes/later/10.xml (2)
    bob:5: liquibase-xml/changes/later/10.xml (4)
    ann:6: liquibase-xml/sql/formatted.sql (1)
    liquibase-xml/changes/1-orders.xml:13 create-index-blocking
    liquibase-xml/changes/later/10.xml:7 update-unbatched
    liquibase-xml/changes/later/10.xml:7 set-not-null
    liquibase-xml/changes/later/10.xml:10 update-unbatched
    liquibase-xml/changes/later/10.xml:16 opaque-statement
    liquibase-xml/changes/later/10.xml:17 unreadable-statement
    liquibase-xml/sql/formatted.sql:3 drop-column
    note: `liquibase-xml/db.changelog-master.xml` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    note: 1 of 3 changesets in `liquibase-xml/changes/1-orders.xml` not linted: their `dbms` is not postgres
    note: 1 of 8 changes in `liquibase-xml/changes/later/10.xml` not linted: their `dbms` is not postgres
    note: `liquibase-xml/sql/undo.sql` not linted: made to undo a migration
    4 files, postgres
    "#);
    insta::assert_snapshot!(fixture("liquibase-xml", Dialect::Mysql.into()), @r#"
    ann:1: liquibase-xml/changes/1-orders.xml (1)
    ann:2: liquibase-xml/changes/1-orders.xml (1, no transaction)
    bob:4: liquibase-xml/changes/later/10.xml (2)
    bob:4: liquibase-xml/sql/totals.sql (2)
    bob:4: liquibase-xml/changes/later/10.xml (2)
    bob:5: liquibase-xml/changes/later/10.xml (4)
    ann:6: liquibase-xml/sql/formatted.sql (1)
    liquibase-xml/changes/later/10.xml:7 update-unbatched
    liquibase-xml/changes/later/10.xml:7 set-not-null
    liquibase-xml/changes/later/10.xml:10 update-unbatched
    liquibase-xml/changes/later/10.xml:16 opaque-statement
    liquibase-xml/changes/later/10.xml:17 unreadable-statement
    liquibase-xml/sql/formatted.sql:3 drop-column
    note: `liquibase-xml/db.changelog-master.xml` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    note: 1 of 3 changesets in `liquibase-xml/changes/1-orders.xml` not linted: their `dbms` is not mysql
    note: 1 of 8 changes in `liquibase-xml/changes/later/10.xml` not linted: their `dbms` is not mysql
    note: `liquibase-xml/sql/undo.sql` not linted: made to undo a migration
    4 files, mysql
    "#);
}

#[test]
fn yaml() {
    insta::assert_snapshot!(fixture("liquibase-yaml", POSTGRES), @r#"
    ann:1: liquibase-yaml/orders.yaml (1, no transaction)
    bob:2: liquibase-yaml/db.changelog-master.yaml (5)
    liquibase-yaml/db.changelog-master.yaml:16 add-column-not-null
    liquibase-yaml/db.changelog-master.yaml:25 drop-table
    note: `liquibase-yaml/db.changelog-master.yaml` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    2 files, postgres
    "#);
}

#[test]
fn json() {
    insta::assert_snapshot!(fixture("liquibase-json", POSTGRES), @r#"
    ann:1: liquibase-json/changelog.json (2)
    liquibase-json/changelog.json:8 drop-table
    liquibase-json/changelog.json:10 change-column-type
    note: `liquibase-json/changelog.json` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    1 files, postgres
    "#);
}
