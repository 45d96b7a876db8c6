//! `gatelet eval`.

use super::out::{say, say_json};
use super::progress::ReadingBar;
use super::stream::{Input, Reads};
use crate::corpus::{Level, Reading, Vocabulary, validation_len};
use crate::error::{Error, Result};
use crate::evaluate::evaluate_part;
use crate::typing::type_text;

/// Which part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Split {
    /// The whole text.
    All,
    /// Its held-out last part, as in training.
    Valid,
}

/// Measure how well a model predicts a text.
///
/// Nats and bits a character, and how often the next character was the likeliest, or among the three likeliest. Of a model
/// of words: the same of tokens, and the keystrokes that its suggestions save who types the text (docs/training.md).
/// The text is prepared as the model's own was, and read in pieces: its size does not matter for the memory.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatelet eval runs/novels/best.safetensors corpora/novels.txt --split valid"
)]
pub(super) struct Args {
    /// Checkpoint or .gatelet image
    model: Input,
    /// Text
    text: Input,
    #[command(flatten)]
    reads: Reads,
    /// Part of the text to read
    #[arg(long, default_value = "all")]
    split: Split,
    /// Held-out fraction for --split valid [default: the model's own, or 0.1]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    valid_fraction: Option<f64>,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let any = args.model.model()?;
    let text = args.text.text_for(any.checkpoint.as_ref(), args.reads)?;
    let model = any.model();
    let bar = ReadingBar::new(&text);
    let progress = |bytes| bar.set(bytes);
    let reading = Reading::new(&text, model.rules(), Vocabulary::needed(&model)?, &progress);
    if let Some(fraction) = args.valid_fraction.filter(|x| !(*x > 0.0 && *x < 1.0)) {
        let rule = "it has to be above 0 and below 1";
        return Err(Error::Option {
            option: "valid-fraction",
            found: fraction.to_string(),
            rule,
        });
    }
    let part = match args.split {
        Split::All => 0..usize::MAX,
        Split::Valid => {
            let (len, sha256) = reading.measure()?;
            let from = model.provenance();
            let stored = any
                .checkpoint
                .as_ref()
                .map(|c| c.meta.config.valid_fraction);
            let same_text = from.corpus_sha256 == sha256 && from.heldout_tokens > 0;
            let held_out = match args.valid_fraction.or(stored) {
                None if same_text => (from.heldout_tokens as usize).min(len),
                fraction => validation_len(len, fraction.unwrap_or(0.1)),
            };
            len - held_out..len
        }
    };
    let have = part.len();
    let scores = evaluate_part(model, &reading, part.clone())?;
    let words = model.vocab().is_words() && scores.tokens > 0;
    let typing = words
        .then(|| type_text(model, &reading, part))
        .transpose()?;
    bar.clear();
    if scores.tokens == 0 {
        let why = "one to read and one to predict".to_owned();
        let part = if args.split == Split::All {
            "text"
        } else {
            "validation part"
        };
        return Err(Error::TooShort {
            unit: Level::of(&model.vocab()).unit(),
            name: text.name.clone(),
            part,
            have: have.min(reading.measure()?.0),
            need: 2,
            why,
        });
    }
    if args.json {
        let mut object = serde_json::to_value(scores).unwrap_or_default();
        if let Some(typing) = typing {
            object["typing"] = serde_json::to_value(typing).unwrap_or_default();
        }
        return say_json(object);
    }
    let unit = Level::of(&model.vocab()).unit();
    say(format!(
        "{:.4} nats, {:.4} bits a {unit}; top-1 {:.2} %, top-3 {:.2} %, over {} {unit}s",
        scores.nats,
        scores.bpc,
        100.0 * scores.top1,
        100.0 * scores.top3,
        scores.tokens
    ))?;
    if let Some(typing) = typing {
        say(format!(
            "words: top-1 {:.2} %, top-3 {:.2} %, over {} words, {:.2} % of them known",
            100.0 * typing.top1,
            100.0 * typing.top3,
            typing.words,
            100.0 * typing.known as f64 / typing.words.max(1) as f64
        ))?;
        say(format!(
            "typing with three suggestions: {} keystrokes for {} characters, {:.2} % saved",
            typing.keystrokes,
            typing.characters,
            100.0 * typing.savings
        ))?;
    }
    Ok(())
}
