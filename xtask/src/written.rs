//! The board writes by itself: the same text as `gatelet generate`, from the same image, seed and
//! settings.
//!
//! ```text
//! the console boots in QEMU; a start is typed;  Ctrl-G, several times: what the line shows is the end of
//!     start + `gatelet generate IMAGE --prompt START --length (tokens so far) --seed S ...`
//! Ctrl-N, and once more with seed S + 1
//! of lines: the fresh line shows the likeliest of `gatelet predict IMAGE ""`
//! ```
//! A line wider than the terminal shows its end, which is longer than what one Ctrl-G writes: so
//! every token is seen.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::command::{gatelet, json_line, output, root, work_folder};
use crate::emulator::Emulator;
use crate::firmware::{Log, console};

const SEED: u64 = 5;
/// Variable of `firmware/build.rs`, option of `gatelet generate`, value.
type Setting = (&'static str, &'static str, &'static str);
const SETTINGS: [Setting; 3] = [
    ("GATELET_TEMPERATURE", "--temperature", "0.7"),
    ("GATELET_TOP_K", "--top-k", "20"),
    ("GATELET_TOP_P", "--top-p", "0.9"),
];
/// Times that Ctrl-G is pressed in a row.
const TIMES: usize = 4;

/// What is written, and by which model.
struct Case<'a> {
    /// From the clone's root folder.
    model: &'a str,
    start: &'a str,
    /// Tokens that one Ctrl-G writes.
    tokens: usize,
    settings: &'static [Setting],
    /// Spaces are not compared: a board of words has them where a person would type them.
    words: bool,
    /// A fresh line has predictions.
    lines: bool,
}

/// The committed models: of characters, and of words.
pub(crate) fn same_text() -> Result<()> {
    compare(&Case {
        model: "firmware/models/default.gatelet",
        start: "Emma ",
        tokens: 24,
        settings: &SETTINGS,
        words: false,
        lines: false,
    })?;
    compare(&Case {
        model: "firmware/models/chat-words.gatelet",
        start: "can i have your na",
        tokens: 4,
        // The model leaves no flash for the others.
        settings: &SETTINGS[..1],
        words: true,
        lines: false,
    })?;
    compare(&Case {
        model: &list_model()?,
        start: "co",
        tokens: 24,
        settings: &SETTINGS,
        words: false,
        lines: true,
    })
}

/// Trains a small net on a list, of the words of the novels, and gives the path of its image.
fn list_model() -> Result<String> {
    let folder = work_folder()?;
    let novels = fs::read_to_string(root().join("corpora/novels.txt"))?;
    let words = novels.split(|c: char| !c.is_ascii_lowercase());
    let words: BTreeSet<&str> = words.filter(|word| word.len() > 3).collect();
    let (list, run, image) = (
        folder.join("list.txt"),
        folder.join("list"),
        folder.join("list.gatelet"),
    );
    let words: Vec<&str> = words.into_iter().collect();
    fs::write(&list, words.join("\n"))?;
    let mut train = gatelet()?;
    train.arg("train").arg(&list).arg("--out").arg(&run);
    let small = "--force --quiet --hidden 24 --batch 16 --window 32 --epochs 1";
    output(train.args(small.split(' ')))?;
    let mut export = gatelet()?;
    export.arg("export").arg(run.join("best.safetensors"));
    let to = export.arg("--out").arg(&image);
    output(to.args(["--force", "--accept-loss", "--target", "cortex-m4"]))?;
    Ok(image.display().to_string())
}

fn compare(case: &Case<'_>) -> Result<()> {
    let mut build = console(Log::Semihosting)
        .model(Some(root().join(case.model)))
        .variable("GATELET_SEED", SEED)
        .variable("GATELET_WRITE", case.tokens)
        .quiet();
    for &(variable, _, value) in case.settings {
        build = build.variable(variable, value);
    }
    let mut board = Emulator::boot(&build.build()?.elf, false)?;
    let fresh = board.prompt()?;
    if case.lines {
        let wanted = case.first()?;
        let shown: Vec<char> = fresh
            .panel
            .split('%')
            .filter_map(|s| s.trim().chars().next())
            .collect();
        ensure!(
            shown == wanted && !fresh.completion.trim().is_empty(),
            "a fresh line shows {fresh:?}, this machine predicts {wanted:?}"
        );
    }
    for seed in [SEED, SEED + 1] {
        let typed = board.type_text(case.start)?;
        let mut before = case.comparable(&typed.typed);
        for times in 1..=TIMES {
            let line = board.press("\x07")?;
            ensure!(line.panel == format!("seed {seed}"), "{line:?}");
            let wanted = case.comparable(&case.host(seed, times * case.tokens)?);
            let shown = case.comparable(&line.typed);
            let new = wanted.chars().count() - before.chars().count();
            ensure!(
                wanted.starts_with(&before) && wanted.ends_with(&shown),
                "seed {seed}, {times} times Ctrl-G: the board shows {shown:?}, this machine writes {wanted:?}"
            );
            ensure!(
                new >= case.tokens && shown.chars().count() >= new,
                "{new} new characters cannot be seen in {shown:?}"
            );
            before = wanted;
        }
        println!("seed {seed}: {before}");
        // Written text is like typed text; Enter ends the line, Ctrl-N has the next seed.
        let back = board.press("\x7f")?;
        ensure!(!back.panel.starts_with("seed"), "Backspace: {back:?}");
        board.press("\r")?;
        let other = board.press("\x0e")?;
        ensure!(other.panel == format!("seed {}", seed + 1), "{other:?}");
    }
    println!("{}: the board writes the same text", case.model);
    Ok(())
}

impl Case<'_> {
    /// What this machine's `gatelet` predicts first.
    fn first(&self) -> Result<Vec<char>> {
        let mut predict = gatelet()?;
        predict.arg("predict").arg(root().join(self.model));
        let found: serde_json::Value = json_line(&output(predict.args(["", "--json"]))?)?;
        let list = found["suggestions"].as_array().context("no suggestions")?;
        let text = list
            .iter()
            .filter_map(|one| one["char"].as_str()?.chars().next());
        Ok(text.collect())
    }

    /// What this machine's `gatelet` has after `length` tokens, with the start.
    fn host(&self, seed: u64, length: usize) -> Result<String> {
        #[derive(serde::Deserialize)]
        struct Written {
            text: String,
        }
        let mut generate = gatelet()?;
        generate
            .arg("generate")
            .arg(root().join(self.model))
            .args(["--prompt", self.start, "--json"])
            .args(["--length", &length.to_string()])
            .args(["--seed", &seed.to_string()]);
        for &(_, option, value) in self.settings {
            generate.args([option, value]);
        }
        let Written { text } = json_line(&output(&mut generate)?)?;
        Ok(format!("{}{text}", self.start))
    }

    /// A text as it is compared: without the mark of a cut line, line feeds as the console shows
    /// them.
    fn comparable(&self, text: &str) -> String {
        text.trim_start_matches('<')
            .chars()
            .map(|c| if c == '\n' { '↵' } else { c })
            .filter(|&c| !(self.words && c == ' '))
            .collect()
    }
}
