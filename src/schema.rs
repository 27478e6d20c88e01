//! What the schema is before a statement (`catalog`), what a change costs on an engine (`effect`), and where a history and
//! a live database disagree (`drift`).

pub mod catalog;
pub mod drift;
pub mod effect;

pub use catalog::{Birth, Catalog, Session, Table, Transaction};
pub use drift::{Drift, drift};
pub use effect::{Answer, Blocks, Effect, Held, InTransaction, Lock, WaitsFor, effect, in_order, together};
