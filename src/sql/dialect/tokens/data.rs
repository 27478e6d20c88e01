//! UPDATE, DELETE, INSERT and REPLACE.

use super::Statement;
use crate::sql::Dialect;
use crate::sql::change::{Assignment, Change};
use crate::sql::dialect::cursor::Cursor;
use crate::sql::dialect::filter::{self, text_of};
use crate::sql::dialect::sqlparser;
use crate::sql::lexer::Token;
use crate::sql::statement::{Clause, Unread};

/// Words of MySQL that change how, not what; sqlparser does not know all of them.
const MODIFIERS: [&str; 5] = ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE"];

/// Reads a data change, or a query that begins with WITH.
pub(super) fn statement(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    let source = statement.cursor.source;
    judge(&statement)?;
    let with = statement.cursor.at("WITH");
    if with {
        statement.cursor.until(&["UPDATE", "DELETE", "INSERT", "REPLACE", "SELECT"]);
    }
    let word = statement.cursor.peek();
    statement.cursor.bump();
    let cursor = &mut statement.cursor;
    let behind_word = cursor.tokens.len();
    if statement.dialect == Dialect::Mysql {
        while MODIFIERS.iter().any(|word| cursor.eat(word)) {}
    } else if cursor.eat("OR") {
        cursor.bump();
    }
    let alone = !with && cursor.tokens.len() == behind_word;
    match word.as_str() {
        "UPDATE" => {
            let change = update(cursor, alone)?;
            Ok(statement.whole(change))
        }
        "DELETE" => {
            cursor.eat("FROM");
            let table = cursor.need_name("a table")?;
            cursor.until(&["WHERE", "RETURNING", "ORDER BY", "LIMIT"]);
            cursor.eat("WHERE");
            let filter = filter::conjuncts(source, cursor.until(&["RETURNING", "ORDER BY", "LIMIT"]), &[]);
            let limited = is_limited(cursor);
            let change = Change::Delete { table, filter, limited };
            Ok(statement.whole(change))
        }
        "INSERT" | "REPLACE" => {
            cursor.eat("INTO");
            let table = cursor.need_name("a table")?;
            Ok(statement.whole(Change::Insert { table, columns: Vec::new(), query: false, on_conflict: None }))
        }
        _ => Ok(statement.other()),
    }
}

/// Asks sqlparser, without what of MySQL's it does not know: modifiers, and `UPDATE a, b SET`.
fn judge(statement: &Statement<'_>) -> Result<(), Unread> {
    let (source, all) = (statement.cursor.source, statement.all);
    if statement.dialect != Dialect::Mysql {
        return sqlparser::statement(source, all, statement.dialect);
    }
    let is_modifier = |token: &&Token| MODIFIERS.iter().any(|word| token.is_word(source, word));
    let skipped = 1 + all[1..].iter().take_while(is_modifier).count();
    let mut rest = Cursor::new(source, &all[skipped..]);
    let mut kept = vec![&all[..1]];
    if all[0].is_word(source, "update") {
        kept.push(rest.until(&[",", "SET"]));
        rest.until(&["SET"]);
    }
    kept.push(rest.tokens);
    sqlparser::statement(source, &kept.concat(), statement.dialect)
}

/// Reads what follows UPDATE and its modifiers; `alone` if there are none, and no WITH.
fn update(cursor: &mut Cursor<'_>, alone: bool) -> Result<Change, Unread> {
    let table = cursor.need_name("a table")?;
    // An alias, a join, an index hint.
    let mut plain = cursor.until(&["SET"]).is_empty() && alone;
    cursor.need("SET")?;
    let assigned = cursor.until(&["FROM", "WHERE", "RETURNING", "ORDER BY", "LIMIT"]);
    let mut set = Vec::new();
    for part in cursor.within(assigned).comma_separated() {
        plain &= assignment(part, &mut set)?;
    }
    if cursor.at("FROM") {
        plain = false;
        cursor.until(&["WHERE", "RETURNING", "ORDER BY", "LIMIT"]);
    }
    let mut filter = Vec::new();
    if cursor.eat("WHERE") {
        let condition = cursor.until(&["RETURNING", "ORDER BY", "LIMIT"]);
        filter = filter::conjuncts(cursor.source, condition, &set);
    }
    plain &= cursor.tokens.is_empty();
    Ok(Change::Update { table, set, filter, limited: false, plain })
}

/// A LIMIT of the statement itself follows, not one of a query in it.
fn is_limited(cursor: &mut Cursor<'_>) -> bool {
    cursor.until(&["LIMIT"]);
    cursor.at("LIMIT")
}

/// `a = 1` or `t.a = 1`; of `(a, b) = ...` the columns are known, the expressions are not, and the
/// answer is that the statement is not plain.
fn assignment(mut cursor: Cursor<'_>, set: &mut Vec<Assignment>) -> Result<bool, Unread> {
    let source = cursor.source;
    if let Some(columns) = cursor.group() {
        let expression = text_of(source, cursor.tokens).unwrap_or_default();
        for mut part in cursor.within(columns).comma_separated() {
            let column = part.need_identifier("a column")?;
            set.push(Assignment { column, expression: expression.clone() });
        }
        return Ok(false);
    }
    let mut column = cursor.need_identifier("a column")?;
    while cursor.eat(".") {
        column = cursor.need_identifier("a column")?;
    }
    cursor.eat(":");
    cursor.need("=")?;
    let expression = text_of(source, cursor.tokens).ok_or_else(|| cursor.expected("an expression"))?;
    set.push(Assignment { column, expression });
    Ok(true)
}
