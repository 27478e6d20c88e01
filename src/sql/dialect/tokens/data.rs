//! UPDATE, DELETE, INSERT and REPLACE.

use super::Statement;
use super::tables::{self, Reference};
use crate::sql::Dialect;
use crate::sql::change::{Assignment, Change, Name, Query};
use crate::sql::dialect::cursor::{self, Cursor};
use crate::sql::dialect::filter::{self, text_of};
use crate::sql::dialect::sqlparser;
use crate::sql::lexer::Token;
use crate::sql::statement::{Clause, Unread};

/// Words of MySQL that change how, not what; sqlparser does not know all of them.
const MODIFIERS: [&str; 5] = ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE"];

/// Reads a data change, or a query that begins with WITH.
pub(super) fn statement(mut statement: Statement<'_>) -> Result<Vec<Clause>, Unread> {
    judge(&statement)?;
    let with = statement.cursor.at("WITH");
    if with {
        statement.cursor.until(&["UPDATE", "DELETE", "INSERT", "REPLACE", "SELECT"]);
    }
    let word = statement.cursor.peek();
    statement.cursor.bump();
    let cursor = &mut statement.cursor;
    let behind_word = cursor.tokens.len();
    let mut overlooks = word == "REPLACE";
    if statement.dialect == Dialect::Mysql {
        while let Some(word) = MODIFIERS.into_iter().find(|word| cursor.eat(word)) {
            overlooks |= word == "IGNORE";
        }
    } else if cursor.eat("OR") {
        overlooks = cursor.at("REPLACE") || cursor.at("IGNORE");
        cursor.bump();
    }
    let alone = !with && cursor.tokens.len() == behind_word;
    let all = cursor.within(statement.all);
    let changes = match word.as_str() {
        "UPDATE" => update(cursor, alone)?,
        "DELETE" => delete(cursor)?,
        "INSERT" | "REPLACE" => {
            let mut change = insert(cursor, overlooks)?;
            if let Change::Insert { query: Some(query), .. } = &mut change {
                // What WITH names in front of it is no table.
                query.reads = tables::read_by(&all);
            }
            vec![change]
        }
        _ => return Ok(statement.other()),
    };
    Ok(changes.into_iter().flat_map(|change| statement.whole(change)).collect())
}

/// Asks sqlparser, without what it does not know: modifiers, `UPDATE a, b SET`, `DELETE a.* FROM`, and of SQLite
/// `INSERT INTO t AS x` and the target of ON CONFLICT.
fn judge(statement: &Statement<'_>) -> Result<(), Unread> {
    let (source, all) = (statement.cursor.source, statement.all);
    let mut rest = Cursor::new(source, all);
    let mut kept = Vec::new();
    if rest.at("WITH") {
        kept.push(rest.until(&["UPDATE", "DELETE", "INSERT", "REPLACE", "SELECT"]));
    }
    let first = rest.peek();
    kept.push(rest.tokens.get(..1).unwrap_or_default());
    rest.bump();
    if statement.dialect == Dialect::Mysql {
        while MODIFIERS.iter().any(|word| rest.eat(word)) {}
        if first == "UPDATE" {
            kept.push(rest.until(&[",", "SET"]));
            rest.until(&["SET"]);
        } else if first == "DELETE" {
            kept.push(rest.until(&[". * ,", ". * FROM"]));
            while rest.eat(". *") {
                kept.push(rest.until(&[". * ,", ". * FROM"]));
            }
        }
    } else if first == "INSERT" || first == "REPLACE" {
        kept.push(rest.until(&["AS", "(", "VALUES", "SELECT", "DEFAULT", "WITH"]));
        if rest.eat("AS") {
            rest.bump();
        }
        kept.push(rest.until(&["ON CONFLICT"]));
        if rest.at("ON CONFLICT") {
            kept.push(&rest.tokens[..2]);
            rest.until(&["DO"]);
        }
    }
    kept.push(rest.tokens);
    sqlparser::statement(source, &kept.concat(), statement.dialect)
}

/// Where the condition of a data change ends.
const BEHIND_CONDITION: &[&str] = &["RETURNING", "ORDER BY", "LIMIT"];

/// Reads what follows INSERT or REPLACE; `overlooks` if a row that is there already is no error.
fn insert(cursor: &mut Cursor<'_>, overlooks: bool) -> Result<Change, Unread> {
    cursor.eat("INTO");
    let table = cursor.need_name("a table")?;
    if cursor.eat("PARTITION") {
        cursor.group();
    }
    if cursor.eat("AS") {
        cursor.identifier();
    }
    let query_in_parentheses = ["( SELECT", "( WITH", "( (", "( TABLE"].iter().any(|words| cursor.at(words));
    let mut columns = if query_in_parentheses || cursor.at("SET") { Vec::new() } else { columns(cursor) };
    let query = ["SELECT", "WITH", "TABLE", "("].contains(&cursor.peek().as_str()).then(|| query(cursor));
    if cursor.eat("SET") {
        let assigned = cursor.until(&["ON DUPLICATE KEY", "RETURNING", "AS"]);
        for mut part in cursor.within(assigned).comma_separated() {
            columns.push(part.need_name("a column")?.name);
        }
    }
    cursor.until(&["ON DUPLICATE KEY", "ON CONFLICT"]);
    let on_conflict = if cursor.eat("ON CONFLICT") {
        Some(conflict_columns(cursor))
    } else {
        (overlooks || cursor.at("ON DUPLICATE KEY")).then(Vec::new)
    };
    Ok(Change::Insert { table, columns, query, on_conflict })
}

/// The query ahead. A set operation selects what its first part selects.
fn query(cursor: &Cursor<'_>) -> Query {
    let mut ahead = cursor.clone();
    let all = ahead.until(&["ON DUPLICATE KEY", "ON CONFLICT", "RETURNING"]);
    let mut query = cursor.within(all);
    while let Some(inner) = query.clone().group() {
        query = query.within(inner);
    }
    if !query.eat("SELECT") {
        return Query { partial: true, ..Query::default() };
    }
    let partial = filter::is_partial(query.clone());
    let _ = query.eat("ALL") || query.eat("DISTINCT");
    let listed = query.until(&["FROM"]);
    let selected = |mut item: Cursor<'_>| {
        let all = item.until(&["AS"]);
        let mut column = item.within(all);
        let mut name = column.identifier();
        while column.eat(".") {
            name = column.identifier();
        }
        let alone = column.tokens.is_empty() || column.tokens.len() == 1 && cursor::is_name(&column.tokens[0]);
        name.filter(|_| alone).or_else(|| text_of(item.source, all)).unwrap_or_default()
    };
    let selects = query.within(listed).comma_separated().into_iter().map(selected).collect();
    Query { reads: Vec::new(), selects, partial }
}

/// The columns in the parentheses ahead, if there are any.
pub(in crate::sql::dialect) fn columns(cursor: &mut Cursor<'_>) -> Vec<String> {
    let listed = cursor.group().unwrap_or_default();
    let parts = cursor.within(listed).comma_separated();
    parts.into_iter().filter_map(|mut part| part.name()).map(|name| name.name).collect()
}

/// Of `ON CONFLICT (a, lower(b))` the plain columns by name, expressions by their source.
fn conflict_columns(cursor: &mut Cursor<'_>) -> Vec<String> {
    let source = cursor.source;
    let listed = cursor.group().unwrap_or_default();
    let text = |mut part: Cursor<'_>| {
        let all = part.tokens;
        let name = part.identifier();
        if part.tokens.is_empty() || part.at("COLLATE") { name } else { text_of(source, all) }
    };
    cursor.within(listed).comma_separated().into_iter().filter_map(text).collect()
}

/// Reads what follows DELETE and its modifiers: `FROM t`, `a, b FROM a JOIN b`, `FROM a, b USING a JOIN b`.
fn delete(cursor: &mut Cursor<'_>) -> Result<Vec<Change>, Unread> {
    let behind_tables = ["WHERE", "RETURNING", "ORDER BY", "LIMIT"];
    let from = cursor.eat("FROM");
    let first = cursor.until(&["FROM", "USING", "WHERE", "RETURNING", "ORDER BY", "LIMIT"]);
    let first = cursor.within(first);
    let joined = if cursor.eat("USING") || !from && cursor.eat("FROM") {
        let tokens = cursor.until(&behind_tables);
        Some(tables::joined(&cursor.within(tokens)))
    } else {
        None
    };
    let mut tables = Vec::new();
    match &joined {
        Some(joined) => {
            for mut part in first.comma_separated() {
                if let [named @ .., dot, star] = part.tokens
                    && dot.is_symbol(part.source, '.')
                    && star.is_symbol(part.source, '*')
                {
                    part = part.within(named);
                }
                let named = part.need_name("a table")?;
                part.need_end()?;
                tables.push(resolve(&named, joined));
            }
        }
        None => tables.push(first.clone().need_name("a table")?),
    }
    cursor.eat("WHERE");
    let filter = filter::conjuncts(cursor.source, cursor.until(BEHIND_CONDITION), &[]);
    let limited = is_limited(cursor);
    let one = |table| Change::Delete { table, filter: filter.clone(), limited };
    Ok(tables.into_iter().map(one).collect())
}

/// The table behind an alias.
fn resolve(named: &Name, joined: &[Reference]) -> Name {
    let of_alias = joined.iter().find(|reference| {
        named.schema.is_none()
            && reference.alias.as_deref().is_some_and(|alias| alias.eq_ignore_ascii_case(&named.name))
    });
    of_alias.map_or_else(|| named.clone(), |reference| reference.name.clone())
}

/// Reads what follows UPDATE and its modifiers; `alone` if there are none, and no WITH. Of a join, each table that
/// is written is a change.
fn update(cursor: &mut Cursor<'_>, alone: bool) -> Result<Vec<Change>, Unread> {
    let first = cursor.clone().need_name("a table")?;
    let named = cursor.until(&["SET"]);
    let joined = tables::joined(&cursor.within(named));
    // An alias, a join, an index hint.
    let mut plain = alone && matches!(named, [_] | [_, _, _]) && joined.len() == 1 && joined[0].alias.is_none();
    cursor.need("SET")?;
    let assigned = cursor.until(&["FROM", "WHERE", "RETURNING", "ORDER BY", "LIMIT"]);
    let mut written: Vec<(Name, Vec<Assignment>)> = Vec::new();
    for part in cursor.within(assigned).comma_separated() {
        let table = qualifier(&part).map_or_else(|| first.clone(), |table| resolve(&table, &joined));
        let mut set = Vec::new();
        plain &= assignment(part, &mut set)?;
        match written.iter_mut().find(|(known, _)| known.name.eq_ignore_ascii_case(&table.name)) {
            Some((_, known)) => known.append(&mut set),
            None => written.push((table, set)),
        }
    }
    if cursor.at("FROM") {
        plain = false;
        cursor.until(&["WHERE", "RETURNING", "ORDER BY", "LIMIT"]);
    }
    let mut condition: &[Token] = &[];
    if cursor.eat("WHERE") {
        condition = cursor.until(BEHIND_CONDITION);
    }
    plain &= cursor.tokens.is_empty() && written.len() == 1;
    let limited = is_limited(cursor);
    let one = |(table, set): (Name, Vec<Assignment>)| {
        let filter = filter::conjuncts(cursor.source, condition, &set);
        Change::Update { table, set, filter, limited, plain }
    };
    Ok(written.into_iter().map(one).collect())
}

/// The table that qualifies an assigned column.
fn qualifier(part: &Cursor<'_>) -> Option<Name> {
    let mut part = part.clone();
    let mut words = vec![part.identifier()?];
    while part.eat(".") {
        words.push(part.identifier()?);
    }
    words.pop();
    let name = words.pop()?;
    Some(Name { schema: words.pop(), name })
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
        cursor.need("=")?;
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
