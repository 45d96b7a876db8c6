//! The board writes by itself: the same text as `gatelet generate`, from the same image, seed and settings.
//!
//! ```text
//! the console boots in QEMU; a start is typed;  Ctrl-G, several times: what the line shows is the end of
//!     start + `gatelet generate IMAGE --prompt START --length (tokens so far) --seed S ...`
//! Ctrl-N, and once more with seed S + 1
//! ```
//! A line wider than the terminal shows its end, which is longer than what one Ctrl-G writes: so every token is seen.

use anyhow::{Result, ensure};

use crate::command::{gatelet, output, root};
use crate::emulator::Emulator;
use crate::firmware::{Log, console};
use crate::selftest::json_line;

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
struct Case {
    model: &'static str,
    start: &'static str,
    /// Tokens that one Ctrl-G writes.
    tokens: usize,
    settings: &'static [Setting],
    /// Spaces are not compared: a board of words has them where a person would type them.
    words: bool,
}

/// The committed models: of characters, and of words.
pub(crate) fn same_text() -> Result<()> {
    compare(&Case {
        model: "firmware/models/default.gatelet",
        start: "Emma ",
        tokens: 24,
        settings: &SETTINGS,
        words: false,
    })?;
    compare(&Case {
        model: "firmware/models/chat-words.gatelet",
        start: "can i have your na",
        tokens: 4,
        // The model leaves no flash for the others.
        settings: &SETTINGS[..1],
        words: true,
    })
}

fn compare(case: &Case) -> Result<()> {
    let mut build = console(Log::Semihosting)
        .model(Some(root().join(case.model)))
        .variable("GATELET_SEED", SEED)
        .variable("GATELET_WRITE", case.tokens)
        .quiet();
    for &(variable, _, value) in case.settings {
        build = build.variable(variable, value);
    }
    let mut board = Emulator::boot(&build.build()?.elf, false)?;
    board.prompt()?;
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

impl Case {
    /// What this machine's `gatelet` has after `length` tokens, with the start.
    fn host(&self, seed: u64, length: usize) -> Result<String> {
        #[derive(serde::Deserialize)]
        struct Written {
            text: String,
        }
        let mut generate = gatelet();
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

    /// A text as it is compared: without the mark of a cut line, line feeds as the console shows them.
    fn comparable(&self, text: &str) -> String {
        text.trim_start_matches('<')
            .chars()
            .map(|c| if c == '\n' { '↵' } else { c })
            .filter(|&c| !(self.words && c == ' '))
            .collect()
    }
}
