//! Findings, plans, events and status as text or JSON. Only this room knows colour and JSON shapes.

pub mod demo;
pub mod json;
mod lines;
pub mod plan;
pub mod progress;
pub mod status;
pub mod text;
