//! Tells the crate what the stable compiler does not: which Arm core it is compiled for.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let is = |architecture: &str| target.starts_with(architecture);
    let asked = |cpus: &[&str], feature: &str| {
        flags
            .split('\x1f')
            .any(|flag| is_asked(flag, cpus, feature))
    };
    let mve = is("thumbv8m.main-") && asked(&["cortex-m55", "cortex-m85"], "+mve");
    let dsp =
        is("thumbv7em-") || (is("thumbv8m.main-") && asked(&["cortex-m33", "cortex-m35p"], "+dsp"));

    // Cortex-M0, M0+.
    emit("armv6m", is("thumbv6m-"));
    // Cortex-M3: the others have a kernel of their own, or what it takes for this one.
    emit(
        "armv7m",
        ["thumbv7m-", "thumbv7em-", "thumbv8m.main-"]
            .iter()
            .any(|t| is(t)),
    );
    // The DSP instructions of a Cortex-M4, M7, or an M33 that is said to have them.
    emit("armv7em", dsp && !mve);
    // The FPU of a Cortex-M4F, M7 or M33: a hard-float ABI implies one, and on these architectures
    // it has fused multiply-add.
    let abi = env::var("CARGO_CFG_TARGET_ABI").unwrap_or_default();
    let hard_float = abi == "eabihf" && (is("thumbv7em-") || is("thumbv8m.main-"));
    emit("fpu", hard_float && !mve);
    // Helium, the vectors of a Cortex-M55 or M85.
    emit("mve", mve);
}

/// Whether a flag of the compiler asks for one of these processors, or for this feature.
fn is_asked(flag: &str, cpus: &[&str], feature: &str) -> bool {
    let flag = flag.trim_start_matches("-C").trim();
    match flag.split_once('=') {
        Some(("target-cpu", cpu)) => cpus.contains(&cpu),
        Some(("target-feature", features)) => features.split(',').any(|f| f == feature),
        _ => false,
    }
}

/// Sets `cfg(name)` if it holds; and says that it exists.
fn emit(name: &str, holds: bool) {
    println!("cargo::rustc-check-cfg=cfg({name})");
    if holds {
        println!("cargo::rustc-cfg={name}");
    }
}
