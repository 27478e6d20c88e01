//! Every form of DDL that we know of, one a line: `fixtures/sql/ddl-forms.txt`.

use super::{Dialect, LITE, MY, PG, clauses, read};

/// One line: dialect, what it shows, the statement.
pub(super) struct Form {
    pub(super) dialect: Dialect,
    what: &'static str,
    pub(super) sql: &'static str,
}

pub(super) fn all() -> Vec<Form> {
    let lines = include_str!("../../../fixtures/sql/ddl-forms.txt").lines();
    let form = |line: &'static str| {
        let mut fields = line.splitn(3, '|');
        let dialect = match fields.next() {
            Some("pg") => PG,
            Some("my") => MY,
            Some("lite") => LITE,
            other => panic!("no dialect {other:?}"),
        };
        Form { dialect, what: fields.next().unwrap(), sql: fields.next().unwrap() }
    };
    lines.map(form).collect()
}

#[test]
fn no_form_is_lost() {
    for dialect in Dialect::ALL {
        let forms: Vec<Form> = all().into_iter().filter(|form| form.dialect == dialect).collect();
        assert!(forms.len() > 30, "{dialect}");
        let file: String = forms.iter().map(|form| format!("-- {}\n{};\n", form.what, form.sql)).collect();
        let statements = read(&file, dialect);
        let found: Vec<&str> = statements.iter().map(|statement| &file[statement.range.clone()]).collect();
        let expected: Vec<&str> = forms.iter().map(|form| form.sql).collect();
        // The mark that opens an executed comment belongs to the statement, as does the one that closes it.
        assert_eq!(found, expected, "{dialect}");
        for (statement, form) in statements.iter().zip(&forms) {
            assert!(statement.parsed.is_ok(), "{dialect}, {}: {:?}", form.what, statement.parsed);
        }
    }
}

#[test]
fn what_each_form_does() {
    let mut shown = String::new();
    for form in all() {
        shown.push_str(&format!("{}: {}\n", form.dialect, form.sql));
        for (source, change) in clauses(form.sql, form.dialect) {
            let place = if source == form.sql { String::new() } else { format!("  <- {source}") };
            shown.push_str(&format!("    {change}{place}\n"));
        }
    }
    insta::assert_snapshot!(shown);
}
