//! `gatelet generate`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, StdoutLock, Write};

use gatelet::visible::Marks;
use gatelet::{Kernel, Model, Sampler, Session, TokenId, WithKernel};
use serde_json::json;

use super::out::{say, say_json};
use super::stream::{Input, Phrase, Reads};
use crate::data::corpus::Vocabulary;
use crate::data::corpus::words::{Joiner, byte_shown, shown_bytes, to_bytes};
use crate::error::{Error, Result};
use crate::evaluate::log_probability;
use crate::image::storage;
use crate::isa::isa;

/// Let a model write.
///
/// A model of bytes writes them as they are into a file or a pipe, and what is no ASCII as \\xNN on a terminal.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatelet generate runs/novels/best.safetensors --length 300 --prompt \"Emma \" --temperature 0.7"
)]
pub(super) struct Args {
    /// Checkpoint or .gatelet image
    model: Input,
    /// Characters to write, or bytes; tokens (words, marks, line breaks) for a model of words
    #[arg(long, value_name = "N")]
    length: usize,
    /// Text to go on from; - alone reads it from standard input, without its last line break
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        allow_hyphen_values = true
    )]
    prompt: Phrase,
    #[command(flatten)]
    reads: Reads,
    /// 0 takes the likeliest each time; higher is more varied
    #[arg(
        long,
        value_name = "X",
        default_value_t = 0.8,
        allow_negative_numbers = true
    )]
    temperature: f64,
    /// Draw from the N likeliest only [default: all]
    #[arg(long, value_name = "N")]
    top_k: Option<usize>,
    /// Draw from the fewest likeliest whose probabilities sum up to X [default: all]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    top_p: Option<f64>,
    /// The same seed writes the same text
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write to a terminal what would be written to a file, without marks
    #[arg(long)]
    raw: bool,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

struct Generate<'a> {
    model: Model<'a>,
    prompt: &'a [u16],
    length: usize,
    sampler: Sampler,
    /// Told every piece of text as soon as it is there.
    each: &'a mut dyn FnMut(&str) -> Result<()>,
}

impl WithKernel for Generate<'_> {
    type Output = Result<()>;

    fn run<K: Kernel>(mut self, kernel: K) -> Self::Output {
        let mut storage = storage(self.model.net());
        let mut session =
            Session::new(&self.model, kernel, &mut storage).map_err(Error::inference)?;
        let (mut joiner, mut piece) = (Joiner::new(self.model.vocab()), String::new());
        session.begin();
        for &id in self.prompt {
            session.read(TokenId(id)).map_err(Error::inference)?;
            joiner.push(TokenId(id), &mut piece);
        }
        for _ in 0..self.length {
            let id = self.sampler.sample(&session.logits());
            // One that is no number makes all of a softmax none.
            if log_probability(&session.logits(), id).0.is_nan() {
                return Err(Error::NoProbabilities);
            }
            piece.clear();
            joiner.push(id, &mut piece);
            (self.each)(&piece)?;
            session.read(id).map_err(Error::inference)?;
        }
        Ok(())
    }
}

/// Text on its way to standard output: as it is into a file or a pipe, on a terminal without a character that acts on it.
struct Shown {
    out: StdoutLock<'static>,
    marks: Option<Marks<String>>,
    /// What comes are bytes as characters.
    bytes: bool,
    /// Bytes since the last flush.
    waiting: usize,
}

impl Shown {
    /// Nothing yet.
    fn new(bytes: bool, raw: bool) -> Self {
        let out = io::stdout().lock();
        let marked = out.is_terminal() && !raw;
        Self {
            out,
            marks: marked.then(|| Marks::text(String::new())),
            bytes,
            waiting: 0,
        }
    }

    /// Writes a piece.
    fn push(&mut self, piece: &str) -> Result<()> {
        match &mut self.marks {
            None if self.bytes => self.out.write_all(&to_bytes(piece))?,
            None => self.out.write_all(piece.as_bytes())?,
            Some(marks) => {
                // A String takes everything.
                let _ = match self.bytes {
                    true => to_bytes(piece).into_iter().try_for_each(|byte| match byte {
                        b'\n' => marks.write_char('\n'),
                        byte => marks.write_str(&byte_shown(byte)),
                    }),
                    false => marks.write_str(piece),
                };
                let marked = std::mem::take(marks.out());
                self.out.write_all(marked.as_bytes())?;
            }
        }
        // A line at a time is what a reader sees; no flush for every character.
        self.waiting += piece.len();
        if self.waiting >= 64 {
            self.waiting = 0;
            self.out.flush()?;
        }
        Ok(())
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let option = |option, found: &dyn ToString, rule| Error::Option {
        option,
        found: found.to_string(),
        rule,
    };
    let rule = "it has to be 0 (always the likeliest) or from 0.01 to 100";
    let mut sampler = Sampler::new(args.seed)
        .with_temperature(args.temperature as f32)
        .map_err(|_| option("temperature", &args.temperature, rule))?;
    if let Some(k) = args.top_k {
        sampler = sampler
            .with_top_k(k)
            .map_err(|_| option("top-k", &k, "it has to be at least 1"))?;
    }
    if let Some(p) = args.top_p {
        let rule = "it has to be from 0.001 to 1 (1 keeps every character)";
        sampler = sampler
            .with_top_p(p as f32)
            .map_err(|_| option("top-p", &p, rule))?;
    }
    let any = args.model.model()?;
    let model = any.model();
    let heard = args.prompt.read(&model, args.reads.encoding)?;
    let prompt = Vocabulary::needed(&model)?.encode(&heard.prepared, "prompt")?;
    let mut text = String::new();
    let bytes = model.vocab().is_bytes();
    let mut shown = (!args.json).then(|| Shown::new(bytes, args.raw));
    // Bytes in a file are those of the model and no more.
    let ends = shown
        .as_ref()
        .is_some_and(|shown| !bytes || shown.marks.is_some());
    if let Some(shown) = &mut shown {
        shown.push(if bytes { &heard.prepared } else { &heard.typed })?;
    }
    let mut each = |piece: &str| {
        text.push_str(piece);
        shown.as_mut().map_or(Ok(()), |shown| shown.push(piece))
    };
    isa()?.run(Generate {
        model,
        prompt: &prompt,
        length: args.length,
        sampler,
        each: &mut each,
    })?;
    drop(shown);
    if args.json {
        let mut object = json!({ "prompt": heard.typed, "text": text, "temperature": args.temperature, "seed": args.seed });
        if bytes {
            object["text"] = shown_bytes(&text).into();
            object["bytes"] = to_bytes(&text).into();
        }
        return say_json(object);
    }
    if ends {
        say("")
    } else {
        Ok(io::stdout().flush()?)
    }
}
