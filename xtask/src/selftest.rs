//! Does the emulated board compute what this machine computes? Compared by a hash of the state
//! after every step.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::bench::arranged;
use crate::board::{self, Board, Choice};
use crate::command::{gatelet, json_line, output, root};
use crate::firmware::program;
use crate::{emulator, setup};

/// What the board's program, and `gatelet trace`, print.
#[derive(Debug, Deserialize)]
struct Trace {
    #[serde(default)]
    board: String,
    steps: u64,
    state_hash: String,
}

/// What this command prints.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    board: String,
    steps: u64,
    state_hash: String,
    host_hash: String,
    pub(crate) equal: bool,
}

/// Runs both and prints the comparison; an error when they differ.
pub(crate) fn run(model: Option<PathBuf>, boards: Choice, json: bool) -> Result<()> {
    setup::qemu()?;
    boards
        .iter()
        .try_for_each(|board| run_on(board, model.clone(), json))
}

fn run_on(board: &'static Board, model: Option<PathBuf>, json: bool) -> Result<()> {
    let comparison = compare(board, model, "scalar")?;
    if json {
        println!("{}", serde_json::to_string(&comparison)?);
    } else {
        println!(
            "{} steps on the {} (QEMU): {}; on this machine: {}",
            comparison.steps, comparison.board, comparison.state_hash, comparison.host_hash
        );
    }
    if !comparison.equal {
        bail!("the {board} computes other states than this machine");
    }
    Ok(())
}

/// Runs the text on the board and with a kernel of this machine.
pub(crate) fn compare(
    board: &'static Board,
    model: Option<PathBuf>,
    isa: &str,
) -> Result<Comparison> {
    // The default board runs the model as it is; another one's kernel may want the weights in
    // another layout.
    let embedded = if board.id() == board::default().id() {
        model.clone()
    } else {
        Some(arranged(board.processor.export(), model.clone())?)
    };
    let elf = program("selftest", &["log-rtt"])
        .board(board)
        .model(embedded)
        .build()?
        .elf;
    let board: Trace = json_line(&emulator::run_to_end(&elf, board)?)?;
    let text = root().join("firmware/selftest/text.txt");
    let model = model
        .or_else(|| std::env::var_os("GATELET_MODEL").map(PathBuf::from))
        .unwrap_or_else(|| root().join("firmware/models/default.gatelet"));
    let mut trace = gatelet()?;
    trace
        .arg("trace")
        .arg(std::path::absolute(model)?)
        .arg(text)
        .args(["--isa", isa, "--json"]);
    let host: Trace = json_line(&output(&mut trace)?)?;
    Ok(Comparison {
        equal: board.state_hash == host.state_hash && board.steps == host.steps,
        board: board.board,
        steps: board.steps,
        state_hash: board.state_hash,
        host_hash: host.state_hash,
    })
}
