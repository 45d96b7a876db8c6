//! What a net writes while it learns: one short sample an evaluation, kept in `samples.jsonl` of the run folder.
//!
//! ```text
//! prompt = the first whole words of the held-out text; nothing in a text of lines, where the net begins lines itself
//! text   = LENGTH characters at TEMPERATURE, from the same seed at every evaluation; WORDS tokens of a net of words
//! ```
//! Prompt and seed never change, so that the samples differ by what was learnt alone. The file is kept like
//! `metrics.jsonl`: a line is appended at every evaluation, and a resumed run drops the lines that its checkpoint does not
//! know of and writes them again, the same.

use std::path::Path;

use gatelet::{Kernel, Model, Sampler, Session, TokenId, WithKernel};
use serde::{Deserialize, Serialize};

use crate::data::corpus::Vocabulary;
use crate::data::corpus::words::{Joiner, shown_bytes};
use crate::error::{Error, Result};
use crate::files;
use crate::isa::isa;
use crate::quantize::export;
use crate::train::checkpoint::Checkpoint;
use crate::train::run::Metrics;

/// Name of the file in the run folder.
pub const FILE: &str = "samples.jsonl";
/// Characters written.
const LENGTH: usize = 200;
/// Tokens written by a net of words, and tokens of its prompt.
const WORDS: (usize, usize) = (40, 6);
/// Characters of the prompt, at most.
const PROMPT: usize = 24;
/// Low enough to read well, high enough not to run in circles.
const TEMPERATURE: f32 = 0.7;
/// Seed of the draw.
const SEED: u64 = 1;

/// One line of `samples.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Epochs done, with the fraction of the current one.
    pub epoch: f64,
    /// Optimizer steps done.
    pub step: u64,
    /// Characters trained on.
    pub characters: u64,
    /// Held-out loss, nats a character.
    pub valid_nats: f64,
    /// Where the text goes on from.
    pub prompt: String,
    /// What the net wrote.
    pub text: String,
    /// Temperature of the draw.
    pub temperature: f32,
    /// Seed of the draw.
    pub seed: u64,
}

struct Write1<'a> {
    model: Model<'a>,
    prompt: &'a [u16],
}

impl WithKernel for Write1<'_> {
    type Output = Result<String>;

    fn run<K: Kernel>(self, kernel: K) -> Self::Output {
        let mut storage = crate::image::storage(self.model.net());
        let mut session =
            Session::new(&self.model, kernel, &mut storage).map_err(Error::inference)?;
        let mut sampler = Sampler::new(SEED)
            .with_temperature(TEMPERATURE)
            .map_err(Error::inference)?;
        session.begin();
        for &id in self.prompt {
            session.read(TokenId(id)).map_err(Error::inference)?;
        }
        let vocab = self.model.vocab();
        let length = if vocab.is_words() { WORDS.0 } else { LENGTH };
        let mut joiner = Joiner::new(vocab);
        let mut before = String::new();
        for &id in self.prompt {
            joiner.push(TokenId(id), &mut before);
        }
        let mut text = String::new();
        for _ in 0..length {
            let id = sampler.sample(&session.logits());
            joiner.push(id, &mut text);
            session.read(id).map_err(Error::inference)?;
        }
        Ok(text)
    }
}

/// Tokens of held-out text in which a prompt is looked for.
pub const START: usize = 2 * PROMPT;

/// The first whole words of a text, if there are any in reach; else its first characters.
fn prompt(vocab: &Vocabulary, held_out: &[u16]) -> (Vec<u16>, String) {
    let chars = vocab.chars();
    let start: Vec<char> = held_out
        .iter()
        .take(START)
        .filter_map(|&id| chars.get(usize::from(id)).copied())
        .collect();
    let first = start.iter().take(PROMPT).position(|c| c.is_whitespace());
    let from = first.map_or(0, |blank| blank + 1);
    let reach = &start[from..start.len().min(from + PROMPT)];
    let to = match reach.iter().rposition(|c| c.is_whitespace()) {
        Some(blank) if blank > 0 => from + blank + 1,
        _ => from + reach.len(),
    };
    (
        held_out[from..to].to_vec(),
        start[from..to].iter().collect::<String>(),
    )
}

/// Lets the net of a checkpoint write.
///
/// # Errors
/// [`Error::Export`] or [`Error::Inference`]; neither happens for parameters that are finite.
pub fn write(checkpoint: &Checkpoint, held_out: &[u16], at: &Metrics) -> Result<Sample> {
    let isa = isa()?;
    let image = export::f32_image(checkpoint)?.for_isa(isa)?;
    let model = image
        .model()
        .map_err(|error| Error::Export(error.to_string()))?;
    let (tokens, prompt) = match model.vocab().is_words() {
        _ if model.rules().lines => (Vec::new(), String::new()),
        false => prompt(checkpoint.vocabulary()?, held_out),
        true => {
            let tokens = &held_out[..held_out.len().min(WORDS.1)];
            let (mut joiner, mut text) = (Joiner::new(model.vocab()), String::new());
            for &id in tokens {
                joiner.push(TokenId(id), &mut text);
            }
            (tokens.to_vec(), text)
        }
    };
    let text = isa.run(Write1 {
        model,
        prompt: &tokens,
    })?;
    let (prompt, text) = match model.vocab().is_bytes() {
        true => (shown_bytes(&prompt), shown_bytes(&text)),
        false => (prompt, text),
    };
    Ok(Sample {
        epoch: at.epoch,
        step: at.step,
        characters: at.characters,
        valid_nats: at.valid_nats,
        prompt,
        text,
        temperature: TEMPERATURE,
        seed: SEED,
    })
}

/// Appends a sample to those of the run in `folder`.
///
/// # Errors
/// [`Error::Write`]; then the file is as it was.
pub fn append(folder: &Path, sample: &Sample) -> Result<()> {
    let path = folder.join(FILE);
    let line = serde_json::to_string(sample).map_err(|error| Error::Write {
        path: path.clone(),
        source: error.into(),
    })?;
    files::append(&path, &(line + "\n"))
}

/// The samples of a run; none when it has no such file. Lines torn by a kill are left out.
///
/// # Errors
/// [`Error::Read`].
pub fn read(folder: &Path) -> Result<Vec<Sample>> {
    let path = folder.join(FILE);
    match files::read_plain(&path, files::LOG) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(Error::Read { path, source }),
        // A torn line may end within a character.
        Ok(bytes) => Ok(bytes
            .split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect()),
    }
}

/// Drops the samples after `step`, and lines torn by a kill.
///
/// # Errors
/// [`Error::Read`] or [`Error::Write`].
pub fn rewind(folder: &Path, step: u64) -> Result<()> {
    let path = folder.join(FILE);
    let bytes = match files::read_plain(&path, files::LOG) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?,
    };
    // A line of another version of this program is kept though it is not understood; a torn one is no JSON.
    let lines = bytes
        .split_inclusive(|&byte| byte == b'\n')
        .filter(|line| {
            serde_json::from_slice::<serde_json::Value>(line)
                .is_ok_and(|line| line["step"].as_u64().is_some_and(|at| at <= step))
                && line.ends_with(b"\n")
        })
        .collect::<Vec<_>>()
        .concat();
    if lines == bytes {
        return Ok(());
    }
    files::write(&path, &lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn sample(step: u64) -> Sample {
        Sample {
            epoch: 0.5,
            step,
            characters: 10,
            valid_nats: 1.25,
            prompt: "é \"".into(),
            text: "line\nline".into(),
            temperature: TEMPERATURE,
            seed: 1,
        }
    }

    #[test]
    fn later_and_torn_lines_are_dropped_and_good_ones_keep_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        rewind(folder.path(), 5).unwrap();
        assert!(!path.exists());
        assert_eq!(read(folder.path()).unwrap(), []);
        let line = |step| serde_json::to_string(&sample(step)).unwrap() + "\n";
        let torn = &line(3).into_bytes()[..line(3).find('é').unwrap() + 1];
        fs::write(
            &path,
            [line(1).as_bytes(), line(2).as_bytes(), torn].concat(),
        )
        .unwrap();
        assert_eq!(read(folder.path()).unwrap(), [sample(1), sample(2)]);
        rewind(folder.path(), 2).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), line(1) + &line(2));
        rewind(folder.path(), 1).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), line(1));
    }
}
