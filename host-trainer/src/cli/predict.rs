//! `gatelet predict`.

use std::path::PathBuf;

use gatelet::{Kernel, Model, Session, TokenId, WithKernel};
use serde_json::json;

use super::{say, typed};
use crate::error::{Error, Result};
use crate::evaluate::log_probability;
use crate::image::{AnyModel, isa, storage};

/// Show the most likely next characters after a prefix.
///
/// Of a model of words: the most likely next tokens, or, if the prefix ends within a word, the words that begin with its
/// letters.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatelet predict runs/novels/best.safetensors \"It is a truth universally ack\" --top 5"
)]
pub(super) struct Args {
    /// Checkpoint or .gatelet image
    model: PathBuf,
    /// What has been typed so far
    prefix: String,
    /// Suggestions to show
    #[arg(long, value_name = "N", default_value_t = 3)]
    top: usize,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
}

struct Predict<'a> {
    model: Model<'a>,
    tokens: &'a [u16],
    /// The letters that a suggestion begins with.
    begun: &'a str,
}

impl WithKernel for Predict<'_> {
    /// Every token that can be written here with its probability, the likeliest first.
    type Output = Result<Vec<(TokenId, f64)>>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let mut storage = storage(&self.model.dims());
        let mut session =
            Session::new(self.model, kernel, &mut storage).map_err(Error::inference)?;
        for &id in self.tokens {
            session.step(TokenId(id)).map_err(Error::inference)?;
        }
        let logits = session.logits();
        let mut all: Vec<(usize, TokenId, f64)> = (0..logits.len())
            .map(|id| TokenId(id as u16))
            .map(|id| {
                let (log, before) = log_probability(&logits, id);
                (before, id, log.exp())
            })
            .collect();
        all.sort_unstable_by_key(|&(before, id, _)| (before, id));
        // The unknown token is nothing that is written: what can be shares its probability, as on a device.
        let unknown = self.model.vocab().unknown();
        let hidden = all.iter().find(|&&(_, id, _)| Some(id) == unknown);
        let mut shared = 1.0 - hidden.map_or(0.0, |&(_, _, p)| p);
        all.retain(|&(_, id, _)| Some(id) != unknown);
        if !self.begun.is_empty() {
            let fitting = self.model.vocab().with_prefix(self.begun);
            all.retain(|&(_, id, _)| fitting.contains(&id.0));
            shared = all.iter().map(|&(_, _, p)| p).sum();
        }
        Ok(all.into_iter().map(|(_, id, p)| (id, p / shared)).collect())
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    if args.top == 0 {
        return Err(Error::Option {
            option: "top",
            found: "0".to_owned(),
            rule: "it has to be at least 1",
        });
    }
    let any = AnyModel::read(&args.model)?;
    let model = any.model();
    let (tokens, begun) = typed(&model, &args.prefix, "prefix")?;
    let likely = isa()?.run(Predict {
        model,
        tokens: &tokens,
        begun: &begun,
    })?;
    let likely = likely.into_iter().take(args.top);
    if model.vocab().is_words() {
        let words: Vec<(String, f64)> = likely
            .filter_map(|(id, p)| Some((model.vocab().word(id)?.to_string(), p)))
            .collect();
        if args.json {
            let list = words.iter().map(|(w, p)| json!({ "token": w, "p": p }));
            let list: Vec<_> = list.collect();
            return say(json!({ "prefix": args.prefix, "suggestions": list }));
        }
        if words.is_empty() {
            return say(format!("no word that it knows begins with {begun:?}"));
        }
        for (word, p) in words {
            say(format!("{:<16} {:5.1} %", format!("{word:?}"), 100.0 * p))?;
        }
        return Ok(());
    }
    let suggestions: Vec<(char, f64)> = likely
        .filter_map(|(id, p)| model.vocab().char_of(id).map(|c| (c, p)))
        .collect();
    if args.json {
        let list: Vec<_> = suggestions
            .iter()
            .map(|(c, p)| json!({ "char": c, "p": p }))
            .collect();
        return say(json!({ "prefix": args.prefix, "suggestions": list }));
    }
    for (c, p) in suggestions {
        say(format!("{:<6} {:5.1} %", format!("{c:?}"), 100.0 * p))?;
    }
    Ok(())
}
