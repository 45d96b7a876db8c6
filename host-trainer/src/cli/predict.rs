//! `gatelet predict`.

use serde_json::json;

use super::out::{say, say_json};
use super::stream::{Input, Phrase, Reads};
use crate::analysis::suggest::{Typed, suggest};
use crate::data::corpus::words::byte_shown;
use crate::error::{Error, Result};

/// Show the most likely next characters after a prefix.
///
/// Of a model of bytes: the most likely next bytes; \\xNN in the prefix is the byte NN.
/// Of a model of words: the most likely next tokens, or, if the prefix ends within a word, the words that begin with its
/// letters.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  gatelet predict runs/novels/best.safetensors \"It is a truth universally ack\" --top 5"
)]
pub(super) struct Args {
    /// Checkpoint or .gatelet image
    model: Input,
    /// What has been typed so far; - alone reads it from standard input, without its last line break
    #[arg(allow_hyphen_values = true)]
    prefix: Phrase,
    #[command(flatten)]
    reads: Reads,
    /// Suggestions to show
    #[arg(long, value_name = "N", default_value_t = 3)]
    top: usize,
    /// Print the result as one JSON object on the last line of stdout
    #[arg(long)]
    json: bool,
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
    let any = args.model.model()?;
    let model = any.model();
    let prefix = args.prefix.read(&model, args.reads.encoding)?;
    let typed = Typed::prepared(&model, &prefix.prepared, "prefix")?;
    let likely = suggest(model, &typed)?.into_iter().take(args.top);
    if model.vocab().is_words() {
        let words: Vec<(String, f64)> = likely
            .filter_map(|(id, p)| Some((model.vocab().word(id)?.to_string(), p)))
            .collect();
        if args.json {
            let list = words.iter().map(|(w, p)| json!({ "token": w, "p": p }));
            let list: Vec<_> = list.collect();
            return say_json(json!({ "prefix": prefix.typed, "suggestions": list }));
        }
        if words.is_empty() {
            return say(format!(
                "no word that it knows begins with {:?}",
                typed.begun
            ));
        }
        for (word, p) in words {
            say(format!("{:<16} {:5.1} %", format!("{word:?}"), 100.0 * p))?;
        }
        return Ok(());
    }
    let bytes = model.vocab().is_bytes();
    let suggestions: Vec<(char, f64)> = likely
        .filter_map(|(id, p)| model.vocab().char_of(id).map(|c| (c, p)))
        .collect();
    if args.json {
        let list: Vec<_> = suggestions
            .iter()
            .map(|(c, p)| match bytes {
                true => json!({ "byte": *c as u8, "p": p }),
                false => json!({ "char": c, "p": p }),
            })
            .collect();
        return say_json(json!({ "prefix": prefix.typed, "suggestions": list }));
    }
    for (c, p) in suggestions {
        let shown = match bytes {
            true => format!("'{}'", byte_shown(c as u8)),
            false => format!("{c:?}"),
        };
        say(format!("{shown:<6} {:5.1} %", 100.0 * p))?;
    }
    Ok(())
}
