//! The kernels of processors that this machine is not: `tests/same-bits`, run by an emulator.

use anyhow::{Result, bail};

use crate::command::{cargo, run, shown};
use crate::setup::{self, AARCH64_EMULATOR, NODE, Program, add_targets};

/// musl: linked with Rust's own linker, so there is no need of a compiler for the processor.
const AARCH64: &str = "aarch64-unknown-linux-musl";
const WASM: &str = "wasm32-wasip1";

/// NEON, without and with the dot product of bytes.
pub(crate) fn neon() -> Result<()> {
    if cfg!(target_arch = "aarch64") {
        println!("this processor has NEON: the tests on the host have run its kernels");
        return Ok(());
    }
    if !have(&AARCH64_EMULATOR, "neon")? {
        return Ok(());
    }
    add_targets(&[AARCH64])?;
    for features in ["", "-Ctarget-feature=+dotprod"] {
        same_bits(
            AARCH64,
            features,
            &[
                ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld"),
                (
                    "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER",
                    "qemu-aarch64",
                ),
            ],
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

fn same_bits(target: &str, flags: &str, variables: &[(&str, &str)]) -> Result<()> {
    let mut cargo = cargo();
    cargo
        .args(["run", "-p", "gatelet-same-bits", "--target", target])
        .env("RUSTFLAGS", flags)
        .envs(variables.iter().copied());
    println!("$ {} {flags}", shown(&cargo));
    run(&mut cargo)
}
