//! A phased change as plain data: its directory read (`directory`), its steps (`step`), how a lost
//! statement is found again (`probe`), what its `change.toml` says (`settings`), and how an unsafe change
//! becomes a phased one (`recipes`).
//!
//! Nothing here needs a database, a clock or a terminal.

mod backfill;
pub mod cost;
pub mod directory;
mod manner;
mod probe;
pub mod recipes;
pub mod enforced;
pub mod revert;
pub mod settings;
pub mod step;
pub mod strategy;
mod tables;

pub use backfill::{Backfill, Rows};
pub use manner::{Manner, SMALL_TABLE, Way, manner};
pub use settings::{Consumer, Ddl, Kubernetes, Limit, Settings, Strategy, Throttle};
pub use step::{Action, Expectation, Phase, Plan, PlanFile, Probe, Step, Trigger, Verify};
pub use tables::tables;
