//! Statements into changes.

use crate::sql::split::Piece;
use crate::sql::statement::{Clause, Unread};
pub(in crate::sql) fn parse(_file: &str, piece: &Piece) -> Result<Vec<Clause>, Unread> {
    Err(Unread { range: piece.range.clone(), reason: "this dialect is not read yet".into() })
}
