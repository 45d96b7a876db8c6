//! A board's program with its net, built and started.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::board::{self, Board};
use crate::command::root;
use crate::firmware::program;
use crate::serial::Serial;

/// Builds a program with its net, and starts it.
pub(super) fn start(name: &'static str, machine: &str, model: &Path) -> Result<Serial> {
    let boards: &[Board] = board::parse(machine).map_err(anyhow::Error::msg)?;
    let board = boards.first().context("no such board")?;
    let shown = model.strip_prefix(root()).unwrap_or(model);
    println!(
        "building {name} for an {}, {}, with {}",
        board.name,
        board.processor.name(),
        shown.display()
    );
    let started = Instant::now();
    let build = program(name, &["log-rtt"]).board(board);
    let elf = build.model(Some(model.to_owned())).build()?.elf;
    println!(
        "built in {:.1} s; booting it in QEMU ({board})",
        started.elapsed().as_secs_f32()
    );
    let mut serial = Serial::start(&elf, board)?;
    println!("  | {}", serial.line()?);
    Ok(serial)
}
