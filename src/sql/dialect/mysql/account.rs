//! GRANT and REVOKE.

use crate::sql::change::{Change, Name};
use crate::sql::dialect::cursor::Cursor;
use crate::sql::dialect::filter::text_of;
use crate::sql::dialect::tokens::Statement;
use crate::sql::statement::{Clause, Unread};

/// `GRANT SELECT (a), UPDATE ON db.t TO 'u'@'h'`. Roles and proxies are no rule's business.
pub(super) fn grant(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let cursor = &mut statement.cursor;
    let granted = cursor.eat("GRANT");
    if !granted {
        cursor.need("REVOKE")?;
        cursor.eat("IF EXISTS");
    }
    let said = cursor.until(&["ON", "TO", "FROM"]);
    if !cursor.eat("ON") || said.first().is_some_and(|token| token.is_word(cursor.source, "proxy")) {
        return Ok(statement.other());
    }
    let listed = cursor.within(said).comma_separated();
    let privileges = listed.iter().filter_map(|part| text_of(cursor.source, part.tokens)).collect();
    let (object, name) = subject(cursor)?;
    cursor.need(if granted { "TO" } else { "FROM" })?;
    let accounts = cursor.until(&["REQUIRE", "WITH", "IDENTIFIED", "AS"]);
    let listed = cursor.within(accounts).comma_separated();
    let accounts = listed.iter().filter_map(|part| text_of(cursor.source, part.tokens)).collect();
    Ok(statement.whole(match granted {
        true => Change::Grant { privileges, object, name, to: accounts },
        false => Change::Revoke { privileges, object, name, from: accounts },
    }))
}

/// What it is about: `*.*`, `db.*`, `db.t`, `FUNCTION f`.
fn subject(cursor: &mut Cursor<'_>) -> Result<(String, Name), Unread> {
    let object =
        ["TABLE", "FUNCTION", "PROCEDURE", "PACKAGE BODY", "PACKAGE"].into_iter().find(|word| cursor.eat(word));
    if cursor.eat("* . *") {
        return Ok(("GLOBAL".into(), Name::plain("*")));
    }
    if cursor.eat("*") {
        return Ok(("SCHEMA".into(), Name::plain("*")));
    }
    let first = cursor.need_identifier("a table")?;
    let object = object.unwrap_or("TABLE").to_string();
    Ok(match (cursor.eat(". *"), cursor.eat(".")) {
        (true, _) => ("SCHEMA".into(), Name::plain(first)),
        (false, true) => (object, Name { schema: Some(first), name: cursor.need_identifier("a table")? }),
        (false, false) => (object, Name::plain(first)),
    })
}
