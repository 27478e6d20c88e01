//! The binary: everything is in the library.

use std::process::ExitCode;

/// Syntax trees are many small pieces: with the system's allocator a fifth of the time goes into them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lockkeeper::cli::main()
}
