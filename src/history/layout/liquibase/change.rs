//! A change into the SQL that Liquibase sends for it on this dialect.
//!
//! The SQL is read by `sql` like any other, so that it has the changes and the effects of that statement; it is never
//! run and never printed. What Liquibase does not support on a dialect is an error here as it is there.

mod column;
mod constraint;
mod data;
mod object;
mod table;

use std::ops::Range;

use super::element::Element;
use super::node::{Node, Value};
use crate::sql::Dialect;

/// What a change does.
pub(super) enum Meaning {
    /// Statements, in order.
    Sql(Vec<Written>),
    /// Nothing to the database.
    Nothing,
    /// What only its run shows; the words say what it is.
    Opaque(String),
}

/// A statement that Liquibase sends.
pub(super) struct Written {
    pub(super) sql: String,
    /// The parts of the changelog that its clauses come from, where it has several.
    pub(super) clauses: Vec<Range<usize>>,
}

impl Written {
    fn of(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), clauses: Vec::new() }
    }
}

/// What a change is written out as, or why it cannot be.
type Statements = Result<Vec<Written>, String>;

/// What a change does.
///
/// # Errors
/// It is of a kind that we do not know or that Liquibase does not support here, or it does not say what it must.
pub(super) fn meaning(element: &Element<'_>) -> Result<Meaning, String> {
    let name = element.node.name.as_str();
    match name {
        "empty" | "output" | "stop" | "tagDatabase" => return Ok(Meaning::Nothing),
        "customChange" => {
            let class = element.get("class").unwrap_or_default();
            return Ok(Meaning::Opaque(format!("customChange {class}").trim_end().to_string()));
        }
        "executeCommand" => {
            let program = element.get("executable").unwrap_or_default();
            return Ok(Meaning::Opaque(format!("executeCommand {program}").trim_end().to_string()));
        }
        "dropAllForeignKeyConstraints" => return Ok(Meaning::Opaque(name.to_string())),
        _ => {}
    }
    let write = writer(name).ok_or_else(|| format!("`{name}` is no change that we know"))?;
    write(element).map(Meaning::Sql)
}

fn writer(name: &str) -> Option<fn(&Element<'_>) -> Statements> {
    Some(match name {
        "createTable" => table::create,
        "dropTable" => table::drop,
        "renameTable" => table::rename,
        "setTableRemarks" => table::remark,
        "addLookupTable" => table::add_lookup,
        "addColumn" => column::add,
        "dropColumn" => column::drop,
        "renameColumn" => column::rename,
        "modifyDataType" => column::modify_type,
        "addNotNullConstraint" => column::add_not_null,
        "dropNotNullConstraint" => column::drop_not_null,
        "addDefaultValue" => column::add_default,
        "dropDefaultValue" => column::drop_default,
        "addAutoIncrement" => column::add_auto_increment,
        "setColumnRemarks" => column::remark,
        "mergeColumns" => column::merge,
        "addPrimaryKey" => constraint::add_primary_key,
        "dropPrimaryKey" => constraint::drop_primary_key,
        "addUniqueConstraint" => constraint::add_unique,
        "dropUniqueConstraint" => constraint::drop_unique,
        "addForeignKeyConstraint" => constraint::add_foreign_key,
        "dropForeignKeyConstraint" => constraint::drop_foreign_key,
        "addCheckConstraint" => constraint::add_check,
        "dropCheckConstraint" => constraint::drop_check,
        "createIndex" => object::create_index,
        "dropIndex" => object::drop_index,
        "createView" => object::create_view,
        "dropView" => object::drop_view,
        "renameView" => object::rename_view,
        "createSequence" => object::create_sequence,
        "alterSequence" => object::alter_sequence,
        "dropSequence" => object::drop_sequence,
        "renameSequence" => object::rename_sequence,
        "dropProcedure" => object::drop_procedure,
        "dropFunction" => object::drop_function,
        "dropTrigger" => object::drop_trigger,
        "insert" => data::insert,
        "update" => data::update,
        "delete" => data::delete,
        "loadData" | "loadUpdateData" => data::load,
        _ => return None,
    })
}

/// Whether the SQL of a change is in a file of its own, as that of `createProcedure` can be.
pub(super) fn is_in_file(node: &Node) -> bool {
    sql_key(&node.name).is_some() && node.value("path").is_some() && sql_text(node).is_none()
}

/// The SQL of a change that the user has written as SQL; `None` for all others.
pub(super) fn sql_text(node: &Node) -> Option<&Value> {
    let key = sql_key(&node.name)?;
    node.value(key).or_else(|| node.value("procedureBody")).or_else(|| node.value_of_text())
}

fn sql_key(name: &str) -> Option<&'static str> {
    Some(match name {
        "sql" => "sql",
        "createProcedure" => "procedureText",
        "createFunction" => "functionBody",
        "createTrigger" => "triggerBody",
        "createPackage" => "packageText",
        "createPackageBody" => "packageBodyText",
        _ => return None,
    })
}

/// The parts of SQL between delimiters; without one of its own, all of it.
pub(super) fn between_delimiters(text: &str, delimiter: Option<&str>) -> Vec<Range<usize>> {
    let delimiter = delimiter.unwrap_or(";").replace("\\n", "\n").replace("\\r", "").replace("\\s*", "");
    if delimiter.trim().is_empty() || delimiter == ";" {
        return std::iter::once(0..text.len()).collect();
    }
    // Delimiters such as GO are meant in either case.
    let (folded, wanted) = (text.to_ascii_lowercase(), delimiter.to_ascii_lowercase());
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, found) in folded.match_indices(&wanted) {
        parts.push(start..at);
        start = at + found.len();
    }
    parts.push(start..text.len());
    parts
}

fn unsupported(element: &Element<'_>) -> String {
    format!("Liquibase has no `{}` for {}", element.node.name, element.dialect)
}

/// Refuses changes for which Liquibase asks SQLite for the table and builds it anew.
fn no_rebuild(element: &Element<'_>) -> Result<(), String> {
    if element.dialect == Dialect::Sqlite {
        return Err(format!("Liquibase builds the whole table anew for `{}`", element.node.name));
    }
    Ok(())
}

/// Refuses what Liquibase does not support on SQLite.
fn not_on_sqlite(element: &Element<'_>) -> Result<(), String> {
    if element.dialect == Dialect::Sqlite { Err(unsupported(element)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::layout::liquibase::{property::Properties, xml};

    /// What was recorded of each change, by its number.
    fn recorded(text: &str) -> Vec<(String, String)> {
        let mut changes: Vec<(String, String)> = Vec::new();
        for line in text.lines().skip(1) {
            match line.strip_prefix("-- ").filter(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
                Some(number) => changes.push((number.to_string(), String::new())),
                None => changes.last_mut().expect("a number comes first").1 += &format!("{line}\n"),
            }
        }
        changes
    }

    /// Without what says nothing: white space, case and quotes.
    fn plain(sql: &str) -> String {
        let words = sql.to_lowercase().replace(['"', '`'], "");
        let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        [" (", "( ", " )", ") ", ", ", "; "].iter().fold(words, |text, gap| text.replace(gap, gap.trim()))
    }

    #[test]
    fn changes_are_written_as_liquibase_writes_them() {
        let changelog = xml::read(include_str!("../../../../fixtures/liquibase/changes.xml")).expect("our own is XML");
        let recordings = [
            (Dialect::Postgres, include_str!("../../../../fixtures/liquibase/postgres.sql")),
            (Dialect::Mysql, include_str!("../../../../fixtures/liquibase/mysql.sql")),
            (Dialect::Sqlite, include_str!("../../../../fixtures/liquibase/sqlite.sql")),
        ];
        let properties = Properties::default();
        let mut compared = 0;
        for (dialect, text) in recordings {
            for (number, expected) in recorded(text) {
                let is_it = |node: &&Node| node.value("id").is_some_and(|id| id.text == number);
                let changeset = changelog.root.children.iter().find(is_it).expect("every recording is of a changeset");
                let node = &changeset.children[0];
                let written = match meaning(&Element { node, dialect, properties: &properties }) {
                    Ok(Meaning::Sql(written)) => written.iter().map(|written| format!("{};\n", written.sql)).collect(),
                    Ok(_) => String::new(),
                    Err(_) => "-- refused".to_string(),
                };
                let expected = if expected.starts_with("-- refused") { "-- refused" } else { expected.as_str() };
                if !expected.starts_with("-- not compared") {
                    assert_eq!(plain(&written), plain(expected), "{dialect}, change {number}");
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 157);
    }

    #[test]
    fn delimiters_cut_and_the_usual_one_is_left_to_the_reader() {
        let parts = |text: &str, delimiter| {
            between_delimiters(text, delimiter).into_iter().map(|part| text[part].to_string()).collect::<Vec<_>>()
        };
        assert_eq!(parts("a; b", None), ["a; b"]);
        assert_eq!(parts("a; b //\nc", Some("//")), ["a; b ", "\nc"]);
        assert_eq!(parts("a\nGO\nb", Some("\\ngo")), ["a", "\nb"]);
    }
}
