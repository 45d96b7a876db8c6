//! Tells the crate what the stable compiler does not: which Arm instructions the target has.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(armv7em)");
    if has_dsp() {
        println!("cargo::rustc-cfg=armv7em");
    }
}

/// Whether the target has the DSP instructions of an Armv7E-M: always on a `thumbv7em`, and on a `thumbv8m.main` that is
/// compiled for a core that has them (`-C target-cpu=cortex-m33`) or with `-C target-feature=+dsp`.
fn has_dsp() -> bool {
    let target = env::var("TARGET").unwrap_or_default();
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let asked = [
        "+dsp",
        "cortex-m33",
        "cortex-m35p",
        "cortex-m55",
        "cortex-m85",
    ];
    target.starts_with("thumbv7em")
        || (target.starts_with("thumbv8m.main") && asked.iter().any(|word| flags.contains(word)))
}
