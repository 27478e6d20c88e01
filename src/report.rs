//! Findings, plans, events and status as text or JSON. Only this room knows colour and JSON shapes.

pub mod demo;
pub mod events;
pub mod github;
pub mod gitlab;
pub mod json;
pub mod junit;
mod lines;
pub mod metrics;
mod pace;
pub mod overview;
mod sentences;
pub mod plan;
pub mod progress;
pub mod revert;
pub mod risk;
pub mod rollback;
pub mod sarif;
pub mod status;
pub mod text;

use crate::history::History;
use crate::lint::Outcome;
use crate::settings::Settings;

/// What `lint` prints, in whatever format.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    pub history: &'a History,
    pub settings: &'a Settings,
    pub outcome: &'a Outcome,
}
