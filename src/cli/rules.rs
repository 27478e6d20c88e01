//! `lockkeeper rules`: the list of all rules.

use super::Context;
use crate::error::{Result, exit_code};
use crate::lint::rules;

/// List all rules with their severity
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints one line per rule: id, severity, title.
///
/// # Errors
/// stdout cannot be written.
pub fn run(_args: &Args, context: &Context) -> Result<u8> {
    let mut text = String::new();
    for rule in rules::all() {
        text += &format!("{:<28} {:<5} {}\n", rule.id, rule.page.severity.name(), rule.page.title);
    }
    context.print(&text)?;
    Ok(exit_code::CLEAN)
}
