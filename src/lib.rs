//! Lockkeeper lints, plans and runs database migrations while the old and the new version of an
//! application share one database.
//!
//! The rooms, from the ground up; a room imports only rooms listed before it.

pub mod error;
pub mod sql;
pub mod schema;
pub mod history;
pub mod settings;
pub mod plan;
pub mod lint;
pub mod database;
pub mod gate;
pub mod run;
pub mod demo;
pub mod report;
pub mod cli;
