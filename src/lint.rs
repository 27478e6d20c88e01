//! Rules over a history: a pure function from migrations and settings to findings.

pub mod finding;
pub mod page;
pub mod rules;

pub use finding::{Finding, Severity};
