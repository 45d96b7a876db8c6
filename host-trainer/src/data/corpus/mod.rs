//! Text to tokens: vocabulary, split, and the hash that names the text; of any size.
//!
//! ```text
//! pass 1:  text --rules--> characters: how often each, how many, and the SHA-256 of the bytes
//! vocabulary = distinct characters (or the most frequent), sorted by code point;  id(c) = rank of c
//!              at the level of words, words and marks in place of characters ([`words`])
//! pass 2:  characters --vocabulary--> tokens, in memory or in a file;  the same hash, or the text has changed
//! train | validation = tokens[..n - v] | tokens[n - v..],  v = floor(fraction * n);  of a list, its held-out lines ([`lines`])
//! ```
//!
//! Memory: for a text that is held, its bytes and two a character. For a longer one, whatever its size, less than 12 MiB:
//! one block of [`text`], a table by code point, and the tokens in a file of one or two bytes a character.

pub mod decode;
pub mod encoder;
pub mod lines;
mod options;
mod plain;
pub mod prepare;
pub mod reading;
pub mod recognise;
mod split;
pub mod text;
pub mod tokens;
pub mod vocabulary;
pub mod words;

use std::ops::Range;
use std::path::Path;

pub use decode::Encoding;
pub use encoder::Encoder;
pub use options::CorpusOptions;
pub use plain::Changes;
pub use prepare::{Normalise, Rules, prepare};
pub use reading::Reading;
pub use recognise::{Looks, looks};
pub use split::{HeldOut, List, Split};
pub use text::{IN_MEMORY, Pass, Seen, Text, UNSIZED};
pub use tokens::{Tokens, Unknowns};
pub use vocabulary::{Counts, MAX_VOCAB, Vocabulary};
pub use words::Level;

use crate::error::{Error, Result};
use crate::hex::hex;
use tokens::{Store, TokenFile};

/// What the first pass over a text says: everything but the tokens.
#[derive(Clone, Debug)]
pub struct Outline {
    name: String,
    seen: Seen,
    vocab: Vocabulary,
    rules: Rules,
    len: usize,
    train_len: usize,
}

/// A text turned into tokens, split for training.
#[derive(Debug)]
pub struct Corpus {
    /// Name of the text.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Its vocabulary.
    pub vocab: Vocabulary,
    /// Number of tokens in the training part, the first of the text.
    pub train_len: usize,
    len: usize,
    store: Store,
}

impl Outline {
    /// SHA-256 of the text's bytes.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.seen.sha256
    }

    /// What the text is in, and what became of its line ends.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The vocabulary.
    pub fn vocab(&self) -> &Vocabulary {
        &self.vocab
    }

    /// Number of tokens in the training part.
    pub fn train_len(&self) -> usize {
        self.train_len
    }

    /// Reads `text` once.
    ///
    /// # Errors
    /// [`Error::EmptyCorpus`], [`Error::OneCharacter`], [`Error::VocabularyTooLarge`], or as [`Text::pass`].
    pub fn of(text: &Text, options: &CorpusOptions) -> Result<Self> {
        let mut counts = Counts::new(options.level);
        let pass = text.pass(options.rules(), &mut |piece, _| {
            counts.add(piece);
            Ok(true)
        })?;
        let Pass::Whole(seen) = pass else {
            return Err(text.changed());
        };
        counts.finish();
        let len = counts.tokens();
        let vocab = Vocabulary::choose(&text.name, &counts, options.max_vocab)?;
        if options.rules.lines && vocab.line_break().is_none() {
            return Err(Error::Option {
                option: "max-vocab",
                found: vocab.len().to_string(),
                rule: "with --lines it has to be so large that the line break is among the tokens",
            });
        }
        Ok(Self {
            name: text.name.clone(),
            seen,
            vocab,
            rules: options.rules(),
            len,
            train_len: text.split(len, options.valid_fraction).train,
        })
    }

    /// Tokens of the text, as the rules leave it.
    #[allow(clippy::len_without_is_empty, reason = "an empty text has no outline")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// As [`Corpus::check_length`].
    ///
    /// # Errors
    /// [`Error::TooShort`] with what is needed and what is there.
    pub fn check_length(&self, batch: usize, window: usize) -> Result<()> {
        let (level, parts) = (self.vocab.level(), (self.len, self.train_len));
        check_length(&self.name, level, parts, batch, window)
    }

    /// Checks that this is the text of a run, by the hash in its checkpoint.
    ///
    /// # Errors
    /// [`Error::OtherCorpus`].
    pub fn check_hash(&self, expected: &str) -> Result<()> {
        check_hash(&self.name, self.seen.sha256, expected)
    }

    /// Reads `text` again, for its tokens. Those of a text that is not in memory go to a temporary file in `folder`, of
    /// one byte a character, or two if the vocabulary has more than 256 tokens.
    ///
    /// # Errors
    /// [`Error::TextChanged`], [`Error::TokenFile`], or as [`Text::pass`].
    pub fn corpus(self, text: &Text, folder: &Path) -> Result<Corpus> {
        let mut encoder = Encoder::new(self.vocab.clone());
        let mut store = match text.is_streamed() {
            true => Store::File(TokenFile::new(folder, self.vocab.len())?),
            false => Store::Memory(Vec::with_capacity(self.len)),
        };
        let (mut ids, mut bytes, mut len) = (Vec::new(), Vec::new(), 0);
        let pass = text.pass(self.rules, &mut |piece, _| {
            // The first pass has seen every character of the text, so this is another text.
            let encoded = encoder.encode(piece, &self.name, &mut ids);
            encoded.map_err(|_| text.changed())?;
            len += ids.len();
            store.append(&ids, &mut bytes)?;
            Ok(len <= self.len)
        })?;
        encoder.finish(&mut ids);
        store.append(&ids, &mut bytes)?;
        if pass != Pass::Whole(self.seen) || len + ids.len() != self.len {
            return Err(text.changed());
        }
        Ok(Corpus {
            name: self.name,
            sha256: self.seen.sha256,
            vocab: self.vocab,
            train_len: self.train_len,
            len: self.len,
            store,
        })
    }
}

fn check_hash(name: &str, sha256: [u8; 32], expected: &str) -> Result<()> {
    match hex(&sha256) {
        found if found == expected => Ok(()),
        found => Err(Error::OtherCorpus {
            name: name.to_owned(),
            found,
            expected: expected.to_owned(),
        }),
    }
}

fn check_length(
    name: &str,
    level: Level,
    (len, train_len): (usize, usize),
    batch: usize,
    window: usize,
) -> Result<()> {
    let unit = level.unit();
    let short = |part, have, need, why| Error::TooShort {
        name: name.to_owned(),
        part,
        unit,
        have,
        need,
        why,
    };
    let need = batch * (window + 1);
    if train_len < need {
        let why =
            format!("--batch {batch} streams of one --window of {window} {unit}s and its target");
        return Err(short("training part", train_len, need, why));
    }
    let validation = len - train_len;
    if validation < 2 {
        let why = "see --valid-fraction".to_owned();
        return Err(short("validation part", validation, 2, why));
    }
    Ok(())
}

impl Corpus {
    /// The text as it is, holding back its last `fraction` for validation. Tokens of a text that is not in memory go
    /// to a file in the system's temporary folder.
    ///
    /// # Errors
    /// As [`Outline::of`] and [`Outline::corpus`].
    pub fn new(text: &Text, fraction: f64) -> Result<Self> {
        let options = CorpusOptions {
            valid_fraction: fraction,
            ..CorpusOptions::default()
        };
        Outline::of(text, &options)?.corpus(text, &std::env::temp_dir())
    }

    /// Tokens of the whole text.
    #[allow(
        clippy::len_without_is_empty,
        reason = "a corpus has two different characters"
    )]
    pub fn len(&self) -> usize {
        self.len
    }

    /// How much of it is trained on.
    pub fn split(&self) -> Split {
        Split {
            train: self.train_len,
            len: self.len,
        }
    }

    /// Tokens of the held-out part, the last of the text.
    pub fn validation_len(&self) -> usize {
        self.len - self.train_len
    }

    /// Parts of the training tokens and of the held-out ones that are the unknown token; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Read`] when the token file cannot be read.
    pub fn unknown(&self) -> Result<Option<[f64; 2]>> {
        let Some(unknown) = self.vocab.unknown() else {
            return Ok(None);
        };
        let share = |range| Unknowns::share_of(self, unknown, range);
        let parts = [share(0..self.train_len)?, share(self.train_len..self.len)?];
        Ok(Some(parts))
    }

    /// Entropy of the tokens' frequencies, in nats: the loss of predicting each by how often it occurs.
    ///
    /// # Errors
    /// As [`Corpus::fill`].
    pub fn unigram_nats(&self) -> Result<f64> {
        let mut counts = vec![0_u64; self.vocab.len()];
        self.read(0..self.len, &mut |tokens| {
            tokens.iter().for_each(|&id| counts[usize::from(id)] += 1);
            Ok(())
        })?;
        let total = self.len as f64;
        let parts = counts.iter().filter(|&&n| n > 0).map(|&n| n as f64 / total);
        Ok(parts.map(|p| -p * p.ln()).sum())
    }

    /// As [`Outline::check_hash`].
    ///
    /// # Errors
    /// [`Error::OtherCorpus`].
    pub fn check_hash(&self, expected: &str) -> Result<()> {
        check_hash(&self.name, self.sha256, expected)
    }

    /// Fills `out` with the tokens of the positions `start..start + out.len()`, which have to be there. Allocates
    /// nothing, and may be called from several threads at once.
    ///
    /// # Errors
    /// [`Error::Read`] when the token file cannot be read.
    pub fn fill(&self, start: usize, out: &mut [u16]) -> Result<()> {
        self.store.fill(start, out)
    }

    /// Checks that the parts are long enough for `batch` streams of windows of `window` characters.
    ///
    /// # Errors
    /// [`Error::TooShort`] with what is needed and what is there.
    pub fn check_length(&self, batch: usize, window: usize) -> Result<()> {
        let (level, parts) = (self.vocab.level(), (self.len, self.train_len));
        check_length(&self.name, level, parts, batch, window)
    }
}

impl Tokens for Corpus {
    fn read(&self, range: Range<usize>, each: &mut dyn FnMut(&[u16]) -> Result<()>) -> Result<()> {
        const PIECE: usize = 1 << 16;
        let end = range.end.min(self.len);
        let mut piece = vec![0; PIECE.min(end.saturating_sub(range.start))];
        for start in (range.start..end).step_by(PIECE) {
            let part = &mut piece[..PIECE.min(end - start)];
            self.fill(start, part)?;
            each(part)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
