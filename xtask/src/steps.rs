//! `cargo xtask test`: every check there is. Stops at the first that fails, and names it.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::board;
use crate::cli::Usage;
use crate::command::{cargo, run as run_command, shown};
use crate::firmware::{Log, PACKAGE, TARGET, console};
use crate::image::{self, Format};
use crate::{
    conformance, costs, emulator, examples, floats, processors, qemu_tests, setup, shapes, written,
};

/// A heading and what stands behind it.
type Step = (&'static str, fn() -> Result<()>);

/// Cheap ones first.
const STEPS: &[Step] = &[
    ("setup", prepare),
    ("format", || go(&["fmt", "--all", "--check"])),
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
    ("lints, firmware on the board", lint_board),
    ("docs", || {
        let mut doc = cargo();
        doc.args(["doc", "--no-deps", "--workspace", "--lib"])
            .env("RUSTDOCFLAGS", "-D warnings");
        shown_run(doc)
    }),
    ("lints, the measuring programs", lint_measuring),
    ("tests on the host", || go(&["test", "--workspace"])),
    ("examples", examples::all),
    ("firmware image", checked_images),
    ("no panics in core", qemu_tests::no_panic),
    ("QEMU: a session at the console", qemu_tests::session),
    ("QEMU: a console of words", qemu_tests::words),
    ("QEMU: the text the board writes", written::same_text),
    ("QEMU: the board's own image", qemu_tests::board_image_boots),
    ("QEMU: the next letters of the example", examples::letters),
    ("QEMU: the words of the example", examples::words),
    ("QEMU: a damaged model is refused", qemu_tests::bad_model),
    ("QEMU: damage after the build is refused", || {
        qemu_tests::preamble(11)
    }),
    ("QEMU: failures are told", qemu_tests::failures),
    ("QEMU: the same bits as on the host", qemu_tests::same_bits),
    ("QEMU: every board, many shapes", shapes::run),
    ("QEMU: f32 on the FPU", floats::run),
    (
        "QEMU: instruction counts are exact",
        qemu_tests::counting_is_exact,
    ),
    ("QEMU: what a step may take", costs::check),
    ("NEON: the same bits", processors::neon),
    ("WebAssembly: the same bits", processors::wasm),
    ("one suite everywhere", || conformance::run(500, false)),
    ("models that do not fit", qemu_tests::misfits),
];

/// Steps that need neither a board's library nor an emulator.
const HOST_ONLY: [&str; 4] = ["format", "lints, host", "docs", "tests on the host"];

/// Runs those whose name contains `only`: all of them, when it is empty. What they need is set up first.
pub(crate) fn run(only: &str) -> Result<()> {
    let start = Instant::now();
    let wanted = |(name, _): &&Step| name.contains(only);
    if !STEPS.iter().any(|step| wanted(&step)) {
        bail!(Usage(format!("no step's name contains {only:?}")));
    }
    let on_host = |(name, _): &Step| HOST_ONLY.contains(name);
    let set_up = !STEPS.iter().filter(wanted).all(on_host);
    let chosen: Vec<_> = STEPS
        .iter()
        .enumerate()
        .filter(|(index, step)| wanted(step) || (*index == 0 && set_up))
        .map(|(_, step)| step)
        .collect();
    for (index, (name, step)) in chosen.iter().enumerate() {
        println!("\n== {}/{} {name}", index + 1, chosen.len());
        let begun = Instant::now();
        if let Err(error) = step() {
            println!("\n{index} passed, 1 failed");
            return Err(error.context(format!("step {name:?}")));
        }
        println!("== ok, {:.1} s", begun.elapsed().as_secs_f32());
    }
    println!(
        "\n{} steps in {:.0} s",
        chosen.len(),
        start.elapsed().as_secs_f32()
    );
    println!("{} passed, 0 failed", chosen.len());
    Ok(())
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
        clippy.args(["clippy", "-p", PACKAGE, "--lib"]);
        for program in ["bench", "selftest", "shapes", "conformance", "panic_probe"] {
            clippy.args(["--bin", program]);
        }
        clippy
            .args(["--no-default-features", "--features", "log-rtt"])
            .args(board.cargo_arguments())
            .args(["--", "-D", "warnings"])
            .env("GATELET_BOARD", board.machine);
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
