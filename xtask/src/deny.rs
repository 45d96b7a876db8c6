//! `cargo xtask deny`: licences, sources and duplicates of all dependencies, by cargo-deny and
//! `deny.toml`.
//!
//! No part of `cargo xtask test`: the tool takes minutes to build, and what it looks at changes
//! with Cargo.lock alone. Its advisories need a database from the network, and are not asked for.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{exists, root, run as run_command, shown};

/// Runs it, if the tool is there.
pub(crate) fn run() -> Result<()> {
    if !exists("cargo-deny") {
        bail!(
            "cargo-deny is missing; get it by hand: cargo install cargo-deny --locked (builds for some minutes)"
        );
    }
    let mut deny = Command::new("cargo-deny");
    deny.args(["--workspace", "--locked", "check"])
        .args(["bans", "licenses", "sources"])
        .current_dir(root());
    println!("$ {}", shown(&deny));
    run_command(&mut deny)
}
