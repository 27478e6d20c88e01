//! `lockkeeper explain RULE`: a rule's page.

use super::Context;
use crate::error::{Result, exit_code};
use crate::lint::rules;

/// Explain a rule: why it matters, and what to do instead
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rule's id, as findings and `lockkeeper rules` name it; without it, the list of all rules
    rule: Option<String>,
}

/// Prints the page up to its test cases, or the list.
///
/// # Errors
/// There is no such rule.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    match &args.rule {
        Some(id) => context.print(rules::find(id)?.page.explanation)?,
        None => context.print(&super::rules::list())?,
    }
    Ok(exit_code::CLEAN)
}
