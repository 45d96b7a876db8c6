//! The program `gatelet`: parse, call the library, exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    gatelet_trainer::cli::main()
}
