//! What a statement does to the schema, in no dialect's words.

mod words;

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
///
/// `cascade` is the word CASCADE: what depends on the dropped thing goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    CreateTable {
        table: Name,
        columns: Vec<Column>,
        constraints: Vec<Constraint>,
        indexes: Vec<Index>,
        columns_from: Vec<ColumnsFrom>,
        /// It has partitions of its own.
        partitioned: bool,
        temporary: bool,
        if_not_exists: bool,
    },
    DropTable {
        table: Name,
        if_exists: bool,
        cascade: bool,
    },
    RenameTable {
        table: Name,
        to: Name,
    },
    /// An action on the whole table that has no variant of its own, by its words: `SET UNLOGGED`.
    AlterTable {
        table: Name,
        action: String,
    },
    /// MySQL's `ALGORITHM` and `LOCK`, both in upper case: how the other clauses of the statement are carried out.
    AlterMode {
        table: Name,
        algorithm: Option<String>,
        lock: Option<String>,
    },
    AttachPartition {
        table: Name,
        partition: Name,
    },
    DetachPartition {
        table: Name,
        partition: Name,
        concurrently: bool,
    },
    Truncate {
        table: Name,
        cascade: bool,
    },
    LockTable {
        table: Name,
        /// In upper case: `ACCESS EXCLUSIVE`, `WRITE`; `None` is the server's usual one.
        mode: Option<String>,
    },
    /// VACUUM FULL, CLUSTER, OPTIMIZE, ANALYZE and their like; without a table the whole database.
    Maintain {
        table: Option<Name>,
        action: String,
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
        cascade: bool,
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
        /// As written, where the clause names one.
        collation: Option<String>,
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
    AlterColumn {
        table: Name,
        column: String,
        action: ColumnAction,
    },
    AddConstraint {
        table: Name,
        constraint: Constraint,
    },
    DropConstraint {
        table: Name,
        name: String,
        if_exists: bool,
        cascade: bool,
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
        cascade: bool,
    },
    /// `what` is `INDEX`, `TABLE`, `SCHEMA`, `DATABASE` or `SYSTEM`.
    Reindex {
        what: String,
        name: Option<Name>,
        concurrently: bool,
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
        cascade: bool,
    },
    CreateView {
        view: Name,
        materialized: bool,
        or_replace: bool,
        /// The tables and views that its query names.
        reads: Vec<Name>,
    },
    DropView {
        view: Name,
        materialized: bool,
        if_exists: bool,
        cascade: bool,
    },
    RefreshView {
        view: Name,
        concurrently: bool,
    },
    CreateType {
        name: Name,
        /// Of an enum; `None` for any other type.
        labels: Option<Vec<String>>,
    },
    AddLabel {
        enumeration: Name,
        label: String,
        if_not_exists: bool,
    },
    RenameLabel {
        enumeration: Name,
        label: String,
        to: String,
    },
    CreateDomain {
        domain: Name,
        data_type: String,
        not_null: bool,
        /// It has a CHECK.
        check: bool,
    },
    AlterDomain {
        domain: Name,
        action: String,
        /// PostgreSQL's NOT VALID.
        not_valid: bool,
    },
    CreateSequence {
        sequence: Name,
        if_not_exists: bool,
    },
    AlterSequence {
        sequence: Name,
        action: String,
    },
    CreatePolicy {
        table: Name,
        name: String,
    },
    /// `table` is that of an index, constraint, trigger, policy or rule, where the statement names it.
    RenameObject {
        object: Object,
        name: Name,
        table: Option<Name>,
        to: String,
    },
    /// SET SCHEMA; also of a table, as `Object::Other("TABLE")`.
    MoveToSchema {
        object: Object,
        name: Name,
        schema: String,
    },
    /// What has no variant of its own.
    DropObject {
        object: Object,
        name: Name,
        table: Option<Name>,
        if_exists: bool,
        cascade: bool,
    },
    /// `object` in upper case: `TABLE`, `SEQUENCE`, `SCHEMA`; privileges and grantees as written.
    Grant {
        privileges: Vec<String>,
        object: String,
        name: Name,
        to: Vec<String>,
    },
    Revoke {
        privileges: Vec<String>,
        object: String,
        name: Name,
        from: Vec<String>,
    },
    Update {
        table: Name,
        set: Vec<Assignment>,
        filter: Vec<Conjunct>,
        /// It has a LIMIT.
        limited: bool,
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
        /// Without any, all of the table's in their order.
        columns: Vec<String>,
        /// The rows come from a query, not from the statement's text.
        query: bool,
        /// The columns that `ON CONFLICT` names; `Some` and empty for ON DUPLICATE KEY, REPLACE and `ON CONFLICT`
        /// without columns; `None` where a conflict is an error.
        on_conflict: Option<Vec<String>>,
    },
    Begin,
    Commit,
    Rollback,
    Savepoint {
        name: String,
    },
    Release {
        name: String,
    },
    RollbackTo {
        name: String,
    },
    /// SET, and RESET, which has no value; the name in lower case, a list's items as one text. `local` ends with the
    /// transaction.
    Set {
        name: String,
        value: Option<String>,
        local: bool,
    },
    /// Read, but what it will do is decided at run time: EXECUTE, CALL, the dynamic part of a DO.
    Opaque {
        kind: String,
    },
    /// Read, and looked at by no rule: `CREATE EXTENSION`, `COMMENT ON`.
    Other {
        kind: String,
    },
}
