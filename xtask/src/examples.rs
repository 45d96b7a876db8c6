//! The examples, those of the course and of the streaming demos, in their short form: each asserts
//! its own result. And the letters of the course's last, on the board.
//!
//! ```text
//! for each example:   cargo run --example NAME -- --quick
//! letters:            the example trains a net, writes its int8 image and a list [{start, letters}]
//!                     the console is built with that image and boots in QEMU;  for each start:
//!                         type it;  as often as there are letters: the likeliest one is the list's; type that
//! the words:          the example suggests words from the committed model, and writes a list [{typed, words}]
//!                     the console is built with that model and boots in QEMU;  for each: type it; the same three words
//! ```
//! They are built without `-p`, as the tests are, so that nothing is compiled twice.

use anyhow::{Context, Result, ensure};

use crate::command::{cargo, root, run, shown};
use crate::emulator::Emulator;
use crate::firmware::{Log, console};

/// Where the short forms put their pictures and images: those of a whole run stay.
const OUT: &str = "target/course-quick";
/// Name, and what it is given besides.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("plain_network", &[]),
    ("manual_sequential", &[]),
    ("simple_rnn", &[]),
    ("bptt_by_hand", &[]),
    ("vanishing_gradients", &["--out", OUT]),
    ("exploding_gradients", &["--out", OUT]),
    ("lstm_gates", &["--out", OUT]),
    ("amplifier", &[]),
    ("voice", &[]),
];
/// How the console shows a blank among its suggestions.
const BLANK: char = '␣';

/// What the board has to say.
#[derive(serde::Deserialize)]
struct Line {
    start: String,
    letters: String,
}

/// The model of words.
const WORD_MODEL: &str = "firmware/models/chat-words.gatelet";

/// What is typed, and what the board has to suggest.
#[derive(serde::Deserialize)]
struct Suggestions {
    typed: String,
    words: Vec<String>,
}

/// Runs all of them but those of [`letters`] and [`words`].
pub(crate) fn all() -> Result<()> {
    for (name, arguments) in EXAMPLES {
        example(name, arguments)?;
    }
    Ok(())
}

fn example(name: &str, arguments: &[&str]) -> Result<()> {
    let mut command = cargo();
    command
        .args(["run", "-q", "--example", name, "--", "--quick"])
        .args(arguments);
    println!("$ {}", shown(&command));
    run(&mut command)
}

/// The example `next_letters` on this machine and in QEMU: the same letters.
pub(crate) fn letters() -> Result<()> {
    example("next_letters", &["--out", OUT])?;
    let image = root().join(OUT).join("next_letters.gatelet");
    let lines: Vec<Line> = list("next_letters.json")?;
    let build = console(Log::Semihosting).model(Some(image)).quiet();
    let mut board = Emulator::boot(&build.build()?.elf, false)?;
    board.prompt()?;
    for Line { start, letters } in &lines {
        let mut shown = board.type_text(start)?;
        for (place, letter) in letters.chars().enumerate() {
            let first = shown.panel.chars().next();
            let likeliest = first.map(|c| if c == BLANK { ' ' } else { c });
            ensure!(
                likeliest == Some(letter),
                "after {start:?} and {place} letters of {letters:?} the board says {:?}",
                shown.panel
            );
            shown = board.press(letter.encode_utf8(&mut [0; 4]))?;
        }
        println!("{start}[{letters}]");
        board.press("\r")?;
    }
    println!("the board says the same letters");
    Ok(())
}

/// The example `next_word` on this machine and in QEMU, with the model that is committed: the same
/// suggestions.
pub(crate) fn words() -> Result<()> {
    example("next_word", &["--out", OUT])?;
    let lines: Vec<Suggestions> = list("next_word.json")?;
    let model = root().join(WORD_MODEL);
    let build = console(Log::Semihosting).model(Some(model)).quiet();
    let mut board = Emulator::boot(&build.build()?.elf, false)?;
    board.prompt()?;
    for Suggestions { typed, words } in &lines {
        let shown = board.type_text(typed)?;
        let found: Vec<&str> = shown.panel.split("  ").collect();
        ensure!(
            found == *words,
            "after {typed:?} the board suggests {found:?}, the example {words:?}"
        );
        board.press("\r")?;
    }
    println!("{} times the board suggests the same words", lines.len());
    Ok(())
}

/// A list that an example has written.
fn list<T: serde::de::DeserializeOwned>(name: &str) -> Result<Vec<T>> {
    let path = root().join(OUT).join(name);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let lines: Vec<T> =
        serde_json::from_str(&text).with_context(|| format!("{} is no list", path.display()))?;
    ensure!(!lines.is_empty(), "{} is empty", path.display());
    Ok(lines)
}
