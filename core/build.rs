//! Tells the crate which Arm core it is compiled for: stable rustc does not show it.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = env::var("TARGET").unwrap_or_default();
    armv6m(&target);
    armv7m(&target);
    mve(&target);
}

/// `cfg(armv6m)`: Cortex-M0, M0+.
fn armv6m(target: &str) {
    println!("cargo::rustc-check-cfg=cfg(armv6m)");
    if target.starts_with("thumbv6m-") {
        println!("cargo::rustc-cfg=armv6m");
    }
}

/// `cfg(armv7m)`: Cortex-M3, and whatever can run its code: M4, M7, and the Armv8-M mainline cores.
fn armv7m(target: &str) {
    println!("cargo::rustc-check-cfg=cfg(armv7m)");
    let cores = ["thumbv7m-", "thumbv7em-", "thumbv8m.main-"];
    if cores.iter().any(|core| target.starts_with(core)) {
        println!("cargo::rustc-cfg=armv7m");
    }
}

/// `cfg(mve)`: Helium, by `-C target-cpu=cortex-m55` (or m85), or `-C target-feature=+mve`.
fn mve(target: &str) {
    println!("cargo::rustc-check-cfg=cfg(mve)");
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let helium = |flag: &str| {
        let flag = flag.trim_start_matches("-C").trim();
        match flag.split_once('=') {
            Some(("target-cpu", cpu)) => matches!(cpu, "cortex-m55" | "cortex-m85"),
            Some(("target-feature", features)) => features.split(',').any(|f| f == "+mve"),
            _ => false,
        }
    };
    if target.starts_with("thumbv8m.main-") && flags.split('\x1f').any(helium) {
        println!("cargo::rustc-cfg=mve");
    }
}
