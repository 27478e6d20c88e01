//! GRANT and REVOKE of privileges on something; of a role to a role they are no change of ours.

use super::source::{Source, take_name};
use crate::sql::change::{Change, Name};
use crate::sql::dialect::cursor::{Cursor, range_of};
use crate::sql::statement::Clause;

/// What stands behind ON where it is no table.
const OBJECTS: &[&str] = &[
    "ALL FUNCTIONS IN SCHEMA",
    "ALL PROCEDURES IN SCHEMA",
    "ALL ROUTINES IN SCHEMA",
    "ALL SEQUENCES IN SCHEMA",
    "ALL TABLES IN SCHEMA",
    "DATABASE",
    "DOMAIN",
    "FOREIGN DATA WRAPPER",
    "FOREIGN SERVER",
    "FUNCTION",
    "LANGUAGE",
    "LARGE OBJECT",
    "PARAMETER",
    "PROCEDURE",
    "PROPERTY GRAPH",
    "ROUTINE",
    "SCHEMA",
    "SEQUENCE",
    "TABLESPACE",
    "TYPE",
    "TABLE",
];

/// One change for each thing that is named.
pub(super) fn lower(source: &Source<'_>) -> Option<Vec<Clause>> {
    let mut cursor = source.cursor();
    let grant = cursor.eat("GRANT");
    if !grant {
        cursor.eat("REVOKE");
        cursor.eat("GRANT OPTION FOR");
    }
    let before = cursor.tokens;
    let privileges = cursor.until(&["ON"]);
    if privileges.len() == before.len() {
        return source.other();
    }
    let privileges = texts(&cursor.within(privileges));
    cursor.eat("ON");
    let named = cursor.until(&[if grant { "TO" } else { "FROM" }]);
    let mut named = cursor.within(named);
    // A table may be called `type`, too.
    let is_object = |words: &&&str| {
        let mut behind = named.clone();
        behind.eat(words) && !behind.tokens.is_empty() && !behind.at(",") && !behind.at(".")
    };
    let object = OBJECTS.iter().find(is_object);
    object.map(|words| named.eat(words));
    let object = object.unwrap_or(&"TABLE");
    let named = named.comma_separated();
    cursor.bump();
    let grantees = cursor.until(&["WITH GRANT", "GRANTED BY", "CASCADE", "RESTRICT"]);
    let grantees = texts(&cursor.within(grantees));
    let several = named.len() > 1;
    let clause = |mut part: Cursor<'_>| {
        let range = range_of(part.tokens)?;
        // A large object has a number for a name.
        let name = take_name(&mut part).unwrap_or_else(|| Name::plain(&source.file[range.clone()]));
        let (privileges, object, grantees) = (privileges.clone(), (*object).to_string(), grantees.clone());
        let change = match grant {
            true => Change::Grant { privileges, object, name, to: grantees },
            false => Change::Revoke { privileges, object, name, from: grantees },
        };
        Some(Clause::new(if several { range } else { source.piece.range.clone() }, change))
    };
    named.into_iter().map(clause).collect()
}

/// The items of a list as written.
fn texts(list: &Cursor<'_>) -> Vec<String> {
    let text = |part: Cursor<'_>| Some(part.source[range_of(part.tokens)?].to_string());
    list.comma_separated().into_iter().filter_map(text).collect()
}
