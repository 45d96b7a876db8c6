//! `gatelet eval`.

use super::out::{say, say_json};
use super::progress::ReadingBar;
use super::stream::{Input, Reads};
use crate::analysis::typing::type_text;
use crate::any_model::AnyModel;
use crate::data::corpus::lines::arrange;
use crate::data::corpus::{
    CorpusOptions, HeldOut, IN_MEMORY, Level, Reading, Rules, Text, Unknowns, Vocabulary,
};
use crate::error::{Error, Result};
use crate::evaluate::evaluate_part;

/// What is held out of a text whose model does not say.
const FRACTION: f64 = 0.1;

/// Which part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The whole text.
    All,
    /// Its held-out last part, or the held-out lines of a list, as in training.
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
    split: Part,
    /// Held-out fraction for --split valid [default: the model's own, or 0.1]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    valid_fraction: Option<f64>,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

/// A list in the order of its model, with what is held out of it at its end: the part that is asked for, or that the run held
/// out.
fn arranged(args: &Args, any: &AnyModel, text: Text) -> Result<Text> {
    let model = any.model();
    if !model.rules().lines {
        return Ok(text);
    }
    let (from, vocab) = (model.provenance(), Vocabulary::needed(&model)?);
    let held_out = match args.valid_fraction.or(stored_fraction(any)) {
        None if from.heldout_tokens > 0 && from.corpus_sha256 == text.sha256()? => {
            HeldOut::Tokens(from.heldout_tokens as usize)
        }
        fraction => HeldOut::Fraction(fraction.unwrap_or(FRACTION)),
    };
    let rules = Rules::of(model.rules(), &vocab);
    let options = CorpusOptions {
        level: vocab.level(),
        rules: rules.text,
        keep_cr: rules.keep_cr,
        ..CorpusOptions::default()
    };
    arrange(text, &options, held_out, (IN_MEMORY, &std::env::temp_dir()))
}

/// What the run of a checkpoint held out.
fn stored_fraction(any: &AnyModel) -> Option<f64> {
    let checkpoint = any.checkpoint.as_ref();
    Some(checkpoint?.meta.config.as_ref()?.valid_fraction)
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let any = args.model.model()?;
    if let Some(fraction) = args.valid_fraction.filter(|x| !(*x > 0.0 && *x < 1.0)) {
        let rule = "it has to be above 0 and below 1";
        return Err(Error::Option {
            option: "valid-fraction",
            found: fraction.to_string(),
            rule,
        });
    }
    let text = args.text.text_for(any.checkpoint.as_ref(), args.reads)?;
    let text = arranged(args, &any, text)?;
    let model = any.model();
    let bar = ReadingBar::new(&text);
    let progress = |bytes| bar.set(bytes);
    let reading = Reading::new(&text, model.rules(), Vocabulary::needed(&model)?, &progress);
    let part = match args.split {
        Part::All => 0..usize::MAX,
        Part::Valid => {
            let (len, sha256) = reading.measure()?;
            let from = model.provenance();
            let fraction = args.valid_fraction.or(stored_fraction(&any));
            let same_text = from.corpus_sha256 == sha256 && from.heldout_tokens > 0;
            let split = text.split(len, fraction.unwrap_or(FRACTION));
            let train = match fraction {
                None if same_text => len - (from.heldout_tokens as usize).min(len),
                _ => split.train,
            };
            train..len
        }
    };
    let have = part.len();
    let counted = Unknowns::new(&reading, model.vocab().unknown().map(|id| id.0));
    let scores = evaluate_part(model, &counted, part.clone())?;
    let unknown = model.vocab().unknown().map(|_| counted.share());
    let words = model.vocab().is_words() && scores.tokens > 0;
    let typing = words
        .then(|| type_text(model, &reading, part))
        .transpose()?;
    bar.clear();
    if scores.tokens == 0 {
        let why = "one to read and one to predict".to_owned();
        let part = if args.split == Part::All {
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
        if let Some(unknown) = unknown {
            object["unknown"] = unknown.into();
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
    if let Some(unknown) = unknown {
        let part = 100.0 * unknown;
        say(format!("{part:.2} % of them are the unknown token"))?;
    }
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
