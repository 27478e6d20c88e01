//! What a statement does to the schema, in no dialect's words.

use std::fmt;

/// A possibly qualified name, as the dialect folds it: PostgreSQL lower-cases what is not quoted,
/// MySQL and SQLite keep the spelling (the catalog compares theirs without case).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    pub schema: Option<String>,
    pub name: String,
}

impl Name {
    /// A name without a schema.
    pub fn plain(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

/// A column as its definition says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Column {
    pub name: String,
    /// The type as written, white space normalised, keywords in lower case: `varchar(20)`.
    pub data_type: String,
    pub not_null: bool,
    /// The default's source text; `None` without one, and for `DEFAULT NULL`.
    pub default: Option<String>,
    pub primary_key: bool,
    pub unique: bool,
    /// The table that an inline foreign key points to.
    pub references: Option<Name>,
    /// There is an inline CHECK.
    pub check: bool,
    /// `GENERATED ALWAYS AS (...)`, stored or virtual.
    pub generated: bool,
    /// identity, serial, AUTO_INCREMENT: the database fills it.
    pub identity: bool,
    /// What else its definition says, as source text: COLLATE, COMMENT, ON UPDATE.
    pub attributes: Vec<String>,
}

/// A table constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    pub name: Option<String>,
    pub kind: ConstraintKind,
    /// PostgreSQL's NOT VALID: existing rows are not scanned. NOT ENFORCED scans none either.
    pub not_valid: bool,
    /// PostgreSQL's USING INDEX: the index exists already.
    pub using_index: Option<String>,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConstraintKind {
    Check { expression: String },
    ForeignKey { columns: Vec<String>, references: Name },
    Unique { columns: Vec<String> },
    PrimaryKey { columns: Vec<String> },
    NotNull { column: String },
    Exclude,
}

/// An index as its definition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// `None` where the server chooses.
    pub name: Option<String>,
    /// Plain columns by name; an expression by its source text.
    pub columns: Vec<String>,
    pub unique: bool,
    /// It has a WHERE clause.
    pub partial: bool,
    /// Its definition is nothing but names of columns: no prefix, order, collation, operator class, method
    /// or option, all of which `columns` leaves out.
    pub plain: bool,
}

/// `column = expression` of an UPDATE; the expression as source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub column: String,
    pub expression: String,
}

/// One of the conditions that AND joins in a WHERE clause, as source text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conjunct {
    pub text: String,
    /// It only asks whether an assigned column still has to be filled (`new IS NULL`,
    /// `new IS DISTINCT FROM old`, `NOT (new <=> old)`): it says which rows are done, not which are meant.
    pub guard: bool,
}

/// What one clause of a statement does. A statement with several actions is several changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    CreateTable {
        table: Name,
        columns: Vec<Column>,
        constraints: Vec<Constraint>,
        indexes: Vec<Index>,
        temporary: bool,
        if_not_exists: bool,
    },
    DropTable {
        table: Name,
        if_exists: bool,
    },
    RenameTable {
        table: Name,
        to: Name,
    },
    AddColumn {
        table: Name,
        column: Column,
        if_not_exists: bool,
    },
    DropColumn {
        table: Name,
        column: String,
        if_exists: bool,
    },
    RenameColumn {
        table: Name,
        column: String,
        to: String,
    },
    /// Also of MySQL's MODIFY and CHANGE, which repeat a type that may be the old one.
    ChangeType {
        table: Name,
        column: String,
        to: String,
        /// PostgreSQL's USING, as source text.
        using: Option<String>,
    },
    SetNotNull {
        table: Name,
        column: String,
    },
    DropNotNull {
        table: Name,
        column: String,
    },
    SetDefault {
        table: Name,
        column: String,
        expression: String,
    },
    DropDefault {
        table: Name,
        column: String,
    },
    AddConstraint {
        table: Name,
        constraint: Constraint,
    },
    DropConstraint {
        table: Name,
        name: String,
    },
    ValidateConstraint {
        table: Name,
        name: String,
    },
    CreateIndex {
        table: Name,
        index: Index,
        concurrently: bool,
        if_not_exists: bool,
    },
    /// MySQL names the table, the others do not.
    DropIndex {
        table: Option<Name>,
        name: Name,
        concurrently: bool,
        if_exists: bool,
    },
    CreateTrigger {
        table: Name,
        name: String,
    },
    DropTrigger {
        table: Option<Name>,
        name: String,
        if_exists: bool,
    },
    CreateFunction {
        name: Name,
        or_replace: bool,
    },
    DropFunction {
        name: Name,
        if_exists: bool,
    },
    CreateView {
        view: Name,
    },
    DropView {
        view: Name,
        if_exists: bool,
    },
    Update {
        table: Name,
        set: Vec<Assignment>,
        filter: Vec<Conjunct>,
        /// Nothing but SET and WHERE on one table: no FROM, JOIN, alias, LIMIT, ORDER BY, RETURNING, WITH.
        plain: bool,
    },
    Delete {
        table: Name,
        filter: Vec<Conjunct>,
        /// It has a LIMIT.
        limited: bool,
    },
    Insert {
        table: Name,
    },
    Begin,
    Commit,
    Rollback,
    /// Read, but what it will do is decided at run time: DO, EXECUTE, CALL.
    Opaque {
        kind: String,
    },
    /// Read, and looked at by no rule: `CREATE EXTENSION`, `COMMENT ON`, `TRUNCATE`.
    Other {
        kind: String,
    },
}
