//! What a statement does to the schema, in no dialect's words.

mod parts;
mod subject;
mod words;

pub use parts::{
    Assignment, Beside, Column, ColumnAction, ColumnsFrom, Conjunct, Constraint, ConstraintKind, Generated, Index,
    Name, Object, Query,
};

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
        /// MySQL's, in their order: the name in upper case, the value in lower case.
        options: Vec<(String, String)>,
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
        /// What MySQL's option is set to, in lower case.
        value: Option<String>,
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
        /// MySQL's FIRST or AFTER.
        positioned: bool,
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
        /// What else MODIFY or CHANGE says of the column, as source text: COMMENT, CHARACTER SET.
        attributes: Vec<String>,
        /// MySQL's FIRST or AFTER.
        positioned: bool,
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
        /// The names of its columns, `*` for all of what it reads. Empty where one of them is not known.
        columns: Vec<String>,
        /// It may leave out rows of what it reads, or take one for several.
        partial: bool,
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
        /// The label beside which it stands; `None` is the end.
        beside: Option<Beside>,
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
        /// Where the rows come from, if not from the statement's text.
        query: Option<Query>,
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
