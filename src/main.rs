//! Entry: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    vitalog::cli::main(std::env::args_os(), vitalog::drive::clock::now())
}
