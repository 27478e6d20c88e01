//! An UPDATE, a DELETE or an INSERT ... SELECT, taken apart where a batch is cut out of it. The parsers have said
//! that it is SQL: what is asked here is only where its parts stand.

use std::ops::Range;

use super::Dialect;
use super::cursor::{Cursor, is_name, range_of, unquote};
use super::filter::{conjuncts, text_of};
use super::tokens::{Reference, joined_tables, read_by};
use crate::sql::change::{Assignment, Conjunct, Name};
use crate::sql::lexer::{Kind, Lexer, Token};

/// What a statement does with each row that it goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Update,
    Delete,
    /// INSERT ... SELECT: the rows gone through are the query's.
    Insert,
}

/// The parts of a statement that goes through the rows of one table; ranges are byte ranges of its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dml {
    pub verb: Verb,
    /// The table that is gone through: the one that is written, or the first that an INSERT's query reads.
    pub table: Name,
    /// PostgreSQL's ONLY: without the tables that inherit from it.
    pub only: bool,
    /// What qualifies that table's columns in the statement, as written: its alias, or its name.
    pub row: String,
    /// Its tables, as a query's FROM would list them.
    pub sources: String,
    /// There is more than that one table.
    pub joined: bool,
    /// What an UPDATE assigns, one column at a time.
    pub set: Vec<Assignment>,
    /// `(a, b) = (SELECT ...)`: several columns, and the query in its parentheses.
    pub set_by_query: Vec<(Vec<String>, String)>,
    pub filter: Vec<Conjunct>,
    /// The text in front of WHERE, whether there is one or not.
    pub head: Range<usize>,
    /// The condition behind WHERE.
    pub condition: Option<Range<usize>>,
    /// The text behind the condition.
    pub tail: Range<usize>,
    /// The table is read a second time, in FROM or in a subquery.
    pub again: bool,
    /// Of an INSERT: a row that is there already stays as it is, and is no error.
    pub keeps_rows: bool,
    /// The word that makes the rows of a batch depend on other rows, or lets it pass over an error: `LIMIT`, `GROUP BY`.
    pub against: Option<String>,
}

/// Takes a statement apart; `None` where it is none of the three, or a table of it has no plain name.
pub fn dml(text: &str, dialect: Dialect) -> Option<Dml> {
    let tokens = tokens_of(text, dialect);
    let cursor = Cursor::new(text, &tokens);
    let mut reader = Reader { cursor, all: &tokens, dialect, against: None, subqueries: Vec::new() };
    if reader.cursor.at("WITH") {
        reader.against = Some("WITH".into());
        reader.cursor.until(&["UPDATE", "DELETE", "INSERT", "SELECT"]);
    }
    match reader.cursor.bump()?.text(text).to_ascii_uppercase().as_str() {
        "UPDATE" => reader.update(),
        "DELETE" => reader.delete(),
        "INSERT" => reader.insert(),
        _ => None,
    }
}

/// The tables and views that a query names, at any depth, each once.
pub fn tables_read(query: &str, dialect: Dialect) -> Vec<Name> {
    read_by(&Cursor::new(query, &tokens_of(query, dialect)))
}

fn tokens_of(text: &str, dialect: Dialect) -> Vec<Token> {
    let mut lexer = Lexer::new(text, dialect);
    std::iter::from_fn(|| lexer.next()).take_while(|token| token.kind != Kind::Terminator).collect()
}

/// `ON CONFLICT ... DO NOTHING`, or `ON DUPLICATE KEY UPDATE id = id`.
fn keeps_rows(mut tail: Cursor<'_>) -> bool {
    if tail.eat("ON DUPLICATE KEY UPDATE") {
        let middle = tail.tokens.len() / 2;
        let (left, right) = tail.tokens.split_at(middle);
        let text = |tokens| text_of(tail.source, tokens).map(|text| text.to_lowercase());
        return right.first().is_some_and(|sign| sign.is_symbol(tail.source, '=')) && text(left) == text(&right[1..]);
    }
    tail.until(&["DO"]);
    tail.at("DO NOTHING")
}

/// What ends a list of tables or a condition, and stands against batches.
const BEHIND: [&str; 13] = [
    "RETURNING",
    "ORDER BY",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "GROUP BY",
    "HAVING",
    "WINDOW",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "FOR",
    "PROCEDURE",
];

struct Reader<'a> {
    cursor: Cursor<'a>,
    all: &'a [Token],
    dialect: Dialect,
    against: Option<String>,
    /// Where subqueries may stand, besides the condition.
    subqueries: Vec<&'a [Token]>,
}

/// A table as it is named in a list of tables.
struct Table {
    name: Name,
    only: bool,
    row: String,
    text: String,
}

impl<'a> Reader<'a> {
    fn update(mut self) -> Option<Dml> {
        self.modifiers();
        let named = self.cursor.until(&["SET"]);
        let mut tables = self.cursor.within(named);
        let table = self.table(&mut tables)?;
        let mut joined = !tables.tokens.is_empty();
        let mut sources = text_of(self.cursor.source, named)?;
        self.cursor.eat("SET");
        let assigned = self.cursor.until(&["FROM", "WHERE", "RETURNING", "ORDER BY", "LIMIT"]);
        self.subqueries.push(assigned);
        let (set, set_by_query, target) = self.assignments(assigned)?;
        let table = match target {
            Some(target) if joined => self.resolve(named, &target)?,
            // Whose column it is only the server knows.
            None if joined => return None,
            _ => table,
        };
        if self.cursor.eat("FROM") {
            let from = self.cursor.until(&["WHERE", "RETURNING", "ORDER BY", "LIMIT"]);
            sources = format!("{}, {}", table.text, text_of(self.cursor.source, from)?);
            joined = true;
        }
        self.finish(Verb::Update, table, sources, joined, set, set_by_query)
    }

    fn delete(mut self) -> Option<Dml> {
        self.modifiers();
        let from = self.cursor.eat("FROM");
        let first = self.cursor.until(&["FROM", "USING", "WHERE", "RETURNING", "ORDER BY", "LIMIT"]);
        let mut tables = self.cursor.within(first);
        let table = self.table(&mut tables)?;
        if !tables.tokens.is_empty() && !tables.at(". *") {
            // MySQL's `DELETE a, b FROM`.
            return None;
        }
        let using = self.cursor.eat("USING") || !from && self.cursor.eat("FROM");
        if !using {
            let sources = table.text.clone();
            return self.finish(Verb::Delete, table, sources, false, Vec::new(), Vec::new());
        }
        let list = self.cursor.until(&["WHERE", "RETURNING", "ORDER BY", "LIMIT"]);
        let text = text_of(self.cursor.source, list)?;
        if self.dialect == Dialect::Mysql {
            let table = self.resolve(list, &table.name)?;
            return self.finish(Verb::Delete, table, text, true, Vec::new(), Vec::new());
        }
        let sources = format!("{}, {text}", table.text);
        self.finish(Verb::Delete, table, sources, true, Vec::new(), Vec::new())
    }

    fn insert(mut self) -> Option<Dml> {
        self.modifiers();
        self.cursor.until(&["SELECT", "VALUES", "DEFAULT VALUES", "WITH", "TABLE", "SET"]);
        if self.cursor.at("WITH") {
            self.against.get_or_insert("WITH".into());
            self.cursor.until(&["SELECT"]);
        }
        if !self.cursor.eat("SELECT") {
            return None;
        }
        if self.cursor.eat("DISTINCT") {
            self.against.get_or_insert("DISTINCT".into());
        }
        let listed = self.cursor.until(&["FROM"]);
        self.over_rows(listed);
        if !self.cursor.eat("FROM") {
            return None;
        }
        let mut ends = vec!["WHERE", "ON CONFLICT", "ON DUPLICATE KEY"];
        ends.extend(BEHIND);
        let list = self.cursor.until(&ends);
        let mut tables = self.cursor.within(list);
        let table = self.table(&mut tables)?;
        let joined = !tables.tokens.is_empty();
        while !tables.tokens.is_empty() {
            if let Some(word) = ["RIGHT", "FULL", "TABLESAMPLE"].into_iter().find(|word| tables.at(word)) {
                self.against.get_or_insert(word.into());
            }
            tables.skip();
        }
        let sources = text_of(self.cursor.source, list)?;
        self.finish(Verb::Insert, table, sources, joined, Vec::new(), Vec::new())
    }

    /// Words between the verb and its table; those that let a statement pass over errors stand against it.
    fn modifiers(&mut self) {
        loop {
            if self.cursor.eat("LOW_PRIORITY") || self.cursor.eat("HIGH_PRIORITY") || self.cursor.eat("QUICK") {
                continue;
            }
            if self.dialect == Dialect::Mysql && self.cursor.eat("IGNORE") {
                self.against.get_or_insert("IGNORE".into());
            } else if self.dialect == Dialect::Sqlite && self.cursor.eat("OR") {
                let word = self.cursor.peek();
                self.cursor.bump();
                self.against.get_or_insert(format!("OR {word}"));
            } else {
                return;
            }
        }
    }

    /// Takes `ONLY name * AS alias`.
    fn table(&self, tables: &mut Cursor<'a>) -> Option<Table> {
        let start = tables.tokens;
        let only = self.dialect == Dialect::Postgres && tables.eat("ONLY");
        let mut words = Vec::new();
        let in_parentheses = if only { tables.group() } else { None };
        let mut named = in_parentheses.map_or_else(|| tables.clone(), |inner| tables.within(inner));
        let mut row;
        loop {
            let token = named.bump().filter(|token| is_name(token))?;
            row = token.text(named.source).to_string();
            words.push(self.fold(token, named.source));
            if !named.eat(".") {
                break;
            }
        }
        if in_parentheses.is_none() {
            *tables = named;
        }
        let _ = self.dialect == Dialect::Postgres && tables.eat("*");
        if tables.eat("PARTITION") {
            tables.group();
        }
        let aliased = tables.eat("AS");
        if let Some(alias) = tables.tokens.first()
            && is_name(alias)
            && (aliased || alias.kind == Kind::Quoted || !NO_ALIAS.contains(&tables.peek().as_str()))
        {
            row = alias.text(tables.source).to_string();
            tables.bump();
        }
        let text = text_of(tables.source, &start[..start.len() - tables.tokens.len()])?;
        let name = words.pop()?;
        Some(Table { name: Name { schema: words.pop(), name }, only, row, text })
    }

    /// The table of a list that `target` names, by its alias or its name.
    fn resolve(&self, list: &'a [Token], target: &Name) -> Option<Table> {
        let found = joined_tables(&self.cursor.within(list)).into_iter().find(|reference| {
            let called = reference.alias.as_ref().unwrap_or(&reference.name.name);
            called.eq_ignore_ascii_case(&target.name)
        });
        let Reference { name, alias, .. } = found?;
        let row = self.dialect.quote(alias.as_ref().unwrap_or(&name.name));
        Some(Table { name, only: false, row, text: String::new() })
    }

    fn fold(&self, token: &Token, source: &str) -> String {
        match (self.dialect, token.kind) {
            (Dialect::Postgres, Kind::Word) => token.text(source).to_lowercase(),
            _ => unquote(token.text(source)),
        }
    }

    /// SET's assignments, and the table that qualifies them.
    #[expect(clippy::type_complexity, reason = "the three things that SET says")]
    fn assignments(
        &self,
        assigned: &'a [Token],
    ) -> Option<(Vec<Assignment>, Vec<(Vec<String>, String)>, Option<Name>)> {
        let (mut set, mut by_query, mut target) = (Vec::new(), Vec::new(), None);
        let source = self.cursor.source;
        for mut part in self.cursor.within(assigned).comma_separated() {
            if let Some(columns) = part.group() {
                let columns: Vec<String> = self
                    .cursor
                    .within(columns)
                    .comma_separated()
                    .into_iter()
                    .map(|column| column.tokens.first().map(|token| self.fold(token, source)))
                    .collect::<Option<_>>()?;
                if !part.eat("=") {
                    return None;
                }
                part.eat("ROW");
                let all = part.tokens;
                let values = part.group()?;
                if !part.tokens.is_empty() {
                    return None;
                }
                let values = self.cursor.within(values);
                if values.at("SELECT")
                    || values.at("WITH")
                    || values.at("(") && columns.len() > 1 && values.comma_separated().len() == 1
                {
                    by_query.push((columns, text_of(source, all)?));
                    continue;
                }
                let values = values.comma_separated();
                if values.len() != columns.len() {
                    return None;
                }
                for (column, value) in columns.into_iter().zip(values) {
                    set.push(Assignment { column, expression: text_of(source, value.tokens)? });
                }
                continue;
            }
            let mut words = Vec::new();
            loop {
                words.push(self.fold(part.bump().filter(|token| is_name(token))?, source));
                if !part.eat(".") {
                    break;
                }
            }
            let column = words.pop()?;
            if let Some(table) = words.pop() {
                let table = Name { schema: words.pop(), name: table };
                if target.as_ref().is_some_and(|known: &Name| known.name != table.name) {
                    // Two tables at once.
                    return None;
                }
                target = Some(table);
            }
            part.eat(":");
            if !part.eat("=") {
                // A part of an array or of a composite value.
                return None;
            }
            set.push(Assignment { column, expression: text_of(source, part.tokens)? });
        }
        Some((set, by_query, target))
    }

    /// Window functions and aggregates take several rows for one.
    fn over_rows(&mut self, tokens: &'a [Token]) {
        let source = self.cursor.source;
        let mut subqueries = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let next_is = |symbol| tokens.get(at + 1).is_some_and(|next| next.is_symbol(source, symbol));
            if token.is_symbol(source, '(') {
                subqueries.push(tokens.get(at + 1).is_some_and(|next| next.is_word(source, "select")));
            } else if token.is_symbol(source, ')') {
                subqueries.pop();
            } else if subqueries.contains(&true) || token.kind != Kind::Word {
            } else if token.is_word(source, "over") {
                self.against.get_or_insert("OVER".into());
            } else if next_is('(') && AGGREGATES.iter().any(|name| token.is_word(source, name)) {
                self.against.get_or_insert(format!("{}()", token.text(source)));
            }
        }
    }

    fn finish(
        mut self,
        verb: Verb,
        table: Table,
        sources: String,
        joined: bool,
        set: Vec<Assignment>,
        set_by_query: Vec<(Vec<String>, String)>,
    ) -> Option<Dml> {
        let source = self.cursor.source;
        let read = self.all.len() - self.cursor.tokens.len();
        let head = range_of(&self.all[..read])?;
        let mut ends = vec!["ON CONFLICT", "ON DUPLICATE KEY"];
        ends.extend(BEHIND);
        let condition = if self.cursor.eat("WHERE") { self.cursor.until(&ends) } else { &[] };
        if self.cursor.at("ON CONFLICT") || self.cursor.at("ON DUPLICATE KEY") {
            let mut conflict = self.cursor.clone();
            conflict.until(&["RETURNING"]);
            if conflict.at("RETURNING") {
                self.against.get_or_insert("RETURNING".into());
            }
        } else if !self.cursor.tokens.is_empty() {
            let word = BEHIND.into_iter().find(|word| self.cursor.at(word)).unwrap_or("what follows the condition");
            self.against.get_or_insert(word.into());
        }
        if condition.len() == 3 && Cursor::new(source, condition).at("CURRENT OF") {
            self.against.get_or_insert("CURRENT OF".into());
        }
        let again = {
            let list = tokens_of(&sources, self.dialect);
            let mut read: Vec<Name> =
                joined_tables(&Cursor::new(&sources, &list)).into_iter().map(|it| it.name).collect();
            if let Some(itself) = read.iter().position(|name| name.name.eq_ignore_ascii_case(&table.name.name)) {
                read.swap_remove(itself);
            }
            let deeper = self.subqueries.iter().chain([&condition]);
            read.extend(deeper.flat_map(|tokens| read_by(&self.cursor.within(tokens))));
            read.iter().any(|name| name.name.eq_ignore_ascii_case(&table.name.name))
        };
        let tail = range_of(self.cursor.tokens).unwrap_or(source.len()..source.len());
        Some(Dml {
            verb,
            table: table.name,
            only: table.only,
            row: table.row,
            sources,
            joined,
            filter: conjuncts(source, condition, &set),
            set,
            set_by_query,
            head,
            condition: range_of(condition),
            keeps_rows: keeps_rows(self.cursor.clone()),
            tail,
            again,
            against: self.against,
        })
    }
}

/// Words behind a table that are no alias of it.
const NO_ALIAS: [&str; 19] = [
    "CROSS",
    "FORCE",
    "FULL",
    "IGNORE",
    "INDEXED",
    "INNER",
    "JOIN",
    "LEFT",
    "NATURAL",
    "NOT",
    "ON",
    "RIGHT",
    "SET",
    "STRAIGHT_JOIN",
    "TABLESAMPLE",
    "USE",
    "USING",
    "WHERE",
    "WITH",
];

/// What all three servers, or one of them, take for an aggregate; of the user's own nothing is known.
const AGGREGATES: [&str; 25] = [
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "count",
    "every",
    "group_concat",
    "json_agg",
    "json_arrayagg",
    "json_group_array",
    "json_group_object",
    "json_object_agg",
    "json_objectagg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "string_agg",
    "sum",
    "total",
    "variance",
    "stddev",
];
