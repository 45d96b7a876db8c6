//! `cargo xtask miri`: the kernels under Miri, which checks every access to memory and every
//! alignment.
//!
//! Miri is a component of nightly toolchains, and this project pins a stable one, so this is no
//! part of `cargo xtask test`. `tests/same-bits` takes few shapes and steps there. Assembly and
//! QEMU are out of Miri's reach.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{output, root, run as run_command, shown};

/// What the kernels of this processor are compiled for: Miri has no processor to ask.
const FEATURES: &str = if cfg!(target_arch = "x86_64") {
    "-Ctarget-feature=+avx2,+fma"
} else {
    ""
};

/// Runs it, if there is a nightly toolchain with Miri.
pub(crate) fn run() -> Result<()> {
    if output(Command::new("cargo").args(["+nightly", "miri", "--version"])).is_err() {
        bail!(
            "Miri is missing; get it by hand: rustup toolchain install nightly --component miri,rust-src"
        );
    }
    let mut miri = Command::new("cargo");
    miri.args(["+nightly", "miri", "run", "-p", "gatelet-same-bits"])
        .env("RUSTFLAGS", FEATURES)
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .current_dir(root());
    println!("$ {} {FEATURES}", shown(&miri));
    run_command(&mut miri)
}
