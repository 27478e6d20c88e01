//! `lockkeeper explain RULE`: a rule's page.

use super::Context;
use crate::error::{Result, exit_code};
use crate::lint::rules;

/// Explain a rule: why it matters, and what to do instead
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The rule's id, as findings and `lockkeeper rules` name it
    rule: String,
}

/// Prints the page up to its test cases.
///
/// # Errors
/// There is no such rule.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    context.print(rules::find(&args.rule)?.page.explanation)?;
    Ok(exit_code::CLEAN)
}
