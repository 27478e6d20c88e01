//! The hidden command of a temporary server's reaper.

use super::Context;
use crate::database::temporary::reap;
use crate::error::{Result, exit_code};

/// Start a temporary server and remove it when nobody uses it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Engine, directory, key and linger time
    arguments: Vec<String>,
}

/// Runs it. What goes wrong is said on stdout: there the process that started us listens, once.
///
/// # Errors
/// None: they are said.
pub fn run(args: &Args, context: &Context) -> Result<u8> {
    match super::block_on(reap(&args.arguments, |line| context.print(line))) {
        Ok(()) => Ok(exit_code::CLEAN),
        Err(error) => {
            context.print(&format!("{error}\n"))?;
            Ok(error.exit_code())
        }
    }
}
