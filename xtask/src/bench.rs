//! Instructions of a step, counted in QEMU: for a fixed shape with random weights, and for the
//! default model.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::board::{Board, Choice};
use crate::command::{gatelet, json_line, output, root, work_folder};
use crate::elf::FlashImage;
use crate::firmware::program;
use crate::units::grouped;
use crate::{emulator, setup};

/// The shape whose cost is followed over time: weights from a fixed seed, so that nothing but the
/// code changes it. With weights of 8 bits, and of 4.
const SHAPE: [&str; 10] = [
    "--cell", "lstm", "--hidden", "128", "--vocab", "64", "--layers", "1", "--seed", "1",
];

/// Where counts are recorded.
const RESULTS: &str = "benches/results/boards.tsv";

/// What the board's program prints.
#[derive(Debug, Deserialize)]
struct Counted {
    board: String,
    kernel: String,
    cell: String,
    hidden: u64,
    vocab: u64,
    macs_per_step: u64,
    instructions_per_step: u64,
    model_bytes: u64,
    ram_bytes: u64,
}

/// What this command prints.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Measured {
    board: String,
    /// For the table, like all that is skipped; the lines of JSON hold what their readers were
    /// promised.
    #[serde(skip)]
    core: &'static str,
    #[serde(skip)]
    kernel: String,
    cell: String,
    hidden: u64,
    vocab: u64,
    macs_per_step: u64,
    pub(crate) instructions_per_step: u64,
    /// Flash of code and constants of the measuring program, without the model.
    text_bytes: u64,
    model_bytes: u64,
    /// State, scratch and logits.
    pub(crate) ram_bytes: u64,
    /// `random`, `4 bits` (random too) or `default`; of one that was given its name.
    model: String,
}

impl Measured {
    /// A line of [`RESULTS`].
    fn line(&self, board: &Board) -> Result<String> {
        let weights = if self.model == "random" {
            "int8"
        } else {
            &self.model
        };
        let steps = self.instructions_per_step as f64;
        let cells = [
            output(Command::new("date").arg("+%F"))?.trim().to_owned(),
            board.id().to_owned(),
            self.core.to_owned(),
            weights.to_owned(),
            self.kernel.clone(),
            self.instructions_per_step.to_string(),
            format!("{:.3}", steps / self.macs_per_step as f64),
            self.text_bytes.to_string(),
            self.model_bytes.to_string(),
        ];
        Ok(cells.join("\t") + "\n")
    }
}

/// The text of [`RESULTS`] with new lines in place of those of the same boards and weights.
fn replaced(text: &str, lines: &str) -> String {
    let of = |line: &str| -> Vec<String> {
        let cells = line.split('\t').map(str::to_owned);
        cells.skip(1).take(3).collect()
    };
    let mut new: Vec<&str> = lines.lines().collect();
    let mut all = Vec::new();
    for old in text.lines() {
        let place = new.iter().position(|new| of(new) == of(old));
        all.push(place.map_or(old, |place| new.remove(place)));
    }
    all.extend(new);
    all.join("\n") + "\n"
}

/// Measures these models, or else the three that are followed over time, on every board and prints
/// a line for each. `record` writes those of random weights into [`RESULTS`].
pub(crate) fn run(
    boards: Choice,
    given: Vec<PathBuf>,
    rows: bool,
    json: bool,
    record: bool,
) -> Result<()> {
    setup::qemu()?;
    let name = |path: &PathBuf| {
        let stem = path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    let models: Vec<(String, Option<PathBuf>)> = match given.is_empty() {
        false => given
            .into_iter()
            .map(|path| (name(&path), Some(path)))
            .collect(),
        true => vec![
            ("random".to_owned(), Some(random_model("8")?)),
            ("4 bits".to_owned(), Some(random_model("4")?)),
            ("default".to_owned(), None),
        ],
    };
    if !json {
        println!(
            "{:13} {:10} {:8} {:8} {:>4} {:>6} {:>5} {:>8} {:>12} {:>9} {:>9} {:>9} {:>7}",
            "board",
            "core",
            "kernel",
            "model",
            "cell",
            "hidden",
            "vocab",
            "MACs",
            "instructions",
            "instr/MAC",
            "text",
            "image",
            "RAM"
        );
    }
    let mut recorded = String::new();
    for (board, (name, model)) in boards
        .iter()
        .flat_map(|board| models.iter().map(move |model| (board, model)))
    {
        let export = if rows {
            "any"
        } else {
            board.processor.export()
        };
        let m = measure(board, name, model.clone(), export)?;
        if model.is_some() {
            recorded.push_str(&m.line(board)?);
        }
        if json {
            println!("{}", serde_json::to_string(&m)?);
        } else {
            println!(
                "{:13} {:10} {:8} {:8} {:>4} {:>6} {:>5} {:>8} {:>12} {:>9.3} {:>9} {:>9} {:>7}",
                m.board,
                m.core,
                m.kernel,
                m.model,
                m.cell,
                m.hidden,
                m.vocab,
                grouped(m.macs_per_step),
                grouped(m.instructions_per_step),
                m.instructions_per_step as f64 / m.macs_per_step as f64,
                grouped(m.text_bytes),
                grouped(m.model_bytes),
                grouped(m.ram_bytes)
            );
        }
    }
    if record {
        let path = root().join(RESULTS);
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(path, replaced(&text, &recorded))?;
        println!("{RESULTS}; cargo xtask tables makes its table and picture");
    }
    Ok(())
}

/// Measures one model on one board, in the layout of `gatelet export --target`.
pub(crate) fn measure(
    board: &'static Board,
    name: &str,
    model: Option<PathBuf>,
    export: &str,
) -> Result<Measured> {
    let model = Some(arranged(export, model)?);
    let bench = program("bench", &["log-rtt"]).board(board).model(model);
    let elf = bench.build()?.elf;
    let counted: Counted = json_line(&emulator::run_to_end(&elf, board)?)?;
    let flash = FlashImage::read(&elf)?.bytes.len() as u64;
    Ok(Measured {
        board: counted.board,
        core: board.processor.name(),
        kernel: counted.kernel,
        cell: counted.cell,
        hidden: counted.hidden,
        vocab: counted.vocab,
        macs_per_step: counted.macs_per_step,
        instructions_per_step: counted.instructions_per_step,
        text_bytes: flash - counted.model_bytes,
        model_bytes: counted.model_bytes,
        ram_bytes: counted.ram_bytes,
        model: name.to_owned(),
    })
}

/// A model, or the default one, in the layout for a target of `gatelet export`.
pub(crate) fn arranged(export: &str, model: Option<PathBuf>) -> Result<PathBuf> {
    let model = match model {
        Some(model) => std::path::absolute(model)?,
        None => root().join("firmware/models/default.gatelet"),
    };
    let name = model.file_stem().unwrap_or_default().to_string_lossy();
    let path = work_folder()?.join(format!("{name}-for-{export}.gatelet"));
    let mut command = gatelet()?;
    command
        .arg("export")
        .arg(model)
        .args(["--target", export, "--force", "--out"])
        .arg(&path);
    output(&mut command)?;
    Ok(path)
}

/// A model of [`SHAPE`] with random weights of so many bits, made by the trainer's program.
pub(crate) fn random_model(bits: &str) -> Result<PathBuf> {
    let shape = [&SHAPE[..], &["--bits", bits]].concat();
    let name = format!("random-lstm-h128-v64-{bits}.gatelet");
    random(&shape, &name)
}

/// A random model of any shape, in this program's folder.
pub(crate) fn random(shape: &[&str], name: &str) -> Result<PathBuf> {
    let path = work_folder()?.join(name);
    let mut command = gatelet()?;
    command
        .arg("random")
        .args(shape)
        .arg("--force")
        .arg("--out")
        .arg(&path);
    output(&mut command)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_the_place_of_that_of_its_board_and_weights() {
        let text = "date\tboard\tprocessor\tweights\tn\n1\ta\tp\tint8\t7\n1\t\tp\tint8\t8\n";
        let lines = "2\ta\tp\tint8\t6\n2\ta\tp\t4 bits\t5\n";
        let expected = "date\tboard\tprocessor\tweights\tn\n2\ta\tp\tint8\t6\n\
                        1\t\tp\tint8\t8\n2\ta\tp\t4 bits\t5\n";
        assert_eq!(replaced(text, lines), expected);
    }
}
