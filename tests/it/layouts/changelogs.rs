//! Liquibase's changelogs in XML, YAML and JSON: what they include, what their changes do, and where that is said.

use std::fs;

use lockkeeper::history::layout;
use lockkeeper::sql::Dialect;

use super::{POSTGRES, files, fixture};

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
    liquibase-xml/changes/later/10.xml:7 alter-after-write
    liquibase-xml/changes/later/10.xml:7 set-not-null
    liquibase-xml/changes/later/10.xml:11 update-unbatched
    liquibase-xml/changes/later/10.xml:16 opaque-statement
    liquibase-xml/changes/later/10.xml:17 unreadable-statement
    liquibase-xml/sql/formatted.sql:3 drop-column
    note: `liquibase-xml/db.changelog-master.xml` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    note: 1 of 3 changesets in `liquibase-xml/changes/1-orders.xml` not linted: their `dbms` or context is not postgres
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
    liquibase-xml/changes/later/10.xml:11 update-unbatched
    liquibase-xml/changes/later/10.xml:16 opaque-statement
    liquibase-xml/changes/later/10.xml:17 unreadable-statement
    liquibase-xml/sql/formatted.sql:3 drop-column
    note: `liquibase-xml/db.changelog-master.xml` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    note: 1 of 3 changesets in `liquibase-xml/changes/1-orders.xml` not linted: their `dbms` or context is not mysql
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
    liquibase-yaml/db.changelog-master.yaml:24 several-tables-locked
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
    liquibase-json/changelog.json:10 several-tables-locked
    liquibase-json/changelog.json:10 work-under-lock
    note: `liquibase-json/changelog.json` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    1 files, postgres
    "#);
}

/// What each clause of a changelog is cut from.
fn cut(name: &str, text: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    let history = layout::read(&[path], POSTGRES).unwrap();
    let clauses = history.migrations.iter().flat_map(|migration| &migration.statements);
    clauses
        .flat_map(|statement| statement.parsed.as_ref().unwrap())
        .map(|clause| text[clause.range.clone()].into())
        .collect()
}

#[test]
fn a_change_is_told_where_it_stands() {
    let xml = "<databaseChangeLog><!-- größe -->\r\n<changeSet id=\"é\" author=\"ö\">\r\n  <addColumn tableName=\"größe\">\r\n\
               <column name=\"a\" type=\"int\"/><column name=\"b\" type=\"int\"/></addColumn>\r\n\
               <sql><![CDATA[\r\n  DROP TABLE ä;\r\n  DROP TABLE b]]></sql><sql>DELETE FROM t\nWHERE a &lt; 3;\nDROP TABLE c</sql>\
               </changeSet></databaseChangeLog>";
    let places = [
        "<column name=\"a\" type=\"int\"/>",
        "<column name=\"b\" type=\"int\"/>",
        "DROP TABLE ä",
        "DROP TABLE b",
        "DELETE FROM t\nWHERE a &lt; 3;",
        "DROP TABLE c",
    ];
    assert_eq!(cut("c.xml", xml), places);
    let yaml = "# größe\ndatabaseChangeLog:\n- changeSet:\n    id: é\n    author: ö\n    changes:\n    - addColumn:\n        \
                tableName: größe\n        columns:\n        - column: {name: a, type: int}\n        - column:\n            \
                name: b\n            type: int\n\n    - sql:\n        sql: |\n          DROP TABLE ä;\n\n          DROP TABLE b;\n\
                \x20   - sql: DROP TABLE c\n";
    let places = [
        "column: {name: a, type: int}",
        "column:\n            name: b\n            type: int",
        "DROP TABLE ä",
        "DROP TABLE b",
        "DROP TABLE c",
    ];
    assert_eq!(cut("c.yaml", yaml), places);
    let json = "{\n\t\"databaseChangeLog\": [{\"changeSet\": {\"id\": \"größe\", \"author\": \"x\", \"changes\": [\n\t\t\
                {\"dropTable\": {\"tableName\": \"t\"}}, {\"sql\": {\"sql\": \"DROP TABLE u\"}}]}}]}";
    assert_eq!(cut("c.json", json), ["\"dropTable\": {\"tableName\": \"t\"}", "DROP TABLE u"]);
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_judged() {
    let changeset = "<changeSet id='1' author='a'><dropTable tableName='t'/></changeSet>";
    let master = format!(
        "<databaseChangeLog>{changeset}<include file='gone.xml' relativeToChangelogFile='true'/>\
         <include file='broken.xml' relativeToChangelogFile='true'/><include file='circle.xml' relativeToChangelogFile='true'/>\
         <include file='code.groovy' relativeToChangelogFile='true'/><include/>\
         <changeSet id='2' author='a'><sqlFile path='gone.sql'/><sqlFile/></changeSet></databaseChangeLog>"
    );
    let circle = "<databaseChangeLog><include file='master.xml' relativeToChangelogFile='true'/></databaseChangeLog>";
    let deep = format!("<databaseChangeLog>{}{}</databaseChangeLog>", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let bomb = (1..12).fold("databaseChangeLog:\n- a0: &a0 [x, x, x]\n".to_string(), |text, n| {
        let below = vec![format!("*a{}", n - 1); 10].join(", ");
        text + &format!("- a{n}: &a{n} [{below}]\n")
    });
    let entities = (1..12).fold("<!DOCTYPE x [<!ENTITY a0 'x'>".to_string(), |text, n| {
        text + &format!("<!ENTITY a{n} '{}'>", format!("&a{};", n - 1).repeat(10))
    });
    let input = [
        ("master.xml", master.as_str()),
        ("circle.xml", circle),
        ("broken.xml", "<databaseChangeLog><changeSet id='1'>"),
        ("broken.yaml", "databaseChangeLog:\n- changeSet: {id: 1\n"),
        ("broken.json", "{\"databaseChangeLog\": [{"),
        ("endless.yaml", "databaseChangeLog: {---"),
        ("deep.xml", &deep),
        ("deep.yaml", &format!("databaseChangeLog: {}", "[".repeat(100_000))),
        ("bomb.yaml", &bomb),
        ("entities.xml", &format!("{entities}]><databaseChangeLog>&a11;</databaseChangeLog>")),
        ("code.groovy", "databaseChangeLog {}"),
    ];
    insta::assert_snapshot!(files(&input, POSTGRES), @r#"
    a:1: db/master.xml (1)
    a:2: db/master.xml (0)
    db/master.xml:1 drop-table
    note: `db/circle.xml` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    unreadable: could not read `db/bomb.yaml` as YAML or JSON: its aliases stand for more than 100000 values
    unreadable: could not read `db/broken.json` as YAML or JSON: while parsing a node, did not find expected node content at byte 24 line 2 column 1
    unreadable: could not read `db/broken.xml` as XML: the root node was opened but never closed
    unreadable: could not read `db/broken.yaml` as YAML or JSON: while parsing a flow mapping, did not find expected ',' or '}' at byte 39 line 3 column 1
    unreadable: could not read `db/deep.xml` as XML: nested more than 100 deep
    unreadable: could not read `db/deep.yaml` as YAML or JSON: recursion limit exceeded at byte 274 line 1 column 275
    unreadable: could not read `db/endless.yaml` as YAML or JSON: while parsing a flow mapping, did not find expected ',' or '}' at byte 23 line 2 column 1
    unreadable: could not read `db/entities.xml` as XML: a possible entity reference loop is detected at 1:102
    unreadable: could not find `gone.xml`, which `db/master.xml:1` names
    unreadable: `db/circle.xml` includes itself: db/circle.xml -> db/master.xml -> db/circle.xml
    unreadable: could not read `db/code.groovy`: a changelog is read in XML, YAML, JSON or formatted SQL
    unreadable: `db/master.xml:1`: `include` says no `file`
    unreadable: could not find `gone.sql`, which `db/master.xml:1` names
    unreadable: `db/master.xml:1`: `sqlFile` says no `path`
    1 files, postgres
    "#);
}

#[test]
fn a_changelog_that_is_not_utf_8_is_still_known_for_one() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("latin.xml"), b"<databaseChangeLog>\xe9</databaseChangeLog>").unwrap();
    let utf16 = "\u{feff}databaseChangeLog: []".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    fs::write(directory.path().join("wide.yaml"), utf16).unwrap();
    let history = layout::read(&[directory.path().to_path_buf()], POSTGRES).unwrap();
    let errors: Vec<_> = history.unreadable.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0].contains("latin.xml` is not UTF-8") && errors[1].contains("wide.yaml` is in UTF-16"),
        "{errors:?}"
    );
}

#[test]
fn comments_excuse_a_change_in_every_format() {
    let xml = "<databaseChangeLog><changeSet id='1' author='a'>\n<!-- lockkeeper: allow drop-table: nobody reads it -->\n\
               <dropTable tableName='t'/>\n<dropTable tableName='u'/> <!-- lockkeeper: allow drop-table: nor that -->\n\
               <dropTable tableName='v'/>\n</changeSet>\n<!-- lockkeeper: allow drop-column: nothing follows -->\n</databaseChangeLog>";
    let yaml = "databaseChangeLog:\n- changeSet:\n    id: 1\n    author: a\n    # lockkeeper: phase=contract\n    changes:\n\
                \x20   - dropTable: {tableName: t}\n- changeSet:\n    id: 2\n    author: a\n    changes:\n\
                \x20   - dropTable: {tableName: t} # lockkeeper: allow drop-table: an example\n    - dropTable: {tableName: u}\n";
    let several = "<databaseChangeLog><changeSet id='1' author='a'>\n\
                   <!-- lockkeeper: allow update-unbatched, set-not-null: one change of two statements -->\n\
                   <addNotNullConstraint tableName='t' columnName='a' defaultNullValue='0'/></changeSet></databaseChangeLog>";
    insta::assert_snapshot!(files(&[("a.xml", xml), ("b.yaml", yaml), ("c.xml", several)], POSTGRES), @r#"
    a:1: db/a.xml (3)
    a:1: db/b.yaml (1)
    a:2: db/b.yaml (2)
    a:1: db/c.xml (2)
    db/a.xml:4 several-tables-locked
    db/a.xml:5 drop-table
    db/a.xml:7 unused-suppression
    db/b.yaml:13 drop-table
    db/b.yaml:13 several-tables-locked
    db/c.xml:3 alter-after-write
    note: `db/a.xml` and 2 more changelogs, in natural order of their paths, are read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    3 files, postgres
    "#);
}

#[test]
fn a_body_may_lie_in_a_file_and_what_is_no_changeset_is_said() {
    let xml = "<databaseChangeLog><changeSet id='1' author='a'><createProcedure path='db/p.sql'/></changeSet>\
               <changeset/><changeSet id='2' author='a'><renameTable/></changeSet></databaseChangeLog>";
    let sql = "CREATE PROCEDURE p() LANGUAGE SQL AS $$ SELECT 1; $$;";
    insta::assert_snapshot!(files(&[("a.xml", xml), ("p.sql", sql)], POSTGRES), @r#"
    a:1: db/p.sql (1)
    a:2: db/a.xml (1)
    db/a.xml:1 unreadable-statement
    note: `db/a.xml` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    unreadable: `db/a.xml:1`: a changelog holds no `changeset`
    2 files, postgres
    "#);
}

#[test]
fn a_sql_file_in_the_middle_is_part_of_its_changeset() {
    let xml = "<databaseChangeLog><changeSet id='1' author='a'><createTable tableName='t'><column name='a' type='int'/></createTable>\
               <sqlFile path='db/fill.sql'/><dropColumn tableName='t' columnName='a'/></changeSet></databaseChangeLog>";
    insta::assert_snapshot!(files(&[("a.xml", xml), ("fill.sql", "ALTER TABLE t ADD b int NOT NULL;")], POSTGRES), @r#"
    a:1: db/a.xml (1)
    a:1: db/fill.sql (1)
    a:1: db/a.xml (1)
    note: `db/a.xml` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    2 files, postgres
    "#);
}

#[test]
fn masters_are_databases_of_their_own_and_contexts_may_name_one() {
    let include = |file: &str| {
        format!("<databaseChangeLog><include file='{file}' relativeToChangelogFile='true'/></databaseChangeLog>")
    };
    let create = "<createTable tableName='t'><column name='a' type='int'/></createTable>";
    let one = format!(
        "<databaseChangeLog><changeSet id='1' author='a' context='postgresql'>{create}</changeSet>\
                       <changeSet id='2' author='a' context='!postgresql'><dropTable tableName='t'/></changeSet>\
                       <changeSet id='3' author='a' contextFilter='prod and !h2' runOrder='first'><dropTable tableName='t'/></changeSet>\
                       <changeSet id='4' author='a' ignore='true'><dropTable tableName='t'/></changeSet></databaseChangeLog>"
    );
    let two = "<databaseChangeLog><changeSet id='1' author='b'><dropColumn tableName='t' columnName='a'/></changeSet></databaseChangeLog>";
    let input = [
        ("master-1.xml", include("one.xml")),
        ("master-2.xml", include("two.xml")),
        ("one.xml", one),
        ("two.xml", two.to_string()),
        ("alone.xml", two.to_string()),
    ];
    let input: Vec<_> = input.iter().map(|(name, text)| (*name, text.as_str())).collect();
    insta::assert_snapshot!(files(&input, POSTGRES), @r#"
    a:3: db/one.xml (1)
    a:1: db/one.xml (1)
    b:1: db/two.xml (1)
    b:1: db/alone.xml (1)
    db/one.xml:1 drop-table
    db/two.xml:1 drop-column
    db/alone.xml:1 drop-column
    note: `db/master-1.xml` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    note: 1 of 4 changesets in `db/one.xml` not linted: their `dbms` or context is not postgres
    note: 1 of 4 changesets in `db/one.xml` not linted: they say `ignore`
    note: `db/master-2.xml` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    note: `db/alone.xml` is read as liquibase (by `databaseChangeLog`): each changeset in a transaction unless it says runInTransaction="false"; contexts, labels and preconditions are taken to hold
    3 files, postgres
    "#);
}
