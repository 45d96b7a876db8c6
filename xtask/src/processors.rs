//! The kernels of processors that this machine is not: `tests/same-bits`, run by an emulator.

use std::process::{Child, Command, Stdio};

use anyhow::{Result, bail, ensure};

use crate::command::{cargo, shown};
use crate::setup::{self, AARCH64_EMULATOR, NODE, Program, add_targets};

/// musl: linked with Rust's own linker, so there is no need of a compiler for the processor.
const AARCH64: &str = "aarch64-unknown-linux-musl";
/// Processors that qemu-user can be, and the kernels that one build finds on them: a Cortex-A53 has
/// no SDOT.
const AARCH64_CPUS: [(&str, &str); 2] = [
    ("qemu-aarch64 -cpu max", "neon, neondot"),
    ("qemu-aarch64 -cpu cortex-a53", "neon"),
];
const WASM: &str = "wasm32-wasip1";

/// A processor that an emulator can be, and how to build and run for it.
pub(crate) struct Emulated {
    /// For reports.
    pub(crate) name: String,
    target: &'static str,
    flags: &'static str,
    variables: Vec<(&'static str, &'static str)>,
    /// Its kernels beside those that every processor has.
    kernels: &'static str,
}

impl Emulated {
    /// The call of `same-bits`, which arguments can be added to.
    pub(crate) fn same_bits(&self) -> Command {
        let mut cargo = cargo();
        cargo
            .args([
                "run",
                "-q",
                "-p",
                "gatelet-same-bits",
                "--target",
                self.target,
            ])
            .env("RUSTFLAGS", self.flags)
            .envs(self.variables.iter().copied());
        cargo
    }
}

/// AArch64 with and without the dot product of bytes, unless this machine is one; none where there
/// is no emulator.
fn aarch64() -> Result<Vec<Emulated>> {
    if cfg!(target_arch = "aarch64") || !have(&AARCH64_EMULATOR, "neon")? {
        return Ok(Vec::new());
    }
    add_targets(&[AARCH64])?;
    let emulated = |(runner, kernels): (&'static str, _)| Emulated {
        name: runner.replace("qemu-aarch64 -cpu", "aarch64"),
        target: AARCH64,
        flags: "",
        variables: vec![
            ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld"),
            ("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER", runner),
        ],
        kernels,
    };
    Ok(AARCH64_CPUS.map(emulated).into())
}

/// WebAssembly with vectors; none without node.
fn wasm32() -> Result<Vec<Emulated>> {
    if !have(&NODE, "simd128")? {
        return Ok(Vec::new());
    }
    add_targets(&[WASM])?;
    Ok(vec![Emulated {
        name: "wasm32 (node)".to_owned(),
        target: WASM,
        flags: "-Ctarget-feature=+simd128",
        variables: vec![(
            "CARGO_TARGET_WASM32_WASIP1_RUNNER",
            "node --no-warnings tests/same-bits/run.mjs",
        )],
        kernels: "simd128",
    }])
}

/// Every processor that there is an emulator of here; what is left out is said.
pub(crate) fn emulated() -> Result<Vec<Emulated>> {
    let mut all = aarch64()?;
    all.extend(wasm32()?);
    Ok(all)
}

/// NEON, with and without the dot product of bytes, in one program.
pub(crate) fn neon() -> Result<()> {
    if cfg!(target_arch = "aarch64") {
        println!("this processor has NEON: the tests on the host have run its kernels");
    }
    same_bits(&aarch64()?)
}

/// WebAssembly's vectors.
pub(crate) fn wasm() -> Result<()> {
    same_bits(&wasm32()?)
}

/// Whether a program is here, or could be got. Where it cannot, the kernel `isa` is skipped, aloud;
/// unless `GATELET_REQUIRE_ISA` names it.
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

/// Runs the program on all of these at once. Each must find those kernels that every processor has,
/// and its own.
fn same_bits(all: &[Emulated]) -> Result<()> {
    let mut programs = Vec::with_capacity(all.len());
    for emulated in all {
        let mut cargo = emulated.same_bits();
        println!("$ {} {}({})", shown(&cargo), emulated.flags, emulated.name);
        // Their cargos build one after the other: the second finds what the first has built.
        programs.push(cargo.stdout(Stdio::piped()).spawn()?);
    }
    let ended: Vec<_> = programs.into_iter().map(Child::wait_with_output).collect();
    for (Emulated { name, kernels, .. }, output) in all.iter().zip(ended) {
        let output = output?;
        let said = String::from_utf8_lossy(&output.stdout);
        print!("{name}: {said}");
        ensure!(output.status.success(), "same-bits on {name} failed");
        let expected = format!(": scalar, thumb, portable, {kernels}");
        ensure!(
            said.trim_end().ends_with(&expected),
            "{name} finds other kernels than {kernels}"
        );
    }
    Ok(())
}
