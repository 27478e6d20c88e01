//! The statements of backfill.sql: which go through a table in batches, and the proof of each.

use super::{Proof, Statement, order};
use crate::error::{Error, Result};
use crate::plan::{Backfill, Verify};
use crate::sql::{self, Assignment, Change, Conjunct, Dialect, Dml, Name, Unrepeatable, Verb};

/// A statement that is carried out in batches.
pub(super) struct Batched<'a> {
    statement: &'a Statement,
    dml: Dml,
    pub(super) backfill: Backfill,
}

/// Reads backfill.sql: for each statement how it is cut into batches, `None` for one that runs as it stands.
/// `own_proof`: verify.sql says what is to be proved.
pub(super) fn read<'a>(
    dialect: Dialect,
    statements: &'a [Statement],
    expand: &[Statement],
    own_proof: bool,
) -> Result<Vec<Option<Batched<'a>>>> {
    let mut read = Vec::new();
    for statement in statements {
        read.push(batched(dialect, statement, expand)?);
    }
    let batched: Vec<&Batched<'_>> = read.iter().flatten().collect();
    for (at, one) in batched.iter().enumerate() {
        one.once(&batched[..at])?;
        one.repeatable(dialect, &batched[at..], own_proof)?;
    }
    Ok(read)
}

fn batched<'a>(dialect: Dialect, statement: &'a Statement, expand: &[Statement]) -> Result<Option<Batched<'a>>> {
    let verb = match statement.only_change() {
        Some(Change::Update { .. }) => "UPDATE",
        Some(Change::Delete { .. }) => "DELETE",
        Some(Change::Insert { query: Some(query), .. }) if !query.reads.is_empty() => "INSERT",
        _ => {
            let writes = |change: &Change| matches!(change, Change::Update { .. } | Change::Delete { .. });
            if statement.clauses.iter().any(|clause| writes(&clause.change)) {
                return Err(statement.refused("this statement does more than one thing; write each alone"));
            }
            statement.only_adds()?;
            return Ok(None);
        }
    };
    let refused = |what: &str| statement.refused(format!("this {verb} cannot be cut into batches{what}"));
    let Some(dml) = sql::dml(&statement.sql, dialect) else {
        return Err(refused("").hint(form(verb)));
    };
    if let Some(word) = &dml.against {
        return Err(refused(&format!(": it says {word}")).hint(way_round(word)));
    }
    match dml.verb {
        Verb::Update => {}
        Verb::Delete if dml.condition.is_none() => {
            return Err(statement
                .refused("a DELETE of all rows belongs in contract.sql: it breaks the version that is still running"));
        }
        Verb::Delete if dml.again => {
            return Err(refused(": which rows it means depends on rows that earlier batches deleted").hint(
                "write the keys of the rows to go into a table of its own in expand.sql, and delete by that one",
            ));
        }
        Verb::Delete => {}
        Verb::Insert => inserted(statement, &dml)?,
    }
    let backfill = Backfill::of(dialect, &statement.sql, &dml, &expand_adds(expand, &dml.table));
    Ok(Some(Batched { statement, dml, backfill }))
}

/// The columns that expand.sql adds to a table, with nothing in them: what they hold later, somebody wrote.
fn expand_adds<'a>(expand: &'a [Statement], table: &Name) -> Vec<&'a str> {
    let changes = expand.iter().flat_map(|statement| &statement.clauses).map(|clause| &clause.change);
    let added = changes.filter_map(|change| match change {
        Change::AddColumn { table: of, column, if_not_exists: false, .. }
            if of == table && column.default.is_none() && column.generated.is_none() && !column.identity =>
        {
            Some(column.name.as_str())
        }
        _ => None,
    });
    added.collect()
}

fn form(verb: &str) -> &'static str {
    match verb {
        "UPDATE" => {
            "write it as UPDATE table SET column = expression [FROM ...] [WHERE ...]; in a join, say whose column it is"
        }
        "DELETE" => "write it as DELETE FROM table [USING ...] WHERE ..., of one table",
        _ => "write it as INSERT INTO table (...) SELECT ... FROM table [WHERE ...], the table by its name",
    }
}

fn way_round(word: &str) -> &'static str {
    match word {
        "LIMIT" | "OFFSET" | "FETCH" | "ORDER BY" | "RETURNING" | "FOR" => {
            "leave it out: the runner cuts the batches, in the order of the key"
        }
        "WITH" => "write the query where it is used, as a subquery",
        "IGNORE" => {
            "IGNORE also takes what does not fit, cut short: say ON DUPLICATE KEY UPDATE id = id for rows that are there"
        }
        word if word.starts_with("OR ") => "say ON CONFLICT DO NOTHING for rows that are there",
        "CURRENT OF" => "say in WHERE which rows are meant",
        "RIGHT" | "FULL" => "let the query begin with the table that all its rows have: the batches are cut by its key",
        _ => {
            "its result depends on rows of more than one batch: let expand.sql put the result into a table of its own, and fill from that"
        }
    }
}

/// An INSERT that is done a second time must not add its rows again.
fn inserted(statement: &Statement, dml: &Dml) -> Result<()> {
    if matches!(statement.only_change(), Some(Change::Insert { table, .. }) if *table == dml.table) {
        return Err(
            statement.refused("this INSERT reads the table that it writes: its own rows would come round again")
        );
    }
    if !dml.keeps_rows {
        return Err(statement
            .refused("done a second time, after a proof that failed, this INSERT would add or overwrite rows")
            .hint(
                "say ON CONFLICT (key) DO NOTHING, on MySQL ON DUPLICATE KEY UPDATE id = id: rows that are there stay",
            ));
    }
    Ok(())
}

impl Batched<'_> {
    /// What it writes, by column.
    fn assignments(&self) -> Vec<Assignment> {
        let several = self.dml.set_by_query.iter().flat_map(|(columns, query)| {
            columns.iter().map(|column| Assignment { column: column.clone(), expression: query.clone() })
        });
        self.dml.set.iter().cloned().chain(several).collect()
    }

    /// Refuses a column that is filled twice, and a value that could not be compared.
    fn once(&self, earlier: &[&Self]) -> Result<()> {
        for Assignment { column, expression } in self.assignments() {
            if expression.eq_ignore_ascii_case("default") {
                let refused = self.statement.refused("DEFAULT cannot be compared for a proof");
                return Err(refused.hint("write the value out"));
            }
            let same = earlier
                .iter()
                .find(|other| other.dml.table == self.dml.table && other.backfill.rows.written.contains(&column));
            if let Some(same) = same {
                return Err(self.statement.refused(format!(
                    "`{column}` is filled a second time, after line {}: which of the two is right could not be proved",
                    same.statement.line
                )).hint("write one UPDATE, with CASE where the rows differ"));
            }
        }
        Ok(())
    }

    /// Refuses what would write other rows or another value the second time: after a failed proof it runs again.
    /// `later`: this statement and those after it.
    fn repeatable(&self, dialect: Dialect, later: &[&Self], own_proof: bool) -> Result<()> {
        let same_table = later.iter().filter(|other| other.dml.table == self.dml.table);
        let written: Vec<&str> =
            same_table.flat_map(|other| &other.backfill.rows.written).map(String::as_str).collect();
        for assignment in self.assignments() {
            let column = &assignment.column;
            match sql::unrepeatable(dialect, &self.dml, &assignment, &written) {
                None => {}
                Some(Unrepeatable::ReadsWritten(read)) => {
                    return Err(self.statement
                        .refused(format!(
                            "`{column}` is made from `{read}`, which the backfill also writes: a second run would change it again"
                        ))
                        .hint("fill a new column, so that the old value stays as it is until contract"));
                }
                Some(Unrepeatable::Volatile(_)) if own_proof && self.dml.filter.iter().any(only_missing) => {}
                Some(Unrepeatable::Volatile(word)) => {
                    return Err(self.volatile(&format!("`{column}` is made from"), &word).hint(format!(
                        "guard it with `WHERE {column} IS NULL`, and let verify.sql ask for rows where it is still missing"
                    )));
                }
            }
        }
        let condition = self.dml.condition.clone().map_or("", |range| &self.statement.sql[range]);
        match sql::volatile(dialect, condition) {
            Some(word) if !own_proof => Err(self
                .volatile("WHERE asks for", &word)
                .hint("write the value out, or let verify.sql say what is to be proved")),
            _ => Ok(()),
        }
    }

    fn volatile(&self, what: &str, word: &str) -> Error {
        self.statement.refused(format!(
            "{what} `{word}`, which has another value every time: nothing can be proved, and a second run would change it again"
        ))
    }

    /// The proof of step `of`: no row that the statement means is still as it would not leave it.
    pub(super) fn proof(&self, dialect: Dialect, of: String) -> Result<Proof> {
        let written = self.assignments();
        let is_meant = |part: &&Conjunct| !part.guard || order::is_meant(dialect, part, &written);
        let meant = self.dml.filter.iter().filter(is_meant).map(|part| format!("({})", part.text));
        let mut all: Vec<String> = meant.collect();
        match self.dml.verb {
            Verb::Delete => {}
            Verb::Update => all.insert(0, self.differs(dialect, all.is_empty())),
            Verb::Insert => {
                return Err(self
                    .statement
                    .refused("what an INSERT leaves out cannot be derived from it")
                    .hint(
                        "let verify.sql ask for the rows that are missing, and in a second query for those that are too many: \
                         SELECT ... WHERE NOT EXISTS (...)",
                    ));
            }
        }
        let (condition, sources) = (all.join(" AND "), self.dml.sources.clone());
        let sql = format!("SELECT * FROM {sources} WHERE {condition}");
        let rows = self.backfill.rows.clone();
        let mut reads = sql::tables_read(&sql, dialect);
        reads.retain(|table| self.dml.again || *table != rows.table);
        Ok(Proof {
            sql,
            verify: Verify::Derived { rows, sources, condition, reads, of },
            file: self.statement.file.to_string(),
            line: self.statement.line,
        })
    }

    /// The condition that a row holds another value than the UPDATE would write.
    fn differs(&self, dialect: Dialect, alone: bool) -> String {
        // Where only one table is read, its columns need no name of it.
        let own = |column: &String| match self.dml.joined {
            true => format!("{}.{}", self.dml.row, dialect.quote(column)),
            false => dialect.quote(column),
        };
        let mut parts: Vec<String> =
            self.dml.set.iter().map(|one| dialect.distinct(&own(&one.column), &one.expression)).collect();
        for (columns, query) in &self.dml.set_by_query {
            let names: Vec<String> = columns.iter().map(own).collect();
            parts.push(dialect.row_distinct(&names, query));
        }
        let any = parts.join(" OR ");
        if alone { any } else { format!("({any})") }
    }
}

/// The condition leaves every row alone that holds a value already.
fn only_missing(part: &Conjunct) -> bool {
    part.guard && !part.text.split_whitespace().any(|word| word.eq_ignore_ascii_case("or"))
}
