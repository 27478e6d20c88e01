//! What changes are made of.

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
    /// The collation as written; `None` is the type's own.
    pub collation: Option<String>,
    pub not_null: bool,
    /// The default's source text; `None` without one, and for `DEFAULT NULL`.
    pub default: Option<String>,
    pub primary_key: bool,
    pub unique: bool,
    /// The table that an inline foreign key points to.
    pub references: Option<Name>,
    /// There is an inline CHECK.
    pub check: bool,
    /// `GENERATED ALWAYS AS (...)`.
    pub generated: Option<Generated>,
    /// identity, serial, AUTO_INCREMENT: the database fills it.
    pub identity: bool,
    /// What else its definition says, as source text: COMMENT, ON UPDATE.
    pub attributes: Vec<String>,
}

/// When a generated column is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    /// When a row is written.
    Stored,
    /// When it is read.
    Virtual,
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
    /// How it is built, in lower case: `gin`, `fulltext`; `None` is the server's usual way.
    pub method: Option<String>,
    /// The condition of a partial index, as source text.
    pub predicate: Option<String>,
    /// PostgreSQL's `ON ONLY`: a partitioned table's own, which its partitions' indexes are attached to later.
    pub only: bool,
    /// Its definition is nothing but names of columns: no prefix, order, collation, operator class, method
    /// or option, all of which `columns` leaves out.
    pub plain: bool,
}

/// Where a new table gets columns from besides those that its definition lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnsFrom {
    /// `PARTITION OF` this table.
    PartitionOf(Name),
    /// `INHERITS` this table.
    Inherits(Name),
    /// `LIKE` this table.
    Like(Name),
    /// `OF` this composite type.
    Type(Name),
    /// The result of `AS SELECT`.
    Query,
}

/// What besides tables and columns has a name that can be renamed, moved or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    View,
    MaterializedView,
    Function,
    Aggregate,
    Type,
    Domain,
    Sequence,
    Schema,
    Database,
    Extension,
    Index,
    Constraint,
    Trigger,
    Policy,
    Rule,
    Event,
    /// Roles, servers, publications and whatever else rules tell apart by nothing but its words.
    Other(&'static str),
}

impl Object {
    /// The words of SQL for it, in upper case.
    pub fn words(self) -> &'static str {
        match self {
            Self::View => "VIEW",
            Self::MaterializedView => "MATERIALIZED VIEW",
            Self::Function => "FUNCTION",
            Self::Aggregate => "AGGREGATE",
            Self::Type => "TYPE",
            Self::Domain => "DOMAIN",
            Self::Sequence => "SEQUENCE",
            Self::Schema => "SCHEMA",
            Self::Database => "DATABASE",
            Self::Extension => "EXTENSION",
            Self::Index => "INDEX",
            Self::Constraint => "CONSTRAINT",
            Self::Trigger => "TRIGGER",
            Self::Policy => "POLICY",
            Self::Rule => "RULE",
            Self::Event => "EVENT",
            Self::Other(words) => words,
        }
    }
}

/// Where an enum's new label stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    Before(String),
    After(String),
}

/// An action on a column whose type, nullability and default stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnAction {
    /// `ADD GENERATED ... AS IDENTITY`.
    AddIdentity,
    DropIdentity,
    /// `SET EXPRESSION`: a generated column is computed anew.
    SetExpression,
    /// `DROP EXPRESSION`: a generated column becomes an ordinary one.
    DropExpression,
    /// Any other, by its words: `SET STATISTICS`.
    Other(String),
}

/// The query that an INSERT takes its rows from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// The tables and views that it names.
    pub reads: Vec<Name>,
    /// What it selects, in order: plain columns by name, all else by its source text. Empty where that is not known.
    pub selects: Vec<String>,
    /// It may leave out rows of what it reads, or take one for several: WHERE, LIMIT, JOIN, DISTINCT, GROUP BY.
    pub partial: bool,
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
