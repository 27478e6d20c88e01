//! A changeset into migrations: one, or several in a row where a SQL file stands between its changes.

use std::ops::Range;
use std::path::PathBuf;

use super::change::{self, Meaning};
use super::changelog::File;
use super::element::Element;
use super::is_for;
use super::node::{Node, Passage, Value};
use super::property::Properties;
use crate::error::{Error, Result};
use crate::history::{Migration, text};
use crate::sql::{self, Change, Clause, Dialect, Statement, Unread};

/// A changeset, and what it takes to read it.
pub(super) struct Changeset<'a> {
    pub(super) file: &'a File,
    pub(super) node: &'a Node,
    pub(super) dialect: Dialect,
    pub(super) properties: &'a Properties,
    /// The file that a path in an element leads to.
    pub(super) find: &'a dyn Fn(&Node, &str) -> Result<PathBuf>,
}

/// What a changeset is made into.
#[derive(Default)]
pub(super) struct Made {
    pub(super) migrations: Vec<Migration>,
    /// SQL files that it runs, by their canonical paths.
    pub(super) taken: Vec<PathBuf>,
    /// SQL files that it would run to undo itself.
    pub(super) rollbacks: Vec<PathBuf>,
    pub(super) changes: usize,
    /// Those that are for other databases.
    pub(super) other_changes: usize,
    /// It has Liquibase edit the SQL.
    pub(super) modified: bool,
    pub(super) errors: Vec<Error>,
}

/// Elements that are no changes.
const NO_CHANGES: [&str; 7] =
    ["comment", "validCheckSum", "preConditions", "rollback", "modifySql", "labels", "contexts"];

/// Reads a changeset; the comments are those that belong to it.
pub(super) fn read(changeset: &Changeset<'_>, comments: &[Range<usize>]) -> Made {
    let mut made = Made { modified: changeset.node.child("modifySql").is_some(), ..Made::default() };
    let mut piece = Piece { start: changeset.node.range.start, ..Piece::default() };
    piece.comments.extend(comments.iter().cloned());
    for rollback in changeset.node.all("rollback") {
        let paths = rollback.all("sqlFile").filter_map(|file| Some((file, changeset.value(file, "path")?)));
        made.rollbacks.extend(paths.filter_map(|(file, path)| (changeset.find)(file, &path).ok()));
    }
    // XML has the changes in the changeset, YAML in a list of it.
    let own = changeset.node.children.iter().filter(|child| child.name != "changes");
    let listed = changeset.node.children.iter().filter(|child| child.name == "changes").flat_map(|list| &list.children);
    for node in own.chain(listed).filter(|node| !NO_CHANGES.contains(&node.name.as_str())) {
        made.changes += 1;
        if changeset.value(node, "dbms").is_some_and(|list| !is_for(&list, changeset.dialect)) {
            made.other_changes += 1;
        } else if node.name == "sqlFile" || change::is_in_file(node) {
            changeset.sql_file(node, &mut piece, &mut made);
        } else {
            changeset.change(node, &mut piece);
        }
    }
    let end = changeset.node.range.end;
    let needed = made.migrations.is_empty();
    changeset.migration(&mut piece, end, needed, &mut made);
    made
}

/// A changeset up to the next SQL file.
#[derive(Default)]
struct Piece {
    start: usize,
    statements: Vec<Statement>,
    comments: Vec<Range<usize>>,
}

impl Changeset<'_> {
    /// Reads one change into statements.
    fn change(&self, node: &Node, piece: &mut Piece) {
        if let Some(value) = change::sql_text(node) {
            return self.sql(node, value, piece);
        }
        let element = Element { node, dialect: self.dialect, properties: self.properties };
        let at_place = |parsed| Statement { range: node.range.clone(), parsed };
        match change::meaning(&element) {
            Ok(Meaning::Sql(written)) if !written.is_empty() => {
                let statements = written.into_iter().flat_map(|written| {
                    let mut statements = sql::read(&written.sql, self.dialect);
                    for statement in &mut statements {
                        statement.range = node.range.clone();
                        place(&mut statement.parsed, &node.range, &written.clauses);
                    }
                    statements
                });
                piece.statements.extend(statements);
            }
            Ok(Meaning::Nothing | Meaning::Sql(_)) => piece.statements.push(at_place(Ok(Vec::new()))),
            Ok(Meaning::Opaque(kind)) => {
                let clause = Clause::new(node.range.clone(), Change::Opaque { kind });
                piece.statements.push(at_place(Ok(vec![clause])));
            }
            Err(reason) => piece.statements.push(at_place(Err(Unread { range: node.range.clone(), reason }))),
        }
    }

    /// SQL of the user: every statement in its own place.
    fn sql(&self, node: &Node, value: &Value, piece: &mut Piece) {
        let passage = Passage::new(&self.file.text, value, |line| self.properties.expand(line));
        let speaks_to_us = passage.text.to_ascii_lowercase().contains("lockkeeper");
        if speaks_to_us {
            let comments = sql::comments(&passage.text, self.dialect);
            piece.comments.extend(comments.iter().map(|range| passage.place(range)));
        }
        piece.statements.extend(passage.placed(self.statements(node, &passage.text)));
    }

    /// A SQL file stands in the history under its own path.
    fn sql_file(&self, node: &Node, piece: &mut Piece, made: &mut Made) {
        let file = self.value(node, "path").ok_or_else(|| {
            let line = sql::line_column(&self.file.text, node.range.start).0;
            Error::input(format!("`{}:{line}`: `{}` says no `path`", self.file.path.display(), node.name))
        });
        let path = file.and_then(|path| (self.find)(node, &path));
        let text = path.and_then(|path| Ok((text::of_file(&path)?, path)));
        let (text, path) = match text {
            Ok(found) => found,
            Err(error) => return made.errors.push(error),
        };
        self.migration(piece, node.range.start, false, made);
        piece.start = node.range.start;
        made.taken.extend(path.canonicalize());
        let expanded = self.properties.expand(&text);
        // Its places are those of the file; with other values in it they would not be.
        let statements = if expanded == *text { self.statements(node, &text) } else { self.expanded(node, &text) };
        let mut migration = Migration::of_parts(path.display().to_string(), text.clone(), Vec::new(), self.dialect);
        migration.parts.push(0..text.len());
        migration.statements = statements;
        self.finish(migration, made);
    }

    fn expanded(&self, node: &Node, text: &str) -> Vec<Statement> {
        let value = Value { text: text.to_string(), range: 0..text.len() };
        let passage = Passage::new(text, &value, |line| self.properties.expand(line));
        passage.placed(self.statements(node, &passage.text))
    }

    /// Cuts SQL as the element says.
    fn statements(&self, node: &Node, text: &str) -> Vec<Statement> {
        let delimiter = self.value(node, "endDelimiter");
        change::between_delimiters(text, delimiter.as_deref())
            .into_iter()
            .flat_map(|part| sql::read_part(text, &part, self.dialect))
            .collect()
    }

    /// What has been read since the last SQL file, where that is something or has to be.
    fn migration(&self, piece: &mut Piece, end: usize, needed: bool, made: &mut Made) {
        let Piece { start, statements, mut comments } = std::mem::take(piece);
        if statements.is_empty() && !needed {
            piece.comments = comments;
            return;
        }
        comments.sort_by_key(|comment| comment.start);
        let here = comments.partition_point(|comment| comment.start < end);
        piece.comments = comments.split_off(here);
        let path = self.file.path.display().to_string();
        let mut migration = Migration::of_parts(path, self.file.text.clone(), Vec::new(), self.dialect);
        migration.parts.push(start..end);
        migration.comments = Some(comments);
        migration.statements = statements;
        self.finish(migration, made);
    }

    fn finish(&self, mut migration: Migration, made: &mut Made) {
        let word = |name| self.value(self.node, name).unwrap_or_default();
        migration.version = Some(format!("{}:{}", word("author"), word("id")));
        migration.in_transaction = !word("runInTransaction").eq_ignore_ascii_case("false");
        migration.continues = !made.migrations.is_empty();
        made.migrations.push(migration);
    }

    fn value(&self, node: &Node, name: &str) -> Option<String> {
        node.value(name).map(|value| self.properties.expand(&value.text))
    }
}

/// Gives clauses their places: each that of its column where there are as many, else all that of the change.
fn place(parsed: &mut Result<Vec<Clause>, Unread>, whole: &Range<usize>, clauses: &[Range<usize>]) {
    match parsed {
        Ok(read) => {
            let each = clauses.len() == read.len();
            for (index, clause) in read.iter_mut().enumerate() {
                clause.range = if each { clauses[index].clone() } else { whole.clone() };
            }
        }
        Err(unread) => unread.range = whole.clone(),
    }
}
