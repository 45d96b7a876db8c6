//! `cargo xtask`: everything people and CI run from a clone, as one program.
//!
//! ```text
//! demo ---------> setup -> firmware build -> emulator -> hand the console over
//! test (ci) ----> setup -> every check there is, in the order in which they fail fastest
//! bench --------> the host's kernels against the machine's limit
//! zoo ----------> published nets, imported and compared
//! sequences ----> nets for published series, trained and exported
//! listen -------> a sound through a board in QEMU, and through the engine here
//! firmware ... -> build | run | bench | selftest | size | image | flash
//! ```
//!
//! It starts processes (cargo, QEMU, probe-rs) and looks at what they make: of the project it links
//! the table of boards, the writing of files and, for `listen`, the engine with its sounds. Exit codes: 0 done, 1 failed, 2 wrong usage.
//! An error is one line on stderr.

#![deny(unsafe_code)]

mod architecture;
mod ask;
mod bench;
mod board;
mod circles;
mod cli;
mod command;
mod conformance;
mod costs;
mod demo;
mod deny;
mod dots;
mod elf;
mod emulator;
mod examples;
mod firmware;
mod flash;
mod floats;
mod fuzz;
mod generated;
mod handover;
mod host_bench;
mod image;
mod imports;
mod lanes;
mod layered;
mod listen;
#[cfg(test)]
mod manifests;
mod miri;
mod picture;
mod processors;
mod qemu_tests;
mod screen;
mod selftest;
mod sequences;
mod serial;
mod setup;
mod shapes;
mod size;
mod steps;
mod tables;
mod terminal;
#[path = "../../host-trainer/src/units.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for the trainer, which uses the rest"
)]
mod units;
mod workspace;
mod written;
mod zoo;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    emulator::kill_on_signals();
    let options = cli::Options::parse();
    match options.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<command::Usage>() {
                ExitCode::from(2)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
