//! SQL text to statements to changes. In: the text of a file and its dialect. Out: every statement with
//! its byte range and what it does, or the reason why it could not be read.
//!
//! Invariants: reading never fails as a whole and never panics; a broken statement costs itself only;
//! no syntax tree of a parser leaves `dialect/`; SQL that we print again is cut from the source.

pub mod change;
pub mod dialect;
pub mod engine;
mod guard;
mod lexer;
mod repeat;
mod split;
pub mod statement;

pub use change::{
    Assignment, Beside, Change, Column, ColumnAction, ColumnsFrom, Conjunct, Constraint, ConstraintKind, Generated,
    Index, Name, Object, Query,
};
pub use dialect::{Dialect, Dml, Verb, conditions, dml, tables_read};
pub use engine::{Engine, Flavour};
pub use repeat::{Unrepeatable, is_constant, mentions, unrepeatable, volatile};
pub use split::comments;
pub use statement::{Clause, Statement, Unread, line_column, read, read_part};
