//! What the schema is before a statement (`catalog`), and what a change costs on an engine (`effect`).

pub mod catalog;
pub mod effect;

pub use catalog::{Birth, Catalog, Session, Table, Transaction};
pub use effect::{Answer, Blocks, Effect, InTransaction, Lock, effect, in_order};
