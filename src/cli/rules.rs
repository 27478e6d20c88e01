//! `lockkeeper rules`: the list of all rules.

use super::Context;
use crate::error::{Result, exit_code};
use crate::lint::rules::{self, Rule};

/// List all rules with their severity and group
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints one line per rule: id, severity, group, title.
///
/// # Errors
/// stdout cannot be written.
pub fn run(_args: &Args, context: &Context) -> Result<u8> {
    context.print(&list())?;
    Ok(exit_code::CLEAN)
}

/// One line per rule.
pub(super) fn list() -> String {
    let line = |rule: &Rule| {
        let page = &rule.page;
        format!("{:<28} {:<5} {:<14} {}\n", rule.id, page.severity.name(), page.group.name(), page.title)
    };
    rules::all().iter().map(line).collect()
}
