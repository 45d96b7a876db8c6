//! `cargo xtask test`: every check there is, in two lists that run side by side. Stops at the first
//! that fails, and names it.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::board;
use crate::command::{Usage, cargo, run as run_command, shown};
use crate::firmware::{Log, PACKAGE, TARGET, console};
use crate::image::{self, Format};
use crate::lanes::Step;
use crate::{
    architecture, circles, conformance, costs, emulator, examples, floats, lanes, listen,
    processors, qemu_tests, setup, shapes, tables, written,
};

/// Before the boards' steps.
const SET_UP: Step = ("setup", prepare);
/// Before the steps that need other processors: a person is asked now, not in the middle.
const OTHERS_SET_UP: Step = ("setup of other processors", || {
    processors::emulated().map(|_| ())
});

const NEON: &str = "NEON: the same bits";
const WASM: &str = "WebAssembly: the same bits";
const EVERYWHERE: &str = "one suite everywhere";

/// What runs on this machine, cheap steps first: compiled with cargo's profile `dev`.
const HOST: &[Step] = &[
    ("format", || go(&["fmt", "--all", "--check"])),
    ("no import circles", circles::check),
    ("pictures of the architecture", || architecture::run(true)),
    ("tables of measurements", || tables::run(true)),
    ("lints, host", || {
        go(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])
    }),
    ("docs", || {
        let mut doc = cargo();
        doc.args(["doc", "--no-deps", "--workspace", "--lib"])
            .env("RUSTDOCFLAGS", "-D warnings");
        shown_run(doc)
    }),
    ("tests on the host", || go(&["test", "--workspace"])),
    ("examples", examples::all),
    (NEON, processors::neon),
    (WASM, processors::wasm),
];

/// What runs on the boards, at the same time: compiled with the profile `firmware`, the lints too.
const BOARDS: &[Step] = &[
    ("lints, firmware on the board", lint_board),
    ("lints, the measuring programs", lint_measuring),
    ("firmware image", checked_images),
    ("no panics in core", qemu_tests::no_panic),
    ("QEMU: a session at the console", qemu_tests::session),
    ("QEMU: the board's own image", qemu_tests::board_image_boots),
    ("QEMU: a damaged model is refused", qemu_tests::bad_model),
    ("QEMU: damage after the build is refused", || {
        qemu_tests::preamble(11)
    }),
    ("QEMU: failures are told", qemu_tests::failures),
    // From here on the trainer's program is needed, which the other list has compiled by then.
    ("QEMU: a console of words", qemu_tests::words),
    ("QEMU: the text the board writes", written::same_text),
    ("QEMU: the next letters of the example", examples::letters),
    ("QEMU: the words of the example", examples::words),
    ("QEMU: the same bits as on the host", qemu_tests::same_bits),
    ("QEMU: every board, many shapes", shapes::run),
    ("QEMU: f32 on the FPU", floats::run),
    ("QEMU: sounds that the board hears", listen::check),
    (
        "QEMU: instruction counts are exact",
        qemu_tests::counting_is_exact,
    ),
    ("QEMU: what a step may take", costs::check),
    (EVERYWHERE, || conformance::run(500, false)),
    ("models that do not fit", qemu_tests::misfits),
];

/// Runs those whose name contains `only`: all of them, when it is empty. What they need is set up
/// first.
pub(crate) fn run(only: &str) -> Result<()> {
    let chosen = |steps: &'static [Step]| -> Vec<&'static Step> {
        steps
            .iter()
            .filter(|(name, _)| name.contains(only))
            .collect()
    };
    let (host, boards) = (chosen(HOST), chosen(BOARDS));
    let mut first = Vec::new();
    if !boards.is_empty() || SET_UP.0.contains(only) {
        first.push(&SET_UP);
    }
    let all = || host.iter().chain(&boards);
    let elsewhere = all().any(|(name, _)| [NEON, WASM, EVERYWHERE].contains(name));
    if elsewhere || OTHERS_SET_UP.0.contains(only) {
        first.push(&OTHERS_SET_UP);
    }
    if first.is_empty() && host.is_empty() {
        bail!(Usage(format!("no step's name contains {only:?}")));
    }
    lanes::run(&first, host, boards)
}

/// Runs the one step of this name, with nothing around it: for [`lanes`], which has set everything
/// up.
pub(crate) fn alone(name: &str) -> Result<()> {
    let mut steps = HOST.iter().chain(BOARDS);
    let step = steps.find(|step| step.0 == name);
    step.with_context(|| Usage(format!("no step has the name {name:?}")))?
        .1()
}

/// What the machine needs; which emulator it is belongs into the log.
fn prepare() -> Result<()> {
    setup::everything()?;
    println!("{}", emulator::version()?);
    Ok(())
}

/// A cargo command, shown before it runs.
fn go(arguments: &[&str]) -> Result<()> {
    let mut cargo = cargo();
    cargo.args(arguments);
    shown_run(cargo)
}

fn shown_run(mut command: Command) -> Result<()> {
    println!("$ {}", shown(&command));
    run_command(&mut command)
}

/// The programs as they are built for the board, with either log.
fn lint_board() -> Result<()> {
    for log in ["log-rtt", "log-semihosting"] {
        go(&[
            "clippy",
            "--profile",
            "firmware",
            "-p",
            PACKAGE,
            "--lib",
            "--bins",
            "--target",
            TARGET,
            "--no-default-features",
            "--features",
            log,
            "--",
            "-D",
            "warnings",
        ])?;
    }
    Ok(())
}

/// The programs for the other boards.
fn lint_measuring() -> Result<()> {
    for board in board::kinds() {
        let mut clippy = cargo();
        clippy.args(["clippy", "--profile", "firmware", "-p", PACKAGE, "--lib"]);
        for program in ["bench", "selftest", "shapes", "conformance", "panic_probe"] {
            clippy.args(["--bin", program]);
        }
        clippy
            .args(["--no-default-features", "--features", "log-rtt"])
            .args(board::cargo_arguments(board))
            .args(["--", "-D", "warnings"])
            .env("GATELET_BOARD", board.id());
        shown_run(clippy)?;
    }
    Ok(())
}

/// Builds the board's image and writes it in every format, checked.
fn checked_images() -> Result<()> {
    let elf = console(Log::Rtt).build()?.elf;
    for format in [Format::Elf, Format::Bin, Format::Hex] {
        let path = image::write(&elf, format, None).context("writing an image")?;
        println!("{}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A step in the background is asked for by its name.
    #[test]
    fn every_step_has_a_name_of_its_own() {
        let steps = || {
            [SET_UP, OTHERS_SET_UP]
                .into_iter()
                .chain(HOST.iter().chain(BOARDS).copied())
        };
        let names: std::collections::BTreeSet<&str> = steps().map(|step| step.0).collect();
        assert_eq!(names.len(), steps().count());
        assert!(alone("no such step").is_err());
    }
}
