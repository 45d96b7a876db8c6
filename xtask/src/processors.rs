//! The kernels of processors that this machine is not: `tests/same-bits`, run by an emulator.

use std::process::Stdio;

use anyhow::{Result, bail, ensure};

use crate::command::{cargo, shown};
use crate::setup::{self, AARCH64_EMULATOR, NODE, Program, add_targets};

/// musl: linked with Rust's own linker, so there is no need of a compiler for the processor.
const AARCH64: &str = "aarch64-unknown-linux-musl";
/// Processors that qemu-user can be, and the kernels that one build finds on them: a Cortex-A53 has no SDOT.
const AARCH64_CPUS: [(&str, &str); 2] = [
    ("qemu-aarch64 -cpu max", "neon, neondot"),
    ("qemu-aarch64 -cpu cortex-a53", "neon"),
];
const WASM: &str = "wasm32-wasip1";

/// NEON, with and without the dot product of bytes, in one program.
pub(crate) fn neon() -> Result<()> {
    if cfg!(target_arch = "aarch64") {
        println!("this processor has NEON: the tests on the host have run its kernels");
        return Ok(());
    }
    if !have(&AARCH64_EMULATOR, "neon")? {
        return Ok(());
    }
    add_targets(&[AARCH64])?;
    for (runner, kernels) in AARCH64_CPUS {
        same_bits(
            AARCH64,
            "",
            &[
                ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld"),
                ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER", runner),
            ],
            kernels,
        )?;
    }
    Ok(())
}

/// WebAssembly's vectors.
pub(crate) fn wasm() -> Result<()> {
    if !have(&NODE, "simd128")? {
        return Ok(());
    }
    add_targets(&[WASM])?;
    same_bits(
        WASM,
        "-Ctarget-feature=+simd128",
        &[(
            "CARGO_TARGET_WASM32_WASIP1_RUNNER",
            "node --no-warnings tests/same-bits/run.mjs",
        )],
        "simd128",
    )
}

/// Whether a program is here, or could be got. Where it cannot, the kernel `isa` is skipped, aloud; unless
/// `GATELET_REQUIRE_ISA` names it.
fn have(program: &Program, isa: &str) -> Result<bool> {
    if setup::program(program)? {
        return Ok(true);
    }
    let why = format!("the kernel {isa} is not tested: no package manager here has its emulator");
    let required = std::env::var("GATELET_REQUIRE_ISA").unwrap_or_default();
    if required.split(',').any(|name| name.trim() == isa) {
        bail!("{why}, and GATELET_REQUIRE_ISA asks for it");
    }
    println!("skipped: {why}");
    Ok(false)
}

/// Runs the program with a runner from `variables`. It must find those every processor has, and `kernels`.
fn same_bits(target: &str, flags: &str, variables: &[(&str, &str)], kernels: &str) -> Result<()> {
    let mut cargo = cargo();
    cargo
        .args(["run", "-q", "-p", "gatelet-same-bits", "--target", target])
        .env("RUSTFLAGS", flags)
        .envs(variables.iter().copied());
    let runner = variables.last().map_or("", |(_, runner)| runner);
    println!("$ {} {flags}({runner})", shown(&cargo));
    let output = cargo.stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    ensure!(output.status.success(), "same-bits on {runner} failed");
    let expected = format!(": scalar, thumb, portable, {kernels}");
    ensure!(
        said.trim_end().ends_with(&expected),
        "{runner} finds other kernels than {kernels}"
    );
    Ok(())
}
