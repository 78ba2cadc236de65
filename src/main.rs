//! The `palier` binary: all of it is in the library.

use std::process::ExitCode;

use palier::cli::{self, Env};

fn main() -> ExitCode {
    let env = Env::new(std::env::vars_os());
    cli::main(&env, std::env::args_os()).into()
}
